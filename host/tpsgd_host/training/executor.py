"""What carries a run out: a board behind a link, or the simulator. A run's driver knows no more than this.

Shapes: R records, T steps, C channels.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

TRAIN, TEST = 0, 1

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Records:
    """Samples to apply, in order (SPEC 4).

    Attributes
    ----------
    ops : ndarray of uint8, shape (R,)
        0 train, 1 test.
    labels : ndarray of uint8, shape (R,)
        Class, or 255 where unknown (test only).
    data : ndarray of uint8, shape (R, T*C)
        Stored activations, ``x + 128``.
    """

    ops: Bytes
    labels: Bytes
    data: Bytes

    def __len__(self) -> int:
        return len(self.ops)


@dataclass(frozen=True)
class Outcome:
    """State of the trainer after a run.

    Attributes
    ----------
    applied, seen : int
        Records applied in this run, and the training samples among them.
    weights_crc : int
        CRC-32 over all weight bytes as stored.
    details : dict
        What the executor knows besides: engine, heap in use, bytes of training state.
    """

    applied: int
    seen: int
    weights_crc: int
    details: dict[str, object]


class Executor(Protocol):
    """Something that trains."""

    def begin(self, run_id: int, total: int, fresh: bool) -> None:
        """Begin a run of ``total`` training samples; ``fresh``: from the model's own weights, else from the present."""

    def apply(self, records: Records) -> Iterator[Bytes]:
        """Apply records in order; yield their results as they come, arrays (r, 2) of predicted class and p_y."""

    def finish(self) -> Outcome:
        """End the run, keep the weights where the executor keeps them, and say how things stand."""

    def weights(self) -> bytes:
        """Return the present weight bytes as stored, all layers."""
