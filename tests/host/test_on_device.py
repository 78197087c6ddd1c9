"""The device's Learner against ``simulate``: the same recordings, the same weights (SPEC 1.5, 1.6)."""

from __future__ import annotations

import csv
import random
import subprocess
import sys
from pathlib import Path

import pytest
from boards import DEVICE, put_on

from tpsgd.learner import Learner
from tpsgd_host.data.load import load_samples
from tpsgd_host.model.build import build_model
from tpsgd_host.model.modelfile import Model
from tpsgd_host.model.parsing import parse_config
from tpsgd_host.runs.run import RunPlan
from tpsgd_host.runs.simulate import simulate
from tpsgd_host.runs.view.live import LiveView

TOML = """
[model]
seed = 3
classes = ["slow", "fast", "still"]
[data]
label = "label"
group = "recording"
columns = ["ax", "ay"]
windows = "recording"
{cut}
[training]
shifts = [6, 8]
target = "label"
update_at = "random"
total = {total}
[[layer]]
kind = "recurrent"
units = 6
[[layer]]
kind = "output"
"""

#: What a person with a sensor writes; the file stands in for the sensor. Prints the CRC of the weights.
PROGRAM = """
import sys
sys.path.insert(0, {device!r})
from tpsgd import Learner
learner = Learner("model.tpsgd", **{options!r})
last = None
for line in open("train.csv").read().split()[1:]:
    recording, label, *values = line.split(",")
    if recording != last:
        if last is not None and learner.ready and {whole!r}:
            learner.learn(was)
        learner.clear()
    last, was = recording, label
    learner.feed([{number}(value) for value in values])
    if learner.ready and not {whole!r}:
        learner.learn(label)
if {whole!r}:
    learner.learn(was)
print(learner.network.crc(), learner.seen)
"""

CUTS = {
    "linear, windows that overlap": ("steps = 7\nwindow = 12\nhop = 5\nsigmas = 2", {}, 12 * 3),
    "mean, windows end to end": ('steps = 7\nwindow = 10\nresample = "mean"\nper_channel = false', {}, 12 * 2),
    "mean, whole recordings, 16 bits": (
        'steps = 9\nresample = "mean"\nscale = "fixed"\noffset = 10\ngain = 0.13',
        {"longest": 30, "readings": "h"},
        12,
    ),
}


def write_recordings(path: Path, number: type) -> None:
    """Write 12 recordings of 22 to 26 readings, each exact in 32 bits."""
    dice = random.Random(5)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["recording", "label", "ax", "ay"])
        for recording in range(12):
            kind = recording % 3
            for t in range(22 + recording % 5):
                values = [(kind - 1) * 400 + (t % (kind + 2)) * 300 + dice.randrange(500) for _ in range(2)]
                exact = [value if number is int else value / 64 for value in values]
                writer.writerow([f"r{recording}", ("slow", "fast", "still")[kind], *exact])


def make(folder: Path, cut: str, total: int, number: type) -> Model:
    """Write data and model into a folder."""
    write_recordings(folder / "train.csv", number)
    config = parse_config(TOML.format(cut=cut, total=total), "model.toml")
    model = build_model(config, load_samples(folder / "train.csv", config.layout, config.classes))
    model.save(folder / "model.tpsgd")
    return model


@pytest.mark.parametrize("name", CUTS)
def test_a_learner_learns_what_simulate_learns(tmp_path, monkeypatch, interpreter, name):
    cut, options, total = CUTS[name]
    number = int if options.get("readings") == "h" else float
    monkeypatch.chdir(tmp_path)
    make(tmp_path, cut, total, number)
    plan = RunPlan(Path("train.csv"), epochs=1, shuffle_seed=0)
    report = simulate(plan, Path("model.tpsgd"), view=LiveView(mode="quiet"))
    assert report.outcome.seen == total
    whole = "longest" in options
    program = PROGRAM.format(device=str(DEVICE.parent), options=options, whole=whole, number=number.__name__)
    Path("program.py").write_text(program)
    for python in (sys.executable, interpreter):
        done = subprocess.run([python, "program.py"], capture_output=True, text=True, timeout=60, check=True)
        assert done.stdout.split() == [str(report.outcome.weights_crc), str(total)], python


