"""The front-end block of a model file (SPEC 2.1): what a board makes samples of."""

import struct
from array import array

#: Kinds of front end.
LOGMEL, MOTION = 1, 2

#: Bytes of the block before its table.
SIZE = 28
HEAD = "<BBHHBBHHBBBBBBBBHHf"

MAX_WINDOW = 1024
MIN_WINDOW = 32
MAX_BANDS = 40
MAX_CHANNELS = 16
MAX_LONGEST = 512


class FrontSpec:
    """A front end. Fields are as in SPEC 2.1.

    Attributes
    ----------
    table : array of uint32
        ``logmel``: the C + 2 edges of its bands, in 1024ths of 1 Hz. ``motion``: the C multipliers of the readings.
    always : bool
        Whether the quiet level follows during a gesture, too.
    """

    def __init__(self, raw, channels):
        (self.kind, self.flags, self.size, self.rate, self.offset, self.reach, self.window, self.hop, self.on, self.off,
         self.hold, self.before, self.after, self.shortest, self.settle, self.follow, self.longest, zero,
         self.counts) = struct.unpack_from(HEAD, raw)  # fmt: skip
        self.noise = self.flags & 1
        self.slow = 1 << self.follow
        self.always = self.kind == MOTION
        count = channels + 2 if self.kind == LOGMEL else channels
        _check(self.kind in (LOGMEL, MOTION), "kind", self.kind)
        _check(self.flags < (2 if self.kind == LOGMEL else 1) and not zero, "flags", self.flags)
        _check(self.size == SIZE + 4 * count == len(raw), "size", self.size)
        _check(self.rate > 0, "rate", 0)
        _check(self.off <= self.on and self.follow <= 12, "segmenter")
        _check(self.before + self.after < self.hold <= self.longest <= MAX_LONGEST, "segmenter")
        _check(self.settle >= 1 and 1 <= self.shortest <= self.longest, "segmenter")
        self.table = array("I", struct.unpack_from("<%dI" % count, raw, SIZE))
        if self.kind == LOGMEL:
            self._check_bands(channels)
        else:
            sound = (self.window, self.hop, self.offset, self.reach)
            _check(channels <= MAX_CHANNELS and not any(sound), "channels", channels)
            _check(min(self.table) > 0 and max(self.table) <= 0x7FFF, "scale")

    def _check_bands(self, channels):
        n = self.window
        _check(MIN_WINDOW <= n <= MAX_WINDOW and not n & (n - 1), "window", n)
        _check(1 <= self.hop <= n, "hop", self.hop)
        _check(channels <= MAX_BANDS, "bands", channels)
        _check(1 <= self.reach <= 128, "reach", self.reach)
        low = 0
        for edge in self.table:
            _check(low < edge <= 512 * self.rate, "band edge", edge)
            low = edge


def _check(right, what, value=None):
    if not right:
        raise ValueError("front end: " + what + ("" if value is None else " " + str(value)))
