"""Read a CSV into numbers, labels and groups, with the line number of each row.

Shapes: R rows, V value columns.
"""

from __future__ import annotations

import math
import reprlib
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tpsgd_host.data.layout import Layout
from tpsgd_host.data.records import CsvFile, Record, is_number, open_csv
from tpsgd_host.data.rejects import Rejects
from tpsgd_host.data.scaling import LARGEST
from tpsgd_host.errors import DataError
from tpsgd_host.names import listing

#: Rows to read at a time.
BLOCK = 4096


@dataclass(frozen=True)
class Table:
    """The good rows of a CSV.

    Attributes
    ----------
    columns : tuple of str
        Names of the V value columns.
    values : ndarray of float64, shape (R, V)
    labels : tuple of str
        One per row; empty strings where there is no label.
    groups : tuple of str
        One per row; an empty tuple where the layout names no group column.
    lines : ndarray of int64, shape (R,)
        Line on which each row begins; the header is line 1.
    breaks : frozenset of int
        Rows preceded by unlabelled rows that were left out; no recording continues across them.
    continues : bool
        Whether the first row continues the last recording of the previous table, where a file is read in several.
    """

    columns: tuple[str, ...]
    values: npt.NDArray[np.float64]
    labels: tuple[str, ...]
    groups: tuple[str, ...]
    lines: npt.NDArray[np.int64]
    breaks: frozenset[int] = frozenset()
    continues: bool = False


@dataclass(frozen=True)
class Fields:
    """The positions of label, group (None if absent) and values in a record."""

    label: int | None
    group: int | None
    values: tuple[int, ...]


def read_table(path: str | Path, layout: Layout, rejects: Rejects, require_labels: bool = True) -> Table:
    """Read a CSV as ``layout`` says.

    Parameters
    ----------
    path : str or Path
        The file: UTF-8, separated by comma, semicolon or tab, the first line naming the columns.
    layout : Layout
        Says what each column holds, and how many values a row must have.
    rejects : Rejects
        Receives bad rows: a number of fields that differs from the header's, a value that is not a finite number, no
        label.
    require_labels : bool
        Whether a missing label column, or an empty label, is an error.

    Returns
    -------
    Table

    Raises
    ------
    DataError
        If the file cannot be read or used, or ``rejects`` stops at a bad row.
    """
    (table,) = _read(path, layout, rejects, require_labels, None, lambda label: label)
    return table


def read_tables(
    path: str | Path, layout: Layout, rejects: Rejects, require_labels: bool, spell: Callable[[str], str]
) -> Iterator[Table]:
    """Read a CSV as :func:`read_table` does, a few thousand rows at a time.

    A table ends where a recording ends. A longer recording is cut so that each window is whole in one table; where a
    window is a whole recording, a table holds all of it.

    Parameters
    ----------
    spell : callable
        Returns a label in its class's spelling: 3.0 and 3 are the same.
    """
    return _read(path, layout, rejects, require_labels, BLOCK, spell)


def _read(
    path: str | Path,
    layout: Layout,
    rejects: Rejects,
    require_labels: bool,
    block: int | None,
    spell: Callable[[str], str],
) -> Iterator[Table]:
    file = open_csv(path)
    fields = find_fields(file, layout, require_labels)
    rows = _Rows(file, fields, rejects, require_labels, spell)
    full, some = block, False
    for record in file.records():
        rows.add(record)
        if full and block and len(rows.lines) >= full:
            cut = rows.cut(layout)
            if cut is not None:
                some = True
                yield rows.take(*cut)
            full = len(rows.lines) + block
    if not some and not rows.lines and not rejects.rows:
        raise file.no_rows()
    yield rows.take(len(rows.lines), len(rows.lines))


def find_fields(file: CsvFile, layout: Layout, require_labels: bool = True) -> Fields:
    """Return the positions of the layout's columns in a file, or raise DataError."""
    has_label = require_labels or layout.label in file.header
    label = file.index(layout.label, "label", "--label") if has_label else None
    group = file.index(layout.group, "group", "--group") if layout.group else None
    if layout.columns:
        values = tuple(file.index(name, "value", "--columns") for name in layout.columns)
    else:
        values = tuple(i for i in range(len(file.header)) if i not in (label, group))
    if label is not None and label in values:
        raise DataError(f"{file.source}: column {layout.label!r} is named both as a value and as the label.")
    if len(values) != layout.width:
        names = listing([file.header[i] for i in values])
        per_row = f"{layout.steps} x {layout.channels} per row" if layout.windows == "row" else "one per channel"
        raise DataError(
            f"{file.source}: {len(values)} value columns found, but the model needs {layout.width} ({per_row}).",
            f"Found: {names or 'none'}. Name the columns to use with --columns, the others with --label and --group.",
        )
    return Fields(label, group, values)


