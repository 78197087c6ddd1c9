"""``--leave-out`` and ``--test-split``: what is held out is not learned, but tested on, and has no say in the model."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from commands import call, fails
from motions import write_motions

from tpsgd_host.model.modelfile import load_model
from tpsgd_host.runs.folder import RunFolder


@pytest.fixture
def worn(place):
    """Thirty recordings of each of three wearers; b's sensor gives ten times as much."""
    write_motions(place / "worn.csv", 90, 3, wearers=("a", "b", "c"))
    with (place / "worn.csv").open() as file:
        head, *rows = csv.reader(file)
    for row in rows:
        if row[4] == "b":
            row[2:4] = [str(10 * float(value)) for value in row[2:4]]
    with (place / "worn.csv").open("w", newline="") as file:
        csv.writer(file).writerows([head, *rows])
    call("new", "motion", "--data", "worn.csv", "--hidden", 8, "--steps", 10, "--no-tune")
    return place


def lines_of(wearer):
    with open("worn.csv") as file:
        return {i for i, row in enumerate(csv.DictReader(file), 2) if row["wearer"] == wearer}


def run_of(*arguments):
    call("quantize", "motion.toml", "--data", "worn.csv")
    return json.loads(call("simulate", "worn.csv", "--model", "motion.tpsgd", "--epochs", 2, "--json", *arguments))


def test_who_is_left_out_is_tested_on_and_not_learned(worn):
    said = run_of("--leave-out", "wearer=b")
    with (Path(said["folder"]) / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    tested = {int(row["line"]) for row in rows if row["kind"] == "test"}
    learned = {int(row["line"]) for row in rows if row["kind"] == "train"}
    assert len(tested) == 30 and len(learned) == 60
    assert tested <= lines_of("b") and not learned & lines_of("b")
    assert RunFolder.open(Path(said["folder"])).config["leave_out"] == ["wearer", "b"]


def test_several_may_be_left_out(worn):
    said = run_of("--leave-out", "wearer=b", "--leave-out", "wearer=c")
    with (Path(said["folder"]) / "log.csv").open() as file:
        learned = {int(row["line"]) for row in csv.DictReader(file) if row["kind"] == "train"}
    assert learned <= lines_of("a") and len(learned) == 30


def test_who_is_left_out_has_no_say_in_scale_and_rates(worn):
    call("quantize", "motion.toml", "--data", "worn.csv", "-o", "all.tpsgd")
    call("quantize", "motion.toml", "--data", "worn.csv", "-o", "rest.tpsgd", "--leave-out", "wearer=b")
    all_of_them, rest = load_model(Path("all.tpsgd")), load_model(Path("rest.tpsgd"))
    assert (rest.scaling.gain > 3 * all_of_them.scaling.gain).all(), "b's readings are ten times as large"
    with open("worn.csv") as file:
        head, *rows = csv.reader(file)
    with open("without.csv", "w", newline="") as file:
        csv.writer(file).writerows([head, *(row for row in rows if row[4] != "b")])
    call("quantize", "motion.toml", "--data", "without.csv", "-o", "without.tpsgd")
    assert np.array_equal(load_model(Path("without.tpsgd")).scaling.gain, rest.scaling.gain)
    tuned = call("new", "left", "--data", "worn.csv", "--hidden", 8, "--steps", 10, "--leave-out", "wearer=b", "-e", 2)
    again = call("new", "gone", "--data", "without.csv", "--hidden", 8, "--steps", 10, "-e", 2)
    rates = [next(line for line in text.splitlines() if line.startswith("rates")) for text in (tuned, again)]
    assert rates[0].partition(";")[0] == rates[1].partition(";")[0]


def test_what_a_run_tests_on_has_no_say_in_scale_and_rates(worn):
    """Whatever stands in the recordings that a run will hold out, the model and its rates are the same."""
    held = ("--test-split", 0.25, "--split-seed", 3)
    with (Path(run_of(*held)["folder"]) / "log.csv").open() as file:
        tested = {int(row["line"]) for row in csv.DictReader(file) if row["kind"] == "test"}
    with open("worn.csv") as file:
        head, *rows = csv.reader(file)
    recordings = {rows[line - 2][0] for line in tested}
    assert 20 <= len(recordings) <= 25
    for row in rows:
        if row[0] in recordings:
            row[2:4] = [str(100 * float(value)) for value in reversed(row[2:4])]
    with open("spoiled.csv", "w", newline="") as file:
        csv.writer(file).writerows([head, *rows])
    made = {}
    for data in ("worn.csv", "spoiled.csv"):
        said = call("new", "n", "--data", data, "--hidden", 8, "--steps", 10, "-e", 2, "--force", *held)
        assert f"quantize n.toml --data {data} --test-split 0.25 --split-seed 3" in said
        rates = next(line for line in said.splitlines() if line.startswith("rates")).partition(";")[0]
        said = call("quantize", "n.toml", "--data", data, "--tune", "-e", 2, *held)
        assert f"simulate {data} --model n.tpsgd --epochs 20 --test-split 0.25 --split-seed 3" in said
        made[data] = rates, Path("n.toml").read_text().replace(data, ""), Path("n.tpsgd").read_bytes()
    assert made["worn.csv"] == made["spoiled.csv"]
    call("quantize", "n.toml", "--data", "spoiled.csv")
    assert Path("n.tpsgd").read_bytes() != made["spoiled.csv"][2], "they have a say where nothing is held out"


def test_a_stopped_run_goes_on_without_them(worn, interpreter):
    call("quantize", "motion.toml", "--data", "worn.csv")
    call("flash", "motion.tpsgd", "--board", "virtual")
    said = json.loads(call("stream", "worn.csv", "--epochs", 2, "--leave-out", "wearer=c", "--json"))
    folder = Path(said["folder"])
    (folder / "result.json").unlink()  # as if the host had been killed just before
    again = json.loads(call("stream", "--resume", folder, "--json"))
    assert again["weights_crc"] == said["weights_crc"] and again["test_accuracy"] == said["test_accuracy"]
    whole = json.loads(call("stream", "worn.csv", "--epochs", 2, "--json"))
    assert whole["weights_crc"] != said["weights_crc"]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--leave-out", "wearer"), "--leave-out wearer needs a name"),
        (("--leave-out", "wearer="), "--leave-out is COLUMN=NAME"),
        (("--leave-out", "wearer=a", "--leave-out", "recording=r1"), "--leave-out takes one column"),
    ],
)
def test_wrong_use(worn, arguments, text):
    call("quantize", "motion.toml", "--data", "worn.csv")
    assert text in " ".join(call("simulate", "worn.csv", "--model", "motion.tpsgd", *arguments, code=2).split())


