"""Drives a run: samples become records, an executor applies them, results become events.

One driver for boards and simulations: they differ in the executor alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from tpsgd_host.runs.course import Course
from tpsgd_host.runs.events import Kind, Note, RunEnded, RunStarted, SampleResult
from tpsgd_host.runs.metrics import Metrics
from tpsgd_host.runs.sinks import Fanout, Sink
from tpsgd_host.training.executor import TEST, Executor, Outcome, checked


def drive(
    executor: Executor,
    course: Course,
    sinks: list[Sink],
    run_id: int,
    *,
    fresh: bool = True,
    config: dict[str, object] | None = None,
    notes: Sequence[str] = (),
    past: Metrics | None = None,
    keep: Callable[[Outcome], None] = lambda outcome: None,
) -> tuple[RunEnded, Outcome]:
    """Carry a run out and return how it ended.

    Parameters
    ----------
    executor : Executor
        A board or a simulator that holds the course's model.
    course : Course
        What is applied.
    sinks : list of Sink
        Get every event; the ones that are context managers are entered and left.
    fresh : bool
        Begin from the model's own weights, else from the executor's present ones.
    config : dict, optional
        What else to note in the run's configuration.
    notes : sequence of str
        What the user should know before the first sample.
    past : Metrics, optional
        The figures of a run that goes on; the executor goes on after the last result in them. None: the run begins.
    keep : callable
        Called when all is learned, before anything is said of the end: whatever fails then, the model is kept.
    """
    metrics = past or Metrics()
    begun = time.monotonic()
    with Fanout([metrics, *sinks]) as sink:
        if past is None:
            sink.handle(RunStarted(_head(course, run_id, fresh) | (config or {})))
        for note in notes:
            sink.handle(Note(note))
        executor.begin(run_id, course, fresh)
        ended = {event.epoch for event in metrics.epochs}
        for epoch in range(1, course.epochs + 1):
            if epoch not in ended:
                since = time.monotonic()
                _epoch(executor, course, epoch, sink, metrics)
                sink.handle(metrics.epoch_ended(time.monotonic() - since))
        outcome = executor.finish()
        keep(outcome)
        end = metrics.run_ended("complete", outcome.weights_crc, time.monotonic() - begun, dict(outcome.details))
        sink.handle(end)
    return end, outcome


def _head(course: Course, run_id: int, fresh: bool) -> dict[str, object]:
    """Return what decides a run, whoever carries it out."""
    model, schedule = course.model, course.schedule
    return {
        "name": model.name, "classes": list(model.classes), "epochs": schedule.epochs, "total": schedule.results,
        "train_samples": len(schedule.train), "test_samples": len(schedule.test) if schedule.test else 0,
        "shuffle_seed": schedule.shuffle_seed, "model_crc": model.crc, "network": model.shape, "seed": model.seed,
        "run_id": run_id, "fresh": fresh,
    }  # fmt: skip


def _epoch(executor: Executor, course: Course, epoch: int, sink: Fanout, metrics: Metrics) -> None:
    """Apply what is left of an epoch, and hand every result on."""
    at, end, classes = metrics.results, course.bounds(epoch)[1], len(course.model.classes)
    for results in executor.apply(at, end):
        facts = (array.tolist() for array in course.facts(at, at + len(results)))
        for (predicted, p_true), op, label, line in zip(checked(results, classes).tolist(), *facts, strict=True):
            kind: Kind = "test" if op == TEST else "train"
            sink.handle(SampleResult(metrics.results, epoch, kind, label, predicted, p_true, line))
        at += len(results)
