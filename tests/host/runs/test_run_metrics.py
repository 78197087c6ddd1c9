"""Metrics against a naive computation."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tpsgd_host.runs.events import EpochEnded, Event, RunStarted, SampleResult
from tpsgd_host.runs.metrics import Metrics, most_confused, recall

Raw = tuple[str, int, int, int]
raws = st.tuples(
    st.sampled_from(["train", "train", "test"]), st.sampled_from([0, 1, 2, 255]), st.integers(0, 3), st.integers(0, 127)
)


def feed(metrics: Metrics, epoch: int, start: int, raw: list[Raw]) -> list[SampleResult]:
    """Hand results of an epoch to ``metrics`` and return them."""
    results = [
        SampleResult(start + i, epoch, kind, label, predicted, p, 2)  # type: ignore[arg-type]
        for i, (kind, label, predicted, p) in enumerate(raw)
    ]
    for result in results:
        metrics.handle(result)
    return results


def mean(values: list[Any]) -> float | None:
    """Return the mean, None of nothing."""
    return sum(values) / len(values) if values else None


@given(st.lists(st.lists(raws, min_size=1, max_size=150), min_size=1, max_size=4))
def test_metrics_are_the_naive_ones(epochs: list[list[Raw]]) -> None:
    """Epoch means, the span, the last held-out pass and the confusion, each computed again from all results."""
    metrics = Metrics()
    metrics.handle(RunStarted({"classes": ["a", "b", "c", "d"]}))
    every: list[SampleResult] = []
    for epoch, raw in enumerate(epochs, 1):
        results = feed(metrics, epoch, len(every), raw)
        every += results
        ended = metrics.epoch_ended(1.0)
        metrics.handle(ended)
        for kind, accuracy, loss in (
            ("train", ended.train_accuracy, ended.train_loss),
            ("test", ended.test_accuracy, ended.test_loss),
        ):
            known = [r for r in results if r.kind == kind and r.label != 255]
            assert accuracy == mean([r.label == r.predicted for r in known])
            assert loss == pytest.approx(mean([-math.log(max(r.p_true, 0.5) / 127) for r in known]))
        assert ended.epoch == epoch
        assert metrics.recent_accuracy == mean(
            [r.correct for r in every if r.kind == "train" and r.label != 255][-100:]
        )
    judged = _judged(every)
    expected = np.zeros((4, 4), int)
    for result in judged:
        expected[result.label, result.predicted] += 1
    assert metrics.confusion.tolist() == expected.tolist()
    end = metrics.run_ended("complete", 1, 2.0)
    assert end.samples == sum(r.kind == "train" for r in every)
    assert end.confusion == expected.tolist()


def _judged(every: list[SampleResult]) -> list[SampleResult]:
    """Return the last epoch's held-out results, else the last epoch's training results."""
    known = [r for r in every if r.label != 255 and r.kind == "test"]
    if known:
        return [r for r in known if r.epoch == known[-1].epoch]
    train = [r for r in every if r.kind == "train"]
    return [r for r in train if r.epoch == train[-1].epoch and r.label != 255] if train else []


def test_a_held_out_pass_under_way_does_not_count_yet() -> None:
    """The figures stay those of the last complete pass."""
    metrics = Metrics()
    feed(metrics, 1, 0, [("train", 0, 0, 1), ("test", 0, 0, 1), ("test", 0, 0, 1)])
    assert metrics.run_ended("interrupted", None, 1.0).test_accuracy is None
    metrics.handle(metrics.epoch_ended(1.0))
    feed(metrics, 2, 3, [("train", 0, 0, 1), ("test", 0, 1, 1)])
    assert metrics.held_out.accuracy == 1.0
    assert metrics.test.accuracy == 0.0
    assert metrics.run_ended("interrupted", None, 1.0).test_accuracy == 1.0


def test_an_epoch_without_test_reports_none() -> None:
    """The test figures of an earlier epoch are not repeated."""
    metrics = Metrics()
    feed(metrics, 1, 0, [("train", 0, 0, 1), ("test", 0, 0, 1)])
    metrics.handle(metrics.epoch_ended(1.0))
    feed(metrics, 2, 2, [("train", 0, 0, 1)])
    ended = metrics.epoch_ended(1.0)
    assert (ended.epoch, ended.train_accuracy, ended.test_accuracy) == (2, 1.0, None)


def test_classes_beyond_the_config_are_counted() -> None:
    """The matrix grows to what was seen."""
    metrics = Metrics()
    metrics.handle(RunStarted({"classes": ["a"]}))
    feed(metrics, 1, 0, [("train", 0, 5, 1)])
    assert metrics.confusion.shape == (6, 6)


def test_of_takes_a_recorded_run(make_run: Any) -> None:
    """The figures of a log are those of the run."""
    run: list[Event] = make_run()
    metrics = Metrics.of(run)
    assert metrics.run_ended("complete", 0x1A2B3C4D, 1.5) == run[-1]
    assert metrics.epochs == [event for event in run if isinstance(event, EpochEnded)]


def test_recall_and_most_confused() -> None:
    """A class without samples has no recall; only wrong cells are confused."""
    matrix = np.array([[3, 1, 0], [2, 8, 0], [0, 0, 0]])
    np.testing.assert_array_equal(recall(matrix), [0.75, 0.8, np.nan])
    assert most_confused(matrix, 5) == [(1, 0, 2), (0, 1, 1)]
    assert most_confused(matrix, 1) == [(1, 0, 2)]
    assert most_confused(np.zeros((0, 0), int), 5) == []
