"""Cut words or gestures out of a live stream, with the segmenter that a board uses.

Shapes: R values of a piece, C channels, F frames, T steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tpsgd import logmel, motion
from tpsgd.segmenter import Segmenter
from tpsgd_host.data.frontend import FrontEnd, LogMel, device_spec
from tpsgd_host.data.motion import means, stored
from tpsgd_host.data.playing import Values
from tpsgd_host.data.sound import frames, word


@dataclass(frozen=True)
class Cut:
    """A word or gesture.

    Attributes
    ----------
    values : ndarray of int16, shape (R, C)
    middle : int
        Number of its middle value in the stream.
    sample : bytes, length T*C
        The sample that a board makes of it; empty where the cutter was given no T.
    """

    values: Values
    middle: int
    sample: bytes = b""


class Cutter:
    """Finds words in a stream that arrives in pieces.

    Parameters
    ----------
    front : FrontEnd
        Says what a word is.
    channels : int
        C: 1 for sound.
    steps : int
        T of the samples to make; 0 for none.

    Attributes
    ----------
    level : float
        How loud the newest frame is, or how far it is from rest: 0 to 1.
    active : bool
        Whether a word is under way.
    """

    def __init__(self, front: FrontEnd, channels: int, steps: int = 0) -> None:
        self._front = front
        self._steps = steps
        self._c = front.channels if isinstance(front, LogMel) else channels
        kernels = logmel if isinstance(front, LogMel) else motion
        self._activity: Any = kernels.activity
        self._segmenter: Any = Segmenter(device_spec(front), self._c, kernels.activity, kernels.follow, logmel.shift)
        self._window, self._hop = (front.window, front.hop) if isinstance(front, LogMel) else (1, 1)
        self._kept: Values = np.zeros((0, channels), np.int16)  # from the first value of frame self._first on
        self._first = self._next = 0  # frames: the first that is kept, the next to be made
        self.level = 0.0

    @property
    def active(self) -> bool:
        """Whether a word is under way."""
        return bool(self._segmenter.active)

    def lose(self) -> None:
        """Drop an unfinished word, because values of it were lost."""
        self._segmenter.forget()
        self._first = self._next
        self._kept = self._kept[:0]

    def take(self, values: Values) -> list[Cut]:
        """Take a piece, shape (R, C); return the words that ended in it."""
        self._kept = np.concatenate([self._kept, values])
        fresh = self._kept[(self._next - self._first) * self._hop :]
        count = max(0, (len(fresh) - self._window) // self._hop + 1)
        if not count:
            return []
        cuts = []
        for frame in self._frames(fresh[: (count - 1) * self._hop + self._window]):
            cuts += self._feed(frame.tobytes())
        self._forget_old()
        return cuts

    def _frames(self, values: Values) -> Any:
        """Return the frames of whole windows, shape (F, C)."""
        if isinstance(self._front, LogMel):
            return frames(values[:, 0], self._front)
        return stored(values, self._front)

    def _feed(self, frame: bytes) -> list[Cut]:
        segmenter, c = self._segmenter, self._c
        at = segmenter.at
        segmenter.frames[at : at + c] = frame
        if isinstance(self._front, LogMel):
            self.level = max(frame) / 255
        else:
            self.level = min(1.0, self._activity(segmenter.frames, at, segmenter.level, c) / (127 * c))
        count = segmenter.feed()
        self._next += 1
        if not count:
            return []
        first = self._next - segmenter.at // c
        sample = self._sample(count) if self._steps else b""
        segmenter.restart()
        begin = (first - self._first) * self._hop
        end = begin + (count - 1) * self._hop + self._window
        return [Cut(self._kept[begin:end].copy(), (first + count // 2) * self._hop, sample)]

    def _sample(self, count: int) -> bytes:
        """Return the sample of the word that has just ended, as the board makes it of its own frames."""
        segmenter, c, front = self._segmenter, self._c, self._front
        if isinstance(front, LogMel) and front.noise:
            logmel.take_noise(segmenter.frames, segmenter.level, c, count)
        found = np.frombuffer(bytes(segmenter.frames[: count * c]), np.uint8).reshape(count, c)
        return (
            word(found, self._steps, front.reach) if isinstance(front, LogMel) else means(found, self._steps)
        ).tobytes()

    def _forget_old(self) -> None:
        """Keep the values of the frames that the segmenter keeps."""
        first = self._next - self._segmenter.at // self._c
        self._kept = self._kept[(first - self._first) * self._hop :]
        self._first = first
