"""The subject of each sample (a speaker, wearer or place), from a column of the data file."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import numpy as np

from tpsgd_host.data.arrays import load_arrays
from tpsgd_host.data.encoded import EncodedSamples
from tpsgd_host.data.layout import Layout
from tpsgd_host.data.load import load_samples
from tpsgd_host.data.npz import MAX_UNPACKED
from tpsgd_host.data.records import TABLES, open_csv
from tpsgd_host.data.rejects import BadRows
from tpsgd_host.data.samples import Samples
from tpsgd_host.data.split import Share, SomeSamples, split
from tpsgd_host.data.wav import find_recordings, is_sound
from tpsgd_host.errors import DataError
from tpsgd_host.names import listing, suggestion

#: The subject of each of S samples.
Subjects: TypeAlias = tuple[str, ...]


def subjects_of(path: Path, column: str, samples: Samples | EncodedSamples, pattern: str = "") -> Subjects:
    """Return the entry of a column for each sample, read on the line where the sample begins.

    Raises
    ------
    DataError
        When there is no such column, or an entry is empty.
    """
    wanted = set(samples.lines.tolist())
    if is_sound(path):
        found = _named_in_files(path, column, pattern)
    else:
        found = _table_column(path, column, wanted) if path.suffix.lower() in TABLES else _array(path, column)
    subjects = tuple(found.get(int(line), "").strip() for line in samples.lines)
    if not all(subjects):
        line = int(samples.lines[subjects.index("")])
        raise DataError(f"{path}, line {line}: column {column!r} is empty.", "Name the subject of every row.")
    return subjects


@dataclass(frozen=True)
class LeaveOut:
    """The subjects to leave out of training: the column that names each row's subject, and their names."""

    column: str
    names: tuple[str, ...]


#: What a data file's samples are held out by; None holds out nothing.
HeldOut: TypeAlias = LeaveOut | Share | None


def load_divided(
    path: Path,
    layout: Layout,
    classes: Sequence[str] | None = None,
    bad_rows: BadRows = "stop",
    held_out: HeldOut = None,
) -> tuple[Samples, Samples | None]:
    """Read a data file; return the samples to learn from, and those held out (None without any).

    A run that holds out the same learns from the same samples.

    Raises what :func:`~tpsgd_host.data.load.load_samples`, :func:`leave_out` and
    :func:`~tpsgd_host.data.split.split` raise.
    """
    if isinstance(held_out, LeaveOut):
        samples = load_samples(path, without_column(path, held_out.column, layout), classes, bad_rows)
        return leave_out(samples, path, held_out.column, held_out.names, layout.group)
    samples = load_samples(path, layout, classes, bad_rows)
    if held_out is None:
        return samples, None
    rest, test = split(samples, held_out.fraction, held_out.seed)
    return replace(rest, bad_rows=samples.bad_rows), test


def leave_out(
    samples: SomeSamples, path: Path, column: str, names: Sequence[str], pattern: str = ""
) -> tuple[SomeSamples, SomeSamples]:
    """Return the samples of all other subjects, and those of the named ones.

    Parameters
    ----------
    path : Path
        The file that the samples are from.
    column : str
        Its column that names each row's subject.
    pattern : str
        Of the names of WAV files, for a folder of them.

    Raises
    ------
    DataError
        When there is no such column or subject, or no other subject is left to learn from.
    """
    subjects = subjects_of(path, column, samples, pattern)
    known = sorted(set(subjects))
    for name in names:
        if name not in known:
            raise DataError(
                f"{path}: no row is from {column} {name!r}.", f"The file has {listing(known)}.{suggestion(name, known)}"
            )
    inside = np.array([subject in names for subject in subjects], bool)
    if inside.all():
        raise DataError(
            f"{path}: every {column} is left out, so nothing is left to learn from.", "Leave out fewer subjects."
        )
    rest = samples.take(np.flatnonzero(~inside))
    return replace(rest, bad_rows=samples.bad_rows), samples.take(np.flatnonzero(inside))


def without_column(path: Path, column: str, layout: Layout) -> Layout:
    """Return a layout that takes no values from a column, even where it names no columns and so takes all."""
    if layout.columns or path.suffix.lower() not in TABLES:
        return layout
    kept = tuple(name for name in open_csv(path).header if name not in (layout.label, layout.group, column))
    return replace(layout, columns=kept)


def _named_in_files(path: Path, column: str, pattern: str) -> dict[int, str]:
    """Return what the names of WAV files say of each, by its number."""
    recordings = find_recordings(path, pattern)
    if column not in recordings[0].fields:
        raise DataError(
            f"{path}: the names of its files do not say a {column!r}.",
            f"Say where it stands with group in [data], or with --group '{{label}}_{{{column}}}_{{take}}'.",
        )
    return {number: recording.fields[column] for number, recording in enumerate(recordings, 1)}


def _table_column(path: Path, column: str, wanted: set[int]) -> dict[int, str]:
    file = open_csv(path)
    at = file.index(column, "column that names each row's subject", "--leave-out")
    # There are many lines but few names, so each name is stored once.
    return {r.line: sys.intern(r.fields[at]) for r in file.records() if not r.problem and r.line in wanted}


def _array(path: Path, column: str) -> dict[int, str]:
    try:
        arrays = load_arrays(path, MAX_UNPACKED, (column,))
        values = [str(value) for value in arrays.get(column, ())]
    # A damaged file makes zipfile, zlib and numpy raise a dozen kinds of errors.
    except Exception as error:
        raise DataError(f"{path} cannot be read: {error}.") from None
    if not values:
        names = listing(list(arrays))
        raise DataError(f"{path} has no array {column!r} that names each sample's subject.", f"It holds {names}.")
    return dict(enumerate(values, 1))
