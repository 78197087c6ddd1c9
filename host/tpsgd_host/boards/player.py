"""Plays recordings into the virtual board's sensor: in real time, or as fast as the board takes them (SPEC 5)."""

from __future__ import annotations

import errno
import fcntl
import os
import select
import struct
import sys
import termios
import threading
import time
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType

import numpy as np

from tpsgd.capture import BLOCK, PIPE
from tpsgd_host.data.playing import Piece, Values
from tpsgd_host.errors import TpsgdError

#: Bytes that the pipe holds: half a second of speech at 8 kHz, about what the drivers of microphones keep. Linux only.
PIPE_BYTES = 8192

_F_SETPIPE_SZ = 1031
_LOOK = 0.05  # seconds between two looks whether the board listens, or the player is to stop


class Player:
    """A thread that plays to a virtual board; a context manager.

    Parameters
    ----------
    pieces : iterable of Piece
        As :func:`tpsgd_host.data.playing.played` yields them.
    folder : Path
        The board's.
    rate : int
        Values a second and channel.
    real_time : bool
        As a sensor gives them: what the board does not take in time is lost, and counted. Else nothing is.

    Attributes
    ----------
    blocks, lost : int
        Blocks that were played, and those of them that were lost.
    label : str
        What is in the present piece; empty in a pause.
    error : TpsgdError or None
        Why it ended early.
    """

    def __init__(self, pieces: Iterable[Piece], folder: Path, rate: int, real_time: bool = True) -> None:
        self.blocks = self.lost = 0
        self.label = ""
        self.error: TpsgdError | None = None
        self._begins: list[int] = []  # where in the stream each piece begins, and its label
        self._labels: list[str] = []
        self._each = 1  # values of a channel in a block
        self._pieces, self._path, self._rate, self._real_time = pieces, folder / PIPE, rate, real_time
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True, name="player")

    @property
    def values(self) -> int:
        """Values of a channel that the board was given so far."""
        return (self.blocks - self.lost) * self._each

    @property
    def ended(self) -> bool:
        """Whether all is played, or the board does not listen any more."""
        return not self._thread.is_alive()

    @property
    def unread(self) -> int:
        """Bytes in the pipe that the board has not read yet."""
        count = array("i", [0])
        try:
            pipe = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK)
        except OSError:  # the board is gone, and its pipe with it
            return 0
        try:
            fcntl.ioctl(pipe, termios.FIONREAD, count)
        finally:
            os.close(pipe)
        return count[0]

    def label_at(self, position: int) -> str:
        """Return the label of what was played at a value of one channel, counted from 0; empty in a pause."""
        at = bisect_right(self._begins, position)
        return self._labels[at - 1] if at else ""

    def wait(self, seconds: float) -> bool:
        """Wait until it has ended, at most so long; return whether it has."""
        self._thread.join(seconds)
        return self.ended

    def __enter__(self) -> Player:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        pipe = self._opened()
        if pipe < 0:
            return
        try:
            self._play(pipe)
        except TpsgdError as error:
            self.error = error
        except BrokenPipeError:  # the board has stopped listening
            pass
        finally:
            os.close(pipe)

    def _opened(self) -> int:
        """Return the pipe, once the board listens; -1 when the player is to stop before."""
        while not self._stop.is_set():
            try:
                pipe = os.open(self._path, os.O_WRONLY | os.O_NONBLOCK)
            except OSError as error:
                if error.errno not in (errno.ENXIO, errno.ENOENT):
                    raise
                self._stop.wait(_LOOK)
                continue
            if sys.platform == "linux":
                with suppress(OSError):
                    fcntl.fcntl(pipe, _F_SETPIPE_SZ, PIPE_BYTES)
            return pipe
        return -1

    def _play(self, pipe: int) -> None:
        lost = 0
        due = time.monotonic()
        for block, seconds in self._blocks():
            if self._real_time:
                due += seconds
                self._stop.wait(max(0.0, due - time.monotonic()))
            if self._stop.is_set():
                return
            self.blocks += 1
            if self._write(pipe, struct.pack("<H", min(lost, 65535)) + block):
                lost = 0
            else:
                lost += 1
                self.lost += 1

    def _blocks(self) -> Iterator[tuple[bytes, float]]:
        """Yield the blocks with the seconds that each lasts; the last is filled up with zeros."""
        left: Values = np.zeros(0, np.int16)
        size = BLOCK
        seconds = 0.0
        played = 0
        for piece in self._pieces:
            self.label = piece.label
            self._labels.append(piece.label)
            self._begins.append(played)
            played += len(piece.values)
            channels = piece.values.shape[1]
            size = BLOCK if channels == 1 else channels
            self._each = size // channels
            seconds = size / channels / self._rate
            left = np.concatenate([left, piece.values.ravel()])
            whole = len(left) // size * size
            for at in range(0, whole, size):
                yield left[at : at + size].astype("<i2").tobytes(), seconds
            left = left[whole:]
        self.label = ""
        if len(left):
            yield np.pad(left, (0, size - len(left))).astype("<i2").tobytes(), seconds

    def _write(self, pipe: int, data: bytes) -> bool:
        """Write a block whole; return False where there is no room for it and it must not wait."""
        while not self._stop.is_set():
            try:
                os.write(pipe, data)
            except BlockingIOError:
                if self._real_time:
                    return False
                select.select([], [pipe], [], _LOOK)
                continue
            return True
        return False
