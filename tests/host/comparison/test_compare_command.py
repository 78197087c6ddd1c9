"""``tpsgd-host compare`` as a user calls it."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner
from entries import OURS, entry
from processes import alive

from tpsgd_host.cli import cli
from tpsgd_host.comparison import pictures
from tpsgd_host.comparison.tables import markdown, overview
from tpsgd_host.errors import DependencyError
from tpsgd_host.model.modelfile import load_model
from tpsgd_host.tasks import load_task, write_csv

QUICK = ("--epochs", "4", "--seeds", "2", "--jobs", "1")


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with recordings of gestures and the TOML of a network, as the current one."""
    try:
        write_csv(load_task("gesture"), tmp_path)
    except DependencyError as error:
        pytest.skip(f"{error.message} {error.hint}")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def call(*arguments, code=0):
    result = CliRunner().invoke(cli, ["compare", *map(str, arguments)])
    assert result.exit_code == code, result.output + repr(result.exception)
    return result.output


def test_a_data_file_is_enough(place):
    text = call("train.csv", *QUICK, "--rules", "bp,int-frozen,int-tpsgd")
    assert "network: " in text and "model.toml" in text
    assert "32 samples to learn and 8 to test, 4 epochs, 2 seeds" in " ".join(text.split())
    for words in (
        "tpsgd, integers",
        "frozen, integers",
        "backprop",
        "against backprop",
        "hidden layers",
        "training with",
    ):
        assert words in " ".join(text.split()) or words == "against backprop"


def test_json_is_complete_and_alone(place):
    said = json.loads(call("train.csv", "--test", "test.csv", *QUICK, "--rules", "int-tpsgd,bp", "--json"))
    assert (said["schema"], len(said["comparisons"])) == (1, 1)
    (one,) = said["comparisons"]
    assert (one["train_samples"], one["test_samples"], one["epochs"], one["seeds"]) == (40, 40, 4, [1, 2])
    assert one["verdict"] and one["folds"] == 5 and len(one["classes"]) == 4
    assert [e["name"] for e in one["entries"]] == ["int-tpsgd", "bp"]
    for found in one["entries"]:
        assert len(found["accuracies"]) == 2 and len(found["curve"]) == 4
        assert found["mean"] == pytest.approx(np.mean(found["accuracies"]))
        assert found["bytes"] > 1000 and found["seconds"] > 0 and found["diverged"] == 0
        assert {tried["epochs"] for tried in found["tried"]} == {1, 4}
        assert found["validation"] == max(tried["accuracy"] for tried in found["tried"] if tried["epochs"] == 4)
    assert one["entries"][1]["bytes"] > 2 * one["entries"][0]["bytes"]


def test_the_folder_has_what_it_takes_to_repeat(place):
    call("train.csv", *QUICK, "--rules", "int-tpsgd,int-frozen", "--out", "found")
    files = {path.name for path in (place / "found").iterdir()}
    assert files == {
        "README.md", "accuracies.csv", "gesture-curves.png", "gesture-ram.png", "gesture-split.csv",
        "gesture-tuned.toml", "gesture.toml", "result.json", "tables.md",
    }  # fmt: skip
    for name in ("gesture-curves.png", "gesture-ram.png"):
        assert (place / "found" / name).read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert (place / "found" / "gesture.toml").read_text() == (place / "model.toml").read_text()
    said = json.loads((place / "found" / "result.json").read_text())
    rows = list(csv.DictReader(open(place / "found" / "accuracies.csv")))
    assert len(rows) == 4
    assert float(rows[0]["accuracy"]) == pytest.approx(said["comparisons"][0]["entries"][0]["accuracies"][0], abs=1e-6)
    split = list(csv.DictReader(open(place / "found" / "gesture-split.csv")))
    assert sum(row["part"] == "test" for row in split) == 8 and len(split) == 40
    assert all(row["fold 1"] == "" for row in split if row["part"] == "test")


def test_folds_test_every_recording(place, interpreter):
    text = call("train.csv", "--folds", "4", *QUICK, "--rules", "int-tpsgd", "--board", "--out", "found")
    said = " ".join(text.split())
    assert "40 samples tested in 4 folds" in said and "gesture: fold 4 of 4, training with the chosen rates" in said
    assert "Seed 1 of the first fold also trained on the virtual board" in said
    rows = list(csv.DictReader(open(place / "found" / "gesture-split.csv")))
    assert sorted(row["tested in fold"] for row in rows) == [str(i) for i in (1, 2, 3, 4) for _ in range(10)]
    (one,) = json.loads((place / "found" / "result.json").read_text())["comparisons"]
    assert len(one["fold_results"]) == 4 and one["test_samples"] == 40
    assert "Use at most 40 folds" in call("train.csv", "--folds", "41", *QUICK, code=4)


