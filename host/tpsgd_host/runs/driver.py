"""Drives a run: samples become records, an executor applies them, results become events.

One driver for boards and simulations: they differ in the executor alone. Shapes: S samples, R records.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tpsgd_host.data.order import epochs
from tpsgd_host.data.samples import Samples
from tpsgd_host.model import Model
from tpsgd_host.runs.events import Kind, Note, RunEnded, RunStarted, SampleResult
from tpsgd_host.runs.executor import TEST, TRAIN, Bytes, Executor, Outcome, Records
from tpsgd_host.runs.metrics import Metrics
from tpsgd_host.runs.sinks import Fanout, Sink


@dataclass(frozen=True)
class Schedule:
    """What is applied, and in which order.

    Attributes
    ----------
    train : Samples
    test : Samples or None
        Held-out samples, classified after every ``test_every``-th epoch and after the last.
    epochs : int
        Passes over ``train``; 0 only classifies ``test``.
    shuffle_seed : int
        Seed of the order of each epoch; 0 keeps the file's order.
    """

    train: Samples
    test: Samples | None
    epochs: int
    shuffle_seed: int
    test_every: int = 1

    def tested(self, epoch: int) -> bool:
        """Whether the held-out samples are classified after ``epoch`` (from 1)."""
        return self.test is not None and (epoch % self.test_every == 0 or epoch >= self.epochs)

    @property
    def total(self) -> int:
        """Training samples of the whole run."""
        return self.epochs * len(self.train)

    @property
    def results(self) -> int:
        """Results of the whole run, training and test."""
        passes = sum(self.tested(epoch) for epoch in range(1, self.epochs + 1)) if self.epochs else 1
        return self.total + (passes * len(self.test) if self.test else 0)


def drive(
    executor: Executor,
    model: Model,
    schedule: Schedule,
    sinks: list[Sink],
    run_id: int,
    *,
    fresh: bool = True,
    config: dict[str, object] | None = None,
    notes: Sequence[str] = (),
) -> tuple[RunEnded, Outcome]:
    """Carry a run out and return how it ended.

    Parameters
    ----------
    executor : Executor
        A board or a simulator that holds ``model``.
    sinks : list of Sink
        Get every event; the ones that are context managers are entered and left.
    fresh : bool
        Begin from the model's own weights, else from the executor's present ones.
    config : dict, optional
        What else to note in the run's configuration.
    notes : sequence of str
        What the user should know before the first sample.
    """
    metrics = Metrics()
    begun = time.monotonic()
    head = {
        "name": model.name, "classes": list(model.classes), "epochs": schedule.epochs, "total": schedule.results,
        "train_samples": len(schedule.train), "test_samples": len(schedule.test) if schedule.test else 0,
        "shuffle_seed": schedule.shuffle_seed, "model_crc": model.crc, "network": model.shape, "seed": model.seed,
        "run_id": run_id, "fresh": fresh, **(config or {}),
    }  # fmt: skip
    with Fanout([metrics, *sinks]) as sink:
        sink.handle(RunStarted(head))
        for note in notes:
            sink.handle(Note(note))
        executor.begin(run_id, schedule.total, fresh)
        orders = epochs(len(schedule.train), max(1, schedule.epochs), schedule.shuffle_seed)
        for epoch, order in enumerate(orders, start=1):
            since = time.monotonic()
            order = order if schedule.epochs else order[:0]
            _epoch(executor, model, schedule, epoch, order, sink, metrics)
            sink.handle(metrics.epoch_ended(time.monotonic() - since))
        outcome = executor.finish()
        ended = metrics.run_ended("complete", outcome.weights_crc, time.monotonic() - begun, dict(outcome.details))
        sink.handle(ended)
    return ended, outcome


def encode(model: Model, samples: Samples, op: int) -> Records:
    """Return samples as records: scaled as the model says, one op for all."""
    data = model.scaling.encode(samples.values)
    return Records(np.full(len(samples), op, np.uint8), samples.labels, data)


def _epoch(
    executor: Executor, model: Model, schedule: Schedule, epoch: int, order: np.ndarray, sink: Fanout, metrics: Metrics
) -> None:
    """Apply one epoch, training samples in ``order`` and then the held-out ones; hand every result on."""
    train = schedule.train.take(order)
    parts = [encode(model, train, TRAIN)]
    lines = [train.lines]
    if schedule.test is not None and (schedule.tested(epoch) or not schedule.epochs):
        parts.append(encode(model, schedule.test, TEST))
        lines.append(schedule.test.lines)
    records = _joined(parts)
    line = np.concatenate(lines)
    at = 0
    for results in executor.apply(records):
        for predicted, chance in results.tolist():
            kind: Kind = "test" if records.ops[at] else "train"
            label = int(records.labels[at])
            sink.handle(SampleResult(metrics.results, epoch, kind, label, predicted, chance, int(line[at])))
            at += 1


def _joined(parts: list[Records]) -> Records:
    def join(arrays: list[Bytes]) -> Bytes:
        return np.concatenate(arrays)

    return Records(join([p.ops for p in parts]), join([p.labels for p in parts]), join([p.data for p in parts]))