class _Rows:
    """The rows read so far; stored flat, because one list per row would take several times the memory."""

    def __init__(
        self, file: CsvFile, fields: Fields, rejects: Rejects, require_labels: bool, spell: Callable[[str], str]
    ) -> None:
        self.spell = spell
        self.words: dict[str, str] = {}  # each label by its spelling
        self.names: dict[str, str] = {}  # each group name once
        self.continues = False
        self.file, self.fields, self.rejects, self.require_labels = file, fields, rejects, require_labels
        self.pick = _picker(fields.values)
        self.values = array("d")
        self.lines = array("q")
        self.labels: list[str] = []
        self.groups: list[str] = []
        self.breaks: set[int] = set()

    def add(self, record: Record) -> None:
        """Add a record, or reject it."""
        if record.problem:
            self.rejects.add(record.line, record.problem)
            return
        cells = self.pick(record.fields)
        label = "" if self.fields.label is None else record.fields[self.fields.label].strip()
        values = _numbers(cells)
        if values is None:
            self.rejects.add(record.line, self._bad_value(cells), _comma_hint(cells))
        elif self.require_labels and not label:
            self.breaks.add(len(self.lines))
            name = self.file.header[self.fields.label or 0]
            self.rejects.add(record.line, f"the label (column {name!r}) is empty")
        else:
            self.values.extend(values)
            self.lines.append(record.line)
            self.labels.append(self.spelled(label))
            if self.fields.group is not None:
                group = record.fields[self.fields.group].strip()
                self.groups.append(self.names.setdefault(group, group))

    def spelled(self, label: str) -> str:
        """Return a label in its class's spelling, always the same object for the same label."""
        if label not in self.words:
            self.words[label] = self.spell(label)
        return self.words[label]

    def cut(self, layout: Layout) -> tuple[int, int] | None:
        """Return how many rows can become a table, and the first row to keep; None if there are none yet."""
        count = len(self.lines)
        if layout.windows == "row":
            return count, count
        begins = next((i for i in range(count - 1, 0, -1) if self.begins(i)), 0)
        if begins:
            return begins, begins
        hop = layout.hop or layout.window
        windows = min((count - layout.window) // hop + 1, (count - 1) // hop) if 0 < layout.window <= count else 0
        return ((windows - 1) * hop + layout.window, windows * hop) if windows else None

    def begins(self, i: int) -> bool:
        """Whether a recording begins with row ``i``, which is not the first."""
        if self.labels[i] != self.labels[i - 1] or i in self.breaks:
            return True
        return bool(self.groups) and self.groups[i] != self.groups[i - 1]

    def take(self, end: int, keep: int) -> Table:
        """Return the rows before ``end``, and drop those before ``keep``."""
        width = len(self.fields.values)
        table = Table(
            columns=tuple(self.file.header[i] for i in self.fields.values),
            values=np.array(self.values[: end * width], np.float64).reshape(end, width),
            labels=tuple(self.labels[:end]),
            groups=tuple(self.groups[:end]),
            lines=np.array(self.lines[:end], np.int64),
            breaks=frozenset(i for i in self.breaks if i < end),
            continues=self.continues,
        )
        self.continues = keep < len(self.lines) and (end != keep or not self.begins(keep))
        del self.values[: keep * width], self.lines[:keep], self.labels[:keep], self.groups[:keep]
        self.breaks = {i - keep for i in self.breaks if i >= keep}
        return table

    def _bad_value(self, cells: tuple[str, ...]) -> str:
        """Describe the first value that cannot be used."""
        for index, cell in zip(self.fields.values, cells, strict=True):
            if _numbers((cell,)) is None:
                return f"column {self.file.header[index]!r} {_complaint(cell)}"
        raise AssertionError("a row was refused whose values are all good")


def _picker(indices: tuple[int, ...]) -> Callable[[list[str]], tuple[str, ...]]:
    """Return a fast function that picks the fields at ``indices`` from a record."""
    if len(indices) == 1:  # with one index, itemgetter would return the field itself
        only = indices[0]
        return lambda fields: (fields[only],)
    pick: Callable[[list[str]], tuple[str, ...]] = itemgetter(*indices)
    return pick


def _numbers(cells: tuple[str, ...]) -> list[float] | None:
    """Return the cells as numbers, or None if one of them cannot be used."""
    try:
        values = list(map(float, cells))
    except ValueError:
        return None
    if "_" in "".join(cells):
        return None
    # One sum finds NaN, infinity and overlarge values; only a sum that is itself too large needs a second look.
    if sum(map(abs, values)) <= LARGEST or all(abs(value) <= LARGEST for value in values):
        return values
    return None


def _complaint(cell: str) -> str:
    """Describe what is wrong with a cell."""
    if not cell.strip():
        return "is empty"
    if not is_number(cell):
        return f"says {reprlib.repr(cell)}, which is not a number"
    if math.isfinite(float(cell)):
        return f"says {reprlib.repr(cell)}, which is too large for a float32"
    return f"says {reprlib.repr(cell)}, which is not a finite number"


def _comma_hint(cells: tuple[str, ...]) -> str:
    """Return a hint about decimal commas, as spreadsheets write them in half of Europe."""
    return (
        "Write decimals with a point."
        if any(is_number(cell.replace(",", ".")) and "," in cell for cell in cells)
        else ""
    )
