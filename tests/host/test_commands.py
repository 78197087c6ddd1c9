"""The commands as a user runs them, on the real interpreter: the way from a CSV to a trained board and back."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from commands import call

from tpsgd_host.cli import COMMANDS
from tpsgd_host.model.modelfile import load_model


def test_a_board_learns_and_a_simulation_of_the_run_has_the_same_weights(flashed):
    run = ["--test", "test.csv", "--epochs", "12", "--json"]
    board = json.loads(call("stream", "train.csv", *run))
    host = json.loads(call("simulate", "train.csv", "--model", "motion.tpsgd", *run))
    assert board["status"] == host["status"] == "complete"
    assert board["weights_crc"] == host["weights_crc"]
    assert board["test_accuracy"] == host["test_accuracy"] >= 0.9
    assert board["confusion"] == host["confusion"]
    logs = [os.path.join(r["folder"], "log.csv") for r in (board, host)]
    assert open(logs[0]).read() == open(logs[1]).read()
    for name in ("config.json", "log.jsonl", "log.csv", "accuracy.png", "model.tpsgd", "result.json"):
        assert os.path.getsize(os.path.join(board["folder"], name)) > 0
    assert load_model(flashed / board["folder"] / "model.tpsgd").weights_crc == board["weights_crc"]


@pytest.mark.parametrize("engine", ["plain", "viper"])
def test_every_engine_of_the_board_gives_the_same_weights(flashed, engine):
    run = ["--epochs", "1", "--json"]
    board = json.loads(call("stream", "train.csv", *run, "--engine", engine))
    assert board["details"]["engine"] == engine
    host = json.loads(call("simulate", "train.csv", "--model", "motion.tpsgd", "--engine", "np", *run))
    assert board["weights_crc"] == host["weights_crc"]


def test_what_was_learned_stays_on_the_board_and_can_be_fetched(flashed):
    run = json.loads(call("stream", "train.csv", "--test", "test.csv", "--epochs", "12", "--json"))
    said = json.loads(call("eval", "test.csv", "--json"))
    assert said["accuracy"] == run["test_accuracy"]
    assert said["weights_crc_hex"] == run["weights_crc_hex"]
    call("pull", "-o", "learned.tpsgd")
    assert load_model(flashed / "learned.tpsgd").weights_crc == run["weights_crc"]
    here = json.loads(call("eval", "test.csv", "--model", "learned.tpsgd", "--predictions", "out.csv", "--json"))
    assert (here["accuracy"], here["confusion"]) == (said["accuracy"], said["confusion"])
    rows = list(csv.DictReader(open("out.csv")))
    assert len(rows) == 30
    assert sum(row["label"] == row["predicted"] for row in rows) == round(30 * here["accuracy"])
    call("eval", "test.csv", "--predictions", "board.csv")
    assert Path("board.csv").read_text() == Path("out.csv").read_text()
    assert "exists" in call("pull", "-o", "learned.tpsgd", code=3)
    call("pull", "-o", "learned.tpsgd", "--force")


def test_the_probability_is_that_of_the_prediction(flashed):
    """Wrong ones, too: each stands beside its class, and is the largest of all."""
    trained = json.loads(call("simulate", "train.csv", "--model", "motion.tpsgd", "--epochs", "1", "--json"))["folder"]
    call("eval", "test.csv", "--model", f"{trained}/model.tpsgd", "--predictions", "out.csv")
    rows = list(csv.DictReader(open("out.csv")))
    wrong = [row for row in rows if row["label"] != row["predicted"]]
    assert wrong, "one epoch must leave some wrong, else nothing is tested"
    assert all(float(row["probability"]) >= 1 / 3 - 0.01 for row in rows), "three classes"
    blind = list(csv.reader(open("test.csv")))
    with open("blind.csv", "w", newline="") as file:
        csv.writer(file).writerows([row[:1] + row[2:] for row in blind])
    call("eval", "blind.csv", "--model", f"{trained}/model.tpsgd", "--predictions", "blind-out.csv")
    for told, untold in zip(rows, csv.DictReader(open("blind-out.csv")), strict=True):
        assert (told["predicted"], told["probability"]) == (untold["predicted"], untold["probability"])
        assert told["recording"] == untold["recording"] != ""


def test_a_second_stream_begins_anew_and_continue_goes_on(flashed):
    first = json.loads(call("stream", "train.csv", "--epochs", "1", "--json"))
    again = json.loads(call("stream", "train.csv", "--epochs", "1", "--json"))
    assert again["weights_crc"] == first["weights_crc"]
    further = json.loads(call("stream", "train.csv", "--epochs", "1", "--continue", "--json"))
    call("flash", "motion.tpsgd")
    assert further["weights_crc"] != first["weights_crc"]
    both = json.loads(call("eval", "test.csv", "--json"))
    assert both["weights_crc_hex"] == f"{load_model(flashed / 'motion.tpsgd').weights_crc:08x}"


def test_data_without_labels_are_classified(flashed):
    call("stream", "train.csv", "--epochs", "6")
    rows = list(csv.reader(open("test.csv")))
    with open("blind.csv", "w", newline="") as file:
        csv.writer(file).writerows([row[:1] + row[2:] for row in rows])
    said = json.loads(call("eval", "blind.csv", "--json"))
    assert (said["samples"], said["labelled"], said["accuracy"]) == (30, 0, None)
    assert "30 samples without labels" in call("eval", "blind.csv")


def test_a_split_holds_recordings_out(flashed):
    run = json.loads(call("simulate", "train.csv", "-m", "motion.tpsgd", "-e", "1", "--test-split", "0.2", "--json"))
    config = json.load(open(os.path.join(run["folder"], "config.json")))
    assert (config["train_samples"], config["test_samples"]) == (72, 18)


def test_bad_rows_stop_or_are_skipped_and_counted(flashed):
    lines = open("train.csv").read().splitlines()
    lines[5] = lines[5].rsplit(",", 1)[0] + ",NaN"
    open("bad.csv", "w").write("\n".join(lines) + "\n")
    text = call("stream", "bad.csv", "-e", "1", code=4)
    assert "line 6" in text
    assert "--bad-rows skip" in text
    assert json.loads(call("stream", "bad.csv", "-e", "1", "--bad-rows", "skip", "--json"))["bad_rows"] == 1
    assert "1 bad row" in call("stream", "bad.csv", "-e", "1", "--bad-rows", "skip")


def test_runs_can_be_plotted(flashed):
    run = json.loads(call("simulate", "train.csv", "-m", "motion.tpsgd", "-e", "2", "--test", "test.csv", "--json"))
    call("plot", run["folder"], "--kind", "both", "--format", "svg")
    assert {"accuracy.svg", "confusion.svg"} <= set(os.listdir(run["folder"]))


def test_ctrl_c_leaves_folder_and_board_whole(flashed):
    command = [sys.executable, "-m", "tpsgd_host", "stream", "train.csv", "--epochs", "100000", "--runs", "stopped"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not list(flashed.glob("stopped/*/log.csv")) and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    (folder,) = (flashed / "stopped").iterdir()
    result = json.loads((folder / "result.json").read_text())
    assert result["status"] == "interrupted"
    assert result["samples"] > 0
    call("stream", "train.csv", "--epochs", "1")


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_command_has_help_with_an_example(name):
    text = call(name, "--help")
    assert "\n  Example" in text or "\n    tpsgd-host" in text, "the example's lines are kept as they are"
    assert "\\b" not in text
    assert "tpsgd-host" in text


def test_an_unknown_command_is_answered_with_the_nearest():
    assert "'stream'" in call("steam", code=2)
