"""From a data file to labelled samples; the suffix tells what kind of file it is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tpsgd_host.data.labels import NamedSamples, to_samples, unify
from tpsgd_host.data.layout import Layout
from tpsgd_host.data.npz import read_npz
from tpsgd_host.data.rejects import BadRows, Rejects
from tpsgd_host.data.samples import Samples
from tpsgd_host.data.summary import TableSummary, summarize
from tpsgd_host.data.table import Table, read_table
from tpsgd_host.data.windows import cut, find_recordings
from tpsgd_host.errors import DataError

__all__ = ["TableSummary", "load_samples", "summarize"]

TABLES = (".csv", ".tsv", ".txt")


def load_samples(
    path: str | Path,
    layout: Layout,
    classes: Sequence[str] | None = None,
    bad_rows: BadRows = "stop",
    require_labels: bool = True,
) -> Samples:
    """Read a data file as the model wants it.

    Parameters
    ----------
    path : str or Path
        A ``.csv``, ``.tsv`` or ``.txt`` table, or ``.npz`` arrays.
    layout : Layout
        What the file's columns are and how its rows become samples.
    classes : sequence of str, optional
        The model's classes. None takes the file's: those that an ``.npz`` declares, else its distinct labels, in
        numeric order if all are integers.
    bad_rows : {"stop", "skip"}
        What to do with a row, recording or label that cannot be used.
    require_labels : bool
        False allows a file without labels; the class of an unlabelled sample is 255.

    Returns
    -------
    Samples
        At least one; ``bad_rows`` lists what was left out.

    Raises
    ------
    DataError
        If the file is not there or not usable, or has a bad row and ``bad_rows`` is ``"stop"``.
    """
    suffix = Path(path).suffix.lower()
    if suffix == ".npz":
        rejects = Rejects(str(path), bad_rows, unit="row")
        named = read_npz(path, layout, rejects, require_labels)
        spelled = unify(named.labels, classes if classes is not None else named.classes or None)
        named = NamedSamples(named.values, spelled, named.groups, named.lines, named.classes)
    elif suffix in TABLES:
        rejects = Rejects(str(path), bad_rows)
        table = read_table(path, layout, rejects, require_labels)
        labels = unify(table.labels, classes)
        named = _rows(table, labels, layout) if layout.windows == "row" else _windows(table, labels, layout, rejects)
    else:
        raise DataError(
            f"{path}: files that end in {suffix or 'nothing'!r} are not read.",
            f"Convert it to CSV or NumPy's .npz; known are {', '.join(TABLES)} and .npz.",
        )
    return to_samples(named, classes, rejects)


def _rows(table: Table, labels: list[str], layout: Layout) -> NamedSamples:
    """Take each row as a sample; without a group column each is a recording of its own."""
    values = table.values.reshape(len(labels), layout.steps, layout.channels)
    groups = table.groups or tuple(f"line {line}" for line in table.lines)
    return NamedSamples(values, labels, groups, table.lines)


def _windows(table: Table, labels: list[str], layout: Layout, rejects: Rejects) -> NamedSamples:
    """Cut the rows into recordings and windows; what is too short for a window is rejected."""
    windows = cut(table.values, find_recordings(labels, table.groups, table.breaks), layout)
    for recording in windows.short:
        readings = "1 reading" if len(recording) == 1 else f"{len(recording)} readings"
        name = recording.name if not table.groups else f"recording {recording.name!r}"
        rejects.add(int(table.lines[recording.start]), f"{name} has {readings}, the window needs {layout.window}")
    lines = table.lines[windows.starts] if len(windows.starts) else np.empty(0, np.int64)
    origin = windows.recordings
    return NamedSamples(windows.values, [r.label for r in origin], [r.name for r in origin], lines)
