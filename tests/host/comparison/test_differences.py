"""Paired differences: their intervals by the formulas of the docstring, and what it would take to decide."""

from __future__ import annotations

from dataclasses import replace
from math import sqrt

import numpy as np
import pytest
from entries import entry

from tpsgd_host.comparison.differences import difference, differences
from tpsgd_host.comparison.results import Difference


def folds(name, accuracies):
    return replace(entry(name, [float(np.mean(accuracies))] * 5), by_fold=tuple(accuracies))


def recordings(name, accuracies, by_recording):
    return replace(entry(name, accuracies), by_recording=tuple(by_recording))


def test_noise_over_seeds_is_student_s_t():
    """Differences 1, 2, 3 points: mean 2, deviation 1, t(2) = 4.303."""
    gap = difference(entry("a", [0.91, 0.92, 0.93]), entry("b", [0.9] * 3), 10000)
    assert gap.points == pytest.approx(2.0)
    assert gap.noise == pytest.approx(4.303 / 3**0.5, abs=1e-3)


def test_folds_are_corrected_for_the_samples_that_they_share():
    """Differences 1, 2, 3, 2, 2 points: variance 0.5; Nadeau and Bengio's (1/5 + 1/4) in place of 1/5."""
    gap = difference(folds("a", [0.91, 0.92, 0.93, 0.92, 0.92]), folds("b", [0.9] * 5), 10000)
    assert gap.points == pytest.approx(2.0)
    assert gap.noise == pytest.approx(2.776 * sqrt((1 / 5 + 1 / 4) * 0.5), abs=1e-3)
    assert gap.decided and gap.needed is None


def test_the_interval_holds_what_it_promises():
    """Methods that are equal, in folds whose differences share three quarters of what they learned: 5% are decided."""
    dice = np.random.default_rng(1)
    wrong = 0
    for _ in range(2000):
        shared, own = dice.normal(0, sqrt(0.2), 1), dice.normal(0, sqrt(0.8), 5)
        apart = 0.01 * (shared + own)  # correlation 0.2 = n_test/(n_test + n_train), which the correction assumes
        wrong += difference(folds("a", (0.9 + apart).tolist()), folds("b", [0.9] * 5), 10**6).decided
    assert 0.03 < wrong / 2000 < 0.07


def test_the_recordings_of_a_test_part_count_too():
    """Equal seeds differ by nothing, so the seeds alone would be sure; the forty recordings are not."""
    by_recording = [1.0] * 38 + [0.0] * 2
    one = recordings("a", [0.95] * 5, by_recording)
    other = recordings("b", [0.925] * 5, [1.0] * 37 + [0.0] * 3)
    gap = difference(one, other, 40)
    deviation = 100 * sqrt((1 - 1 / 40) / 40)  # one of forty differs
    assert gap.noise == pytest.approx(1.96 * deviation / sqrt(40), rel=0.05) and not gap.decided
    assert gap.recordings == 40


def test_a_difference_below_one_test_sample_is_not_decided():
    """Five seeds that all differ by the same 0.4 points, on 40 samples of 2.5 points each."""
    gap = difference(entry("a", [0.904] * 5), entry("b", [0.9] * 5), 40)
    assert gap.points == pytest.approx(0.4) and gap.noise == 2.5 and not gap.decided
    assert difference(entry("a", [0.904] * 5), entry("b", [0.9] * 5), 10000).decided


def test_how_many_recordings_would_decide():
    """The interval is twice as wide as the difference is large: four times the recordings halve it."""
    assert Difference("a", "b", 1.0, 2.0, 50).needed == 200
    assert Difference("a", "b", 3.0, 2.0, 50).needed is None, "it is decided"
    assert Difference("a", "b", 0.1, 2.0, 50).needed is None, "nobody records 400 times as many"
    assert Difference("a", "b", 0.0, 2.0, 50).needed is None
    assert Difference("a", "b", 1.0, None, 50).needed is None, "one seed tells nothing"


def test_all_are_compared_with_the_network_as_it_is():
    three = [entry("bp", [0.9] * 3), entry("int-tpsgd", [0.8] * 3), entry("dfa", [0.7] * 3)]
    assert [(gap.one, gap.other, round(gap.points)) for gap in differences(three, 100)] == [
        ("int-tpsgd", "bp", -10), ("int-tpsgd", "dfa", 10),
    ]  # fmt: skip
    assert [gap.one for gap in differences(three[::2], 100)] == ["bp"]
    assert differences(three[:1], 100) == ()
