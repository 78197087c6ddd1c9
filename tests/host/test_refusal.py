"""``quantize --misses`` and ``eval --stream``: models that say when they are not sure, and hours of what is foreign."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from bodies import FRONT, write_model
from commands import call, fails
from networks import float_network
from persons import NAMES, recordings
from sounds import speech, write_wav

from tpsgd import frontend, kernels_plain
from tpsgd.learner import Learner
from tpsgd_host.boards.evaluating import evaluate, evaluate_stream
from tpsgd_host.data import sound
from tpsgd_host.data.frontend import Motion
from tpsgd_host.data.load import load_samples
from tpsgd_host.data.overheard import overhear
from tpsgd_host.data.wav import read_wav
from tpsgd_host.flashing.flash import flash
from tpsgd_host.model.modelfile import load_model, parsed
from tpsgd_host.model.prototypes import Prototypes
from tpsgd_host.quantization.quantize import quantize
from tpsgd_host.training.doubt import with_background
from tpsgd_host.training.practice import readouts

TOML = """
[model]
{classes}
[data]
steps = 8
channels = 5
scale = "fixed"
offset = 0
gain = 1
[training]
shifts = [5]
{misses}
[[layer]]
kind = "temporal"
units = 6
shifts = [8]
[[layer]]
kind = "output"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a description and recordings of three classes; noise.csv has what is foreign, without labels."""
    rows, labels, _ = recordings()
    head = ",".join(f"v{i}" for i in range(40))
    lines = [",".join([label, *map(str, row)]) for row, label in zip(rows.tolist(), labels, strict=True)]
    (tmp_path / "data.csv").write_text("\n".join([f"label,{head}", *lines]) + "\n")
    noise = np.random.default_rng(5).integers(-127, 128, (60, 40))
    (tmp_path / "noise.csv").write_text("\n".join([head, *(",".join(map(str, row)) for row in noise.tolist())]) + "\n")
    (tmp_path / "net.toml").write_text(TOML.format(classes="", misses=""))
    return tmp_path


def test_a_description_becomes_a_network_that_is_not_always_sure(folder):
    done = json.loads(call("quantize", folder / "net.toml", "-d", folder / "data.csv", "--misses", "5%", "-e", "15",
                           "--json"))  # fmt: skip
    assert done["classes"] == [*sorted(NAMES), "none"] and 0 <= done["doubt"]["misses"] <= 0.05
    model = load_model(folder / "net.tpsgd")
    assert model.prototypes is not None and (model.prototypes.none, model.prototypes.way) == (3, "both")
    assert [layer.frozen for layer in model.layers] == [True, False]
    here = evaluate(folder / "data.csv", model_path=folder / "net.tpsgd")
    assert here.metrics.test.accuracy is not None and here.metrics.test.accuracy > 0.85
    assert here.metrics.confusion.shape == (4, 4)
    heard = evaluate(folder / "noise.csv", model_path=folder / "net.tpsgd")
    assert (heard.predicted == 3).mean() > 0.6
    learner = Learner(str(folder / "net.tpsgd"))
    learner.feed(np.loadtxt(folder / "noise.csv", delimiter=",", skiprows=1)[int(np.argmax(heard.predicted == 3))])
    assert learner.predict() is None


def test_the_description_may_say_it_and_background_helps(folder):
    (folder / "net.toml").write_text(TOML.format(classes='classes = ["one", "two", "three"]', misses="misses = 4"))
    text = call("quantize", folder / "net.toml", "-d", folder / "data.csv", "-e", "15")
    assert "trained, with a class none; not sure: refuses" in text
    bare = evaluate(folder / "noise.csv", model_path=folder / "net.tpsgd").predicted
    call("quantize", folder / "net.toml", "-d", folder / "data.csv", "-e", "15", "--background", folder / "noise.csv")
    model = load_model(folder / "net.tpsgd")
    assert model.classes == (*NAMES, "none")
    known = evaluate(folder / "noise.csv", model_path=folder / "net.tpsgd").predicted
    assert (known == 3).mean() >= (bare == 3).mean() and (known == 3).mean() > 0.95
    labelled = (folder / "data.csv").read_text() + "".join(f"none{',7' * 40}\n" for _ in range(6))
    (folder / "more.csv").write_text(labelled)
    report = quantize(folder / "net.toml", folder / "more.csv", folder / "more.tpsgd", epochs=2)
    assert report.model.classes == (*NAMES, "none") and set(report.source.labels.tolist()) == {0, 1, 2}
    shown = evaluate(folder / "more.csv", model_path=folder / "more.tpsgd")
    assert shown.metrics.confusion[3].sum() == 6
    (folder / "other.csv").write_text(labelled.replace("\nnone,", "\ncough,"))
    assert np.array_equal(evaluate(folder / "other.csv", model_path=folder / "more.tpsgd").metrics.confusion,
                          shown.metrics.confusion)  # fmt: skip
    replace(report.model, prototypes=None).save(folder / "plain.tpsgd")
    fails(4, "eval", folder / "other.csv", "--model", folder / "plain.tpsgd")


def test_a_network_from_elsewhere_learns_to_refuse(folder):
    layers = float_network((40, 12, 3), "tanh", seed=3).layers
    np.savez(
        folder / "net.npz", **{k: a for i, x in enumerate(layers) for k, a in ((f"W{i}", x.weight), (f"b{i}", x.bias))}
    )
    report = quantize(folder / "net.npz", folder / "data.csv", classes=NAMES, misses=0.05, epochs=15)
    assert report.model.classes == (*NAMES, "none") and report.agreement is not None
    assert report.doubt is not None and report.doubt.misses <= 0.05
    assert report.integer_accuracy is not None and report.integer_accuracy < 0.9, "it had learned nothing before"
    assert evaluate(folder / "data.csv", model_path=report.out).metrics.test.accuracy > 0.8


def test_background_needs_a_share_of_misses(folder):
    fails(3, "quantize", folder / "net.toml", "-d", folder / "data.csv", "--background", folder / "noise.csv")
    (folder / "net.toml").write_text(TOML.format(classes="", misses="misses = 90"))
    fails(3, "quantize", folder / "net.toml", "-d", folder / "data.csv")
    assert not (folder / "net.tpsgd").exists()


@pytest.fixture
def hearing(tmp_path: Path) -> Path:
    """A folder with a model that hears, an hour's worth of words in two files, and a model that can refuse them."""
    write_model(tmp_path / "ear.tpsgd", data=FRONT, frozen=True)
    write_wav(tmp_path / "day" / "a.wav", speech(8000, 5))
    write_wav(tmp_path / "day" / "b.wav", speech(8000, 3, seed=2))
    return tmp_path


