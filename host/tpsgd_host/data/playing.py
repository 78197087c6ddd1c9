"""Recordings as a sensor gives them, one after the other with a pause between: what is played, or recorded from.

Shapes: R values of a piece, C channels.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tpsgd_host.data.frontend import FrontEnd, LogMel
from tpsgd_host.data.layout import Layout
from tpsgd_host.data.motion import as_read
from tpsgd_host.data.rejects import Rejects
from tpsgd_host.data.table import read_table
from tpsgd_host.data.wav import find_recordings, is_sound, read_wav
from tpsgd_host.data.windows import find_recordings as find_in_table
from tpsgd_host.errors import DataError

Values = npt.NDArray[np.int16]

#: Seconds between two recordings. Gestures need more: the level of rest comes back slowly.
PAUSES = {"sound": 0.6, "motion": 2.0}

#: Standard deviation of a pause's noise, in steps of an int16: a microphone is never quite still.
HISS = 3.0


@dataclass(frozen=True)
class Piece:
    """A part of what a sensor gives, shape (R, C); ``label``: what is in it; empty in a pause.

    ``lost``: values were lost before it; ``pressed``: a board's button was pressed.
    """

    values: Values
    label: str = ""
    lost: bool = False
    pressed: bool = False


def played(
    data: Path, layout: Layout, pause: float | None = None, seed: int = 1, shuffled: bool = False
) -> Iterator[Piece]:
    """Yield the recordings of a data file or folder, with pauses between, as the layout's sensor would give them.

    Parameters
    ----------
    data : Path
        WAV files for a model that hears, else a table with recordings.
    pause : float, optional
        Seconds; by default what the kind of sensor needs.
    seed : int
        Of the pauses' noise, and of the order.
    shuffled : bool
        Whether the recordings come in another order than in the file.

    Raises
    ------
    DataError
        When there are none, or they are not for this sensor.
    """
    pieces = recordings(data, layout)
    if shuffled:
        random.Random(seed).shuffle(pieces)
    yield from with_pauses(pieces, layout, pause, seed)


def recordings(data: Path, layout: Layout) -> list[Piece]:
    """Return the recordings of a data file or folder, as the layout's sensor would give them.

    Raises
    ------
    DataError
        When there are none, or they are not for this sensor.
    """
    if layout.front is None:
        raise DataError(f"{data} cannot be played: the model has no front end.", "It needs a [frontend] in its TOML.")
    if is_sound(data) != layout.hears:
        wanted = "a folder of WAV files" if layout.hears else "a table of readings"
        raise DataError(f"{data} cannot be played: the model takes {wanted}.", "Name another file or folder.")
    return _sounds(data, layout) if isinstance(layout.front, LogMel) else _gestures(data, layout)


def _sounds(data: Path, layout: Layout) -> list[Piece]:
    front = layout.front
    assert front is not None
    found = find_recordings(data, layout.group if "{" in layout.group else "")
    return [Piece(read_wav(one.path, front.rate)[:, None], one.label) for one in found]


def _gestures(data: Path, layout: Layout) -> list[Piece]:
    front = layout.front
    assert front is not None and not isinstance(front, LogMel)
    table = read_table(data, layout, Rejects(str(data)), require_labels=False)
    readings = as_read(table.values, front)
    return [
        Piece(readings[one.start : one.stop], one.label)
        for one in find_in_table(table.labels, table.groups, table.breaks)
    ]


def with_pauses(pieces: Sequence[Piece], layout: Layout, pause: float | None = None, seed: int = 1) -> Iterator[Piece]:
    """Yield a pause, then each piece with a pause after it: quiet, or a sensor at rest. As for :func:`played`."""
    front = layout.front
    if not pieces or front is None:
        return
    seconds = PAUSES["sound" if layout.hears else "motion"] if pause is None else pause
    rng = np.random.default_rng(seed)
    count = round(seconds * front.rate)
    ends = np.concatenate([piece.values[[0, -1]] for piece in pieces if len(piece.values)])
    rest = np.zeros(1) if isinstance(front, LogMel) else ends.mean(axis=0)

    def still(n: int) -> Piece:
        noise = rng.normal(0, HISS, (n, len(rest)))
        return Piece(np.clip(np.round(rest + noise), -32768, 32767).astype(np.int16))

    yield still(max(count, front.segmenting.settle * 2 * _hop(front)))  # the first quiet level is its mean
    for piece in pieces:
        yield piece
        yield still(max(count, 1))


def _hop(front: FrontEnd) -> int:
    return front.hop if isinstance(front, LogMel) else 1
