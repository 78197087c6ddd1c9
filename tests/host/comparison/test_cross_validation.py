"""Cross-validation: every recording tested once, by networks for which it had no say."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest

from tpsgd_host.comparison import cross_validate, fold_problems
from tpsgd_host.comparison.results import Difference
from tpsgd_host.comparison.tables import cells, gap_table, heading, how_chosen, markdown, sentences
from tpsgd_host.console import Console

pytestmark = pytest.mark.xdist_group("crossing")  # one worker: a fixture trains for all tests

RULES = ("int-tpsgd", "int-frozen")


@pytest.fixture(scope="module")
def problems(gesture):
    return fold_problems(replace(gesture, epochs=2), 4, seed=1)


@pytest.fixture(scope="module")
def fold_results(problems):
    return cross_validate(problems, RULES, seeds=2)


def test_folds_take_up_both_parts(gesture, problems):
    assert [(len(p.train), len(p.test)) for p in problems] == [(60, 20)] * 4
    tested = [group for p in problems for group in p.test.groups]
    assert len(set(tested)) == len(tested) == 80, "recordings of one name in both parts are two"
    every = {v.tobytes() for part in (gesture.train, gesture.test) for v in part.values}
    assert {v.tobytes() for p in problems for v in p.test.values} == every
    for p in problems:
        assert not {v.tobytes() for v in p.train.values} & {v.tobytes() for v in p.test.values}
        assert np.bincount(p.test.labels).tolist() == [5] * 4


def test_accuracies_are_those_of_all_recordings(fold_results):
    assert (fold_results.test_samples, fold_results.train_samples, len(fold_results.fold_results)) == (80, 60, 4)
    for i, entry in enumerate(fold_results.entries):
        folds = [one.entries[i] for one in fold_results.fold_results]
        assert entry.accuracies == pytest.approx(np.mean([fold.accuracies for fold in folds], axis=0))
        assert all(right * 80 == pytest.approx(round(right * 80)) for right in entry.accuracies)
        assert entry.validation == pytest.approx(np.mean([fold.validation for fold in folds]))
        assert len(entry.curve) == 2
        assert all(rate in entry.rates[1] for rate in {fold.rates[1] for fold in folds})
    assert "80 samples tested in 4 folds" in heading(fold_results) and "for each fold" in how_chosen(fold_results)
    assert "Every recording was tested once" in markdown([fold_results])
    assert not any("--folds" in said for said in sentences(fold_results))
    assert "Each of 20 test samples is 5.0 points: --folds 5 tests on all recordings." in sentences(
        fold_results.fold_results[0]
    )
    assert len(fold_results.as_dict()["fold_results"][0]["entries"]) == 2
    (gap,) = fold_results.differences
    ours, still = fold_results.entries
    assert gap.points == pytest.approx(100 * (ours.mean - still.mean)) and gap.recordings == 80
    assert len(ours.by_fold) == 4 and np.mean(ours.by_recording) == pytest.approx(ours.mean)
    (said,) = fold_results.as_dict()["differences"]
    assert (said["decided"], said["noise"]) == (gap.decided, gap.noise)
    assert "95% interval" in markdown([fold_results])


def test_the_terminal_shows_the_span_of_rates_and_each_difference_with_its_interval(fold_results):
    ours, still = fold_results.entries
    spread = replace(ours, rates=("9/10/11, 7/8/9, 10/11/12", "2^-4, 2^-10"))
    assert cells(spread)[4:6] == ["7/8/9 to 10/11/12", "2^-10 to 2^-4"]
    screen = Console(width=80, record=True, file=io.StringIO())
    table = gap_table(replace(fold_results, differences=(Difference(ours.title, still.title, 0.5, 1.0, 80),)))
    screen.print(table)
    text = screen.export_text()
    assert "tpsgd, integers" in text and all(len(line) <= 80 for line in text.splitlines())
    row = next(line for line in text.splitlines() if "frozen" in line)
    assert row.split() == ["frozen,", "integers", "+0.5", "-0.5", "to", "+1.5", "undecided", "320"]
    one_seed = Difference(ours.title, still.title, 0.5, None, 80)
    assert gap_table(replace(fold_results, differences=(one_seed,))) is None


def test_rates_of_a_fold_are_blind_to_its_test_part(problems, fold_results):
    dice = np.random.default_rng(1)
    test = replace(problems[0].test, labels=dice.permutation(problems[0].test.labels))
    blind = cross_validate((replace(problems[0], test=test), *problems[1:]), RULES, seeds=2)
    for ours, theirs in zip(blind.fold_results, fold_results.fold_results, strict=True):
        assert [e.tried for e in ours.entries] == [e.tried for e in theirs.entries]
    assert blind.fold_results[0].entries[0].accuracies != fold_results.fold_results[0].entries[0].accuracies


def test_notes_name_the_folds_that_have_them(problems):
    def noted(*notes):
        return tuple(replace(p, notes=own) for p, own in zip(problems, notes, strict=True))

    notes = cross_validate(
        tuple(replace(p, epochs=1) for p in noted(("all", "odd"), ("all",), ("all", "odd"), ("all",))),
        ("int-frozen",), seeds=1,
    ).notes  # fmt: skip
    assert "all" in notes and "odd (fold 1, 3)" in notes


def test_a_fold_of_more_samples_counts_more(fold_results):
    from tpsgd_host.comparison.cross_validation import merged

    one, two = fold_results.fold_results[:2]
    entry = replace(one.entries[0], accuracies=(1.0, 0.5)), replace(two.entries[0], accuracies=(0.0, 0.5))
    both = merged([replace(one, test_samples=30, entries=entry[:1]), replace(two, test_samples=10, entries=entry[1:])])
    assert both.entries[0].accuracies == pytest.approx((0.75, 0.5))
    assert both.test_samples == 40
