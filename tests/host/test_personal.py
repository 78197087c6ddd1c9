"""monitor, reset-model and erase, as a user runs them, on the real interpreter."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from click.testing import CliRunner
from commands import call, fails

from tpsgd_host.boards.monitor import Guess, Said, Stands
from tpsgd_host.boards.virtual import VirtualBoard
from tpsgd_host.cli import cli
from tpsgd_host.commands.monitor import _View, monitor
from tpsgd_host.console import Console
from tpsgd_host.flashing import programs
from tpsgd_host.model.modelfile import load_model


def events(text):
    """Return the events in a monitor's output."""
    return [json.loads(line) for line in text.splitlines()]


def test_monitor_shows_what_a_board_makes_of_samples(flashed):
    run = json.loads(call("stream", "train.csv", "--test", "test.csv", "--epochs", "12", "--json"))
    said = events(call("monitor", "--data", "test.csv", "--json"))
    assert [e["event"] for e in said] == ["stands", *["guess"] * 30, "stands", "end"]
    guesses = said[1:31]
    assert sum(e["right"] for e in guesses) == round(30 * run["test_accuracy"])
    assert all(0 < e["probability"] <= 1 for e in guesses)
    assert [e["line"] for e in guesses] == [2 + 20 * i for i in range(30)]
    assert {e["weights_crc_hex"] for e in (said[0], said[31])} == {run["weights_crc_hex"]}
    assert said[0]["heap_free"] > 0
    assert said[32]["accuracy"] == run["test_accuracy"]
    text = call("monitor", "--data", "test.csv")
    assert f"weights CRC {run['weights_crc_hex']}" in text
    assert text.count("  right") + text.count("  wrong: ") == 30
    assert "30 samples classified" in text.splitlines()[-1]


def test_monitor_classifies_samples_without_labels(flashed):
    rows = [line.split(",") for line in open("test.csv").read().split()]
    open("blind.csv", "w").write("\n".join(",".join(row[:1] + row[2:]) for row in rows) + "\n")
    said = events(call("monitor", "--data", "blind.csv", "--json"))
    assert {(e["label"], e["right"]) for e in said[1:31]} == {(None, None)}
    assert (said[-1]["samples"], said[-1]["accuracy"]) == (30, None)


def test_monitor_shows_a_state_only_where_it_is_news(flashed, capsys):
    view, said = _View(Console(highlight=False)), []

    def show(event):
        view(event)
        said.append(event)
        if len(said) == 4:
            raise KeyboardInterrupt

    monitor(show, folder=flashed / "board", every=0.1)
    assert [type(event) for event in said] == 4 * [Stands]
    assert capsys.readouterr().out.count("weights CRC") == 1


def test_monitor_shows_what_another_program_prints(flashed):
    (flashed / "board" / "main.py").write_text("for i in range(3): print('reading', i)\nprint('end', end='')\n")
    assert call("monitor", "--seconds", "2").splitlines() == ["reading 0", "reading 1", "reading 2", "end"]
    assert call("monitor", "--listen", "--seconds", "2").splitlines()[0] == "reading 0"
    assert "exit code 0: end" in fails(7, "monitor", "--data", "test.csv")


def test_monitor_tells_of_a_program_that_fails(flashed):
    (flashed / "board" / "main.py").write_text("print('good morning')\nraise ValueError('out of coffee')\n")
    text = call("monitor", "--seconds", "5", code=7)
    assert "good morning" in text
    assert "out of coffee" in text.split("error: ")[1]


def test_monitor_needs_the_device_program_to_classify(flashed, monkeypatch):
    import tpsgd_host.boards.monitor as module

    monkeypatch.setattr(module, "PATIENCE", 0.3)
    (flashed / "board" / "main.py").write_text("import time\nprint('mine')\ntime.sleep(20)\n")
    said = []
    summary = monitor(said.append, seconds=0.8, folder=flashed / "board")
    assert (said, summary.answered, summary.lines) == ([Said("mine")], False, 1)
    assert "not answered" in fails(7, "monitor", "--data", "test.csv")


def test_monitor_is_a_function_too(flashed):
    said = []
    summary = monitor(said.append, data=flashed / "test.csv", seconds=20, folder=flashed / "board")
    assert summary.samples == sum(isinstance(e, Guess) for e in said) == 30
    assert isinstance(said[0], Stands)
    assert summary.accuracy is not None


