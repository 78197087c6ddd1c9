"""Splits: nothing lost, nothing shared, every class on both sides."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tpsgd_host.data.samples import Samples
from tpsgd_host.data.split import folds, split, split_by_group
from tpsgd_host.errors import ConfigError, DataError


def make(labels: list[int], groups: list[str]) -> Samples:
    """Return samples whose line is their number."""
    count = len(labels)
    names = tuple(f"c{i}" for i in range(max(labels, default=0) + 1))
    values = np.arange(count, dtype=float).reshape(count, 1, 1)
    return Samples(values, np.array(labels, np.uint8), names, tuple(groups), np.arange(count, dtype=np.int64))


@st.composite
def recordings(draw: st.DrawFn) -> Samples:
    """Recordings of one class each, of different lengths."""
    plan = draw(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 9)), min_size=1, max_size=25))
    labels = [label for label, size in plan for _ in range(size)]
    return make(labels, [f"r{k}" for k, (_, size) in enumerate(plan) for _ in range(size)])


@given(recordings(), st.floats(0.01, 0.99), st.integers(0, 99))
def test_parts_are_disjoint_complete_and_hold_every_class(samples, fraction, seed):
    owners: dict[int, set[str]] = {}
    for label, group in zip(samples.labels.tolist(), samples.groups, strict=True):
        owners.setdefault(label, set()).add(group)
    if all(len(groups) == 1 for groups in owners.values()):
        with pytest.raises(DataError, match="second recording"):
            split(samples, fraction, seed)
        return
    train, test = split(samples, fraction, seed)
    assert sorted([*train.lines, *test.lines]) == samples.lines.tolist()
    assert not set(train.groups) & set(test.groups)
    assert set(train.labels.tolist()) == set(owners)
    assert set(test.labels.tolist()) == {label for label, groups in owners.items() if len(groups) > 1}
    assert (np.diff(train.lines) > 0).all() and (np.diff(test.lines) > 0).all()
    again = split(samples, fraction, seed)
    assert again[1].lines.tolist() == test.lines.tolist()


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 6)), min_size=1, max_size=40), st.integers(0, 99))
def test_recordings_of_several_classes_never_lose_a_class_from_training(plan, seed):
    samples = make([label for label, _ in plan], [f"r{k}" for _, k in plan])
    try:
        train, test = split(samples, 0.3, seed)
    except DataError:
        return
    assert not set(train.groups) & set(test.groups)
    assert len(train) + len(test) == len(samples)
    assert set(train.labels.tolist()) == set(samples.labels.tolist())


def test_fraction_is_met_in_every_class():
    samples = make([0] * 100 + [1] * 50, [f"r{i}" for i in range(150)])
    _, test = split(samples, 0.2, 5)
    assert np.bincount(test.labels).tolist() == [20, 10]


def test_a_long_recording_is_not_taken_where_short_ones_do():
    sizes = [100, 3, 3, 4, 90]
    samples = make([0] * 200, [f"r{k}" for k, size in enumerate(sizes) for _ in range(size)])
    for seed in range(20):
        assert len(split(samples, 0.05, seed)[1]) == 10


def test_seeds_differ_and_results_are_pinned():
    samples = make([0] * 20, [f"r{i}" for i in range(20)])
    assert len({tuple(split(samples, 0.2, seed)[1].lines) for seed in range(10)}) > 5
    assert split(samples, 0.2, 1)[1].lines.tolist() == [0, 2, 11, 17]


def test_fraction_0_tests_on_nothing():
    train, test = split(make([0, 1], ["a", "b"]), 0, 1)
    assert len(train) == 2 and len(test) == 0 and test.values.shape == (0, 1, 1)


@pytest.mark.parametrize("fraction", [-0.1, 1, 20, float("nan")])
def test_fraction_out_of_range(fraction):
    with pytest.raises(ConfigError):
        split(make([0, 0], ["a", "b"]), fraction, 1)


def test_by_group():
    samples = make([0, 1, 0, 1], ["ann", "ann", "bob", "cyd"])
    train, test = split_by_group(samples, ["ann"])
    assert train.lines.tolist() == [2, 3] and test.lines.tolist() == [0, 1]
    with pytest.raises(DataError) as caught:
        split_by_group(samples, ["anne"])
    assert "ann, bob, cyd" in caught.value.hint and "Did you mean 'ann'?" in caught.value.hint
    with pytest.raises(DataError, match="none is left"):
        split_by_group(samples, ["ann", "bob", "cyd"])


@given(recordings(), st.integers(2, 6), st.integers(0, 99))
def test_folds_test_every_recording_once(samples, count, seed):
    owners: dict[int, set[str]] = {}
    for label, group in zip(samples.labels.tolist(), samples.groups, strict=True):
        owners.setdefault(label, set()).add(group)
    shared = [groups for groups in owners.values() if len(groups) > 1]
    if sum(map(len, shared)) < count:
        with pytest.raises(DataError, match=f"{count} folds, but only"):
            folds(samples, count, seed)
        return
    parts = folds(samples, count, seed)
    assert len(parts) == count
    for train, test in parts:
        assert sorted([*train.lines, *test.lines]) == samples.lines.tolist()
        assert not set(train.groups) & set(test.groups)
        assert set(train.labels.tolist()) == set(owners)
    tested = [group for _, test in parts for group in dict.fromkeys(test.groups)]
    assert sorted(tested) == sorted(group for groups in shared for group in groups)
    again = folds(samples, count, seed)
    assert [test.lines.tolist() for _, test in again] == [test.lines.tolist() for _, test in parts]


def test_folds_are_even_class_by_class():
    samples = make([i % 3 for i in range(60)], [f"r{i}" for i in range(60)])
    for _, test in folds(samples, 5, 1):
        assert np.bincount(test.labels).tolist() == [4, 4, 4]
    assert folds(samples, 5, 1)[0][1].groups != folds(samples, 5, 2)[0][1].groups


def test_folds_of_recordings_with_several_classes_may_be_impossible():
    assert len(folds(make([0, 1, 0, 2, 1, 2], ["a", "a", "b", "b", "c", "c"]), 3, 1)) == 3
    pairs = make([0, 1, 0, 1, 2, 2], ["a", "a", "b", "b", "a", "b"])
    assert len(folds(pairs, 2, 1)) == 2
    with pytest.raises(DataError, match="leaves nothing to learn"):
        folds(make([0, 1, 1, 0, 2, 2, 3, 3], ["a", "a", "b", "c", "b", "c", "a", "c"]), 2, 1)