def test_the_virtual_board_gives_the_same_weights(place, interpreter):
    said = json.loads(call("train.csv", *QUICK, "--rules", "int-tpsgd", "--board", "--json"))["comparisons"][0]
    assert said["board"]["seed"] == 1 and said["board"]["accuracy"] == said["entries"][0]["accuracies"][0]
    assert said["board"]["state_bytes"] > said["entries"][0]["bytes"]


def test_a_board_that_differs_is_told(gesture, interpreter, monkeypatch):
    from tpsgd_host.comparison import board, compare
    from tpsgd_host.errors import MismatchError

    one = compare(replace(gesture, epochs=1), ("int-frozen",), seeds=1)
    monkeypatch.setattr(board, "crc32", lambda data: 0x12345678)
    with pytest.raises(MismatchError, match="the simulation's have 12345678"):
        board.run_on_board(replace(gesture, epochs=1), one)


def test_markdown(place):
    text = call("train.csv", *QUICK, "--rules", "int-tpsgd,int-frozen", "--markdown")
    assert "| method | test accuracy |" in text and "| tpsgd, integers | " in text
    assert text.count("\n| ") == 5, "a head and two rows, and of their difference a head and one"


def test_networks_are_found_or_asked_for(place):
    text = call("train.csv", *QUICK, "--model", "model.tpsgd", code=3)
    assert "--model model.toml" in text
    (place / "second.toml").write_text((place / "model.toml").read_text())
    text = call("train.csv", *QUICK, code=3)
    assert "model.toml, second.toml" in text and "--model model.toml" in text
    for name in ("model.toml", "second.toml"):
        (place / name).unlink()
    (place / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    text = call("train.csv", *QUICK, code=3)
    assert "tpsgd-host new train --data train.csv" in text


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((), "Which data file? There are 2 here: test.csv, train.csv. Name one."),
        (("train.csv", "--suite"), "Name either a data file"),
        (("train.csv", "--json", "--markdown"), "either --json or --markdown"),
        (("train.csv", "--leave-out", "who", "--new-class"), "either --leave-out or --new-class"),
        (("train.csv", "--shift", "who"), "--shift is now called --leave-out: --leave-out who"),
        (("train.csv", "--leave-out", "who=ann", "--leave-out", "where"), "--leave-out takes one column"),
        (("train.csv", "--leave-out", "who="), "--leave-out is COLUMN=NAME"),
        (("train.csv", "--held-out", "ann"), "--held-out is for"),
        (("train.csv", "--folds", "5", "--new-class"), "--folds cannot be used with"),
        (("train.csv", "--folds", "5", "--test", "test.csv"), "leave out --test"),
        (("--suite", "--new-class"), "one --task"),
        (("--suite", "--board", "--rules", "bp"), "--board needs an integer method"),
        (("train.csv", "--rules", "int-tpsgd,bpp"), "no method 'bpp'"),
        (("train.csv", "--rules", ","), "name one or more"),
    ],
)
def test_wrong_use(place, arguments, text):
    assert text in " ".join(call(*arguments, code=2).split())


def test_a_class_with_too_few_recordings(place):
    rows = list(csv.reader(open("train.csv")))
    seen = {}
    kept = [rows[0]]
    for row in rows[1:]:
        numbers = seen.setdefault(row[-1], [])
        if row[0] not in numbers:
            numbers.append(row[0])
        if numbers.index(row[0]) < 2:
            kept.append(row)
    with open("few.csv", "w", newline="") as file:
        csv.writer(file).writerows(kept)
    text = " ".join(call("few.csv", *QUICK, code=4).split())
    assert "learning rates cannot be chosen" in text and "--test" in text


def test_a_shift_by_a_column_of_the_file(place):
    """Three wearers, told by a column that is no reading; the TOML names no columns."""
    with open("worn.csv", "w", newline="") as file:
        writer = csv.writer(file)
        for name in ("train", "test"):
            head, *rows = csv.reader(open(f"{name}.csv"))
            if name == "train":
                writer.writerow([*head, "wearer"])
            numbers = dict.fromkeys(row[0] for row in rows)
            wearer = {number: "abc"[i % 3] for i, number in enumerate(numbers)}
            writer.writerows([f"{name} {row[0]}", *row[1:], wearer[row[0]]] for row in rows)
    toml = (place / "model.toml").read_text().splitlines()
    (place / "model.toml").write_text("\n".join(
        "channels = 6" if line.startswith("columns") else line for line in toml
    ))  # fmt: skip
    arguments = ("worn.csv", "--epochs", "4", "--seeds", "1", "--jobs", "1", "--test-split", "0.3", "--out", "found")
    text = " ".join(call(*arguments, "--leave-out", "wearer=b").split())
    assert "wearer held out in turn: b; 1 seed" in text and "last layer" in text
    assert {p.name for p in (place / "found").iterdir()} == {
        "README.md", "accuracies.csv", "gesture-adapt.tpsgd", "gesture.toml", "result.json", "adaptation.png",
        "tables.md",
    }  # fmt: skip
    model = load_model(place / "found" / "gesture-adapt.tpsgd")
    assert len({shift for layer in model.layers for shift in layer.shifts}) <= 2 and not model.layers[-1].frozen
    assert "set up to learn in the best way (shift " in text
    assert "flash gesture-adapt.tpsgd" in (place / "found" / "README.md").read_text()
    said = json.loads((place / "found" / "result.json").read_text())
    assert said["kind"] == "subject" and said["names"] == ["a", "b", "c"] and said["verdict"]


