"""Make tables of readings, split them, and cut them into samples.

Shapes: R rows, V value columns.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tpsgd_host.data.labels import NamedSamples, to_samples
from tpsgd_host.data.layout import Layout
from tpsgd_host.data.rejects import Rejects
from tpsgd_host.data.samples import Samples
from tpsgd_host.data.split import split
from tpsgd_host.data.table import Table
from tpsgd_host.data.windows import cut, find_recordings

HEADER_LINES = 1


def pixels(height: int, width: int) -> tuple[str, ...]:
    """Return the column names of an image, row by row."""
    return tuple(f"p{y}_{x}" for y in range(height) for x in range(width))


def table(
    columns: Sequence[str], values: npt.NDArray[np.float64], labels: Sequence[str], groups: Sequence[str]
) -> Table:
    """Return rows as the table that reading them from a CSV would give.

    Parameters
    ----------
    columns : sequence of str
        Names of the V columns.
    values : ndarray of float64, shape (R, V)
    labels, groups : sequence of str, length R
    """
    lines = np.arange(len(labels), dtype=np.int64) + HEADER_LINES + 1
    return Table(tuple(columns), values, tuple(labels), tuple(groups), lines)


def samples(rows: Table, layout: Layout, classes: Sequence[str] | None, source: str) -> Samples:
    """Cut a table into samples as ``layout`` says; without ``classes``, the table's are used."""
    if layout.windows == "row":
        values = rows.values.reshape(len(rows.labels), layout.steps, layout.channels)
        named = NamedSamples(values, rows.labels, rows.groups, rows.lines)
    else:
        windows = cut(rows.values, find_recordings(rows.labels, rows.groups), layout)
        origin = windows.recordings
        names = [r.label for r in origin], [r.name for r in origin]
        named = NamedSamples(windows.values, *names, rows.lines[windows.starts])
    return to_samples(named, classes, Rejects(source, "stop"))


def split_table(rows: Table, layout: Layout, fraction: float, seed: int) -> tuple[Table, Table]:
    """Set a fraction of each class aside for testing, in whole recordings.

    Parameters
    ----------
    fraction : float
        Share of each class's samples, as cut by ``layout``.
    seed : int
        Selects the recordings.

    Returns
    -------
    train, test : Table
        Each in the order of ``rows``.
    """
    test = set(split(samples(rows, layout, None, "the data"), fraction, seed)[1].groups)
    inside = np.array([group in test for group in rows.groups], bool)
    return select(rows, ~inside), select(rows, inside)


def select(rows: Table, mask: npt.NDArray[np.bool_]) -> Table:
    """Return the rows where ``mask``, shape (R,), is set."""
    index = np.flatnonzero(mask).tolist()
    return table(rows.columns, rows.values[mask], [rows.labels[i] for i in index], [rows.groups[i] for i in index])
