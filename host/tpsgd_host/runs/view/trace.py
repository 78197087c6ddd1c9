"""A run's accuracy against its training samples, for the plots.

Shapes: S labelled training samples, E epochs with a held-out pass.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from tpsgd_host.data.samples import UNKNOWN
from tpsgd_host.runs.events import EpochEnded, Event, SampleResult
from tpsgd_host.runs.metrics import RECENT

#: Maximum points of a curve; with more than twice as many samples, a point stands for several.
LIMIT = 8192

Floats: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Trace:
    """One run's curves.

    Attributes
    ----------
    name : str
        The run's name in a legend.
    samples, prequential : ndarray of float64, shape (S,)
        Training samples so far, and the mean accuracy over the last ``span`` of them; in a long run, a point stands for
        several samples.
    span : int
        100, or a fiftieth of a long run, which keeps the curve a thin line.
    held_out_samples, held_out : ndarray of float64, shape (E,)
        Training samples so far, and accuracy, at the end of each epoch.
    epoch_ends : tuple of (int, int)
        Each epoch, and the training samples so far at its end.
    """

    name: str
    samples: Floats
    prequential: Floats
    span: int
    held_out_samples: Floats
    held_out: Floats
    epoch_ends: tuple[tuple[int, int], ...]


class _Blocks:
    """Right answers in blocks of equal size, at first one sample each; above ``LIMIT`` blocks, pairs are merged."""

    def __init__(self) -> None:
        self.size = 1
        self.right = array("q")  # right answers in each block
        self.ends = array("q")  # training samples so far at its end
        self._count = self._sum = 0

    def add(self, correct: bool, seen: int) -> None:
        self._count += 1
        self._sum += correct
        if self._count < self.size:
            return
        self.right.append(self._sum)
        self.ends.append(seen)
        self._count = self._sum = 0
        if len(self.right) == 2 * LIMIT:
            self.right = array("q", map(sum, zip(self.right[::2], self.right[1::2], strict=True)))
            self.ends = self.ends[1::2]
            self.size *= 2


def trace(name: str, events: Iterable[Event]) -> Trace:
    """Return the curves for a run's events."""
    seen = 0
    blocks = _Blocks()
    ends: list[tuple[int, int]] = []
    held_out: list[tuple[int, float]] = []
    for event in events:
        if isinstance(event, SampleResult) and event.kind == "train":
            seen += 1
            if event.label != UNKNOWN:
                blocks.add(event.correct, seen)
        elif isinstance(event, EpochEnded):
            ends.append((event.epoch, seen))
            if event.test_accuracy is not None:
                held_out.append((seen, event.test_accuracy))
    means = np.array(blocks.right, np.float64) / blocks.size
    span = max(RECENT, len(means) * blocks.size // 50)
    points = np.array(held_out, np.float64).reshape(-1, 2)
    accuracy = moving_mean(means, max(1, span // blocks.size))
    return Trace(name, np.array(blocks.ends, np.float64), accuracy, span, points[:, 0], points[:, 1], tuple(ends))


def moving_mean(values: Floats, span: int) -> Floats:
    """Return the running mean of the last ``span`` values, or of all so far if there are fewer; shape (S,)."""
    total = np.concatenate(([0.0], np.cumsum(values)))
    stop = np.arange(1, len(values) + 1)
    start = np.maximum(stop - span, 0)
    means: Floats = (total[stop] - total[start]) / (stop - start)
    return means
