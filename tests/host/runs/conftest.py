"""Runs to log, show and plot."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import pytest

from tpsgd_host.runs.events import Event, RunStarted, SampleResult
from tpsgd_host.runs.metrics import Metrics

MakeRun = Callable[..., list[Event]]


def make_run(classes: int = 3, epochs: int = 3, train: int = 120, test: int = 30, seed: int = 1) -> list[Event]:
    """Return the events of a run that learns."""
    return list(_run(classes, epochs, train, test, random.Random(seed)))


def _run(classes: int, epochs: int, train: int, test: int, rng: random.Random) -> Iterator[Event]:
    metrics = Metrics()
    names = [f"class {i}" for i in range(classes)]
    start = RunStarted({"name": "wand", "classes": names, "epochs": epochs, "total": epochs * (train + test)})
    metrics.handle(start)
    yield start
    for index in range(epochs * (train + test)):
        epoch, place = divmod(index, train + test)
        label = rng.randrange(classes)
        predicted = label if rng.random() < (epoch + 1) / (epochs + 1) else rng.randrange(classes)
        kind = "train" if place < train else "test"
        result = SampleResult(index, epoch + 1, kind, label, predicted, rng.randrange(128), index + 2)
        metrics.handle(result)
        yield result
        if place == train + test - 1:
            ended = metrics.epoch_ended(0.5)
            metrics.handle(ended)
            yield ended
    yield metrics.run_ended("complete", 0x1A2B3C4D, 1.5)


@pytest.fixture(name="make_run")
def make_run_fixture() -> MakeRun:
    """Return the function that makes runs."""
    return make_run