def test_whom_there_is_not(worn):
    call("quantize", "motion.toml", "--data", "worn.csv")
    simulate = ("simulate", "worn.csv", "--model", "motion.tpsgd")
    assert "a, b, c" in fails(4, *simulate, "--leave-out", "wearer=d")
    assert "no column 'who'" in fails(4, *simulate, "--leave-out", "who=a")
    assert "both choose held-out samples" in fails(3, *simulate, "--leave-out", "wearer=a", "--test-split", "0.2")
    for command in (("new", "n"), ("quantize", "motion.toml")):
        twice = fails(3, *command, "--data", "worn.csv", "--leave-out", "wearer=a", "--test-split", "0.2")
        assert "both choose held-out samples" in twice


def test_rows_that_are_split_alone_are_noted(place):
    """Each row counts as a recording: a split may put parts of one on both sides, and says so."""
    Path("rows.csv").write_text("x,y,label\n" + "".join(f"{i % 7},{i % 5},{'ab'[i % 2]}\n" for i in range(60)))
    call("new", "rows", "--data", "rows.csv", "--no-tune")
    call("quantize", "rows.toml", "--data", "rows.csv")
    said = call("simulate", "rows.csv", "--model", "rows.tpsgd", "--epochs", 1, "--test-split", "0.2")
    assert "every row counts as its own recording" in " ".join(said.split())
    assert "its own recording" not in call("simulate", "rows.csv", "--model", "rows.tpsgd", "--epochs", 1)
