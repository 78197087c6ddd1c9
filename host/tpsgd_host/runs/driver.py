"""Drive a run: samples become records, an executor applies them, and results become events.

Boards and simulations share this driver; only their executors differ.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from tpsgd_host.runs.events import Kind, Note, RunEnded, RunStarted, SampleResult
from tpsgd_host.runs.metrics import Metrics
from tpsgd_host.runs.records import RunRecords
from tpsgd_host.runs.sinks import Fanout, Sink
from tpsgd_host.training.executor import TEST, Executor, Outcome, checked


def drive(
    executor: Executor,
    records: RunRecords,
    sinks: list[Sink],
    run_id: int,
    *,
    fresh: bool = True,
    config: dict[str, object] | None = None,
    notes: Sequence[str] = (),
    past: Metrics | None = None,
    keep: Callable[[Outcome], None] = lambda outcome: None,
) -> tuple[RunEnded, Outcome]:
    """Carry out a run and return how it ended.

    Parameters
    ----------
    executor : Executor
        A board or a simulator with the model of ``records``.
    records : RunRecords
        The records to apply.
    sinks : list of Sink
        Receive every event; those that are context managers are entered and left.
    fresh : bool
        Whether to begin with the model's own weights, rather than the executor's present ones.
    config : dict, optional
        More entries for the run's configuration.
    notes : sequence of str
        Notes for the user before the first sample.
    past : Metrics, optional
        The figures of a run to continue; the executor continues after the last result in them. None for a new run.
    keep : callable
        Called when learning is complete, before the end is reported: whatever fails later, the model is saved.
    """
    metrics = past or Metrics()
    begun = time.monotonic()
    with Fanout([metrics, *sinks]) as sink:
        if past is None:
            sink.handle(RunStarted(_head(records, run_id, fresh) | (config or {})))
        for note in notes:
            sink.handle(Note(note))
        executor.begin(run_id, records, fresh)
        ended = {event.epoch for event in metrics.epochs}
        for epoch in range(1, records.epochs + 1):
            if epoch not in ended:
                since = time.monotonic()
                _epoch(executor, records, epoch, sink, metrics)
                sink.handle(metrics.epoch_ended(time.monotonic() - since))
        outcome = executor.finish()
        keep(outcome)
        end = metrics.run_ended("complete", outcome.weights_crc, time.monotonic() - begun, dict(outcome.details))
        sink.handle(end)
    return end, outcome


def _head(records: RunRecords, run_id: int, fresh: bool) -> dict[str, object]:
    """Return everything that determines a run, whichever executor carries it out."""
    model, presentation = records.model, records.presentation
    return {
        "name": model.name, "classes": list(model.classes), "epochs": presentation.epochs,
        "total": presentation.results, "train_samples": len(presentation.train),
        "test_samples": len(presentation.test) if presentation.test else 0,
        "shuffle_seed": presentation.shuffle_seed, "variation": presentation.variation, "model_crc": model.crc,
        "network": model.shape, "seed": model.seed, "run_id": run_id, "fresh": fresh,
    }  # fmt: skip


def _epoch(executor: Executor, records: RunRecords, epoch: int, sink: Fanout, metrics: Metrics) -> None:
    """Apply the rest of an epoch, and pass on every result."""
    at, end, classes = metrics.results, records.bounds(epoch)[1], len(records.model.classes)
    for results in executor.apply(at, end):
        facts = (array.tolist() for array in records.facts(at, at + len(results)))
        for (predicted, p_true), op, label, line in zip(checked(results, classes).tolist(), *facts, strict=True):
            kind: Kind = "test" if op == TEST else "train"
            sink.handle(SampleResult(metrics.results, epoch, kind, label, predicted, p_true, line))
        at += len(results)
