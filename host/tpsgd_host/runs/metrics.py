"""Measure how good a run is: prequential and held-out accuracy, loss, confusion.

Each training sample is predicted before it is learned, so the training stream is itself a test ("prequential"), with a
mean over the epoch and one over the last 100 samples.

Shapes: N classes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from tpsgd_host.data.samples import UNKNOWN
from tpsgd_host.runs.events import (
    EpochEnded,
    Event,
    RunEnded,
    RunStarted,
    SampleResult,
    Status,
    class_names,
)

RECENT = 100

Matrix: TypeAlias = npt.NDArray[np.int64]


@dataclass
class Tally:
    """Counts over the labelled samples of one pass; ``confusion`` maps (label, predicted) to its count."""

    epoch: int
    count: int = 0
    correct: int = 0
    loss_sum: float = 0.0

    def __post_init__(self) -> None:
        self.confusion: dict[tuple[int, int], int] = {}

    def add(self, result: SampleResult) -> None:
        """Count one labelled result."""
        self.count += 1
        self.correct += result.correct
        self.loss_sum += result.loss
        cell = (result.label, result.predicted)
        self.confusion[cell] = self.confusion.get(cell, 0) + 1

    @property
    def accuracy(self) -> float | None:
        """Share of right predictions; None without samples."""
        return self.correct / self.count if self.count else None

    @property
    def loss(self) -> float | None:
        """Mean loss; None without samples."""
        return self.loss_sum / self.count if self.count else None


class Metrics:
    """Sink that collects the figures of a run.

    Attributes
    ----------
    classes : tuple of str
        Names from the run's config; there may be fewer than the classes seen.
    train, test : Tally
        The training samples of the present (or last) epoch, and the present (or last) held-out pass.
    held_out : Tally
        The last complete held-out pass, whose epoch has ended. Empty before the first.
    samples, results : int
        Numbers of training samples learned, and of all samples applied.
    epochs : list of EpochEnded
        The epochs that have ended.
    """

    def __init__(self) -> None:
        self.classes: tuple[str, ...] = ()
        self.train = Tally(0)
        self.test = Tally(0)
        self.held_out = Tally(0)
        self.samples = 0
        self.results = 0
        self.epochs: list[EpochEnded] = []
        self._recent: deque[bool] = deque(maxlen=RECENT)

    @classmethod
    def of(cls, events: Iterable[Event]) -> Metrics:
        """Return the figures for recorded events."""
        metrics = cls()
        for event in events:
            metrics.handle(event)
        return metrics

    def handle(self, event: Event) -> None:
        """Take the next event."""
        if isinstance(event, SampleResult):
            self._add(event)
        elif isinstance(event, EpochEnded):
            self.epochs.append(event)
            if self.test.count and self.test.epoch == event.epoch:
                self.held_out = self.test
        elif isinstance(event, RunStarted):
            self.classes = class_names(event.config)

    def _add(self, result: SampleResult) -> None:
        self.results += 1
        if result.kind == "train":
            self.samples += 1
            if result.epoch != self.train.epoch:
                self.train = Tally(result.epoch)
            if result.label != UNKNOWN:
                self.train.add(result)
                self._recent.append(result.correct)
            return
        if result.epoch != self.test.epoch:
            self.test = Tally(result.epoch)
        if result.label != UNKNOWN:
            self.test.add(result)

    @property
    def recent_accuracy(self) -> float | None:
        """Prequential accuracy of the last 100 training samples."""
        return sum(self._recent) / len(self._recent) if self._recent else None

    @property
    def judge(self) -> Tally:
        """The pass that counts for the run: the held-out one, else the last epoch's training samples."""
        return self.held_out if self.held_out.count else self.train

    @property
    def confusion(self) -> Matrix:
        """Counts of :attr:`judge`, shape (N, N): rows are labels, columns predictions."""
        counts = self.judge.confusion
        n = max([len(self.classes), *(max(cell) + 1 for cell in counts)])
        matrix = np.zeros((n, n), np.int64)
        for cell, count in counts.items():
            matrix[cell] = count
        return matrix

    def epoch_ended(self, seconds: float) -> EpochEnded:
        """Return the event that ends the present epoch."""
        epoch = max(self.train.epoch, self.test.epoch)
        train = self.train if self.train.epoch == epoch else Tally(epoch)
        test = self.test if self.test.epoch == epoch else Tally(epoch)
        return EpochEnded(epoch, train.accuracy, train.loss, test.accuracy, test.loss, train.count, seconds)

    def run_ended(
        self, status: Status, weights_crc: int | None, seconds: float, details: dict[str, Any] | None = None
    ) -> RunEnded:
        """Return the event that ends the run."""
        return RunEnded(
            status=status,
            weights_crc=weights_crc,
            samples=self.samples,
            seconds=seconds,
            test_accuracy=self.held_out.accuracy,
            train_accuracy=self.train.accuracy,
            confusion=self.confusion.tolist() if self.results else None,
            details=details or {},
        )


def recall(confusion: Matrix) -> npt.NDArray[np.float64]:
    """Return each class's share of right predictions, shape (N,); NaN for a class without samples."""
    totals = confusion.sum(axis=1)
    return np.where(totals > 0, confusion.diagonal() / np.maximum(totals, 1), np.nan)


def most_confused(confusion: Matrix, limit: int) -> list[tuple[int, int, int]]:
    """Return up to ``limit`` wrong cells as (label, predicted, count), the most frequent first."""
    wrong = confusion.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:limit]
    cells = [(int(i) // len(wrong), int(i) % len(wrong)) for i in order]
    return [(label, guess, int(wrong[label, guess])) for label, guess in cells if wrong[label, guess]]
