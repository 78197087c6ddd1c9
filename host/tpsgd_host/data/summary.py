"""What a CSV seems to hold, for a user who begins a model from it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tpsgd_host.data.labels import unify
from tpsgd_host.data.records import CsvFile, is_number, open_csv

GROUPS = ("recording", "group", "id", "session", "file")
LABELS = ("label", "class", "target", "gesture", "digit")
# Clocks: a network should not learn from them.
TIMES = ("time", "timestamp", "time_s", "time_ms", "time_us", "ms", "millis", "seconds")


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
        The column that seems to tell recordings apart; empty where there is none.
    """

    columns: tuple[str, ...]
    numeric_columns: tuple[str, ...]
    rows: int
    label: str
    label_counts: dict[str, int]
    group: str

    @property
    def value_columns(self) -> tuple[str, ...]:
        """Numeric columns but the label and those called like a group or a clock."""
        others = {*GROUPS, *TIMES, self.label.casefold()}
        return tuple(name for name in self.numeric_columns if name.casefold() not in others)


def summarize(path: str | Path, label: str = "") -> TableSummary:
    """Look through a CSV.

    Parameters
    ----------
    path : str or Path
        The file.
    label : str
        Its label column; empty to guess.

    Returns
    -------
    TableSummary

    Raises
    ------
    DataError
        If the file cannot be read, or has no column ``label``.
    """
    file = open_csv(path)
    if label:
        file.index(label, "label", "--label")
    rows = [record.fields for record in file.records() if not record.problem]
    if not rows:
        raise file.no_rows()
    cells = dict(zip(file.header, zip(*rows, strict=True), strict=True))
    numeric = tuple(name for name in file.header if _mostly_numbers(cells[name]))
    # A group that never repeats tells rows apart, not recordings.
    repeating = [name for name in file.header if name != label and len(set(cells[name])) < len(rows)]
    label = label or _guess_label(file, numeric)
    counts = Counter(word for word in unify([text.strip() for text in cells.get(label, ())]) if word)
    return TableSummary(
        columns=file.header,
        numeric_columns=numeric,
        rows=len(rows),
        label=label,
        label_counts=dict(counts.most_common()),
        group=_among(GROUPS, repeating),
    )


def _guess_label(file: CsvFile, numeric: Sequence[str]) -> str:
    """Return the column called like a label, or the only one with words in it."""
    named = _among(LABELS, file.header)
    if named:
        return named
    folded = {name.casefold() for name in file.header}
    if "y" in folded and not folded & {"x", "z"}:  # beside x or z it is an axis
        return _among(("y",), file.header)
    words = [name for name in file.header if name not in numeric and name.casefold() not in (*GROUPS, *TIMES)]
    return words[0] if len(words) == 1 else ""


def _among(wanted: Sequence[str], names: Sequence[str]) -> str:
    """Return the first of ``wanted`` that is one of ``names``, as these spell it; else an empty string."""
    folded = {name.casefold(): name for name in names}
    return next((folded[name] for name in wanted if name in folded), "")


def _mostly_numbers(column: Sequence[str]) -> bool:
    """Return whether more than half of the cells that are not empty are finite numbers."""
    filled = [cell for cell in column if cell.strip()]
    try:
        good = sum(map(math.isfinite, map(float, filled)))
    except ValueError:
        good = sum(is_number(cell) and math.isfinite(float(cell)) for cell in filled)
    return 2 * good > len(filled)
