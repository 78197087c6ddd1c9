"""Samples are varied before they are learned, and board and simulation still end with the same weights (SPEC 1.13)."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from zlib import crc32

import numpy as np
import pytest
from commands import call, fails
from sensors import GESTURES, write_gestures

from tpsgd_host.data.layout import Layout
from tpsgd_host.data.load import load_samples
from tpsgd_host.errors import ConfigError, ModelError
from tpsgd_host.model.modelfile import load_model, parse_model
from tpsgd_host.model.parsing import load_config, parse_config
from tpsgd_host.model.varying import usual_variation, with_variation
from tpsgd_host.runs.records import Presentation, RunRecords
from tpsgd_host.training import varied as module
from tpsgd_host.training.executor import TRAIN
from tpsgd_host.training.varied import varied

RUN = ["train.csv", "--test", "test.csv", "--epochs", "6", "--variation", "motion", "--json"]

#: Of eight samples as training samples 5 to 12 of a run with seed 3. They never change.
GOLDEN = {"words": 0x912093C9, "motion": 0xC7560C5A}


def samples(count: int, steps: int, channels: int, seed: int = 1) -> np.ndarray:
    """Return stored activations, the extremes among them."""
    data = np.random.default_rng(seed).integers(1, 256, (count, steps * channels)).astype(np.uint8)
    data[0, :2] = 1, 255
    return data


# -- the samples


@pytest.mark.parametrize("kind", ["words", "motion"])
def test_the_same_samples_come_of_the_compiled_trainer_and_the_device_s_code(kind, monkeypatch):
    for steps, channels in ((2, 1), (7, 3), (12, 7)):
        data, layout = samples(40, steps, channels), Layout(steps, channels)
        compiled = varied(kind, layout, data, 3, 5)
        with monkeypatch.context() as without:
            without.setattr(module, "library", lambda: None)
            assert (varied(kind, layout, data, 3, 5) == compiled).all()
        assert compiled.min() >= 1


@pytest.mark.parametrize("kind", ["words", "motion"])
def test_the_samples_never_change(kind):
    data = (np.arange(8 * 60) * 37 % 255 + 1).astype(np.uint8).reshape(8, 60)
    assert f"{crc32(varied(kind, Layout(10, 6), data, 3, 5).tobytes()):08x}" == f"{GOLDEN[kind]:08x}"


def test_one_of_ten_stays_as_it_is_and_the_seed_and_the_number_decide():
    data, layout = samples(2000, 6, 3), Layout(6, 3)
    found = varied("motion", layout, data, 1, 0)
    assert 0.08 < (found == data).all(axis=1).mean() < 0.12
    assert (varied("motion", layout, data[700:900], 1, 700) == found[700:900]).all()
    assert (varied("motion", layout, data, 2, 0) != found).any(axis=1).mean() > 0.8
    assert (varied("motion", layout, data, 1, 1) != found).any(axis=1).mean() > 0.8
    assert varied("none", layout, data, 1, 0) is data


def test_a_record_s_number_decides_what_is_learned_and_tests_stay(flashed):
    model = load_model(flashed / "motion.tpsgd")
    train, test = (load_samples(flashed / name, model.layout, model.classes) for name in ("train.csv", "test.csv"))
    records = RunRecords(model, Presentation(train, test, 3, 1, 2, "motion"))
    plain = RunRecords(model, Presentation(train, test, 3, 1, 2))
    end = records.presentation.results
    whole, still = records.records(0, end), plain.records(0, end)
    learned = whole.ops == TRAIN
    assert (whole.data[~learned] == still.data[~learned]).all()
    assert 0.8 < (whole.data != still.data).any(axis=1)[learned].mean() < 0.97
    for first in (200, 85, 0, 119, 121, end - 1):  # any order, across epochs and tests
        last = min(end, first + 50)
        assert (records.records(first, last).data == whole.data[first:last]).all()


# -- runs


def simulated(*options):
    return json.loads(call("simulate", *RUN[:-1], *options, "--model", "motion.tpsgd", "--json"))


def test_a_board_ends_with_the_simulation_s_weights(flashed):
    host, plain = simulated(), simulated("--variation", "none")
    run = json.loads(call("stream", *RUN))
    assert run["weights_crc"] == host["weights_crc"] != plain["weights_crc"]
    config = json.loads((Path(run["folder"]) / "config.json").read_text())
    assert config["variation"] == "motion"


def test_a_model_says_how_its_samples_are_varied(flashed):
    toml = with_variation(Path("motion.toml").read_text(), "motion")
    Path("motion.toml").write_text(toml)
    call("quantize", "motion.toml", "--data", "train.csv")
    without = [option for option in RUN if option not in ("--variation", "motion")]
    found = json.loads(call("simulate", *without, "--model", "motion.tpsgd"))
    assert found["weights_crc"] == simulated()["weights_crc"] != simulated("--variation", "none")["weights_crc"]
    assert json.loads(call("inspect", "motion.tpsgd", "--json"))["training"]["variation"] == "motion"


def test_what_a_board_makes_of_raw_readings_is_not_varied(place, interpreter):
    write_gestures(place / "g.csv", 8)
    Path("m.toml").write_text(with_variation(GESTURES, "motion"))
    call("quantize", "m.toml", "--data", "g.csv")
    call("flash", "m.tpsgd", "--board", "virtual")
    run = json.loads(call("stream", "g.csv", "--epochs", "2", "--raw", "--json"))
    host = json.loads(call("simulate", "g.csv", "--model", "m.tpsgd", "--epochs", "2", "--variation", "none", "--json"))
    assert run["weights_crc"] == host["weights_crc"]
    notes = (Path(run["folder"]) / "log.jsonl").read_text()
    assert "with --raw samples are not varied" in notes
    assert "exclude each other" in fails(3, "stream", "g.csv", "--raw", "--variation", "motion")


def test_samples_of_one_step_are_not_varied(place):
    Path("rows.csv").write_text("label,a,b\n" + "\n".join(f"{'xy'[i % 2]},{i % 2},{i % 3}" for i in range(20)) + "\n")
    call("new", "rows", "--data", "rows.csv", "--no-tune")
    assert "variation" not in Path("rows.toml").read_text()
    call("quantize", "rows.toml", "--data", "rows.csv")
    assert "one step" in fails(3, "simulate", "rows.csv", "--model", "rows.tpsgd", "--variation", "motion")
    with pytest.raises(ConfigError, match=r"line .*a sample has one step"):
        parse_config(with_variation(Path("rows.toml").read_text(), "motion"), "rows.toml")


# -- the model file and its TOML


def test_the_model_file_has_the_variation_and_is_otherwise_as_before(flashed):
    model = load_model(flashed / "motion.tpsgd")
    before = (flashed / "motion.tpsgd").read_bytes()
    for number, kind in enumerate(("none", "words", "motion")):
        after = replace(model, variation=kind).to_bytes()
        assert parse_model(after, "x").variation == kind
        changed = [i for i in range(len(after) - 4) if after[i] != before[i]]
        assert changed == ([24] if number else []) and after[24] >> 4 == number
    bad = bytearray(before[:-4])
    bad[24] |= 3 << 4
    bad += crc32(bad).to_bytes(4, "little")
    with pytest.raises(ModelError, match="windows"):
        parse_model(bytes(bad), "x")


def test_new_takes_what_suits_the_data(spoken, place):
    Path("xyz.csv").write_text((place / "train.csv").read_text().replace("ax,ay", "a_x,a_y"))
    for data, kind in (("said", "words"), ("train.csv", "none")):
        call("new", "m", "--data", data, "--no-tune", "--force")
        assert load_config("m.toml").training.variation == kind
    write_gestures(place / "g.csv", 8)
    call("new", "m", "--data", "g.csv", "--group", "take", "--no-tune", "--force")
    assert load_config("m.toml").training.variation == "motion"
    sensors = Layout(8, 6, "recording", columns=("ax", "ay", "az", "GYRO_X", "GYRO_Y", "GYRO_Z"))
    assert usual_variation(sensors) == "motion"
    for other in (replace(sensors, steps=1), replace(sensors, columns=("a", "b", "c", "d", "e", "f")), Layout(8, 3)):
        assert usual_variation(other) == "none"


def test_a_toml_keeps_its_remarks_when_variation_changes():
    text = '[training]\nvariation = "words"  # why\n'
    assert with_variation(text, "none") == '[training]\nvariation = "none"  # why\n'
    assert parse_config(with_variation(GESTURES, "words"), "x").training.variation == "words"
    assert with_variation(GESTURES, "none") == GESTURES
