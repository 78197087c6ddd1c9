"""``--target``: what hidden layers learn from, changed by one option in new, demo, simulate and compare."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path

import pytest
from commands import call, fails

from tpsgd_host.model.modelfile import load_model
from tpsgd_host.model.parsing import load_config, parse_config
from tpsgd_host.model.target import retarget

TASKS = ["gesture", "voice", "digits", "digits-cnn", "mnist-cnn"]


def aims(layers):
    """Return kind and amplitude of the hidden layers: 0 learns from feedback."""
    return [(layer.kind, layer.amplitude) for layer in layers[:-1]]


@pytest.mark.parametrize("name", TASKS)
def test_a_toml_is_changed_to_label_targets_and_back(name):
    before = (resources.files("tpsgd_host.tasks") / f"{name}.toml").read_text()
    there = retarget(before, "label")
    changed = parse_config(there, "x").layers
    assert all(amplitude for _, amplitude in aims(changed))
    back = parse_config(retarget(there, "feedback"), "x").layers
    assert not any(amplitude for _, amplitude in aims(back))
    remarks = [line.partition("#")[2] for line in before.splitlines() if line.startswith("#")]
    assert all(remark in there for remark in remarks)


def test_a_temporal_layer_becomes_a_recurrent_one(place):
    call("new", "motion", "--data", "train.csv", "--network", "tdnn", "--hidden", "12")
    config = parse_config(retarget(Path("motion.toml").read_text(), "label"), "x")
    assert aims(config.layers) == [("recurrent", 80)]
    assert (config.layers[0].units, config.training.update_at) == (12, "readout")


def test_new_writes_it(place):
    text = call("new", "motion", "--data", "train.csv", "--target", "label")
    assert "an RNN: each sample is a time series, and a TDNN has no label targets" in text
    assert aims(load_config(Path("motion.toml")).layers) == [("recurrent", 80)]
    call("new", "rows", "--network", "mlp", "--steps", "4", "--target", "label")
    assert aims(load_config(Path("rows.toml")).layers) == [("dense", 127), ("dense", 127)]
    text = fails(3, "new", "t", "--data", "train.csv", "--network", "tdnn", "--target", "label")
    assert "--network rnn or mlp" in text


def test_simulate_takes_it_and_gives_what_a_model_of_that_rule_gives(place):
    call("new", "motion", "--data", "train.csv", "--network", "rnn", "--hidden", "12")
    call("quantize", "motion.toml", "--data", "train.csv")
    Path("label.toml").write_text(retarget(Path("motion.toml").read_text(), "label"))
    call("quantize", "label.toml", "--data", "train.csv")
    run = ["simulate", "train.csv", "--epochs", "2", "--json"]
    plain = json.loads(call(*run, "--model", "motion.tpsgd"))
    label = json.loads(call(*run, "--model", "motion.tpsgd", "--target", "label"))
    other = json.loads(call(*run, "--model", "label.tpsgd"))
    assert label["weights_crc"] == other["weights_crc"] != plain["weights_crc"]
    again = json.loads(call(*run, "--model", "label.tpsgd", "--target", "feedback"))
    assert again["weights_crc"] == plain["weights_crc"]
    call("new", "temporal", "--data", "train.csv", "--network", "tdnn")
    call("quantize", "temporal.toml", "--data", "train.csv")
    assert "no label targets" in fails(3, *run, "--model", "temporal.tpsgd", "--target", "label")


def test_compare_trains_the_network_by_the_papers_rule(place):
    call("new", "motion", "--data", "train.csv", "--network", "rnn", "--hidden", "8")
    run = ["compare", "train.csv", "--seeds", "1", "--epochs", "2", "--json", "--rules"]
    both = accuracies(json.loads(call(*run, "int-tpsgd,int-label")))
    label = accuracies(json.loads(call(*run, "int-tpsgd,int-label", "--target", "label", "--out", "kept")))
    assert set(both) == {"int-tpsgd", "int-label"}
    assert label == {"int-tpsgd": both["int-label"]}
    tuned = next(Path("kept").glob("*-tuned.toml"))
    assert aims(load_config(tuned).layers) == [("recurrent", 80)]


def accuracies(report):
    """Return the accuracies of each method."""
    (one,) = report["comparisons"]
    return {entry["name"]: entry["accuracies"] for entry in one["entries"]}


def test_demo_takes_it(tmp_path, interpreter):
    pytest.importorskip("sklearn", reason="pip install 'tpsgd[demo]' has the data of the demo digits")
    report = json.loads(
        call(
            "demo", "digits", "--target", "label", "--epochs", "1", "-o", tmp_path / "demo", "--heap", "256k", "--json"
        )
    )
    assert report["crc_equal"]
    assert all(amplitude for _, amplitude in aims(load_model(tmp_path / "demo" / "model.tpsgd").layers))
