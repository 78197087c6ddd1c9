"""Recordings, windows and resampling, against the words of the specification."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tpsgd_host.data.layout import Layout
from tpsgd_host.data.windows import cut, find_recordings, resample, window_starts

LENGTHS = st.integers(1, 60)


def one(readings: list[float], steps: int, method: str) -> list[float]:
    """Resample a single window of one channel."""
    table = np.array(readings, float)[:, None]
    result = resample(table, np.array([0]), len(readings), steps, method)  # type: ignore[arg-type]
    return [float(value) for value in result[0, :, 0]]


@pytest.mark.parametrize(
    ("readings", "steps", "linear", "mean"),
    [
        ([0, 10, 20, 30], 4, [0, 10, 20, 30], [0, 10, 20, 30]),
        ([0, 10, 20, 30], 2, [0, 30], [5, 25]),
        ([0, 10, 20, 30], 3, [0, 15, 30], [0, 10, 25]),
        ([0, 10, 20, 30], 1, [15], [15]),
        ([0, 10, 40], 1, [10], [50 / 3]),
        ([0, 10], 3, [0, 5, 10], [0, 0, 10]),
        ([7], 3, [7, 7, 7], [7, 7, 7]),
    ],
)
def test_examples(readings, steps, linear, mean):
    assert one(readings, steps, "linear") == linear
    assert one(readings, steps, "mean") == pytest.approx(mean)


@given(st.lists(st.integers(-1000, 1000), min_size=1, max_size=40), st.integers(1, 50))
def test_resampling_is_what_the_specification_says(readings, steps):
    R, T = len(readings), steps
    positions = [t * (R - 1) / (T - 1) for t in range(T)] if T > 1 else [(R - 1) / 2]
    assert one(readings, T, "linear") == pytest.approx(list(np.interp(positions, range(R), readings)), abs=1e-6)
    spans = [(t * R // T, max(t * R // T + 1, (t + 1) * R // T)) for t in range(T)]
    assert one(readings, T, "mean") == pytest.approx([sum(readings[a:b]) / (b - a) for a, b in spans])


@given(LENGTHS, st.integers(1, 30), st.integers(0, 30))
def test_windows_lie_inside_and_none_is_left_out(length, window, hop):
    starts = window_starts(length, window, hop)
    step = hop or window
    assert len(starts) == (0 if length < window else (length - window) // step + 1)
    assert all(start % step == 0 and start + window <= length for start in starts)


@given(st.lists(st.sampled_from("ab"), max_size=30), st.booleans(), st.sets(st.integers(0, 29)))
def test_recordings_cover_the_table_without_a_gap(labels, grouped, breaks):
    groups = [str(i // 4) for i in range(len(labels))] if grouped else []
    recordings = find_recordings(labels, groups, breaks)
    assert [i for r in recordings for i in range(r.start, r.stop)] == list(range(len(labels)))
    for r in recordings:
        assert set(labels[r.start : r.stop]) == {r.label}
        assert not grouped or set(groups[r.start : r.stop]) == {r.name}
        assert not breaks & set(range(r.start + 1, r.stop))
    for a, b in pairwise(recordings):
        assert a.label != b.label or (grouped and a.name != b.name) or b.start in breaks


@given(
    lengths=st.lists(LENGTHS, min_size=1, max_size=6),
    window=st.integers(0, 20),
    hop=st.integers(0, 20),
    steps=st.integers(1, 8),
    method=st.sampled_from(["linear", "mean"]),
)
def test_counts_and_origins(lengths, window, hop, steps, method):
    groups = [str(k) for k, length in enumerate(lengths) for _ in range(length)]
    # Each recording holds its own number, so that a sample shows where its readings came from.
    readings = np.repeat(np.arange(len(lengths), dtype=float), lengths)[:, None]
    layout = Layout(steps, 1, "recording", method, window, hop, group="g")
    windows = cut(readings, find_recordings([""] * len(groups), groups), layout)
    expected = [len(window_starts(length, window, hop)) for length in lengths]
    assert len(windows.values) == sum(expected) == len(windows.starts) == len(windows.recordings)
    for value, recording in zip(windows.values, windows.recordings, strict=True):
        assert set(value.ravel()) == {float(recording.name)}
    assert [r.name for r in windows.short] == [str(k) for k, length in enumerate(lengths) if length < window]


@given(st.lists(st.floats(-1e6, 1e6), min_size=12, max_size=12), st.sampled_from(["linear", "mean"]))
def test_a_sample_does_not_depend_on_its_neighbours(readings, method):
    table = np.array(readings).reshape(6, 2)
    together = resample(table, np.array([0, 1, 2]), 4, 3, method)
    for start in range(3):
        alone = resample(table[start : start + 4].copy(), np.array([0]), 4, 3, method)
        np.testing.assert_array_equal(alone[0], together[start])


@given(st.integers(2, 2000), st.integers(2, 200))
def test_the_ends_of_a_window_are_its_first_and_last_reading(length, steps):
    values = one(list(range(length)), steps, "linear")
    assert values[0] == 0 and values[-1] == length - 1
    assert all(b >= a for a, b in pairwise(values))
    assert math.isclose(sum(values) / steps, (length - 1) / 2)
