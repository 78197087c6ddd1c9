"""Front ends on the host (SPEC 1.9): they turn sound, or readings of a motion sensor, into samples.

Shapes: C bands or channels, T steps of a sample.
"""

from __future__ import annotations

import struct
from dataclasses import astuple, dataclass
from typing import Any

import numpy as np

from tpsgd import frontspec

EDGE = 1024  # the unit of a band's edge is 1 Hz divided by this
FULL = 127 << 16  # a full-scale reading times its multiplier


@dataclass(frozen=True)
class Segmenting:
    """How to find words or gestures in a stream (SPEC 1.9). Times are in frames.

    Attributes
    ----------
    on, off : int
        Activity of a band that begins a word, and below which it ends.
    hold : int
        Quiet frames that end a word.
    before, after : int
        Frames to include before the first loud one and after the last.
    shortest, longest : int
        Minimum and maximum frames of a word.
    settle : int
        Frames at the beginning; their mean is the first quiet level.
    follow : int
        The quiet level moves by ``2**-follow`` of the way in each quiet frame.
    """

    on: int = 10
    off: int = 6
    hold: int = 14
    before: int = 3
    after: int = 2
    shortest: int = 6
    settle: int = 8
    follow: int = 5
    longest: int = 78


#: For readings: activity is in activations (127: full scale), and there are about a hundred readings a second.
GESTURES = Segmenting(on=8, off=4, hold=20, before=5, after=5, shortest=10, settle=32, follow=6, longest=384)


@dataclass(frozen=True)
class LogMel:
    """Log-mel bands of sound.

    Attributes
    ----------
    rate : int
        Samples per second.
    window, hop : int
        Samples in a frame, a power of two, and samples from one frame to the next.
    edges : tuple of int, length C + 2
        Where the triangles of the bands begin, peak and end, in 1024ths of 1 Hz.
    offset : int
        Is added to each logarithm; 8 units are 3 dB.
    reach : int
        Values at least this many units below a word's loudest one count as silence.
    noise : bool
        Whether to subtract the power of the noise between words.
    """

    rate: int
    window: int
    hop: int
    edges: tuple[int, ...]
    offset: int = 40
    reach: int = 128
    noise: bool = True
    segmenting: Segmenting = Segmenting()

    @property
    def channels(self) -> int:
        """C, the number of bands."""
        return len(self.edges) - 2

    @property
    def empty_band(self) -> int | None:
        """The first band, from 0, that no bin of the window falls into; None where there is none."""
        bin_width = self.rate * EDGE / self.window
        for c in range(self.channels):
            if (self.edges[c] // bin_width + 1) * bin_width >= self.edges[c + 2]:
                return c
        return None

    @property
    def frame_rate(self) -> float:
        """Frames per second."""
        return self.rate / self.hop


@dataclass(frozen=True)
class Motion:
    """Readings of a motion sensor on a fixed scale.

    Attributes
    ----------
    rate : int
        Readings per second.
    multipliers : tuple of int, length C
        An activation is a reading times this, in 65536ths.
    counts : float
        A number in a data file times this is a reading of the board, a 16-bit integer.
    """

    rate: int
    multipliers: tuple[int, ...]
    counts: float = 1.0
    segmenting: Segmenting = GESTURES

    @property
    def channels(self) -> int:
        """C."""
        return len(self.multipliers)

    @property
    def frame_rate(self) -> float:
        """Readings per second."""
        return float(self.rate)


FrontEnd = LogMel | Motion


def mel_edges(bands: int, low: float, high: float) -> tuple[int, ...]:
    """Return the edges of triangles of equal width on the mel scale, from ``low`` to ``high`` Hz."""
    ends = 2595 * np.log10(1 + np.array((low, high)) / 700)
    hertz = 700 * (10 ** (np.linspace(ends[0], ends[1], bands + 2) / 2595) - 1)
    return tuple(int(edge) for edge in np.round(hertz * EDGE))


def pack(front: FrontEnd) -> bytes:
    """Return the front-end block of a model file (SPEC 2.1)."""
    table = front.edges if isinstance(front, LogMel) else front.multipliers
    if isinstance(front, LogMel):
        kind, flags, counts = frontspec.LOGMEL, int(front.noise), 0.0
        sound = (front.offset, front.reach, front.window, front.hop)
    else:
        kind, flags, counts = frontspec.MOTION, 0, front.counts
        sound = (0, 0, 0, 0)
    size = frontspec.SIZE + 4 * len(table)
    head = struct.pack(frontspec.HEAD, kind, flags, size, front.rate, *sound, *astuple(front.segmenting), 0, counts)
    return head + struct.pack(f"<{len(table)}I", *table)


def unpack(spec: Any) -> FrontEnd:
    """Return the front end that the device's parser found, a ``frontspec.FrontSpec``."""
    segmenting = Segmenting(
        spec.on, spec.off, spec.hold, spec.before, spec.after, spec.shortest, spec.settle, spec.follow, spec.longest
    )
    table = tuple(int(entry) for entry in spec.table)
    if spec.kind == frontspec.LOGMEL:
        return LogMel(spec.rate, spec.window, spec.hop, table, spec.offset, spec.reach, bool(spec.noise), segmenting)
    return Motion(spec.rate, table, float(spec.counts), segmenting)


def device_spec(front: FrontEnd) -> Any:
    """Return a front end in the form that the device's code takes.

    Raises
    ------
    ValueError
        When a number is out of its range, in the words of the device's parser.
    """
    return frontspec.FrontSpec(pack(front), front.channels)
