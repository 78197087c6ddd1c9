"""A run's accuracy against its training samples, as the plots need it.

Shapes: S labelled training samples, E epochs with a held-out pass.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from tpsgd_host.data.samples import UNKNOWN
from tpsgd_host.runs.events import EpochEnded, Event, SampleResult
from tpsgd_host.runs.metrics import RECENT

Floats: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Trace:
    """One run's curves.

    Attributes
    ----------
    name : str
        What the run is called in a legend.
    samples, prequential : ndarray of float64, shape (S,)
        Training samples so far, and the mean accuracy of the last ``span`` of them.
    span : int
        100, or a fiftieth of a long run, so that the curve stays a line.
    held_out_samples, held_out : ndarray of float64, shape (E,)
        Training samples so far and accuracy, at the end of each epoch.
    epoch_ends : tuple of (int, int)
        Each epoch and the training samples so far at its end.
    """

    name: str
    samples: Floats
    prequential: Floats
    span: int
    held_out_samples: Floats
    held_out: Floats
    epoch_ends: tuple[tuple[int, int], ...]


def trace(name: str, events: Iterable[Event]) -> Trace:
    """Return the curves of a run's events."""
    seen = 0
    samples: list[int] = []
    correct: list[bool] = []
    ends: list[tuple[int, int]] = []
    held_out: list[tuple[int, float]] = []
    for event in events:
        if isinstance(event, SampleResult) and event.kind == "train":
            seen += 1
            if event.label != UNKNOWN:
                samples.append(seen)
                correct.append(event.correct)
        elif isinstance(event, EpochEnded):
            ends.append((event.epoch, seen))
            if event.test_accuracy is not None:
                held_out.append((seen, event.test_accuracy))
    span = max(RECENT, len(correct) // 50)
    points = np.array(held_out, np.float64).reshape(-1, 2)
    accuracy = moving_mean(np.array(correct, np.float64), span)
    return Trace(name, np.array(samples, np.float64), accuracy, span, points[:, 0], points[:, 1], tuple(ends))


def moving_mean(values: Floats, span: int) -> Floats:
    """Return the mean of the last ``span`` values at each, of all so far where there are fewer; shape (S,)."""
    total = np.concatenate(([0.0], np.cumsum(values)))
    stop = np.arange(1, len(values) + 1)
    start = np.maximum(stop - span, 0)
    means: Floats = (total[stop] - total[start]) / (stop - start)
    return means
