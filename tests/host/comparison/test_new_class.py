"""Adding a class: the host's output layer is the device's, to the last bit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tpsgd_host.adaptation.new_class import GROWTHS, study_new_class, without
from tpsgd_host.adaptation.readout import Readout, features
from tpsgd_host.adaptation.ways import LAST_LAYER, Tuning, train_model, trained
from tpsgd_host.comparison import task_problem
from tpsgd_host.errors import ConfigError, DataError
from tpsgd_host.model.build import build_model

pytestmark = pytest.mark.xdist_group("new class")  # one worker: a fixture trains for all tests


@pytest.mark.parametrize("name", ["gesture", "digits"])
def test_the_readout_learns_as_the_device_does(name):
    """Recurrent or dense body, frozen: predictions and weights after training are those of the whole network."""
    problem = task_problem(name, epochs=2)
    base = train_model(build_model(problem.config, problem.train), problem.train, 2, 1)
    model = LAST_LAYER.model(base, Tuning(7, 3))
    part = problem.train.take(np.arange(0, len(problem.train), max(1, len(problem.train) // 30)))
    readout = Readout.of(model)
    before = readout.v.copy()
    readout.learn(features(model, part), part.labels.astype(np.int64), 7, 3, 5)
    simulator = trained(model, model.scaling.encode(part.values), part.labels, 3, 5)
    whole = model.with_weights(simulator.weights())
    assert np.array_equal(Readout.of(whole).v, readout.v)
    assert not np.array_equal(before, readout.v)


def test_a_row_learns_alone():
    dice = np.random.default_rng(1)
    x = np.column_stack([dice.integers(-127, 128, (6, 4)), np.full(6, 127)])
    readout = Readout(dice.integers(-9000, 9000, (3, 5)), 5).with_row()
    before = readout.v.copy()
    readout.learn(x, np.full(6, 3), 6, 2, 1, rows=(3,))
    assert np.array_equal(before[3], before[:3].sum(axis=0) // 3) and not (Readout(before, 5).classify(x) == 3).any()
    assert np.array_equal(readout.v[:3], before[:3]) and (readout.classify(x) == 3).any()


def study(problem):
    ways = [way for way in GROWTHS if way.name in ("row", "row-5", "row-n", "prototypes", "practice", "both")]
    return study_new_class(problem, held_out=("Running",), seeds=1, ways=ways, counts=(2, 5, 500))


@pytest.fixture(scope="module")
def added(gesture):
    return study(gesture)


def test_a_class_is_added(added):
    assert added.counts == (2, 5) and added.mean("row", 0) == 0 and added.mean("row", 5) > 0.9
    assert added.mean("row-n", 5, old=True) > added.mean("row", 5, old=True), "old samples keep the old classes"
    for way in ("prototypes", "practice", "both"):
        assert added.mean(way, 5) > 0.8
        assert added.mean(way, 5, old=True) > added.mean("row", 5, old=True), "means keep them as well"
    assert "A class added with 5 samples is recognised at" in added.verdict()[0]
    sizes = {name: size for name, _, size in added.ways}
    sample = 25 * 6 + 1
    assert sizes["row-5"] - sizes["row"] == 5 * 3 * sample == sizes["row-n"] - sizes["row"]


def test_neither_the_test_part_nor_the_new_class_has_a_say(gesture, added):
    def tunings(found):
        return [(a.way, a.count, a.tuning) for a in found.held_out[0].adapted]

    dice = np.random.default_rng(1)
    blind = replace(gesture, test=replace(gesture.test, labels=dice.permutation(gesture.test.labels)))
    other = study(blind)
    assert tunings(other) == tunings(added) and other.held_out != added.held_out
    values = gesture.train.values.copy()
    values[gesture.train.labels == gesture.train.classes.index("Running")] = 0
    other = study(replace(gesture, train=replace(gesture.train, values=values)))
    assert [a.tuning for a in other.held_out[0].adapted] == [a.tuning for a in added.held_out[0].adapted]


def test_what_cannot_be_studied(gesture):
    with pytest.raises(ConfigError, match="no class 'Runningg'") as caught:
        study_new_class(gesture, held_out=("Runningg",))
    assert "'Running'" in caught.value.hint
    two = replace(gesture.train, classes=gesture.train.classes[:2])
    with pytest.raises(DataError, match="needs three"):
        study_new_class(replace(gesture, train=two))


def test_of_three_classes_each_is_added_with_the_usual_tuning(gesture):
    three = replace(gesture, train=without(gesture.train, [0]), test=without(gesture.test, [0]))
    found = study_new_class(
        three, held_out=("Running",), seeds=1, counts=(3,), ways=[way for way in GROWTHS if way.name in ("all", "both")]
    )
    (held,) = found.held_out
    assert {a.way: a.tuning for a in held.adapted if a.count} == {
        "all": "shift 5, 30 passes", "both": "shift 5, 60 passes",
    }  # fmt: skip
    assert found.mean("both", 3) > 0.8 and found.mean("both", 3, old=True) > 0.8
    assert "three classes" in found.notes[0]
