"""A folder is a project: commands find its model, description and data file, and the board flashed from it."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from commands import call, fails

from tpsgd_host.boards import remembered as module
from tpsgd_host.boards.remembered import remember, remembered
from tpsgd_host.cli import cli
from tpsgd_host.commands import project
from tpsgd_host.model.modelfile import load_model


@pytest.fixture
def folder(place):
    """A folder with one data file and one description."""
    os.remove("test.csv")
    call("new", "motion", "--data", "train.csv", "--network", "rnn", "--hidden", "12", "--steps", "10")
    return place


def result(*arguments):
    """Run a command; return its JSON and what it said besides."""
    done = CliRunner().invoke(cli, [str(a) for a in arguments])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout), done.stderr


def test_flash_makes_the_model_that_is_missing_or_older(folder, interpreter):
    flashed, said = result("flash", "--json")
    assert flashed["model"] == "motion"
    assert "motion.tpsgd does not exist yet: made with tpsgd-host quantize motion.toml --data train.csv" in said
    before = load_model(Path("motion.tpsgd"))
    assert result("flash", "--json")[1] == "model: motion.tpsgd\n"
    text = Path("motion.toml").read_text()
    Path("motion.toml").write_text(re.sub(r"(?m)^seed = 1\b", "seed = 2", text))
    later = os.stat("motion.tpsgd").st_mtime + 2
    os.utime("motion.toml", (later, later))
    flashed, said = result("flash", "--json")
    assert "motion.tpsgd is older than motion.toml" in said
    assert "motion.tpsgd.old" in said
    assert load_model(Path("motion.tpsgd.old")).crc == before.crc  # it may have learned: it is not thrown away
    assert flashed["model_crc"] == load_model(Path("motion.tpsgd")).crc != before.crc


def test_no_command_needs_a_name_in_a_project(folder, interpreter):
    assert "wrote motion.tpsgd" in call("quantize")
    call("flash")
    board, _ = result("stream", "--epochs", "1", "--json")
    host, _ = result("simulate", "--epochs", "1", "--json")
    assert board["weights_crc"] == host["weights_crc"]
    assert result("eval", "--json")[0]["weights_crc_hex"] == board["weights_crc_hex"]
    compared, _ = result("compare", "--methods", "int-tpsgd", "--seeds", "1", "--epochs", "1", "--json")
    assert compared


def test_an_empty_folder_says_the_commands_that_fill_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = fails(3, "flash", "--board", "esp32")
    assert "tpsgd-host new gestures --data DATA.csv; then: tpsgd-host quantize gestures.toml --data DATA.csv" in text
    for command in ("stream", "compare", "eval"):
        assert "there is none here" in fails(4, command)
    assert "tpsgd-host new" in fails(3, "quantize")
    Path("waves.csv").write_text("label,x\na,1\n")
    assert "tpsgd-host new waves --data waves.csv" in fails(3, "flash")
    Path("pyproject.toml").write_text("[project]\nname = 'x'\n")  # another tool's TOML is no description
    assert "no TOML to make one from" in fails(3, "flash")


def test_several_are_named_and_asked_about(folder, interpreter, monkeypatch):
    call("quantize")
    Path("other.tpsgd").write_bytes(Path("motion.tpsgd").read_bytes())
    assert "Which model? There are 2 here: motion.tpsgd, other.tpsgd. Name one." in call("flash", code=2)
    Path("more.csv").write_bytes(Path("train.csv").read_bytes())
    assert "Which data file? There are 2 here: more.csv, train.csv. Name one." in call("stream", code=2)
    asked = []
    monkeypatch.setattr(project.click, "prompt", lambda text, **options: asked.append(text) or "other.tpsgd")
    monkeypatch.setattr(project.sys, "stdin", type("Terminal", (), {"isatty": lambda self: True})())
    assert project.model_here() == Path("other.tpsgd")
    assert asked == ["Which model?"]


def test_the_board_that_was_flashed_is_the_one_that_is_talked_to(folder, interpreter, monkeypatch):
    assert remembered(Path()) is None
    call("flash")
    assert remembered(Path()) is None  # the virtual board needs no note
    assert remember(Path(), "esp32", "/dev/ttyNOPE")
    assert (remembered(Path()).board, remembered(Path()).port) == ("esp32", "/dev/ttyNOPE")
    for command in (["stream"], ["eval"], ["pull"], ["monitor", "--seconds", "1"], ["reset-model", "--yes"]):
        text = fails(6, *command)
        assert "board: esp32 at /dev/ttyNOPE, as flashed from this folder" in text
        assert "no port /dev/ttyNOPE" in text
    call("stream", "--port", "virtual", "--epochs", "1")
    monkeypatch.setattr(module, "locate", lambda port, usb: "/dev/ttyNEW")
    assert "no port /dev/ttyNEW" in fails(6, "stream")  # its USB device has another name now
    call("flash")
    assert remembered(Path()) is None
    call("stream", "--epochs", "1")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"board": 1}', "[" * 10000, "\xff"])
def test_a_damaged_note_is_no_note(tmp_path, text):
    (tmp_path / module.FILE).write_text(text)
    assert remembered(tmp_path) is None
