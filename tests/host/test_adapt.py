"""``adapt``: a trained model learns more: only its output layer, with an adaptor, or with new classes."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from commands import call, fails
from motions import write_motions
from networks import model, samples

from tpsgd.format import MAX_LAYERS
from tpsgd.learner import Learner
from tpsgd_host.adaptation.adapt import adapt
from tpsgd_host.errors import ConfigError
from tpsgd_host.model.modelfile import Model, load_model, memory, parse_model
from tpsgd_host.model.surgery import mean_row, thaw, with_adaptor, with_class, with_learning, with_shifts
from tpsgd_host.training.executor import TEST, TRAIN, Records
from tpsgd_host.training.simulator import Simulator

KINDS = ("slow", "fast", "still")


def taught(recurrent: bool = False, passes: int = 20) -> Model:
    """Return a network that has learned three classes."""
    base = model(recurrent)
    layers = tuple(replace(layer, shifts=(6,)) for layer in base.layers)
    base = replace(base, layers=layers, weights=(*base.weights[:-1], np.full_like(base.weights[-1], 32896)))
    simulator = Simulator(base)
    simulator.start(0, 0, True)
    given = records(base, TRAIN)
    for _ in range(passes):
        list(simulator.stream(given))
    return base.with_weights(simulator.weights())


def records(one: Model, op: int) -> Records:
    given = samples(60, steps=2)
    return Records(np.full(60, op, np.uint8), given.labels, one.scaling.encode(given.values))


def predicted(one: Model) -> np.ndarray:
    return Simulator(one).evaluate(records(one, TEST))[:, 0]


@pytest.mark.parametrize("recurrent", [False, True])
@pytest.mark.parametrize("units", [3, 32])
def test_an_adaptor_changes_no_prediction(recurrent, units):
    one = taught(recurrent)
    before = predicted(one)
    assert (before == records(one, TEST).labels).mean() > 0.9
    other = with_adaptor(one, units)
    assert (predicted(other) == before).mean() >= 0.98
    assert [layer.kind for layer in other.layers[-2:]] == ["dense", "output"]
    assert other.layers[-2].amplitude == 0, "learns from feedback"


def test_an_adaptor_learns():
    start = with_shifts(with_adaptor(with_learning(taught(), 1), 8), (6,))
    simulator = Simulator(start)
    simulator.start(0, 0, True)
    given = records(start, TRAIN)
    list(simulator.stream(Records(given.ops, (given.labels + 1) % 3, given.data)))
    after = start.with_weights(simulator.weights())
    changed = [not np.array_equal(a, b) for a, b in zip(start.weights, after.weights, strict=True)]
    assert changed == [False, False, True, True]
    assert (after.weights[2][3:] != start.weights[2][3:]).any(), "units that asked for no class learn as well"


def test_no_data_and_no_room_for_an_adaptor():
    one = taught()
    with pytest.raises(ConfigError, match="2 units is too narrow for 3 classes"):
        with_adaptor(one, 2)
    for _ in range(MAX_LAYERS - len(one.layers)):
        one = with_adaptor(one, 3)
    with pytest.raises(ConfigError, match=f"{MAX_LAYERS} layers"):
        with_adaptor(one, 3)


@pytest.mark.parametrize("recurrent", [False, True])
def test_frozen_and_thawed_layers_predict_the_same(recurrent):
    one = taught(recurrent)
    for count in range(1, 4):
        frozen = with_learning(one, count)
        assert [layer.frozen for layer in frozen.layers] == [True] * (3 - count) + [False] * count
        assert np.array_equal(predicted(frozen), predicted(one))
        free = with_learning(frozen, 3)
        assert not any(layer.frozen for layer in free.layers)
        assert np.array_equal(predicted(free), predicted(one))
        assert parse_model(free.to_bytes(), "it").weights_crc == free.weights_crc
    every = np.arange(1, 256, dtype=np.uint8)
    assert np.array_equal(thaw(every) >> 8, every) and int(thaw(every).min()) >= 256
    assert memory(with_learning(one, 1)).total < memory(one).total


def test_layers_before_the_output_learn_slower():
    shifts = [layer.shifts for layer in with_shifts(taught(), (5, 0, 14)).layers]
    assert shifts == [(8, 0, 15), (8, 0, 15), (5, 0, 14)]


@pytest.mark.parametrize("recurrent", [False, True])
def test_the_host_adds_a_class_as_the_device_does(tmp_path, recurrent):
    one = taught(recurrent)
    one.save(tmp_path / "model.tpsgd")
    for name in ("circle", "größer"):
        one = with_class(one, name)
        Learner(f"{tmp_path}/model.tpsgd").add_class(name)
        assert (tmp_path / "model.tpsgd").read_bytes() == one.to_bytes()
    assert np.array_equal(predicted(one), predicted(taught(recurrent)))


def test_the_new_row_is_the_mean():
    assert mean_row(np.array([[1, -3], [2, -4]])).tolist() == [1, -4]


def test_what_cannot_be_a_class():
    one = taught()
    for name, said in (("wave", "already"), ("", "0 bytes"), ("z" * 256, "256 bytes")):
        with pytest.raises(ConfigError, match=said):
            with_class(one, name)
    frozen = replace(one.layers[-1], frozen=True)
    with pytest.raises(ConfigError, match="frozen"):
        with_class(replace(one, layers=(*one.layers[:-1], frozen)), "circle")
    for i in range(252):
        one = with_class(one, f"class {i}")
    with pytest.raises(ConfigError, match="255 classes"):
        with_class(one, "one more")


def test_a_frozen_output_is_set_free(tmp_path):
    frozen = with_learning(taught(), 0)
    frozen.save(tmp_path / "frozen.tpsgd")
    report = adapt(tmp_path / "frozen.tpsgd", tmp_path / "out.tpsgd", added=("circle",))
    assert [name for name, _, _ in report.learning] == ["output 2"]
    assert load_model(tmp_path / "out.tpsgd").classes[-1] == "circle"


def test_targets_that_the_number_of_classes_changes_are_told(tmp_path):
    one = replace(taught(recurrent=True), update_at="readout")
    one.save(tmp_path / "one.tpsgd")
    told = adapt(tmp_path / "one.tpsgd", tmp_path / "a.tpsgd", train="all", added=("circle",)).remarks
    assert told[0].startswith("recurrent 0 learns towards targets")
    for options in ({"train": "all"}, {"added": ("circle",)}):
        told = adapt(tmp_path / "one.tpsgd", tmp_path / "b.tpsgd", force=True, **options).remarks
        assert not any("targets" in remark for remark in told)


def test_wrong_use(tmp_path):
    path, out = tmp_path / "one.tpsgd", tmp_path / "out.tpsgd"
    assert "one.tpsgd" in fails(5, "adapt", path, "-o", out)
    taught().save(path)
    assert "exists" in fails(3, "adapt", path, "-o", path)
    assert "--train adaptor" in call("adapt", path, "-o", out, "--train", "output", "--adaptor", 8, code=2)
    for shifts in ("0", "16", "5,,6", "x", "-1", ",".join("123456789")):
        assert "1 to 15" in call("adapt", path, "-o", out, "--shifts", shifts, code=2)
    assert "already" in fails(3, "adapt", path, "-o", out, "--add-class", "circle", "--add-class", "circle")
    assert "too narrow" in fails(3, "adapt", path, "-o", out, "--adaptor", 2)
    assert "cannot be written" in fails(4, "adapt", path, "-o", tmp_path / "no" / "out.tpsgd")
    assert not out.exists()
    call("adapt", path, "-o", path, "--force")
    assert load_model(path).layers[0].frozen


def test_what_is_said(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    taught().save(Path("one.tpsgd"))
    said = call("adapt", "one.tpsgd", "-o", "new.tpsgd", "--adaptor", 8, "--add-class", "circle", "--shifts", "5,6")
    now = load_model(Path("new.tpsgd"))
    assert "new.tpsgd: small (MLP 8-5-6-8-4), 4 classes, new: circle" in said
    assert "learns: dense 2, 56 weights, update shift 8 9" in said and "output 3, 36 weights, update shift 5 6" in said
    assert "stays:  dense 0, dense 1, one byte per weight" in said
    before, after = memory(load_model(Path("one.tpsgd"))).total, memory(now).total
    assert f"RAM to train in: {before:,} -> {after:,} bytes" in said
    assert "tpsgd-host flash new.tpsgd --board virtual" in said
    told = json.loads(call("adapt", "one.tpsgd", "-o", "all.tpsgd", "--train", "all", "--json"))
    assert (told["ram_bytes_before"], told["ram_bytes"], told["added"]) == (before, before, [])
    assert [layer["weights"] for layer in told["learns"]] == [45, 36, 21]


@pytest.mark.parametrize(("learned_at", "wanted"), [((2, 3, 4), 2), ((9, 8, 0), 8), ((0,), 6)])
def test_the_rate_is_the_model_s_own(tmp_path, learned_at, wanted):
    """A network whose output learns at 2**-2 forgets nothing and learns nothing at a fixed 2**-6."""
    one = taught()
    with_shifts(one, learned_at).save(tmp_path / "one.tpsgd")
    report = adapt(tmp_path / "one.tpsgd", tmp_path / "new.tpsgd", train="all")
    assert [layer.shifts for layer in report.model.layers] == [(wanted + 3,), (wanted + 3,), (wanted,)]
    named = adapt(tmp_path / "one.tpsgd", tmp_path / "named.tpsgd", shifts=(5, 6))
    assert named.model.layers[-1].shifts == (5, 6), "unless the user says another"


@pytest.fixture
def learned(place, interpreter):
    """A board that knows two movements; its model was pulled. ``more.csv`` has a few recordings of three."""
    write_motions(place / "two.csv", 60, 1, KINDS)
    rows = list(csv.reader(open("two.csv")))
    with open("two.csv", "w", newline="") as file:
        csv.writer(file).writerows(row for row in rows if row[1] != "still")
    write_motions(place / "more.csv", 24, 7)
    call("new", "motion", "--data", "two.csv", "--network", "rnn", "--hidden", "12", "--steps", "10")
    call("quantize", "motion.toml", "--data", "two.csv")
    call("flash", "motion.tpsgd", "--board", "virtual")
    call("stream", "two.csv", "--epochs", "12")
    call("pull", "-o", "trained.tpsgd")
    return place


@pytest.mark.parametrize("train", ["output", "adaptor", "all"])
def test_a_board_learns_a_new_class_and_ends_as_the_simulation(learned, train):
    call("adapt", "trained.tpsgd", "-o", "more.tpsgd", "--train", train, "--add-class", "still")
    call("flash", "more.tpsgd", "--board", "virtual")
    run = ["more.csv", "--test", "test.csv", "--epochs", "15", "--json"]
    board = json.loads(call("stream", *run))
    host = json.loads(call("simulate", *run, "--model", "more.tpsgd"))
    assert board["weights_crc"] == host["weights_crc"] != load_model(Path("more.tpsgd")).weights_crc
    assert board["test_accuracy"] == host["test_accuracy"] >= 0.9
