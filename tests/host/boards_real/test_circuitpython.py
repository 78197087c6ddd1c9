"""CircuitPython: its drive, its two ports, boot.py; and all of it on its real interpreter where one is named.

TPSGD_CIRCUITPYTHON names CircuitPython's unix port (ports/unix of its sources: make VARIANT=standard).
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path

import circuitpy
import pytest
from boards import written_once
from circuitpy import BOOT_OUT, UID, CircuitBoard, usb_port
from commands import call, fails

from tpsgd import cdc
from tpsgd_host.boards import circuitpython
from tpsgd_host.boards.circuitpython import BOOT_PROGRAM, board_ports, console_port, link_port, port_of
from tpsgd_host.boards.drives import read_drive
from tpsgd_host.errors import ConfigError, FitError, PortError
from tpsgd_host.flashing import deploy, mpy
from tpsgd_host.flashing.flash import flash
from tpsgd_host.flashing.probe import START_PROGRAM
from tpsgd_host.link import usb

BOARD = "rp2040-circuitpython"
ROOT = Path(__file__).resolve().parents[3]


def never(question):
    raise ConfigError("nobody should have been asked", question)


@pytest.fixture
def drive(tmp_path):
    return circuitpy.make_drive(tmp_path / "CIRCUITPY")


@pytest.fixture
def plugged(monkeypatch):
    """The serial ports of this machine, as a list to fill or a function."""
    ports: list = []
    monkeypatch.setattr(usb, "comports", lambda: list(ports[0]() if ports and callable(ports[0]) else ports))
    for module in (circuitpython, usb):
        monkeypatch.setattr(module, "comports", usb.comports)
    monkeypatch.setattr(circuitpython, "find_drives", list)
    return ports


def contents(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


# -- the drive


def test_files_and_boot_py_go_onto_the_drive(drive, model_file, plugged):
    text = call("flash", model_file, "-b", BOARD, "--drive", drive)
    assert "verified" in text
    assert "now:  press RESET on the board" in text
    there = contents(drive)
    assert there["code.py"] == START_PROGRAM.encode()
    assert there["boot.py"] == BOOT_PROGRAM.encode()
    assert there["model.tpsgd"] == model_file.read_bytes()
    assert {name: data for name, data in there.items() if name.startswith("tpsgd/")} == mpy.circuitpython_files()
    assert not {"tpsgd/kernels_viper.py", "tpsgd/kernels_thumb.py"} & set(there)
    written_once(drive, "tpsgd/old.mpy", b"old")
    (drive / "slot1.ckpt").write_bytes(b"old")
    text = call("flash", model_file, "-b", BOARD, "--drive", drive)
    assert contents(drive) == there
    assert "now:" not in text
    assert "not started: its port is not known" in text


@pytest.mark.parametrize(
    ("boot", "state"),
    [
        ("import usb_cdc\nusb_cdc.enable(data=True, console=True)\nimport storage\n", "enables"),
        ("import usb_cdc\nusb_cdc . enable(\n  console=False,\n  data = True)\n", "enables"),
        ("import usb_cdc\n# usb_cdc.enable(console=True, data=True)\n", "not"),
        ("import usb_cdc\nusb_cdc.enable(console=True, data=False)\n", "not"),
        ("import board\n", "not"),
        (BOOT_PROGRAM, "ours"),
    ],
)
def test_a_boot_py_of_the_users_own_stays_and_the_line_is_told(drive, model_file, plugged, boot, state):
    (drive / "boot.py").write_text(boot)
    assert circuitpython.boot_state(drive) == state
    report = flash(model_file, BOARD, drive=drive, ask=never)
    assert (drive / "boot.py").read_text() == boot
    assert bool(report.todo) == (state == "not")
    if report.todo:
        assert "boot.py is yours" in report.todo
        assert circuitpython.ENABLE in report.todo


def test_a_program_of_the_users_on_the_drive_is_asked_about(drive, model_file, plugged):
    (drive / "code.py").write_text("import board\n")
    before = contents(drive)
    with pytest.raises(ConfigError, match=r"code\.py that is not tpsgd's"):
        flash(model_file, BOARD, drive=drive)
    assert contents(drive) == before


def test_which_drive(drive, tmp_path, model_file):
    one = read_drive(drive)
    assert circuitpython.circuitpy(None, lambda: [one]) == drive
    for drives, match in (([], "no CIRCUITPY drive"), ([one, one], "2 CIRCUITPY drives")):
        with pytest.raises(ConfigError, match=match):
            circuitpython.circuitpy(None, lambda drives=drives: drives)
    asked = []
    late = circuitpython.circuitpy(None, lambda: asked.append(1) or ([one] if len(asked) > 2 else []), seconds=5)
    assert (late, len(asked)) == (drive, 3)  # new firmware: the drive comes after a while
    assert "no drive" in fails(3, "flash", model_file, "-b", BOARD, "--drive", tmp_path / "nothing")


def test_a_drive_that_is_full_is_told_before_anything_is_written(drive, model_file, plugged, monkeypatch):
    before = contents(drive)
    monkeypatch.setattr(deploy.shutil, "disk_usage", lambda path: type("Usage", (), {"free": 20_000})())
    with pytest.raises(FitError, match="20"):
        flash(model_file, BOARD, drive=drive)
    assert contents(drive) == before


def test_a_dry_run_tells_of_boot_py_and_the_reset(drive, model_file, plugged):
    before = contents(drive)
    text = call("flash", model_file, "-b", BOARD, "--drive", drive, "--dry-run")
    for part in (f"{drive}/model.tpsgd", "copy boot.py if there is none", f"{drive}/code.py", "reset"):
        assert part in text, part
    assert "kernels_viper" not in text
    assert contents(drive) == before


def test_erase_takes_everything_off_the_drive_again_but_for_the_users_own(drive, model_file, plugged):
    before = contents(drive)
    flash(model_file, BOARD, drive=drive, ask=never)
    (drive / "slot0.ckpt").write_bytes(b"learned")
    (drive / "mine.txt").write_text("mine")
    said = json.loads(call("erase", "-b", BOARD, "--drive", drive, "--yes", "--json"))
    assert {"code.py", "boot.py", "model.tpsgd", "slot0.ckpt", "tpsgd"} <= set(said["removed"])
    assert set(contents(drive)) == set(before) - {"code.py"} | {"mine.txt"}
    (drive / "boot.py").write_text("import board\n")
    (drive / "code.py").write_text("import board\n")
    said = json.loads(call("erase", "-b", BOARD, "--drive", drive, "--yes", "--json"))
    assert (said["removed"], said["kept"]) == ([], ["boot.py", "code.py"])
    assert "no CIRCUITPY drive" in fails(3, "erase", "-b", BOARD, "--yes")


# -- which port

CDC = "CircuitPython CDC"
NAMED = [usb_port("A", UID, 0, f"{CDC} control"), usb_port("B", UID, 2, f"{CDC}2 control")]


@pytest.mark.parametrize(
    "ports",
    [
        NAMED,
        NAMED[::-1],
        [usb_port("B", UID, 2), usb_port("A", UID, 0)],  # Windows: no names of interfaces
        [usb_port("A", UID, 0, f"{CDC} control", 0x1234), usb_port("B", UID, 2, f"{CDC}2 control", 0x1234)],
    ],
)  # fmt: skip
def test_the_second_port_has_the_link_and_the_first_the_repl(plugged, ports):
    plugged += [usb_port("C", "OTHER", 0, vid=0x2E8A, pid=5), *ports]
    for url in ("A", "B"):
        assert (link_port(url), console_port(url)) == ("B", "A")
    assert (link_port("C"), console_port("C")) == ("C", "C")
    assert link_port("socket://x:1") == "socket://x:1"


def test_on_macos_the_order_of_the_names_tells(plugged):
    # pyserial knows neither interface there, and the device's number ends in that of the interface
    ports = [usb_port(f"/dev/cu.usbmodem1420{i}", UID) for i in (3, 1)]
    for port in ports:
        port.location = "20-2"
    plugged += ports
    assert link_port("/dev/cu.usbmodem14201") == "/dev/cu.usbmodem14203"
    assert link_port("/dev/tty.usbmodem14201") == "/dev/cu.usbmodem14203"


def test_a_board_of_an_unknown_kind_is_known_by_its_drive(plugged, drive):
    ports = [usb_port("A", UID.lower(), 0, vid=0x1234), usb_port("B", UID.lower(), 2, vid=0x1234)]
    plugged += ports
    assert board_ports("A") is None
    assert board_ports("A", [read_drive(drive)]).data == "B"
    assert port_of(read_drive(drive)) == "A"
    (drive / "boot_out.txt").write_text(BOOT_OUT.replace(UID, "0000"))
    assert port_of(read_drive(drive)) == ""


def test_a_board_without_its_data_port_is_told_what_to_do(plugged):
    plugged.append(NAMED[0])
    with pytest.raises(PortError, match="A is CircuitPython's console") as caught:
        link_port("A")
    assert circuitpython.ENABLE in caught.value.hint
    assert "RESET" in caught.value.hint
    for command in (["stream", "x.csv"], ["pull"], ["monitor"], ["reset-model", "--yes"]):
        assert "CircuitPython's console" in fails(6, *command, "--port", "A")


# -- on the real interpreter


@pytest.fixture(scope="session")
def circuitpython_interpreter():
    """Path of CircuitPython's unix port."""
    path = os.environ.get("TPSGD_CIRCUITPYTHON", "")
    if not os.access(path, os.X_OK):
        pytest.skip("set TPSGD_CIRCUITPYTHON to CircuitPython's unix port (its sources: make -C ports/unix)")
    return path