def test_false_accepts_are_counted(hearing, interpreter):
    model = load_model(hearing / "ear.tpsgd")
    front = model.layout.front
    found = evaluate_stream(hearing / "day", model_path=hearing / "ear.tpsgd")
    assert len(found.heard) == 8 and sum(found.accepted.values()) == 8 and not found.refuses
    assert found.hours == pytest.approx(10 / 3600) and found.an_hour == pytest.approx(2880)
    whole = [one for name in "ab" for one in sound.words(
        sound.frames(read_wav(hearing / "day" / f"{name}.wav", 8000), front), front, 8)]  # fmt: skip
    assert found.heard.samples.tolist() == [one.sample.ravel().tolist() for one in whole]
    assert found.heard.at[5] == pytest.approx(whole[5].first * 128 / 8000 + 6)
    flash(hearing / "ear.tpsgd", folder=hearing / "board")
    board = evaluate_stream(hearing / "day", folder=hearing / "board")
    assert board.predicted.tolist() == found.predicted.tolist()
    text = call("eval", hearing / "day", "--stream", "--model", hearing / "ear.tpsgd", "--predictions",
                hearing / "heard.csv")  # fmt: skip
    assert "heard 8, accepted 8" in text and "false accepts an hour: 2880.0" in text and "no class none" in text
    assert len((hearing / "heard.csv").read_text().splitlines()) == 9


