"""Drives a run: samples become records, an executor applies them, results become events.

One driver for boards and simulations: they differ in the executor alone.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from tpsgd_host.model.modelfile import Model
from tpsgd_host.runs.course import Course, Schedule, cut, encode
from tpsgd_host.runs.events import EpochEnded, Event, Kind, Note, RunEnded, RunStarted, SampleResult
from tpsgd_host.runs.metrics import Metrics
from tpsgd_host.runs.sinks import Fanout, Sink
from tpsgd_host.training.executor import TEST, Executor, Outcome

__all__ = ["Schedule", "drive", "encode"]


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
    past: Sequence[Event] = (),
    course: Course | None = None,
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
    past : sequence of Event
        What has happened already, where a run goes on: the executor goes on behind the last sample of these.
    course : Course, optional
        That of ``schedule``, where somebody has it already.
    """
    course = course or Course(model, schedule)
    metrics = Metrics.of(past)
    begun = time.monotonic()
    with Fanout([metrics, *sinks]) as sink:
        if not past:
            sink.handle(RunStarted(_head(model, schedule, run_id, fresh) | (config or {})))
        for note in notes:
            sink.handle(Note(note))
        executor.begin(run_id, schedule.total, fresh)
        ended = {event.epoch for event in past if isinstance(event, EpochEnded)}
        for epoch in range(1, course.epochs + 1):
            if epoch not in ended:
                since = time.monotonic()
                _epoch(executor, course, epoch, sink, metrics)
                sink.handle(metrics.epoch_ended(time.monotonic() - since))
        outcome = executor.finish()
        end = metrics.run_ended("complete", outcome.weights_crc, time.monotonic() - begun, dict(outcome.details))
        sink.handle(end)
    return end, outcome


def _head(model: Model, schedule: Schedule, run_id: int, fresh: bool) -> dict[str, object]:
    """Return what decides a run, whoever carries it out."""
    return {
        "name": model.name, "classes": list(model.classes), "epochs": schedule.epochs, "total": schedule.results,
        "train_samples": len(schedule.train), "test_samples": len(schedule.test) if schedule.test else 0,
        "shuffle_seed": schedule.shuffle_seed, "model_crc": model.crc, "network": model.shape, "seed": model.seed,
        "run_id": run_id, "fresh": fresh,
    }  # fmt: skip


def _epoch(executor: Executor, course: Course, epoch: int, sink: Fanout, metrics: Metrics) -> None:
    """Apply what is left of an epoch, and hand every result on."""
    first, end = course.bounds(epoch)
    at = metrics.results - first
    records, lines = course.epoch(epoch)
    for results in executor.apply(cut(records, at, end - first)):
        for predicted, chance in results.tolist():
            kind: Kind = "test" if records.ops[at] == TEST else "train"
            label = int(records.labels[at])
            sink.handle(SampleResult(metrics.results, epoch, kind, label, predicted, chance, int(lines[at])))
            at += 1
