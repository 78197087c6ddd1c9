"""Load labelled samples from a data file; its suffix tells its format."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from tpsgd_host.data.encoded import EncodedSamples
from tpsgd_host.data.labels import NamedSamples, number_labels, to_samples, unify
from tpsgd_host.data.layout import Layout
from tpsgd_host.data.npz import read_npz
from tpsgd_host.data.records import TABLES
from tpsgd_host.data.rejects import BadRows, Rejects
from tpsgd_host.data.samples import Samples
from tpsgd_host.data.scaling import Scaling
from tpsgd_host.data.summary import TableSummary, summarize
from tpsgd_host.data.table import BLOCK, Table, read_table, read_tables
from tpsgd_host.data.wav import is_sound, load_words
from tpsgd_host.data.windows import Recording, cut, find_recordings
from tpsgd_host.data.words import RowNames, Words
from tpsgd_host.errors import DataError

__all__ = ["TableSummary", "load_encoded", "load_samples", "summarize"]


def load_samples(
    path: str | Path,
    layout: Layout,
    classes: Sequence[str] | None = None,
    bad_rows: BadRows = "stop",
    require_labels: bool = True,
) -> Samples:
    """Read a data file in the way a model needs it.

    Parameters
    ----------
    path : str or Path
        A ``.csv``, ``.tsv`` or ``.txt`` table, ``.npz`` arrays, or a folder of WAV files.
    layout : Layout
        The meaning of the file's columns, and how its rows become samples.
    classes : sequence of str, optional
        The model's classes. By default the file's: those that an ``.npz`` declares, else its distinct labels, in
        numeric order if all are integers.
    bad_rows : {"stop", "skip"}
        What to do with a row, recording or label that cannot be used.
    require_labels : bool
        Whether every sample must have a label; an unlabelled sample has class 255.

    Returns
    -------
    Samples
        At least one sample; ``bad_rows`` lists what was left out.

    Raises
    ------
    DataError
        If the file is missing or not usable, or has a bad row and ``bad_rows`` is ``"stop"``.
    """
    rejects = _rejects(path, bad_rows)
    return to_samples(_joined(list(_pieces(path, layout, rejects, classes, require_labels))), classes, rejects)


def load_encoded(
    path: str | Path,
    layout: Layout,
    scaling: Scaling,
    classes: Sequence[str],
    bad_rows: BadRows = "stop",
    require_labels: bool = True,
    other: int | None = None,
) -> EncodedSamples:
    """Read a data file as :func:`load_samples` does, into stored activations: one byte per value.

    It also needs memory for a few thousand rows of a table, or for one recording where each recording is one window.

    Parameters
    ----------
    scaling : Scaling
        The model's.
    classes : sequence of str
        The model's.
    other : int, optional
        The class of samples whose label is none of them.
    """
    rejects = _rejects(path, bad_rows)
    width = layout.steps * layout.channels
    data, labels, lines, groups = bytearray(), bytearray(), array("q"), Words()
    rows = ""
    for piece in _pieces(path, layout, rejects, classes, require_labels):
        keep, codes = number_labels(piece, classes, rejects, other)
        for first in range(0, len(keep), BLOCK):
            data += scaling.encode(piece.values[keep[first : first + BLOCK]]).tobytes()
        labels += codes.tobytes()
        lines.frombytes(piece.lines[keep].tobytes())
        if isinstance(piece.groups, RowNames):
            rows = piece.groups.word
        else:
            groups.extend(piece.groups[i] for i in keep.tolist())
    rejects.require(len(labels))
    numbers = np.frombuffer(lines, np.int64)
    return EncodedSamples(
        np.frombuffer(data, np.uint8).reshape(len(labels), width), np.arange(len(labels), dtype=np.uint32),
        np.frombuffer(labels, np.uint8), tuple(classes), RowNames(rows, numbers) if rows else groups, numbers,
        rejects.rows, rejects.source,
    )  # fmt: skip


def _rejects(path: str | Path, bad_rows: BadRows) -> Rejects:
    return Rejects(str(path), bad_rows, unit="row" if Path(path).suffix.lower() == ".npz" else "line")


def _pieces(
    path: str | Path, layout: Layout, rejects: Rejects, classes: Sequence[str] | None, require_labels: bool
) -> Iterator[NamedSamples]:
    """Yield the samples of a file; a table with known classes is read in pieces."""
    suffix = Path(path).suffix.lower()
    if is_sound(path):
        yield load_words(Path(path), layout, rejects, classes, layout.group)
        return
    if layout.hears and "{" in layout.group:  # a pattern of file names; a table's rows are samples of their own
        layout = replace(layout, group="")
    if suffix == ".npz":
        named = read_npz(path, layout, rejects, require_labels)
        yield replace(named, labels=unify(named.labels, classes if classes is not None else named.classes or None))
    elif suffix not in TABLES:
        raise DataError(
            f"{path}: tpsgd does not read files that end in {suffix or 'nothing'!r}.",
            f"Convert it to CSV or NumPy's .npz; tpsgd reads {', '.join(TABLES)} and .npz.",
        )
    elif classes is None:  # the spelling of labels depends on all of them
        table = read_table(path, layout, rejects, require_labels)
        yield from _cut_up([replace(table, labels=tuple(unify(table.labels)))], layout, rejects)
    else:
        tables = read_tables(path, layout, rejects, require_labels, lambda label: unify([label], classes)[0])
        yield from _cut_up(tables, layout, rejects)


def _cut_up(tables: Iterable[Table], layout: Layout, rejects: Rejects) -> Iterator[NamedSamples]:
    """Yield the samples of consecutive tables of a file."""
    count = 0
    for table in tables:
        if layout.windows == "row":
            yield _rows(table, layout)
        else:
            count -= table.continues
            recordings = find_recordings(table.labels, table.groups, table.breaks, count + 1)
            count += len(recordings)
            yield _windows(table, recordings, layout, rejects)


def _joined(pieces: Sequence[NamedSamples]) -> NamedSamples:
    """Return the samples of all pieces."""
    if len(pieces) == 1:
        return pieces[0]
    return NamedSamples(
        np.concatenate([piece.values for piece in pieces]), [label for piece in pieces for label in piece.labels],
        [group for piece in pieces for group in piece.groups], np.concatenate([piece.lines for piece in pieces]),
        pieces[0].classes,
    )  # fmt: skip


def _rows(table: Table, layout: Layout) -> NamedSamples:
    """Make each row a sample; without a group column, each row is also its own recording."""
    values = table.values.reshape(len(table.labels), layout.steps, layout.channels)
    groups = table.groups if layout.group else RowNames("line", table.lines)
    return NamedSamples(values, table.labels, groups, table.lines)


def _windows(table: Table, recordings: Sequence[Recording], layout: Layout, rejects: Rejects) -> NamedSamples:
    """Cut recordings into windows; reject those that are too short for a window."""
    windows = cut(table.values, recordings, layout)
    for recording in windows.short:
        if table.continues and recording.start == 0:
            continue  # the end of a recording that already gave windows
        readings = "1 reading" if len(recording) == 1 else f"{len(recording)} readings"
        name = recording.name if not table.groups else f"recording {recording.name!r}"
        rejects.add(int(table.lines[recording.start]), f"{name} has {readings}, but a window needs {layout.window}")
    lines = table.lines[windows.starts] if len(windows.starts) else np.empty(0, np.int64)
    origin = windows.recordings
    return NamedSamples(windows.values, [r.label for r in origin], [r.name for r in origin], lines)