@pytest.mark.parametrize("python", ["CPython", "MicroPython"])
def test_a_board_that_serves_does_not_load_the_learner(python, interpreter):
    program = (
        f"import sys; sys.path.insert(0, {str(DEVICE.parent)!r}); import tpsgd; from tpsgd import serve\n"
        "print('tpsgd.learner' in sys.modules)\n"
        "from tpsgd import Learner, plan\nprint(callable(Learner), 'tpsgd.learner' in sys.modules)\n"
    )
    path = sys.executable if python == "CPython" else interpreter
    done = subprocess.run([path, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["False", "True", "False"]


def test_a_learner_goes_on_where_a_board_has_stopped_and_back(tmp_path, monkeypatch, interpreter):
    from tpsgd_host.boards.connect import connect
    from tpsgd_host.boards.streaming import stream

    monkeypatch.chdir(tmp_path)
    model = make(tmp_path, CUTS["mean, windows end to end"][0], 24, float)
    put_on(tmp_path / "board", model.to_bytes())
    report = stream(RunPlan(Path("train.csv"), epochs=2), folder=tmp_path / "board", view=LiveView(mode="quiet"))
    learner = Learner(f"{tmp_path}/board/model.tpsgd")
    assert learner.network.crc() == report.outcome.weights_crc
    assert learner.classes == model.classes
    for t in range(10):
        learner.feed((t, -t))
    learner.learn("still")
    learner.save()
    with connect("virtual", folder=tmp_path / "board") as board:
        assert board.info.weights_crc == learner.network.crc() != report.outcome.weights_crc


def test_floats_of_32_bits_move_few_inputs_and_by_one_step():
    """What docs/ON_DEVICE.md says of boards with 32-bit floats, counted."""
    import numpy as np

    dice = np.random.default_rng(1)
    readings = dice.normal(0.3, 0.8, (4000, 25)).astype(np.float32)
    offset, gain = np.float32(0.2871), np.float32(127 / 2.4)
    part = np.arange(25) % 24 / 24

    def scaled(kind: type) -> np.ndarray:
        values = readings.astype(kind)
        between = values[:, :-1] + (values[:, 1:] - values[:, :-1]) * part[:-1].astype(kind)
        return np.clip(np.floor((between - kind(offset)) * kind(gain) + kind(0.5)), -127, 127)

    moved = np.abs(scaled(np.float32) - scaled(np.float64))
    assert moved.max() <= 1
    assert (moved > 0).mean() < 1e-4


def test_the_guide_names_what_there_is():
    import re

    text = (Path(__file__).resolve().parents[2] / "docs" / "ON_DEVICE.md").read_text()
    table = text.split("## What it offers")[1].split("##")[0]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    names = {name for row in rows for name in re.findall(r"`(\w+)", row)} | {"probability"}
    public = {name for name in vars(Learner) if not name.startswith("_")}
    public |= {"accuracy", "classes", "network", "front", "replay"}
    assert names == public | {"probability"}


def test_a_class_that_a_board_has_added_comes_with_the_model_that_is_pulled(tmp_path, monkeypatch, interpreter):
    from tpsgd_host.commands.pull import pull

    monkeypatch.chdir(tmp_path)
    made = make(tmp_path, CUTS["mean, windows end to end"][0], 24, float)
    put_on(tmp_path / "board", made.to_bytes())
    program = (
        "from tpsgd import Learner\nlearner = Learner('model.tpsgd')\n"
        "for t in range(10): learner.feed((t, -t))\n"
        "learner.learn('still')\nlearner.add_class('wave')\nlearner.learn('wave')\nlearner.save()\n"
        "print(learner.network.crc())\n"
    )
    done = subprocess.run([interpreter, "-c", program], cwd="board", capture_output=True, text=True, timeout=60)
    _, pulled = pull(tmp_path / "pulled.tpsgd", folder=tmp_path / "board")
    assert [pulled.weights_crc] == [int(word) for word in done.stdout.split()], done
    assert pulled.classes == (*made.classes, "wave")
