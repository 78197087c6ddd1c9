"""The sentences: better, worse, noise; more RAM, less."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from entries import OURS, entry

from tpsgd_host.comparison.verdict import hardly_learned, verdict


def moved(by):
    return [a + by + wobble for a, wobble in zip(OURS, (0.001, -0.001, 0.0, 0.002, -0.002), strict=True)]


def said(*entries, samples=1000):
    return " ".join(verdict(entries, samples))


@pytest.mark.parametrize(
    ("backprop", "wanted"),
    [
        (moved(0.012), "tpsgd costs you 1.2 points (±0.2) against backprop and trains in 11x less RAM"),
        (moved(-0.02), "tpsgd gains 2.0 points (±0.2) on backprop and trains in 11x less RAM"),
        (
            (0.89, 0.93, 0.90, 0.93, 0.90),
            "tpsgd against backprop is undecided: -0.2 points, between -",
        ),
    ],
)
def test_against_backprop(backprop, wanted):
    assert wanted in said(entry("int-tpsgd", OURS), entry("bp", backprop, 11000))


@pytest.mark.parametrize(
    ("still", "wanted"),
    [
        (moved(-0.064), "Training the hidden layers gains 6.4 points (±0.2) over leaving them frozen."),
        (moved(0.026), "costs 2.6 points (±0.2): leave them frozen, frozen = true saves 400 bytes."),
        (
            (0.89, 0.93, 0.90, 0.93, 0.90),
            "the hidden layers helps is undecided, -0.2 points, between -",
        ),
    ],
)
def test_against_frozen(still, wanted):
    assert wanted in said(entry("int-tpsgd", OURS), entry("int-frozen", still, 600))


@pytest.mark.parametrize(
    ("curve", "told"),
    [
        ((0.5, 0.6, 0.7, 0.72, 0.78, 0.78, 0.84, 0.84), True),
        ((0.5, 0.6, 0.7, 0.72, 0.83, 0.83, 0.84, 0.84), False),  # no longer
        ((0.5, 0.6, 0.7, 0.72, 0.93, 0.93, 0.98, 0.98), False),  # there is nothing left to learn
        ((0.5, 0.6, 0.7, 0.84), False),  # too short to tell
    ],
)
def test_epochs_that_were_too_few(curve, told):
    text = said(replace(entry("int-tpsgd", OURS), curve=curve))
    assert ("its 8 epochs ended (78% right before it was learned, in the last quarter 84%)" in text) == told
    assert ("--epochs 32" in text) == told


def test_what_is_undecided_says_what_would_decide_it_and_what_it_takes():
    text = said(entry("int-tpsgd", OURS), entry("bp", (0.91, 0.93, 0.90, 0.93, 0.90), 11000), samples=100)
    assert re.search(r"and \+\S+; some [\d,]+ recordings to test on would decide it \(100 were tested\)\. ", text)
    assert text.endswith("tpsgd trains in 11x less RAM (1,000 bytes instead of 11,000).")


def test_ram_may_be_less_more_or_the_same():
    ours = entry("int-tpsgd", OURS, 1000)
    assert "trains in 1.5x less RAM (1,000 bytes instead of 1,500)" in said(ours, entry("bp", OURS, 1500))
    assert "takes 2.0x the RAM (1,000 bytes instead of 500)" in said(ours, entry("bp", OURS, 500))
    assert "in as much RAM (1,000 bytes)" in said(ours, entry("bp", OURS, 1010))


def test_the_best_rival_is_named():
    rivals = [entry("dfa", moved(-0.05), title="DFA"), entry("drtp", moved(-0.02), title="DRTP")]
    assert "gains 2.0 points (±0.2) on DRTP, the best of its rivals" in said(entry("int-tpsgd", OURS), *rivals)
    assert "gains 5.0 points (±0.2) on DFA and trains in as much RAM" in said(entry("int-tpsgd", OURS), rivals[0])


def test_one_seed_tells_no_chance():
    text = said(entry("int-tpsgd", OURS[:1]), entry("bp", [0.95], 2000))
    assert "costs you 5.0 points against backprop" in text and "--seeds 5" in text


def test_networks_that_did_not_train_are_named():
    """Two classes, half and half: backprop's networks at 0.55 and 0.54 answer one class and little else."""
    entries = [entry("int-tpsgd", [0.9] * 5), entry("bp", (0.90, 0.85, 0.50, 0.55, 0.54), title="backprop")]
    (said,) = hardly_learned(entries, 0.5)
    assert said.startswith("3 of 5 networks of backprop hardly learned: below 70%, halfway")
    assert hardly_learned(entries[:1], 0.5) == ()


def test_divergence_is_said():
    assert "DRTP diverged with 2 of 5 seeds." in said(entry("int-tpsgd", OURS), entry("drtp", OURS, 1, "DRTP", 2))


def test_nothing_is_said_without_integers():
    assert verdict([entry("bp", OURS)], 100) == ()
