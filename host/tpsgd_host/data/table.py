"""Read a CSV into numbers, labels and groups, with the line each row came from.

Shapes: R rows, V value columns.
"""

from __future__ import annotations

import math
import reprlib
from array import array
from collections.abc import Callable
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


@dataclass(frozen=True)
class Table:
    """The good rows of a CSV.

    Attributes
    ----------
    columns : tuple of str
        Names of the V value columns.
    values : ndarray of float64, shape (R, V)
    labels : tuple of str
        One a row; empty strings where there is no label.
    groups : tuple of str
        One a row, or nothing at all where the layout names no group column.
    lines : ndarray of int64, shape (R,)
        Line of the file each row begins on; the header is line 1.
    breaks : frozenset of int
        Rows before which rows without a label were left out: no recording goes on across them.
    """

    columns: tuple[str, ...]
    values: npt.NDArray[np.float64]
    labels: tuple[str, ...]
    groups: tuple[str, ...]
    lines: npt.NDArray[np.int64]
    breaks: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Fields:
    """Where in a record the label, the group (None: nowhere) and the values stand."""

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
        Which columns hold what, and how many values a row must have.
    rejects : Rejects
        Takes the bad rows: another number of fields than the header, a value that is not a finite number, no label.
    require_labels : bool
        Whether a missing label column, or an empty label, is an error.

    Returns
    -------
    Table

    Raises
    ------
    DataError
        If the file cannot be read or used, or a row is bad and ``rejects`` stops there.
    """
    file = open_csv(path)
    fields = find_fields(file, layout, require_labels)
    rows = _Rows(file, fields, rejects, require_labels)
    for record in file.records():
        rows.add(record)
    if not rows.lines and not rejects.rows:
        raise file.no_rows()
    return rows.table()


def find_fields(file: CsvFile, layout: Layout, require_labels: bool = True) -> Fields:
    """Return where the layout's columns stand in a file, or raise DataError."""
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
        per_row = f"{layout.steps} x {layout.channels} a row" if layout.windows == "row" else "one a channel"
        raise DataError(
            f"{file.source}: {len(values)} value columns found, the model wants {layout.width} ({per_row}).",
            f"Found: {names or 'none'}. Name the columns to use with --columns, the others with --label and --group.",
        )
    return Fields(label, group, values)


class _Rows:
    """The rows read so far; kept flat, because a list a row would cost several times the memory."""

    def __init__(self, file: CsvFile, fields: Fields, rejects: Rejects, require_labels: bool) -> None:
        self.file, self.fields, self.rejects, self.require_labels = file, fields, rejects, require_labels
        self.pick = _picker(fields.values)
        self.values = array("d")
        self.lines = array("q")
        self.labels: list[str] = []
        self.groups: list[str] = []
        self.breaks: set[int] = set()

    def add(self, record: Record) -> None:
        """Take a record in, or reject it."""
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
            self.labels.append(label)
            if self.fields.group is not None:
                self.groups.append(record.fields[self.fields.group].strip())

    def table(self) -> Table:
        """Return what was taken in."""
        return Table(
            columns=tuple(self.file.header[i] for i in self.fields.values),
            values=np.array(self.values, np.float64).reshape(len(self.lines), len(self.fields.values)),
            labels=tuple(self.labels),
            groups=tuple(self.groups),
            lines=np.array(self.lines, np.int64),
            breaks=frozenset(self.breaks),
        )

    def _bad_value(self, cells: tuple[str, ...]) -> str:
        """Name the first value that cannot be used."""
        for index, cell in zip(self.fields.values, cells, strict=True):
            if _numbers((cell,)) is None:
                return f"column {self.file.header[index]!r} {_complaint(cell)}"
        raise AssertionError("a row was refused whose values are all good")


def _picker(indices: tuple[int, ...]) -> Callable[[list[str]], tuple[str, ...]]:
    """Return a fast function from a record's fields to those at ``indices``."""
    if len(indices) == 1:  # itemgetter would return the field itself
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
    # One sum finds NaN, infinity and what is too large; only a sum that is itself too large needs the second look.
    if sum(map(abs, values)) <= LARGEST or all(abs(value) <= LARGEST for value in values):
        return values
    return None


def _complaint(cell: str) -> str:
    """Say what is wrong with a cell."""
    if not cell.strip():
        return "is empty"
    if not is_number(cell):
        return f"says {reprlib.repr(cell)}, which is not a number"
    if math.isfinite(float(cell)):
        return f"says {reprlib.repr(cell)}, which is too large for a float32"
    return f"says {reprlib.repr(cell)}, which is not a finite number"


def _comma_hint(cells: tuple[str, ...]) -> str:
    """Recognise decimal commas, as spreadsheets write them in half of Europe."""
    return (
        "Write decimals with a point."
        if any(is_number(cell.replace(",", ".")) and "," in cell for cell in cells)
        else ""
    )
