"""Guess what the columns of a table are for, from their names and contents.

Shapes: R rows.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from tpsgd_host.data.records import is_number

GROUPS = (
    "recording", "group", "recording_id", "rec", "file", "filename", "file_name", "path", "filepath", "clip", "wav",
    "take", "trial", "sequence", "series", "segment", "episode", "uuid", "id", "session", "run",
)  # fmt: skip
LABELS = ("label", "class", "target", "activity", "gesture", "digit")
# Clocks, from which a network should not learn.
TIMES = ("time", "timestamp", "time_s", "time_ms", "time_us", "ms", "millis", "seconds")

#: Words in the names of clocks, with the unit in seconds where the word tells it.
_CLOCK_WORDS = {
    "time": 0.0, "timestamp": 0.0, "datetime": 0.0, "date": 0.0, "elapsed": 0.0, "epoch": 0.0, "t": 0.0,
    "s": 1.0, "sec": 1.0, "secs": 1.0, "second": 1.0, "seconds": 1.0, "ms": 1e-3, "msec": 1e-3, "millis": 1e-3,
    "milliseconds": 1e-3, "us": 1e-6, "usec": 1e-6, "micros": 1e-6, "microseconds": 1e-6, "ns": 1e-9,
    "nanoseconds": 1e-9,
}  # fmt: skip

#: The least that a clock counting from 1970 shows today, and its unit in seconds.
_SINCE_1970 = ((1e17, 1e-9), (1e14, 1e-6), (1e11, 1e-3), (1e8, 1.0))

MAX_NAMES = 20_000  # different numbers in a column; more mean measurements

_MIN_STEPS = 8  # from row to row, to recognize a clock
_STEADY = 0.8  # of a clock's steps have the same length
_RISING = 0.95  # of a clock's steps go forwards; it may restart with each recording
_COUNTED = 0.99  # of a counter's steps are 1

_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+")

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Column:
    """A column of R cells.

    Attributes
    ----------
    cells : sequence of str, length R
        Empty where there are too many different numbers for names.
    values : ndarray of float64, shape (R,), or None
        NaN where a cell is not a finite number; None where most are not.
    """

    name: str
    cells: Sequence[str]
    values: Floats | None

    @property
    def key(self) -> str:
        """The name for comparisons; see :func:`key_of`."""
        return key_of(self.name)

    @property
    def repeats(self) -> bool:
        """Whether any cell occurs twice, as the names of recordings and classes do."""
        return bool(self.cells) and (len(self.cells) < 2 or len(set(self.cells)) < len(self.cells))


def key_of(name: str) -> str:
    """Return a name for comparisons: lower case, words joined by underscores."""
    return re.sub(r"[^0-9a-z]+", "_", name.casefold()).strip("_")


def decimal_comma(column: Column) -> str:
    """Return the first cell of a column whose numbers have decimal commas; empty for any other column."""
    if column.values is not None:
        return ""
    filled = [cell.strip() for cell in column.cells if cell.strip()]
    commas = [cell for cell in filled if _DECIMAL_COMMA.fullmatch(cell)]
    return commas[0] if 2 * len(commas) > len(filled) else ""


class ColumnReader:
    """Reads a column block by block, so that a long table is not held in memory as text.

    Parameters
    ----------
    keep : bool
        Keep the cells, however many different ones there are.
    """

    def __init__(self, name: str, keep: bool = False) -> None:
        self._name, self._keep = name, keep or key_of(name) in (*GROUPS, *LABELS)
        self._blocks: list[Floats] = []
        self._cells: list[str] | None = []
        self._known: dict[str, str] = {}
        self._filled = 0

    def add(self, cells: Sequence[str]) -> None:
        """Take the next cells."""
        try:
            values = np.array(cells, np.float64)
            self._filled += len(cells)
        except ValueError:
            values = np.array([float(cell) if is_number(cell) else math.nan for cell in cells])
            self._filled += sum(bool(cell.strip()) for cell in cells)
        self._blocks.append(np.where(np.isfinite(values), values, math.nan))
        if self._cells is not None:
            self._cells.extend(self._known.setdefault(cell, cell) for cell in cells)  # equal cells are stored once
        if len(self._known) > MAX_NAMES and not self._keep and np.isfinite(self._blocks[0]).all():
            self._cells, self._known = None, {}

    def column(self) -> Column:
        """Return the column."""
        values = np.concatenate(self._blocks)
        numbers = int(np.isfinite(values).sum())
        return Column(self._name, self._cells or (), values if 2 * numbers > self._filled else None)


def named(wanted: Sequence[str], columns: Sequence[Column]) -> str:
    """Return the column that has the first possible name of ``wanted``, or an empty string."""
    keys = {column.key: column.name for column in columns}
    return next((keys[name] for name in wanted if name in keys), "")


def guess_label(columns: Sequence[Column]) -> str:
    """Return the column that is named like a label, or the only one with words of which some repeat."""
    found = named(LABELS, columns)
    if found:
        return found
    keys = {column.key for column in columns}
    if "y" in keys and not keys & {"x", "z"}:  # next to x or z, y is an axis
        return named(("y",), columns)
    words = [c.name for c in columns if c.values is None and c.key not in (*GROUPS, *TIMES) and c.repeats]
    return words[0] if len(words) == 1 else ""


def guess_group(columns: Sequence[Column], labels: Sequence[str]) -> str:
    """Return the column that tells recordings apart, by its name or because it changes as recordings do."""
    # A column that never repeats tells rows apart, not recordings; so does a counter.
    repeating = [column for column in columns if column.repeats and not counts_rows(column)]
    return named(GROUPS, repeating) or next((c.name for c in repeating if _like_recordings(c, labels)), "")


def _like_recordings(column: Column, labels: Sequence[str]) -> bool:
    """Return whether a column names runs of rows: no name comes back, each has one label, and several share a label."""
    cells = column.cells
    if column.values is not None:
        steps = np.unique(np.diff(column.values))
        if not set(steps.tolist()) <= {0.0, 1.0}:  # a reading may stay the same; a recording's number goes up
            return False
    runs = 1 + sum(one != other for one, other in pairwise(cells))
    if runs == 1 or 3 * runs > len(cells) or runs != len(set(cells)):
        return False
    pairs = set(zip(cells, labels, strict=True))
    return len(pairs) == runs > len(set(labels))


def counts_rows(column: Column) -> bool:
    """Return whether a column counts the rows, like an index that was saved with a table."""
    steps = _steps(column, None)
    return len(steps) >= _MIN_STEPS and float((steps == 1).mean()) >= _COUNTED


def is_clock(column: Column, inside: Bools | None) -> bool:
    """Return whether a column tells the time or counts readings, judged by its name or its equal steps forwards.

    Parameters
    ----------
    inside : ndarray of bool, shape (R - 1,), or None
        Whether a row and the next belong to one recording; None if all do.
    """
    if column.key in TIMES:
        return True
    steps = _steps(column, inside)
    if len(steps) < _MIN_STEPS:
        return False
    if (steps > 0).mean() > _RISING:
        middle = np.median(steps)
        if (np.abs(steps - middle) <= middle / 2).mean() > _STEADY:
            return True
    return bool((steps >= 0).mean() > _RISING) and bool(set(column.key.split("_")) & set(_CLOCK_WORDS))


def clock_rate(column: Column, inside: Bools | None) -> float:
    """Return the readings per second according to a clock; 0 if its unit is unknown."""
    steps = _steps(column, inside)
    if not len(steps) or column.values is None:
        return 0.0
    step, latest = float(np.median(steps)), float(np.nanmax(column.values))
    units = [_CLOCK_WORDS[word] for word in column.key.split("_") if _CLOCK_WORDS.get(word)]
    units += [unit for least, unit in _SINCE_1970 if latest >= least][:1]
    if not units and column.key == "time" and 0 < step < 1:
        units = [1.0]
    return round(1 / (step * units[0]), 3) if units and step > 0 else 0.0


def _steps(column: Column, inside: Bools | None) -> Floats:
    """Return the finite differences between neighbouring rows of the same recording."""
    if column.values is None or len(column.values) < 2:
        return np.empty(0)
    steps = np.diff(column.values)
    keep = np.isfinite(steps) if inside is None else np.isfinite(steps) & inside
    result: Floats = steps[keep]
    return result
