"""Rates chosen from a network's own data: they improve bad ones, and the file's remarks stay."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from commands import call

from tpsgd_host.comparison.tuning import tune, tune_file
from tpsgd_host.data.samples import Samples
from tpsgd_host.errors import ConfigError, DataError
from tpsgd_host.model.parsing import load_config
from tpsgd_host.tasks.export import write_csv
from tpsgd_host.tasks.task import load_task


@pytest.fixture
def slow(gesture):
    """The gestures' network with rates at which it hardly learns."""
    layers = tuple(replace(layer, shifts=(13,)) for layer in gesture.config.layers)
    return replace(gesture.config, layers=layers)


def test_bad_rates_are_replaced_by_good_ones(gesture, slow):
    told = []
    found = tune(slow, gesture.train, epochs=8, progress=lambda done, of, text: told.append((done / of, text)))
    assert found.after > found.before + 0.1, "it must be worth the seconds"
    assert found.config.layers[-1].shifts[0] < 13 and found.tried >= 9
    assert found.config.seed == slow.seed and found.config.layers[0].kind == slow.layers[0].kind
    assert told[-1][0] == 1.0
    assert tune(slow, gesture.train, epochs=8) == found, "the same again"


def test_what_was_good_is_not_made_worse(gesture):
    found = tune(gesture.config, gesture.train, epochs=8)
    assert found.after >= found.before


def test_too_few_recordings_to_choose_by(gesture, slow):
    with pytest.raises(DataError, match="cannot be chosen"):
        tune(slow, gesture.train.take(gesture.train.labels.argsort()[:1]))


def test_new_tunes_and_quantize_does_so_anew(tmp_path, monkeypatch, gesture):
    monkeypatch.chdir(tmp_path)
    write_csv(load_task("gesture"), tmp_path)
    said = call("new", "moves", "--data", "train.csv", "--epochs", 4)
    assert "rates: hidden layers" in said and "held-out samples" in said
    text = (tmp_path / "moves.toml").read_text()
    assert text.count("# chosen on held-out recordings") == 2 and text.count("#") > 25, "remarks stay"
    tuned = load_config(tmp_path / "moves.toml")
    call("new", "plain", "--data", "train.csv", "--no-tune")
    plain = load_config(tmp_path / "plain.toml")
    assert [layer.shifts for layer in plain.layers] == [(7, 8, 9), (6, 7, 8)]
    said = call("quantize", "plain.toml", "--data", "train.csv", "--tune", "--epochs", 4)
    assert "rates: hidden layers" in said
    assert [layer.shifts for layer in load_config(tmp_path / "plain.toml").layers] == [y.shifts for y in tuned.layers]
    assert "--tune" in call("quantize", "plain.tpsgd", "--data", "train.csv", "--tune", code=3)


def test_new_says_why_rates_stay_the_usual_ones(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "d.csv").write_text("x,label\n" + "".join(f"{i},{'ab'[i]}\n" for i in range(2)))
    said = call("new", "d", "--data", "d.csv")
    assert "rates: the defaults" in said and "Record each class" in said
    assert (tmp_path / "d.toml").exists()


def test_the_file_is_written_whole_or_not_at_all(tmp_path, gesture):
    path = tmp_path / "g.toml"
    path.write_text("nonsense = [")
    with pytest.raises(ConfigError, match=r"g\.toml"):
        tune_file(path, gesture.train, epochs=1)
    assert path.read_text() == "nonsense = ["


def heights(spread: float) -> Samples:
    """Return 120 samples of two classes, 8 steps of 3 channels: what tells them apart is how high a hill is."""
    dice = np.random.default_rng(1)
    labels = (np.arange(120) % 2).astype(np.uint8)
    hill = np.sin(np.linspace(0, np.pi, 8))[None, :, None] * (0.95 + 0.05 * labels[:, None, None])
    values = hill + dice.normal(0, spread, (120, 8, 3))
    return Samples(values, labels, ("low", "high"), tuple(f"r{i}" for i in range(120)), np.arange(120))


HILLS = """
[data]
windows = "recording"
group = "recording"
steps = 8
channels = 3
scale = "minmax"
[training]
variation = "motion"  # a remark
[[layer]]
kind = "temporal"
units = 8
kernel = 3
[[layer]]
kind = "output"
"""


def test_variation_that_hides_the_classes_is_turned_off(tmp_path):
    path, samples = tmp_path / "hills.toml", heights(0.01)
    path.write_text(HILLS)
    assert not tune_file(path, samples, epochs=10).unvaried, "only where it is asked for"
    assert load_config(path).training.variation == "motion"
    found = tune_file(path, samples, epochs=10, weigh_variation=True)
    assert found.unvaried and found.config.training.variation == "none" and found.after > found.before
    assert 'variation = "none"  # a remark' in path.read_text()


def test_variation_that_costs_nothing_stays(gesture):
    varied = replace(gesture.config, training=replace(gesture.config.training, variation="motion"))
    found = tune(varied, gesture.train, epochs=8, weigh_variation=True)
    assert not found.unvaried and found.config.training.variation == "motion"
