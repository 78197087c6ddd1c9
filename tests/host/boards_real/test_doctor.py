"""doctor: every check says ok, warn or fail, and what to do; on the virtual board and on a REPL."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from click.testing import CliRunner

from tpsgd_host.boards.virtual import interpreter_mpy
from tpsgd_host.cli import cli
from tpsgd_host.flashing import doctor as module
from tpsgd_host.flashing.doctor import FAIL, OK, WARN, doctor
from tpsgd_host.flashing.flash import flash
from tpsgd_host.flashing.mpy import MpyFormat, native_modules
from tpsgd_host.flashing.probe import BoardFacts, parse_facts
from tpsgd_host.flashing.remote import Remote


def states(checks):
    return {check.name: check.state for check in checks}


def run(*arguments, code=0):
    result = CliRunner().invoke(cli, ["doctor", *map(str, arguments)])
    assert result.exit_code == code, result.output
    return result.stdout


def test_a_bare_virtual_board(tmp_path, interpreter):
    checks = list(doctor("virtual", folder=tmp_path / "nothing"))
    found = states(checks)
    assert found["program"] == WARN
    assert FAIL not in found.values()
    assert set(found) >= {"port", "firmware", "ulab", "native", "engine", "heap", "mpy", "flash", "program"}
    assert "tpsgd-host flash MODEL" in next(check.todo for check in checks if check.name == "program")
    assert not (tmp_path / "nothing").exists()


def test_a_flashed_virtual_board(tmp_path, interpreter, model_file):
    flash(model_file, folder=tmp_path / "board")
    said = json.loads(run("--board-dir", tmp_path / "board", "--json"))
    assert said["ok"]
    found = {check["name"]: check for check in said["checks"]}
    assert (found["program"]["state"], found["link"]["state"]) == ("ok", "ok")
    assert found["link"]["said"].startswith("round trip ")
    module = native_modules(MpyFormat.of(interpreter_mpy()))
    assert found["engine"]["said"] == ("native" if module else "viper")
    text = run("--board-dir", tmp_path / "board")
    assert "ok    link" in text


def test_a_virtual_board_whose_program_is_broken(tmp_path, interpreter, model_file):
    flash(model_file, folder=tmp_path / "board")
    (tmp_path / "board" / "main.py").write_text("raise SystemExit\n")
    module_patience = states(doctor("virtual", folder=tmp_path / "board"))
    assert module_patience["link"] == FAIL


def test_a_virtual_board_with_too_little_memory(tmp_path, interpreter):
    text = run("--board-dir", tmp_path, "--heap", "20k", code=7)
    assert "fail  heap" in text
    assert "-> tpsgd-host flash MODEL --heap 256k" in text


def test_a_missing_interpreter(tmp_path, monkeypatch):
    monkeypatch.setenv("TPSGD_MICROPYTHON", "/nowhere/micropython")
    assert "/nowhere/micropython" in run("--board-dir", tmp_path, code=6)


def test_a_port_that_is_not_there():
    text = run("--port", "/dev/ttyNOPE", code=6)
    assert "fail  port" in text
    assert "-> " in text


def test_a_bare_board_answers_by_its_repl(terminal_board, monkeypatch):
    monkeypatch.setattr(module, "PATIENCE", 0.3)
    found = states(doctor(terminal_board.path))
    assert found["program"] == WARN
    assert FAIL not in found.values()
    assert not list(terminal_board.folder.glob("tpsgd*"))


def test_a_running_trainer_is_not_disturbed_unless_one_says_so(terminal_board, model_file):
    flash(model_file, "rp2040", port=terminal_board.path)
    boots = terminal_board.boots
    found = {check.name: check for check in doctor(terminal_board.path)}
    assert terminal_board.boots == boots
    assert found["program"].said.startswith("tpsgd ")
    assert found["link"].state == OK
    found = {check.name: check for check in doctor(terminal_board.path, restart=True)}
    assert terminal_board.boots > boots
    assert found["mpy"].state in (OK, WARN)
    assert (found["program"].state, found["link"].state) == (OK, OK)


def test_a_program_that_is_slow_to_start_is_waited_for(terminal_board, model_file, monkeypatch):
    flash(model_file, "rp2040", port=terminal_board.path)
    monkeypatch.setattr(module, "_hello", only_later(module._hello))
    monkeypatch.setattr(Remote, "facts", lambda self: parse_facts("MPY: soft reboot"))
    found = states(doctor(terminal_board.path))
    assert (found["program"], FAIL in found.values()) == (OK, False)


def only_later(honest):
    """Return a HELLO that is not answered the first time."""
    asked = []

    def hello(serial, **patience):
        asked.append(serial)
        return None if len(asked) == 1 else honest(serial, **patience)

    return hello


def test_where_nobody_answers_a_reset_comes_before_new_firmware(terminal_board, monkeypatch):
    monkeypatch.setattr(module, "PATIENCE", 0.3)
    monkeypatch.setattr(module, "LATE", 0.5)
    monkeypatch.setattr(Remote, "facts", lambda self: parse_facts("ets Jul 29 2019"))
    check = next(check for check in doctor(terminal_board.path) if check.name == "firmware")
    assert check.state == FAIL
    assert check.todo.index("press RESET (EN)") < check.todo.index("MicroPython")


GOOD = BoardFacts(
    "micropython", "1.26.0", "Raspberry Pi Pico with RP2040", "rp2", 240_000, 8_000, MpyFormat(6, 3, "armv6m"), True,
    True, False, 1_000_000, True, True, True, "ours",
)  # fmt: skip


@pytest.mark.parametrize(
    ("change", "name", "state", "todo"),
    [
        ({}, "native", OK, ""),
        ({"native": False, "thumb": False}, "native", WARN, "micropython.org"),
        ({"native": False, "thumb": False}, "ulab", WARN, "ulab"),
        ({"version": "1.9.2"}, "firmware", WARN, "--firmware"),
        ({"heap_free": 9_000}, "heap", FAIL, "more"),
        ({"writable": False}, "files", WARN, "eject"),
        ({"mpy": None}, "mpy", OK, ""),
        ({"mpy": MpyFormat(5, 0, "armv6m")}, "mpy", WARN, "pip install"),
    ],
)
def test_what_is_wrong_is_told_with_what_to_do(change, name, state, todo):
    check = next(check for check in module._facts(replace(GOOD, **change), "more") if check.name == name)
    assert check.state == state
    assert todo in check.todo


def test_full_flash_and_slow_links():
    assert module._space(-1).state == OK
    assert module._space(10_000).state == WARN
    assert module._round_trip(0.9).state == WARN
    assert module._engine("plain").state == WARN


def test_the_boards_answers_are_read():
    facts = parse_facts(
        "boot chatter\ntpsgd:free=1000\ntpsgd:name=circuitpython\ntpsgd:version=9.2.1\ntpsgd:mpy=518\n"
        "tpsgd:native!SyntaxError\ntpsgd:main!OSError\ntpsgd:ulab=1\ntpsgd:flash=rubbish\n"
    )
    assert (facts.name, facts.heap_free, facts.ulab, facts.native, facts.main) == (
        "circuitpython", 1000, True, False, "none",
    )  # fmt: skip
    assert facts.mpy is None  # the number is MicroPython's, the files are not
    assert facts.flash_free == 0
