"""Report a run's end as text: confusion and recall per class, or the most confused pairs if there are many classes.

Shapes: N classes.
"""

from __future__ import annotations

import math
import string
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from rich import box
from rich.columns import Columns
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tpsgd_host.runs.metrics import Matrix, most_confused, recall

MATRIX_CLASSES = 30
_KEYS = string.ascii_lowercase + string.ascii_uppercase
_HIT, _MISS = "bold green", "red"
_NAME = 14  # columns for a class name
_COUNTS = 32  # columns for the counts beside two names, and the gaps
_FRAME = 12  # columns for the letter, the recall and the gaps


def confusion_report(confusion: Matrix, classes: Sequence[str], of: str, width: int) -> RenderableType:
    """Return the confusion of a run in ``width`` columns.

    Parameters
    ----------
    confusion : ndarray of int64, shape (N, N)
        Rows are labels, columns predictions.
    classes : sequence of str
        The N names.
    of : str
        What was counted, for the title.
    """
    names = [clip(name, _NAME) for name in classes]
    n = len(names)
    if n > MATRIX_CLASSES:
        return _pairs(confusion, classes, of, width)
    shares = recall(confusion)
    digits = len(str(int(confusion.max(initial=0))))
    columns = sum(max(len(name), digits) + 3 for name in names)
    if all(len(name) <= 8 for name in names) and max(map(len, names), default=0) + columns <= width - _FRAME:
        return _matrix(confusion, names, names, of, 1, shares)
    for cells, wide, what in ((confusion, digits, of), (_tenths(confusion), 1, f"{of}, in tenths")):
        room = width - _FRAME - n * (wide + 1)  # for the label
        if room >= min(8, max(map(len, names))):
            return _matrix(cells, [clip(name, room) for name in names], _KEYS[:n], what, 0, shares)
    return _pairs(confusion, classes, of, width)


def clip(name: str, length: int) -> str:
    """Return ``name`` without control characters, shortened in the middle to at most ``length`` characters."""
    clean = "".join(c if c.isprintable() else " " for c in name)
    if len(clean) <= length:
        return clean
    head = length // 2
    return f"{clean[:head]}…{clean[head + 1 - length :]}" if length > 2 else clean[:length]


def percent(share: float | None) -> str:
    """Return a share as a percentage, a dash for None and NaN."""
    return "-" if share is None or math.isnan(share) else f"{share:.1%}"


def _tenths(confusion: Matrix) -> Matrix:
    """Return each row's shares as 0..9; every count above 0 gives at least 1."""
    totals = np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    return np.where(confusion > 0, np.clip(confusion * 10 // totals, 1, 9), 0)


def _matrix(
    cells: Matrix,
    names: Sequence[str],
    heads: Sequence[str],
    of: str,
    pad: int,
    shares: npt.NDArray[np.float64],
) -> Group:
    """Return the matrix; if column heads are letters, each label shows its letter."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, pad))
    lettered = list(heads) != list(names)
    if lettered:
        table.add_column("", style="bold", no_wrap=True)
    table.add_column("", no_wrap=True)
    for head in heads:
        table.add_column(Text(head), justify="right", no_wrap=True)
    table.add_column("recall", justify="right", no_wrap=True)
    for i, name in enumerate(names):
        row = [_count(int(cells[i, j]), i == j) for j in range(len(names))]
        key = [Text(heads[i])] if lettered else []
        table.add_row(*key, Text(name), *row, percent(float(shares[i])))
    return Group(_title(f"Confusion, {of} (rows: labels, columns: predictions)"), table)


def _title(text: str) -> Text:
    return Text(text, "bold")


def _count(value: int, hit: bool) -> Text:
    if not value:
        return Text("·", "dim")
    return Text(str(value), _HIT if hit else _MISS)


def _pairs(confusion: Matrix, classes: Sequence[str], of: str, width: int) -> Group:
    names = [clip(name, max(_NAME, (width - _COUNTS) // 2)) for name in classes]
    table = Table(box=box.SIMPLE_HEAD)
    for head in ("label", "predicted"):
        table.add_column(head, no_wrap=True)
    for head in ("times", "of its label"):
        table.add_column(head, justify="right")
    totals = confusion.sum(axis=1)
    for label, guess, count in most_confused(confusion, 15):
        table.add_row(Text(names[label]), Text(names[guess]), str(count), percent(count / totals[label]))
    shares = recall(confusion)
    order = [int(i) for i in np.argsort(shares, kind="stable")]  # NaN sorts last
    entries = [Text(f"{names[i]} {percent(float(shares[i]))}", no_wrap=True) for i in order]
    return Group(
        _title(f"Most confused, {of}"), table, _title("Recall by class, lowest first"), Columns(entries, padding=(0, 3))
    )
