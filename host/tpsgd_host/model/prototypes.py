"""Prototypes of a model: what a board compares readout inputs with, and how the model answers (SPEC 1.11, 2.2).

Shapes: P prototypes, N classes, n inputs of the output layer without the bias.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tpsgd import protospec

WAYS = ("network", "prototypes", "both")
VARIATIONS = ("none", "words", "motion")

ANY_SCORE: int = protospec.ANY_SCORE
ANY_MARGIN: int = protospec.ANY_MARGIN

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Prototypes:
    """The prototypes of a model; fields as in SPEC 2.2.

    Attributes
    ----------
    vectors : ndarray of uint8, shape (P, n)
        Stored activations.
    labels : ndarray of uint8, shape (P,)
        The class of each.
    scales : tuple of int, length N
    way : {"network", "prototypes", "both"}
    variation : {"none", "words", "motion"}
    none : int or None
        The class of what belongs to no other.
    score : int
        t1, the largest score accepted.
    margin : int
        t2, the smallest margin accepted.
    passes : int
        Passes of practice.
    """

    vectors: Bytes
    labels: Bytes
    scales: tuple[int, ...]
    way: str = "network"
    variation: str = "none"
    none: int | None = None
    score: int = ANY_SCORE
    margin: int = ANY_MARGIN
    passes: int = 0

    def pack(self) -> bytes:
        """Return the block of the model file."""
        none = protospec.NO_CLASS if self.none is None else self.none
        raw = struct.pack(f"<{len(self.scales)}H", *self.scales) + self.labels.tobytes()
        raw += bytes(-len(raw) & 3)
        way, variation = 1 + WAYS.index(self.way), VARIATIONS.index(self.variation)
        head = struct.pack(
            protospec.HEAD, protospec.SIZE + len(raw), way, variation, len(self.labels), none, 0, self.score,
            self.margin, self.passes, 0,
        )  # fmt: skip
        return head + raw

    @property
    def measures(self) -> bool:
        """Whether the distances decide anything."""
        return self.way != "network" or self.score != ANY_SCORE

    @property
    def mean_scale(self) -> int:
        """The floored mean of the known classes' scales."""
        known = [scale for c, scale in enumerate(self.scales) if c != self.none]
        return sum(known) // len(known)


def unpack(spec: Any, vectors: Bytes) -> Prototypes:
    """Return the prototypes that the device's parser has read; ``vectors`` has shape (P, n)."""
    none = None if spec.none == protospec.NO_CLASS else int(spec.none)
    return Prototypes(
        vectors, np.frombuffer(spec.classes, np.uint8), tuple(spec.scales), WAYS[spec.way - 1],
        VARIATIONS[spec.variation], none, spec.score, spec.margin, spec.passes,
    )  # fmt: skip