def test_pieces_of_a_long_recording_join(hearing, monkeypatch):
    """Frames are computed piece by piece; no word is lost at the seams."""
    model = load_model(hearing / "ear.tpsgd")
    before = overhear(hearing / "day", model.layout, model.scaling)
    monkeypatch.setattr("tpsgd_host.data.overheard.FRAMES", 7)
    after = overhear(hearing / "day", model.layout, model.scaling)
    assert after.samples.tolist() == before.samples.tolist() and after.at.tolist() == before.at.tolist()


def test_what_is_refused_is_no_false_accept(hearing):
    model = load_model(hearing / "ear.tpsgd")
    heard = overhear(hearing / "day", model.layout, model.scaling)
    x = readouts(model, heard.samples)
    known = Prototypes(x[:2], np.array([0, 1], np.uint8), (1, 1, 1), "prototypes", none=2, score=0)
    replace(model, prototypes=known).save(hearing / "strict.tpsgd")
    done = json.loads(call("eval", hearing / "day", "--stream", "-m", hearing / "strict.tpsgd", "--json"))
    assert done["heard"] == 8 and done["accepted"] == {"one": 1, "two": 1} and done["refuses"]
    assert done["accepted_an_hour"] == pytest.approx(720)


def test_background_that_is_long_counts_with_each_word(hearing):
    model = load_model(hearing / "ear.tpsgd")
    write_wav(hearing / "known" / "one_0.wav", speech(8000, 1)[3000:9000])
    known = load_samples(hearing / "known", replace(model.layout, group=""), model.classes)
    write_wav(hearing / "day" / "short.wav", speech(8000, 1, seed=3)[3000:9000])
    both = with_background(model, known, hearing / "day")
    assert both.labels.tolist() == [0] + [3] * 9
    assert len(set(both.lines.tolist())) == len(both.lines)


def test_gestures_and_windows_of_a_table(tmp_path):
    """A front end for motion finds them as the device's does; without one each window counts."""
    rng = np.random.default_rng(3)
    readings = rng.normal(0, 40, (600, 3))
    for begin in (150, 300, 450):
        readings[begin : begin + 40] += 9000 * np.sin(np.arange(40) / 3)[:, None]
    readings = np.round(readings)
    (tmp_path / "day.csv").write_text("x,y,z\n" + "".join(",".join(f"{v:.0f}" for v in row) + "\n" for row in readings))
    write_model(tmp_path / "w.tpsgd", data='channels = 3\nwindows = "recording"\nwindow = 50\nhop = 25\nrate = 50')
    model = load_model(tmp_path / "w.tpsgd")
    found = overhear(tmp_path / "day.csv", model.layout, model.scaling)
    assert len(found) == 23 and found.seconds == 12 and found.at[:3].tolist() == [0, 0.5, 1]
    front = Motion(50, (400, 400, 400))
    watching = replace(model.layout, front=front, rate=50.0, window=0, hop=0)
    found = overhear(tmp_path / "day.csv", watching, model.scaling)
    one = frontend.build(parsed(replace(model, layout=watching)), kernels_plain, bytearray(25))
    samples = []
    for row in readings.astype(int).tolist():
        one.buffer[0], one.buffer[1], one.buffer[2] = row
        if one.push(3):
            samples.append(list(one.sample[:24]))
    assert len(samples) == 3 and found.samples.tolist() == samples
    assert all(begin - 0.3 < at <= begin for at, begin in zip(found.at, (3, 6, 9), strict=True))


def test_a_stream_must_be_for_the_model(hearing, folder):
    fails(4, "eval", folder / "noise.csv", "--stream", "--model", hearing / "ear.tpsgd")
    call("quantize", folder / "net.toml", "-d", folder / "data.csv")
    fails(4, "eval", folder / "noise.csv", "--stream", "--model", folder / "net.tpsgd")
