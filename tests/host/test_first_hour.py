"""Errors of the first hour: one clear message, one documented exit code, never a traceback."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

import pytest
from commands import call, fails
from motions import write_motions

from tpsgd_host import errors
from tpsgd_host.bench.timing import network
from tpsgd_host.cli import EPILOG


def test_exit_codes_are_documented():
    for name in errors.__dict__:
        kind = getattr(errors, name)
        if isinstance(kind, type) and issubclass(kind, errors.TpsgdError):
            assert f" {kind.exit_code}  " in EPILOG, name


def test_data_file_missing(flashed):
    assert "nothere.csv" in fails(4, "stream", "nothere.csv")


def test_model_file_missing(place):
    text = fails(5, "simulate", "train.csv", "--model", "nothere.tpsgd")
    assert "nothere.tpsgd" in text
    assert "tpsgd-host quantize" in text
    fails(5, "flash", "nothere.tpsgd")
    fails(5, "inspect", "nothere.tpsgd")


def test_wrong_columns(flashed):
    text = open("train.csv").read().replace("ax", "az", 1)
    open("other.csv", "w").write(text)
    text = fails(4, "stream", "other.csv")
    assert "ax" in text
    assert "az" in text


def test_not_a_number(flashed):
    lines = open("train.csv").read().splitlines()
    lines[3] = lines[3].rsplit(",", 1)[0] + ",nan"
    open("bad.csv", "w").write("\n".join(lines) + "\n")
    text = fails(4, "stream", "bad.csv")
    assert "line 4" in text
    assert "--bad-rows skip" in text


def test_label_unknown_to_the_model(flashed):
    write_motions(flashed / "new.csv", 3, 5, ("slow", "fast", "wild"))
    text = fails(4, "stream", "new.csv")
    assert "wild" in text
    assert "still" in text


def test_label_column_missing(flashed):
    open("train2.csv", "w").write(open("train.csv").read().replace("label", "gesture", 1))
    text = fails(4, "stream", "train2.csv")
    assert "label" in text
    assert "gesture" in text
    call("stream", "train2.csv", "--label", "gesture", "-e", "1")


def test_no_such_port(place):
    assert "/dev/ttyNOPE" in fails(6, "stream", "train.csv", "--port", "/dev/ttyNOPE")
    fails(6, "eval", "train.csv", "--port", "socket://127.0.0.1:1")


def test_a_board_that_answers_nothing(place, monkeypatch):
    import tpsgd_host.boards.connect as connect

    real = connect.Session
    monkeypatch.setattr(connect, "Session", lambda *a, **k: real(*a, **k, patience=0.3))
    ours, theirs = pty.openpty()
    try:
        text = fails(7, "stream", "train.csv", "--port", os.ttyname(theirs))
    finally:
        os.close(ours)
        os.close(theirs)
    assert "not answered" in text
    assert "flash" in text


def test_a_bare_board(place):
    assert "tpsgd-host flash" in fails(7, "stream", "train.csv")


def test_model_too_big(place, interpreter):
    network((1000, 300, 2)).save(place / "big.tpsgd")
    text = fails(8, "flash", "big.tpsgd", "--heap", "64k")
    assert "65536" in text
    assert "--heap" in text


def test_a_damaged_model(flashed):
    data = bytearray((flashed / "motion.tpsgd").read_bytes())
    data[len(data) // 2] ^= 1
    (flashed / "motion.tpsgd").write_bytes(data)
    assert "CRC" in fails(5, "flash", "motion.tpsgd")


def test_a_model_that_is_not_the_boards(flashed):
    network().save(flashed / "other.tpsgd")
    assert "tpsgd-host flash" in fails(9, "stream", "train.csv", "--model", "other.tpsgd")


def test_two_kinds_of_held_out_samples(flashed):
    fails(3, "stream", "train.csv", "--test", "test.csv", "--test-split", "0.2")


def test_an_engine_the_board_has_not(flashed):
    assert "thumb" in fails(7, "stream", "train.csv", "--engine", "thumb")


def test_a_demo_without_its_data(place, monkeypatch):
    from tpsgd_host.tasks import shipped

    monkeypatch.setattr(shipped, "find_spec", lambda name: None)
    assert "tpsgd[demo]" in fails(10, "demo", "gesture")


@pytest.mark.parametrize(
    "arguments", [[], ["stream", "a.csv", "b.csv"], ["stream", "a.csv", "--epochs", "0"], ["nonsense"]]
)
def test_wrong_use_is_exit_code_two(arguments):
    done = subprocess.run([sys.executable, "-m", "tpsgd_host", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_a_reader_that_goes_away_is_no_error(place):
    done = subprocess.run(
        f"{sys.executable} -m tpsgd_host --help | head -1", shell=True, capture_output=True, text=True, check=False
    )
    assert "Traceback" not in done.stderr
