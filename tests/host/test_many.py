"""``--all``: boards side by side, of which one that fails does not stop the others."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from commands import call, simulated

from tpsgd_host.boards.many import Place, plugged_places, side_by_side
from tpsgd_host.boards.plugged import Plugged
from tpsgd_host.errors import BoardError, DataError


@pytest.fixture
def classroom(flashed):
    """Give a folder so many virtual boards, all with the same model."""

    def make(count):
        for i in range(count):
            shutil.copytree(flashed / "board", flashed / "classroom" / f"{i:02}")
        return flashed / "classroom"

    return make


def test_thirty_boards_learn_side_by_side(classroom):
    folder = classroom(30)
    said = json.loads(call("stream", "test.csv", "--all", "--board-dir", folder, "--epochs", 1, "--json"))
    assert len(said["boards"]) == 30 and not said["failed"] and not said["interrupted"]
    wanted = json.loads(call("simulate", "test.csv", "--model", "motion.tpsgd", "--epochs", 1, "--json"))
    assert {board["weights_crc"] for board in said["boards"]} == {wanted["weights_crc"]}
    folders = {board["folder"] for board in said["boards"]}
    assert len(folders) == 30
    assert all(os.path.getsize(Path(path) / "model.tpsgd") > 0 for path in folders)
    assert all(board["board"] in board["folder"] for board in said["boards"])


def test_a_board_that_fails_does_not_stop_the_others(classroom):
    folder = classroom(4)
    (folder / "01" / "main.py").unlink()
    (folder / "02" / "model.tpsgd").write_bytes(b"none")
    text = call("stream", "test.csv", "--all", "--board-dir", folder, "--epochs", 1, code=1)
    assert "2 of 4 boards done" in text
    assert "01  failed: the virtual board in" in text and "tpsgd-host flash" in text
    assert "02  failed: the board says: model file: bad" in text
    crc = simulated(1)  # of other data
    assert f"weights CRC {crc['weights_crc']:08x}" not in text and text.count("right, weights CRC") == 2
    shutil.rmtree(folder / "02")
    said = json.loads(call("stream", "test.csv", "--all", "--board-dir", folder, "--epochs", 1, "--json", code=7))
    assert [board["done"] for board in said["boards"]] == [True, False, True]
    assert said["boards"][1]["exit_code"] == 7 and said["failed"] == 1


def test_flash_makes_every_folder_a_board_and_monitor_watches_them(flashed):
    for i in range(3):
        (flashed / "room" / str(i)).mkdir(parents=True)
    (flashed / "room" / "1" / "main.py").write_text("print('mine')")
    text = call("flash", "motion.tpsgd", "--all", "--board-dir", "room", code=3)
    assert "2 of 3 boards done" in text and "add --yes" in text
    assert (flashed / "room" / "1" / "main.py").read_text() == "print('mine')"
    call("flash", "motion.tpsgd", "--all", "--board-dir", "room", "--yes")
    lines = call("monitor", "--all", "--board-dir", "room", "--data", "test.csv", "--json").splitlines()
    events = [json.loads(line) for line in lines[:-1]]
    assert {event["board"] for event in events} == {"0", "1", "2"}
    end = json.loads(lines[-1])
    assert [board["samples"] for board in end["boards"]] == [30, 30, 30]
    assert len({board["accuracy"] for board in end["boards"]}) == 1
    shown = call("monitor", "--all", "--board-dir", "room", "--data", "test.csv")
    assert shown.count("0: line ") == 30 and "30 samples classified" in shown


def test_without_a_board_it_says_so(flashed, monkeypatch):
    monkeypatch.setattr("tpsgd_host.boards.many.plugged", list)
    assert "no board is plugged in" in call("stream", "test.csv", "--all", code=7)
    Path("empty").mkdir()
    assert "there is no virtual board" in call("stream", "test.csv", "--all", "--board-dir", "empty", code=3)
    assert "one run" in call("stream", "--resume", "--all", code=2)
    assert "use one of them" in call("stream", "test.csv", "--all", "--board-dir", "empty", "--port", "x", code=2)
    assert "vanished-1" in call("stream", "test.csv", "--all", "--port", "vanished-1,vanished-2", code=6)


def test_a_board_of_two_ports_is_one_board():
    def port(name, serial):
        return SimpleNamespace(device=name, vid=0x2E8A, pid=5, serial_number=serial, location="")

    ports = [port("/dev/ttyACM0", "a"), port("/dev/ttyACM1", "a"), port("/dev/ttyACM2", "b")]
    found = [Plugged(p.device, "port", ("pico",), True, "") for p in ports]
    found += [Plugged("/dev/ttyS0", "port", (), False, ""), Plugged("/media/RPI-RP2", "boot", ("pico",), True, "")]
    assert [place.port for place in plugged_places("", found, ports)] == ["/dev/ttyACM0", "/dev/ttyACM2"]
    with pytest.raises(BoardError, match="no esp32 is plugged in"):
        plugged_places("esp32", found, ports)


def test_the_others_go_on_whatever_one_raises():
    def work(place, tell):
        if place.name == "b":
            raise DataError("a fact", "a hint")
        if place.name == "c":
            raise ValueError("a bug")
        tell("well")
        return place.name

    said = []
    places = [Place(name, "virtual") for name in "abcd"]
    ends, interrupted = side_by_side(places, work, lambda place, text: said.append((place.name, text)), 2)
    assert [end.result for end in ends] == ["a", None, None, "d"] and not interrupted
    assert ends[1].error.exit_code == 4 and "ValueError: a bug" in ends[2].error.message
    assert ("a", "well") in said and ("b", "failed: a fact") in said and ("d", "done") in said


def test_as_many_as_wanted_are_at_work_at_once():
    present, most, lock = set(), [], threading.Lock()
    full = threading.Barrier(3, timeout=60)

    def work(place, tell):
        with lock:
            present.add(place.name)
            most.append(len(present))
        full.wait()
        with lock:
            present.discard(place.name)
        return True

    side_by_side([Place(str(i), "virtual") for i in range(6)], work, lambda place, text: None, 3)
    assert max(most) == 3


def test_interrupted_runs_can_be_resumed(classroom):
    folder = classroom(3)
    words = ["stream", "train.csv", "--all", "--board-dir", str(folder), "--epochs", "2000", "--json"]
    process = subprocess.Popen(
        [sys.executable, "-m", "tpsgd_host", *words], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    runs = Path("runs")
    while not (runs.is_dir() and len([p for p in runs.glob("*/log.jsonl") if p.stat().st_size > 2000]) >= 2):
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    said = json.loads(process.communicate()[0])
    assert process.returncode == 130 and said["interrupted"] and not said["failed"]
    for path in runs.iterdir():
        lines = (path / "log.jsonl").read_text().splitlines()
        assert json.loads(lines[-1])["status"] == "interrupted"