@pytest.mark.parametrize("what", [[], ["--data", "test.csv", "--pause", "0.2"]])
def test_ctrl_c_ends_a_monitor_cleanly(flashed, what):
    command = [sys.executable, "-m", "tpsgd_host", "monitor", "--json", *what]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    line = json.loads(process.stdout.readline())
    assert line["event"] == "stands"
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    out, errors = process.communicate(timeout=20)
    assert (process.returncode, errors) == (0, "")
    assert events(out)[-1]["event"] == "end"


def test_listen_and_data_exclude_each_other(flashed):
    assert "use one of them" in call("monitor", "--listen", "--data", "test.csv", code=2)


def test_a_reset_model_is_as_it_was_flashed_and_stays_so(flashed):
    learned = json.loads(call("stream", "train.csv", "--epochs", "1", "--json"))["weights_crc"]
    fresh = load_model(flashed / "motion.tpsgd").weights_crc
    said = json.loads(call("reset-model", "--yes", "--json"))
    assert (said["old_crc"], said["weights_crc"], said["model"]) == (learned, fresh, "motion")
    slots = [(flashed / "board" / name).read_bytes() for name in ("slot0.ckpt", "slot1.ckpt")]
    assert slots[0][20:-4] == slots[1][20:-4]  # all but generation and CRC: what was learned is in neither
    assert said["checkpoint"] == max(int.from_bytes(slot[16:20], "little") for slot in slots)
    stands = events(call("monitor", "--seconds", "0.5", "--json"))[0]  # after a restart
    assert (stands["weights_crc"], stands["seen"]) == (fresh, 0)
    assert "had learned nothing" in call("reset-model", "--yes")


@pytest.mark.parametrize("name", ["reset-model", "erase"])
def test_what_loses_something_asks_first(flashed, name):
    before = sorted(path.name for path in (flashed / "board").rglob("*"))
    done = CliRunner().invoke(cli, [name], input="n\n")
    assert (done.exit_code, "nothing was changed" in done.output) == (1, True)
    assert "--yes" in call(name, code=2)  # nobody there
    assert sorted(path.name for path in (flashed / "board").rglob("*")) == before
    assert CliRunner().invoke(cli, [name], input="y\n").exit_code == 0


def test_an_erased_board_is_bare_and_can_be_flashed_again(flashed):
    call("stream", "train.csv", "--epochs", "1")
    (flashed / "board" / "notes.txt").write_text("mine")
    said = json.loads(call("erase", "--yes", "--json"))
    assert {"main.py", "model.tpsgd", "slot0.ckpt", "tpsgd"} <= set(said["removed"])
    assert sorted(os.listdir("board")) == ["board.json", "notes.txt"]
    assert "bare" in fails(7, "stream", "train.csv")
    call("flash", "motion.tpsgd")
    call("stream", "train.csv", "--epochs", "1")


def test_erase_leaves_a_program_of_the_users_own(flashed):
    (flashed / "board" / "main.py").write_text("from tpsgd import Learner\n")
    assert "main.py is not tpsgd's and was kept" in call("erase", "--yes")
    assert (flashed / "board" / "main.py").exists()


def test_erase_takes_no_folder_for_a_board(place):
    (place / "tpsgd").mkdir()
    (place / "tpsgd" / "precious.py").write_text("mine")
    assert "--board-dir" in fails(7, "erase", "--yes", "--board-dir", ".")
    assert (place / "tpsgd" / "precious.py").exists()


def test_erase_says_what_is_missing(place, monkeypatch):
    assert "esp32" in fails(3, "erase", "--board", "esp23", "--yes")
    monkeypatch.setattr(programs, "find_spec", lambda name: None)
    monkeypatch.setenv("PATH", str(place))
    assert "pip install mpremote" in fails(10, "erase", "--board", "esp32", "--yes")


def test_monitor_goes_on_counting_what_was_learned(flashed):
    call("stream", "train.csv", "--epochs", "2")
    with VirtualBoard(flashed / "board") as board:
        said = events(call("monitor", "--port", board.path, "--data", "test.csv", "--json"))
    assert [event["seen"] for event in said if event["event"] == "stands"] == [180, 180]


def test_monitor_and_reset_work_on_any_port(flashed):
    with VirtualBoard(flashed / "board") as board:
        said = events(call("monitor", "--port", board.path, "--seconds", "0.3", "--json"))
        assert (said[0]["event"], said[-1]["answered"]) == ("stands", True)
    with VirtualBoard(flashed / "board") as board:
        assert "had learned nothing" in call("reset-model", "--port", board.path, "--yes")