def test_a_new_class_leaves_a_model_that_learns_one(place):
    """Its output learns at the rate that was chosen; ``adapt`` keeps that, and a run on it goes through."""
    quick = ("--epochs", "4", "--seeds", "1", "--jobs", "1", "--out", "found")
    call("train.csv", "--test", "test.csv", "--new-class", "--held-out", "Running", *quick)
    readme = (place / "found" / "README.md").read_text()
    assert "adapt gesture-adapt.tpsgd -o more.tpsgd --add-class NAME" in readme
    model = load_model(place / "found" / "gesture-adapt.tpsgd")
    (shift,) = model.layers[-1].shifts
    assert f"shift {shift}, " in readme and [layer.frozen for layer in model.layers] == [True, False]
    made = CliRunner().invoke(cli, ["adapt", "found/gesture-adapt.tpsgd", "-o", "more.tpsgd", "--add-class", "jump"])
    assert made.exit_code == 0, made.output
    more = load_model(place / "more.tpsgd")
    assert more.layers[-1].shifts == (shift,) and more.classes[-1] == "jump"


def test_a_suite_without_data_leaves_tasks_out(monkeypatch):
    from tpsgd_host.comparison import sources

    monkeypatch.setattr(sources, "NAMES", ("gesture", "fsdd"))
    text = call("--suite", *QUICK, "--rules", "int-frozen", "--epochs", "1")
    assert "fsdd is left out: This task needs fsdd-4speakers.npz" in text and "gesture: TDNN" in text


def test_ctrl_c_ends_it_at_once_and_leaves_no_process(place):
    arguments = [sys.executable, "-m", "tpsgd_host", "compare", "train.csv", "--jobs", "2", "--epochs", "5000"]
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert "network" in process.stderr.readline() and "searching" in process.stderr.readline()
        deadline = time.monotonic() + 60
        while len(children(process.pid)) < 3 and time.monotonic() < deadline:  # two workers and a tracker
            time.sleep(0.1)
        workers = children(process.pid)
        assert len(workers) >= 2
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
    finally:
        process.kill()
    assert process.returncode == 130 and errors.strip().endswith("interrupted")
    assert "Traceback" not in errors
    deadline = time.monotonic() + 10
    while any(alive(pid) for pid in workers) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not [pid for pid in workers if alive(pid)]


def children(pid):
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True).stdout
    return [int(word) for word in found.split()]


@pytest.fixture
def comparison(gesture):
    from tpsgd_host.comparison.results import Comparison

    entries = (entry("int-tpsgd", OURS, 4524), entry("bp", OURS, 20560), entry("own", [a - 0.1 for a in OURS], 20560))
    return Comparison("gesture", "RNN", ("a", "b"), 40, 40, 2, (1, 2, 3, 4, 5), 1, 5, 40, "here", entries)


def test_the_epochs_of_a_picture_are_whole_and_its_legend_has_marks_alone(comparison, tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(pictures, "save", lambda figure, path: drawn.append(figure))
    pictures.picture_files(comparison, tmp_path)
    ram, curves = drawn
    (axes,) = curves.axes
    axes.set_xlim(0.5, 10.5)
    assert all(tick == int(tick) for tick in axes.get_xticks())
    (legend,) = ram.legends
    assert [type(handle).__name__ for handle in legend.legend_handles] == ["Line2D"] * len(comparison.entries)


def test_a_comparison_that_fails_leaves_no_empty_folder(place):
    call("train.csv", "--model", "nope.toml", "--out", "found/here", code=3)
    assert not (place / "found").exists()
    (place / "mine").mkdir()
    call("train.csv", "--model", "nope.toml", "--out", "mine", code=3)
    assert (place / "mine").is_dir()  # it was there before


def test_pictures_keep_what_lies_at_one_place_apart(comparison, tmp_path):
    assert pictures._apart([5, 7, 5, 5]) == pytest.approx([5, 7, 5 * 1.025, 5 * 1.05])
    for path in pictures.picture_files(comparison, tmp_path):
        assert path.stat().st_size > 10000


def test_several_problems_get_an_overview(comparison):
    second = replace(comparison, problem="wand", entries=comparison.entries[:1])
    assert overview([comparison, second]).splitlines()[2:] == [
        "| gesture | RNN | 90.8 ± 0.8 | 90.8 ± 0.8 | 80.8 ± 0.8 |", "| wand | RNN | 90.8 ± 0.8 | - | - |",
    ]  # fmt: skip
    text = markdown([comparison, second])
    assert text.startswith("| task | network |") and "## gesture" in text and "## wand" in text
