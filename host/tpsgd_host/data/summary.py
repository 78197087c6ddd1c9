"""Describe what a CSV seems to hold, for a user who starts a model from it."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from tpsgd_host.data.labels import unify
from tpsgd_host.data.records import CsvFile, open_csv
from tpsgd_host.data.roles import (
    GROUPS,
    TIMES,
    Bools,
    Column,
    ColumnReader,
    clock_rate,
    counts_rows,
    decimal_comma,
    guess_group,
    guess_label,
    is_clock,
)
from tpsgd_host.data.suspicions import Suspicion, Table, suspect
from tpsgd_host.data.windows import Recording, find_recordings
from tpsgd_host.errors import DataError

BLOCK = 8192  # rows that are in memory as text


@dataclass(frozen=True)
class TableSummary:
    """Columns, rows and labels of a CSV.

    Attributes
    ----------
    columns : tuple of str
        All columns, in order.
    numeric_columns : tuple of str
        Those that hold mostly finite numbers, integer labels included.
    rows : int
        Number of rows with as many fields as the header.
    label : str
        The label column, given or guessed; empty where there is none.
    label_counts : dict of str to int
        Rows per label, most common first; rows without a label do not count.
    group : str
        The column that tells recordings apart, given or guessed; empty where there is none.
    value_columns : tuple of str
        The columns to learn from: the given ones, or the numeric columns that serve no other purpose.
    ranges : dict of str to (float, float)
        Smallest and largest number of each value column.
    unused : dict of str to str
        The other columns, and what each seems to be.
    rate : float
        Readings per second, from the table's clock; 0 where unknown.
    recordings : dict of str to int
        Recordings per label, most common first; empty without a group column.
    readings : tuple of int
        Fewest and most readings in a recording; 0 and 0 without a group column.
    suspicions : tuple of Suspicion
        Likely mistakes in the data.
    """

    columns: tuple[str, ...]
    numeric_columns: tuple[str, ...]
    rows: int
    label: str
    label_counts: dict[str, int]
    group: str
    value_columns: tuple[str, ...]
    ranges: dict[str, tuple[float, float]]
    unused: dict[str, str]
    rate: float
    recordings: dict[str, int]
    readings: tuple[int, int]
    suspicions: tuple[Suspicion, ...]


def summarize(path: str | Path, label: str = "", group: str = "", columns: Sequence[str] = ()) -> TableSummary:
    """Summarize a CSV.

    Parameters
    ----------
    path : str or Path
        The file.
    label, group : str
        Its label column, and the column that tells recordings apart; empty to guess.
    columns : sequence of str
        Its value columns; empty to guess.

    Returns
    -------
    TableSummary

    Raises
    ------
    DataError
        If the file cannot be read, lacks a named column, has numbers with decimal commas, or has a measurement in place
        of a label.
    """
    file = open_csv(path)
    for name, role, option in ((label, "label", "--label"), (group, "group", "--group")):
        if name:
            file.index(name, role, option)
    for name in columns:
        file.index(name, "value", "--columns")
    lines, table = _read(file, {label, group, *columns})
    if not lines:
        raise file.no_rows()
    for name in columns or table:
        if comma := decimal_comma(table[name]):
            raise DataError(
                f"{path}: column {name!r} has decimal commas, such as {comma!r}.",
                "Write decimals with a point. With ; or tabs between the columns: sed 's/,/./g' OLD.csv > NEW.csv",
            )
    label = label or guess_label(list(table.values()))
    labels = unify([text.strip() for text in table[label].cells]) if label else [""] * len(lines)
    others = [column for name, column in table.items() if name != label]
    group = group or guess_group(others, labels)
    found = find_recordings(labels, table[group].cells if group else ())
    unused, rate = _unused([c for c in others if c.name != group], found if group else [], len(lines))
    values = tuple(columns) or tuple(c.name for c in others if c.name != group and c.name not in unused)
    rows = Counter(word for word in labels if word)
    lengths = [len(recording) for recording in found] if group else [0]
    whole = Table(
        str(path), lines, label, labels, group, found,
        [table[name] for name in values], table[group].cells if group else (),
    )  # fmt: skip
    return TableSummary(
        columns=file.header,
        numeric_columns=tuple(name for name, column in table.items() if column.values is not None),
        rows=len(lines),
        label=label,
        label_counts=dict(rows.most_common()),
        group=group,
        value_columns=values,
        ranges={name: _range(table[name]) for name in values},
        unused={name: what for name, what in unused.items() if name not in values},
        rate=rate,
        recordings=dict(Counter(r.label for r in found if r.label).most_common()) if group else {},
        readings=(min(lengths), max(lengths)),
        suspicions=tuple(suspect(whole)) if label else (),
    )


def _read(file: CsvFile, named: Collection[str]) -> tuple[Sequence[int], dict[str, Column]]:
    """Return the line of each good row, and the columns by name; the cells of those ``named`` are kept."""
    readers = [ColumnReader(name, keep=name in named) for name in file.header]
    lines = array("q")
    good = (record for record in file.records() if not record.problem)
    while block := list(islice(good, BLOCK)):
        lines.extend(record.line for record in block)
        for reader, cells in zip(readers, zip(*(record.fields for record in block), strict=True), strict=True):
            reader.add(cells)
    if not lines:
        return lines, {}
    return lines, {name: reader.column() for name, reader in zip(file.header, readers, strict=True)}


def _unused(columns: Sequence[Column], recordings: Sequence[Recording], rows: int) -> tuple[dict[str, str], float]:
    """Return the columns to hide from a network, with what each one is, and the rate according to a clock."""
    inside = _inside(recordings, rows)
    found: dict[str, str] = {}
    rate = 0.0
    for column in columns:
        if column.values is None:
            found[column.name] = "words" if any(cell.strip() for cell in column.cells) else "empty"
        elif counts_rows(column):
            found[column.name] = "counts the rows"
        elif is_clock(column, inside):
            found[column.name] = "a clock"
            rate = rate or clock_rate(column, inside)
        elif column.name.casefold() in (*GROUPS, *TIMES):
            found[column.name] = "numbers used as names"
    return found, rate


def _inside(recordings: Sequence[Recording], rows: int) -> Bools | None:
    """Return whether a row and the next belong to one recording, shape (R - 1,); None without recordings."""
    if not recordings:
        return None
    inside = np.ones(rows - 1, bool)
    inside[[recording.start - 1 for recording in recordings[1:]]] = False
    return inside


def _range(column: Column) -> tuple[float, float]:
    if column.values is None:
        return 0.0, 0.0
    return float(np.nanmin(column.values)), float(np.nanmax(column.values))
