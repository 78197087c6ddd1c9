"""Recordings as a sensor gives them, by their lines in a data file: what a board makes samples of by itself (SPEC 4).

Shapes: R samples or readings, C channels.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from tpsgd_host.data.frontend import FrontEnd, LogMel
from tpsgd_host.data.layout import Layout
from tpsgd_host.data.motion import as_read
from tpsgd_host.data.playing import Values
from tpsgd_host.data.rejects import BadRows, Rejects
from tpsgd_host.data.sound import Pcm
from tpsgd_host.data.table import read_table
from tpsgd_host.data.wav import find_recordings, is_sound, read_wav
from tpsgd_host.data.windows import find_recordings as find_in_table
from tpsgd_host.errors import ConfigError, DataError


class Raw(Protocol):
    """The recordings of a data file."""

    def values(self, line: int) -> Values | Pcm | None:
        """Return the recording at a line, int16, shape (R,) or (R, C); None if a board cannot take it as it is."""


class RawSound:
    """The recordings in a folder of WAV files; a file's line is its number from 1. Files are read when needed."""

    def __init__(self, folder: Path, layout: Layout, front: LogMel) -> None:
        self._front = front
        self._paths = [one.path for one in find_recordings(folder, layout.group if "{" in layout.group else "")]

    def values(self, line: int) -> Pcm | None:
        """Return a recording; None if it is longer than a word may be."""
        pcm = read_wav(self._paths[line - 1], self._front.rate)
        frames = (len(pcm) - self._front.window) // self._front.hop + 1
        return pcm if _fits(frames, self._front) else None


class RawMotion:
    """The recordings in a table of readings."""

    def __init__(self, path: Path, layout: Layout, front: FrontEnd, bad_rows: BadRows) -> None:
        assert not isinstance(front, LogMel)
        table = read_table(path, layout, Rejects(str(path), bad_rows), require_labels=False)
        readings = as_read(table.values, front)
        self._recordings = {
            int(table.lines[one.start]): readings[one.start : one.stop]
            for one in find_in_table(table.labels, table.groups, table.breaks)
        }
        self._front = front

    def values(self, line: int) -> Values | None:
        """Return a recording; None if it is longer than a gesture may be."""
        readings = self._recordings.get(line)
        return readings if readings is not None and _fits(len(readings), self._front) else None


def raw_of(path: Path, layout: Layout, bad_rows: BadRows = "stop") -> Raw:
    """Return the recordings of a data file as the sensor of a model gives them.

    Raises
    ------
    ConfigError
        When the model has no front end.
    DataError
        When the file holds samples, not sound or readings.
    """
    front = layout.front
    if front is None:
        raise ConfigError(
            "the model has no front end: the board cannot make samples of raw data",
            "Leave out --raw, or add [frontend].",
        )
    if is_sound(path) and isinstance(front, LogMel):
        return RawSound(path, layout, front)
    if isinstance(front, LogMel) or path.suffix.lower() == ".npz":
        raise DataError(f"{path} holds samples, not what a sensor gives.", "Leave out --raw, or name recordings.")
    return RawMotion(path, layout, front, bad_rows)


def to_bytes(values: Values | Pcm) -> bytes:
    """Return values as a raw record has them."""
    return len(values.ravel()).to_bytes(4, "little") + values.astype("<i2").tobytes()


def _fits(frames: int, front: FrontEnd) -> bool:
    return frames <= front.segmenting.longest + front.segmenting.before