def test_the_shared_suite(circuitpython_interpreter):
    done = subprocess.run(
        [circuitpython_interpreter, "tests/shared/run.py"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "running on circuitpython" in done.stdout
    assert ", 0 failed, " in done.stdout


def test_demo_gesture_on_the_virtual_board(circuitpython_interpreter, place, monkeypatch):
    pytest.importorskip("sktime", reason="pip install 'tpsgd[demo]' runs this test")
    # As on a board, usb_cdc carries the link: here over the virtual board's terminal.
    (place / "beside").mkdir()
    (place / "beside" / "usb_cdc.py").write_text(circuitpy.USB_CDC)
    wrapped = place / "circuitpython"
    path = f'export MICROPYPATH=":{place}/beside:.frozen" USB_DATA=0'
    wrapped.write_text(f'#!/bin/sh\n{path}\nexec "{circuitpython_interpreter}" "$@"\n')
    wrapped.chmod(0o755)
    monkeypatch.setenv("TPSGD_MICROPYTHON", str(wrapped))
    text = call("demo", "gesture")
    print(text)
    assert "  circuitpython " in text
    assert "equal, bit for bit" in text
    assert {path.suffix for path in Path("tpsgd-gesture/board/tpsgd").iterdir()} == {".py"}


@pytest.fixture
def motion(place):
    call("new", "motion", "--data", "train.csv", "--network", "rnn", "--hidden", "12", "--steps", "10")
    call("quantize", "motion.toml", "--data", "train.csv")
    return place


RUN = ["train.csv", "--epochs", "2", "--test", "test.csv", "--json"]


def test_from_a_new_board_to_a_trained_one(circuitpython_interpreter, motion, drive, plugged):
    with CircuitBoard(circuitpython_interpreter, drive, motion / "beside") as board:
        plugged.append(board.ports)
        time.sleep(0.2)
        assert board.data == ""
        assert "CircuitPython's console" in fails(6, "stream", *RUN[:-1], "--port", board.console)
        text = call("flash", "motion.tpsgd", "-b", BOARD, "--drive", drive)
        assert "now:  press RESET" in text
        board.reset()
        assert board.data
        # Again: boot.py has been read now, the board is found by its drive's number and started.
        text = call("flash", "motion.tpsgd", "-b", BOARD, "--drive", drive)
        print(text)
        assert "now:" not in text
        assert "on circuitpython" in text
        assert f"--port {board.console}" in text
        board_run = json.loads(call("stream", *RUN, "--port", board.console))
        host = json.loads(call("simulate", *RUN, "--model", "motion.tpsgd"))
        assert board_run["weights_crc"] == host["weights_crc"]
        assert [board_run["confusion"], board_run["test_accuracy"]] == [host["confusion"], host["test_accuracy"]]
        pulled = call("pull", "--out", "pulled.tpsgd", "--port", board.data, "--json")
        assert f"{host['weights_crc']:08x}" in pulled
        said = [
            json.loads(line)
            for line in call("monitor", "--port", board.console, "--seconds", "0.5", "--json").split("\n")[:1]
        ]
        assert said[0]["weights_crc"] == host["weights_crc"]
        call("reset-model", "--yes", "--port", board.console)
        checks = json.loads(call("doctor", "--port", board.console, "--json"))["checks"]
        assert {check["state"] for check in checks if check["name"] in ("port", "program", "link")} == {"ok"}
        starts = board.starts
        board.reset()  # unplugged in between: other names
        again = json.loads(call("stream", *RUN, "--port", board.data))
        assert again["weights_crc"] == host["weights_crc"]
        assert board.starts == starts + 1


#: The unix port shares no drive with a computer: what firmware refuses there, open() refuses to the checkpoints here.
SHARED = """import storage
from tpsgd import checkpoint, serve
def guarded(path, mode):
    if "w" in mode and not storage.ours:
        raise OSError(30)
    return open(path, mode)
checkpoint.open = guarded
while True:
    serve.main()
"""

#: As CircuitPython does it: the board gets its drive when the computer has let go of it.
STORAGE = """import os
ours = False
def remount(path, readonly):
    global ours
    assert (path, readonly) == ("/", False)
    try:
        os.stat("{ejected}")
    except OSError:
        raise RuntimeError("Cannot remount path when visible via USB.")
    ours = True
"""


@pytest.mark.parametrize("ejected", [False, True])
def test_a_drive_that_the_computer_has_ends_no_run(circuitpython_interpreter, motion, drive, plugged, ejected):
    flash(motion / "motion.tpsgd", BOARD, drive=drive, ask=never)
    (drive / "code.py").write_text(SHARED)
    with CircuitBoard(circuitpython_interpreter, drive, motion / "beside") as board:
        plugged.append(board.ports)
        (motion / "beside" / "storage.py").write_text(STORAGE.format(ejected=motion / "ejected"))
        board.reset()
        if ejected:
            (motion / "ejected").touch()
        report = json.loads(call("stream", *RUN, "--port", board.data, "--checkpoint-every", "20"))
        host = json.loads(call("simulate", *RUN, "--model", "motion.tpsgd"))
        assert (report["status"], report["weights_crc"]) == ("complete", host["weights_crc"])
        assert report["details"]["checkpoint_failed"] == (0 if ejected else 30)
        assert report["details"]["checkpoint"] == (180 // 20 + 1 if ejected else 0)
        notes = [line for line in (Path(report["folder"]) / "log.jsonl").read_text().splitlines() if '"note"' in line]
        told = [line for line in notes if "could not write a checkpoint" in line]
        assert len(told) == (0 if ejected else 1)
        if not ejected:
            assert "eject the drive CIRCUITPY" in told[0]
            assert "could not save that" in fails(7, "reset-model", "--yes", "--port", board.data)


def test_a_fault_of_the_device_program_comes_as_an_error(circuitpython_interpreter, motion, drive, plugged):
    # Where the firmware has no traceback module, the exception itself must do.
    flash(motion / "motion.tpsgd", BOARD, drive=drive, ask=never)
    spoiled = drive / "tpsgd" / "checkpoint.py"
    spoiled.write_text(spoiled.read_text().replace("def newest(", "def newest(*a):\n    return 1 // 0\n\n\ndef _old("))
    with CircuitBoard(circuitpython_interpreter, drive, motion / "beside") as board:
        plugged.append(board.ports)
        assert "ZeroDivisionError" in fails(7, "pull", "--out", "x.tpsgd", "--port", board.data)


class Looks:
    """A serial port that counts how often it is looked at, and has bytes from look ``after`` on."""

    def __init__(self, after):
        self.after, self.count = after, 0

    @property
    def in_waiting(self):
        self.count += 1
        return 7 if self.count > self.after else 0


def test_the_pipe_looks_once_a_millisecond_and_no_longer_than_it_was_told():
    for after, milliseconds, found, count in ((9, 0, False, 1), (0, 5, True, 1), (3, 50, True, 4), (99, 4, False, 5)):
        serial = Looks(after)
        assert cdc.Pipe(serial).poll(milliseconds) is found
        assert serial.count == count
