"""The prototypes block of a model file (SPEC 2.2): how a model answers, and the scales of its distances.

Legend: N classes, P prototypes of the file.
"""

import struct

#: How a model answers.
NETWORK, PROTOTYPES, BOTH = 1, 2, 3

#: Variation of samples in practice.
STILL, WORDS, MOTION = 0, 1, 2

#: Bytes of the block before its scales.
SIZE = 16
HEAD = "<HBBHBBHhHH"

MAX_PROTOTYPES = 4096
NO_CLASS = 255
ANY_SCORE = 65535
ANY_MARGIN = -32768

#: The largest update shift with which a new class is learned.
NEW_SHIFT = 5


class ProtoSpec:
    """A prototypes block. Fields are as in SPEC 2.2.

    Attributes
    ----------
    scales : tuple of int, length N
    classes : bytes, length P
        The class of each prototype in the file.
    """

    def __init__(self, raw, classes):
        (self.size, self.way, self.variation, self.count, self.none, zero, self.score, self.margin, self.passes,
         zeros) = struct.unpack_from(HEAD, raw)  # fmt: skip
        used = SIZE + 2 * classes + self.count
        _check(NETWORK <= self.way <= BOTH, "way", self.way)
        _check(self.variation <= MOTION, "variation", self.variation)
        _check(1 <= self.count <= MAX_PROTOTYPES, "number", self.count)
        _check(self.none < classes or self.none == NO_CLASS, "class none", self.none)
        _check(not zero and not zeros, "zeros")
        _check(self.size == used + (-used & 3) == len(raw) and not any(raw[used:]), "size", self.size)
        certain = self.score == ANY_SCORE and self.margin == ANY_MARGIN
        _check(certain or self.none != NO_CLASS, "thresholds without a class none")
        _check(self.way != PROTOTYPES or not self.passes, "passes", self.passes)
        self.scales = struct.unpack_from("<%dH" % classes, raw, SIZE)
        _check(min(self.scales) > 0, "scale", 0)
        self.classes = bytes(raw[SIZE + 2 * classes : used])
        _check(max(self.classes) < classes, "class", max(self.classes))

    def mean_scale(self):
        """Return the floored mean of the known classes' scales."""
        known = [scale for c, scale in enumerate(self.scales) if c != self.none]
        return sum(known) // len(known)


def pack(spec, scales):
    """Return the block of ``spec``, with these scales instead of its own."""
    raw = struct.pack("<%dH" % len(scales), *scales) + spec.classes
    raw += bytes(-len(raw) & 3)
    head = (SIZE + len(raw), spec.way, spec.variation, spec.count, spec.none, 0, spec.score, spec.margin, spec.passes)
    return struct.pack(HEAD, *(head + (0,))) + raw  # noqa: RUF005 - old interpreters


def _check(right, what, value=None):
    if not right:
        raise ValueError("prototypes: " + what + ("" if value is None else " " + str(value)))
