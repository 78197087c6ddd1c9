"""Networks of equal RAM beside each other."""

from __future__ import annotations

import csv
import json
from dataclasses import replace

import pytest
from click.testing import CliRunner

from tpsgd_host.cli import cli
from tpsgd_host.comparison import compare, compare_networks, fold_problems
from tpsgd_host.comparison.networks import candidates
from tpsgd_host.errors import ConfigError
from tpsgd_host.model.alternatives import training_bytes, with_network
from tpsgd_host.model.parsing import load_config, parse_config
from tpsgd_host.tasks import load_task, write_csv


@pytest.fixture(scope="module")
def toml():
    return load_task("gesture").toml


@pytest.fixture(scope="module")
def short(gesture):
    return replace(gesture, epochs=4)


@pytest.fixture(scope="module")
def found(short, toml):
    return compare_networks([short], toml, seeds=2)


def test_the_own_network_stands_for_its_kind_and_sets_the_ram(short, toml):
    alternatives, notes = candidates(short, toml)
    assert [one.network for one in alternatives] == ["tdnn", "rnn", "mlp"] and not notes
    assert alternatives[0].toml == toml and alternatives[0].config == short.config
    assert alternatives[0].bytes == training_bytes(short.config, short.train)


@pytest.mark.parametrize("ram", [None, 3000, 20_000])
def test_networks_are_the_largest_that_fit(short, toml, ram):
    alternatives, _ = candidates(short, toml, ram)
    limit = ram or training_bytes(short.config, short.train)
    for one in alternatives[ram is None :]:
        units = one.config.layers[0].units
        assert one.bytes <= limit
        text = with_network(toml, short.config, one.network, units + 1)
        larger = replace(parse_config(text, "x"), layout=short.config.layout, classes=short.config.classes)
        assert training_bytes(larger, short.train) > limit
    assert len({one.network for one in alternatives}) == 3


def test_the_output_layer_bounds_a_network_where_the_ram_does_not(short, toml):
    alternatives, _ = candidates(short, toml, 10**9)
    units = {one.network: one.config.layers[0].units for one in alternatives}
    assert units == {"tdnn": 259, "rnn": 259, "mlp": 1024}  # an output layer of 4*259 inputs; 1,039 are the most


def test_what_does_not_fit_is_left_out_and_said(short, toml):
    alternatives, notes = candidates(short, toml, 900)
    assert [one.network for one in alternatives] == ["tdnn", "rnn"]
    assert notes == ["there is no MLP: with a single unit it takes 939 bytes, more than 900"]
    with pytest.raises(ConfigError, match="fewer than two networks"):
        candidates(short, toml, 100)


def test_the_rest_of_the_toml_stays(toml, short):
    text = with_network(toml, short.config, "rnn", 7)
    config = parse_config(text, "x")
    assert [layer.kind for layer in config.layers] == ["recurrent", "output"]
    assert (config.layout.steps, config.scale, config.seed) == (25, short.config.scale, short.config.seed)
    assert config.training.readout_steps == 4 and config.training.shifts == short.config.training.shifts
    assert "Four gestures from a watch" in text and "its 100 readings become 25 steps" in text
    back = parse_config(with_network(text, config, "tdnn", 7), "x")
    assert back.training.readout_steps == 0 and back.layers[0].kernel == (5, 0)


def test_entries_are_networks_and_the_best_on_validation_is_chosen(found, short):
    one = found.comparison
    assert [entry.name for entry in one.entries] == ["tdnn", "rnn", "mlp"]
    best = max(one.entries, key=lambda entry: entry.validation)
    assert one.chosen == best.name and one.verdict[0].startswith(f"{best.title} was the best on the validation parts")
    assert [gap.one for gap in one.differences] == [best.title] * 2
    assert all(entry.integer and entry.bytes <= one.entries[0].bytes for entry in one.entries)
    (problem,) = found.problems
    assert problem.config.layers == parse_config(found.toml, "x").layers and problem.train is short.train


def test_a_network_has_the_figures_of_a_comparison_of_its_own(found, short):
    alone = compare(short, ("int-tpsgd",), seeds=2).entries[0]
    tdnn = found.comparison.entry("tdnn")
    assert (tdnn.accuracies, tdnn.setting, tdnn.bytes, tdnn.validation) == (
        alone.accuracies, alone.setting, alone.bytes, alone.validation,
    )  # fmt: skip


def test_processes_change_nothing(found, short, toml):
    again = compare_networks([short], toml, seeds=2, jobs=2).comparison
    assert [e.accuracies for e in again.entries] == [e.accuracies for e in found.comparison.entries]


def test_folds(short, toml):
    one = compare_networks(fold_problems(short, 3, 1), toml, seeds=2).comparison
    assert one.test_samples == 80 and len(one.fold_results) == 3
    assert all(len(entry.by_fold) == 3 for entry in one.entries)
    assert one.differences[0].noise is not None and {fold.chosen for fold in one.fold_results} == {one.chosen}


def test_single_steps_have_an_mlp_alone(short, toml):
    config = replace(short.config, layout=replace(short.config.layout, steps=1))
    with pytest.raises(ConfigError, match="only an MLP"):
        candidates(replace(short, config=config), toml, 4000)


@pytest.fixture
def place(tmp_path, monkeypatch):
    write_csv(load_task("gesture"), tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def call(*arguments, code=0):
    result = CliRunner().invoke(cli, ["compare", *map(str, arguments)])
    assert result.exit_code == code, result.output + repr(result.exception)
    return result.output


QUICK = ("train.csv", "--networks", "--epochs", "3", "--seeds", "2", "--jobs", "1")


def test_the_folder_has_the_best_network_ready_to_quantize(place):
    text = call(*QUICK, "--ram", "4000", "--out", "found")
    (one,) = json.loads((place / "found" / "result.json").read_text())["comparisons"]
    best = next(entry for entry in one["entries"] if entry["name"] == one["chosen"])
    assert best["bytes"] <= 4000 and f"{best['title']} is in found" in " ".join(text.split())
    tuned = load_config(place / "found" / "gesture-tuned.toml")
    kinds = {"tdnn": "temporal", "rnn": "recurrent", "mlp": "dense"}
    assert tuned.layers[0].kind == kinds[one["chosen"]]
    assert "/".join(map(str, tuned.layers[0].shifts)) == best["rates"][0]
    assert "/".join(map(str, tuned.layers[-1].shifts)) == best["rates"][1]
    rows = list(csv.DictReader(open(place / "found" / "accuracies.csv")))
    assert {row["method"] for row in rows} == {"tdnn", "rnn", "mlp"} and len(rows) == 6
    made = CliRunner().invoke(cli, ["quantize", "found/gesture-tuned.toml", "--data", "train.csv"])
    assert made.exit_code == 0, made.output


@pytest.mark.parametrize("more", [
    ("--methods", "int-tpsgd"), ("--board",), ("--new-class",), ("--leave-out", "wearer"), ("--target", "label"),
], ids=lambda more: more[0])  # fmt: skip
def test_options_that_leave_no_room_are_refused(place, more):
    assert "--networks" in call(*QUICK, *more, code=2)


def test_ram_goes_with_networks(place):
    assert "--ram is for --networks" in call("train.csv", "--ram", "4000", code=2)
