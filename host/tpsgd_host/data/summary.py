"""What a CSV seems to hold, for a user who begins a model from it."""

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
    guess_group,
    guess_label,
    is_clock,
)
from tpsgd_host.data.suspicions import Suspicion, Table, suspect
from tpsgd_host.data.windows import Recording, find_recordings

BLOCK = 8192  # rows that are in memory as text


@dataclass(frozen=True)
class TableSummary:
    """Columns, rows and labels of a CSV.

    Attributes
    ----------
    columns : tuple of str
        All of them, in order.
    numeric_columns : tuple of str
        Those that hold mostly finite numbers; integer labels are among them.
    rows : int
        Rows with as many fields as the header.
    label : str
        The label column, named by the caller or guessed; empty where there is none.
    label_counts : dict of str to int
        Rows of each label, commonest first; rows without one are not counted.
    group : str
        The column that tells recordings apart, named by the caller or guessed; empty where there is none.
    value_columns : tuple of str
        Those to learn from: named by the caller, or the numeric columns that are nothing else.
    ranges : dict of str to (float, float)
        Smallest and largest number of each value column.
    unused : dict of str to str
        The other columns, and what each seems to be.
    rate : float
        Readings a second as the table's clock tells them; 0 where unknown.
    recordings : dict of str to int
        Recordings of each label, commonest first; empty without a group column.
    readings : tuple of int
        Fewest and most readings of a recording; 0 and 0 without a group column.
    suspicions : tuple of Suspicion
        What is likely to be wrong.
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
    """Look through a CSV.

    Parameters
    ----------
    path : str or Path
        The file.
    label, group : str
        Its label column, and that which tells recordings apart; empty to guess.
    columns : sequence of str
        Its value columns; empty to guess.

    Returns
    -------
    TableSummary

    Raises
    ------
    DataError
        If the file cannot be read, has no column that was named or numbers with decimal commas, or its label is a
        measurement and no class.
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
    """Return the columns that a network should not see, with what each is, and the rate that a clock tells."""
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
            found[column.name] = "numbers that name something"
    return found, rate


def _inside(recordings: Sequence[Recording], rows: int) -> Bools | None:
    """Return whether a row and the next are of one recording, shape (R - 1,); None without recordings."""
    if not recordings:
        return None
    inside = np.ones(rows - 1, bool)
    inside[[recording.start - 1 for recording in recordings[1:]]] = False
    return inside


def _range(column: Column) -> tuple[float, float]:
    if column.values is None:
        return 0.0, 0.0
    return float(np.nanmin(column.values)), float(np.nanmax(column.values))
