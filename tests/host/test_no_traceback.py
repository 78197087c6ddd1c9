"""Whatever a command is given, it ends with one message and an exit code of the table, never in a traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import traceback

import pytest
from click.testing import CliRunner
from commands import call
from motions import write_motions

from tpsgd_host.cli import cli

#: Exit codes that --help documents for what is wrong on this side of the cable.
KNOWN = (1, 2, 3, 4, 5, 6, 7)


def ends_well(*words):
    """Run a command; return its exit code and what it said: whatever ended it, the command has a message for it."""
    result = CliRunner().invoke(cli, [str(word) for word in words])
    trace = "".join(traceback.format_exception(result.exception)) if result.exception else ""
    assert isinstance(result.exception, (SystemExit, type(None))), result.output + trace
    return result.exit_code, result.output


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    """A folder with data and a model, as the current one."""
    before, folder = os.getcwd(), tmp_path_factory.mktemp("here")
    os.chdir(folder)
    write_motions(folder / "train.csv", 30, 1)
    call("new", "motion", "--data", "train.csv", "--network", "rnn", "--hidden", "12", "--steps", "10")
    call("quantize", "motion.toml", "--data", "train.csv")
    (folder / "folder").mkdir()
    (folder / "file").write_text("a file")
    yield folder
    os.chdir(before)


SIMULATE = ("simulate", "train.csv", "-m", "motion.tpsgd", "--epochs", "1")
EVAL = ("eval", "train.csv", "-m", "motion.tpsgd")

#: Command lines that cannot be carried out, and a word of what they must say.
REFUSED = [
    ((*EVAL, "--predictions", "missing/p.csv"), "cannot be written"),
    ((*EVAL, "--predictions", "folder"), "cannot be written"),
    ((*EVAL, "--predictions", "file/p.csv"), "cannot be written"),
    ((*EVAL, "--predictions", "/proc/p.csv"), "cannot be written"),
    ((*EVAL, "--predictions", "/dev/full"), "No space left"),
    ((*EVAL, "--predictions", "x" * 300), "cannot be written"),
    (("quantize", "motion.toml", "--data", "train.csv", "-o", "missing/m.tpsgd"), "cannot be written"),
    (("quantize", "motion.toml", "--data", "train.csv", "-o", "folder"), ""),
    (("quantize", "motion.toml", "--data", "train.csv", "-o", "file/m.tpsgd"), ""),
    ((*SIMULATE, "--runs", "file"), "cannot be written"),
    ((*SIMULATE, "--runs", "file/runs"), "cannot be written"),
    ((*SIMULATE, "--runs", "/proc/runs"), "cannot be written"),
    (("simulate", "train.csv", "-m", "motion.tpsgd", "--epochs", "999999999999"), "at most 4,294,967,295"),
    (("simulate", "train.csv", "-m", "motion.tpsgd", "--epochs", "1" + 40 * "0"), "at most 4,294,967,295"),
    (("simulate", "train.csv", "-m", "motion.tpsgd", "--epochs", "-1"), "--epochs"),
    (("simulate", "folder", "-m", "motion.tpsgd"), ""),
    (("simulate", "train.csv", "-m", "folder"), ""),
    (("simulate", "train.csv", "-m", "train.csv"), ""),
    (("simulate", "motion.tpsgd", "-m", "motion.tpsgd"), ""),
    (("simulate", "/dev/null", "-m", "motion.tpsgd"), ""),
    (("simulate", "train.csv", "-m", "/dev/null"), ""),
    (("stream", "train.csv", "--reconnect", "inf"), "not a time"),
    (("stream", "train.csv", "--reconnect", "nan"), "not a time"),
    (("stream", "train.csv", "--reconnect", "-1"), "--reconnect"),
    (("stream", "train.csv", "--checkpoint-every", "99999999999"), "--checkpoint-every"),
    (("stream", "train.csv", "--port", "missing"), ""),
    (("stream", "train.csv", "--port", "folder"), ""),
    (("stream", "train.csv", "--port", "/dev/null"), ""),
    (("stream", "train.csv", "--baud", "-1", "--port", "/dev/null"), ""),
    (("stream", "--resume", "folder"), "not the folder of a run"),
    (("stream", "--resume", "--runs", "file"), ""),
    (("pull", "-o", "missing/m.tpsgd", "--port", "missing"), ""),
    (("pull", "--board-dir", "folder"), ""),
    (("plot", "folder"), ""),
    (("plot", "file"), ""),
    (("inspect", "folder"), ""),
    (("inspect", "/dev/null"), ""),
    (("compare", "folder"), ""),
    (("compare", "train.csv", "--model", "motion.toml", "--out", "file/compared", "--seeds", "1"), ""),
    (("flash", "folder", "--board", "virtual", "--board-dir", "b"), ""),
    (("flash", "motion.tpsgd", "--board", "virtual", "--board-dir", "file"), ""),
    (("flash", "motion.tpsgd", "--board", "virtual", "--board-dir", "b", "--heap", "1" + 30 * "0"), ""),
    (("adapt", "motion.tpsgd", "-o", "missing/m.tpsgd"), ""),
    (("demo", "gesture", "--out", "file/demo"), ""),
]


@pytest.mark.parametrize(("words", "says"), REFUSED, ids=lambda value: " ".join(value)[:60] if value else "-")
def test_what_cannot_be_done_is_one_message(here, words, says):
    code, said = ends_well(*words)
    assert code in KNOWN, said
    assert says in " ".join(said.split()), said
    assert sum(line.lower().startswith("error: ") for line in said.splitlines()) == 1, said


ACCEPTED = [
    (*SIMULATE, "--split-seed", "-5", "--test-split", "0.5"),
    (*SIMULATE, "--split-seed", "9" * 30, "--test-split", "0.5"),
    (*SIMULATE, "--shuffle-seed", "9" * 30),
    (*SIMULATE, "--test", "train.csv", "--test-every", "9" * 30),
    (*SIMULATE, "--name", "../../../x\x1b[2J"),
    (*EVAL, "--predictions", "/dev/null"),
]


@pytest.mark.parametrize("words", ACCEPTED, ids=lambda words: " ".join(words[5:])[:40].replace("\x1b", ""))
def test_what_is_odd_and_means_something_is_done(here, words):
    code, said = ends_well(*words)
    assert code == 0, said


PRINTING = [(*SIMULATE, "--json"), SIMULATE, EVAL, ("boards",), ("--help",), ("inspect", "motion.tpsgd")]


@pytest.mark.parametrize("words", PRINTING, ids=lambda words: words[0] + words[-1])
def test_a_full_standard_output_is_one_message(here, words):
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "tpsgd_host", *words], stdout=full, stderr=subprocess.PIPE, text=True, timeout=120
        )
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    assert "No space left" in done.stderr


#: What a run's config may be made to say, and what is said of it.
EDITED = [
    ("epochs", -3), ("epochs", 0), ("epochs", 1 << 70), ("epochs", 2.5), ("epochs", "10"), ("epochs", None),
    ("epochs", True), ("epochs", 7), ("run_id", -1), ("run_id", 1 << 32), ("run_id", "x"), ("run_id", None),
    ("fresh", "no"), ("model_crc", "x"), ("model_crc", 1), ("total", 5), ("split_seed", "x"), ("test_split", -1),
    ("test_split", 0.5), ("shuffle_seed", -1), ("shuffle_seed", []),
    ("resume", None), ("resume", {}), ("resume.every", -1), ("resume.every", 1 << 40), ("resume.every", "x"),
    ("resume.engine", "fast"), ("resume.engine", 5), ("resume.baud", 0), ("resume.baud", "x"), ("resume.heap", -1),
    ("resume.reconnect", -1), ("resume.reconnect", "x"), ("resume.names", "abc"), ("resume.names", [1, 2, 3]),
    ("resume.names", ["a"]), ("resume.data", 5), ("resume.data", "missing.csv"), ("resume.data", "a\0b"),
    ("resume.data", ""), ("resume.test", 5), ("resume.test_every", 0), ("resume.bad_rows", "some"), ("resume.port", 5),
    ("resume.port", "missing"), ("resume.folder", 5), ("resume.folder", "missing"), ("resume.usb", 5),
    ("resume.records_crc", "x"), ("resume.records_crc", 5),
]  # fmt: skip


@pytest.fixture(scope="module")
def stopped(here, interpreter):
    """The folder of a run that was stopped, and its config."""
    call("flash", "motion.tpsgd", "--board", "virtual", "--board-dir", "board")
    process = subprocess.Popen(
        [sys.executable, "-m", "tpsgd_host", "stream", "train.csv", "--epochs", "900", "--board-dir", "board",
         "--engine", "plain", "--runs", "stopped", "--json"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    while not any(path.stat().st_size > 3000 for path in here.glob("stopped/*/log.csv")):
        assert process.poll() is None
    process.kill()
    process.wait()
    (folder,) = (here / "stopped").iterdir()
    return folder, json.loads((folder / "config.json").read_text())


@pytest.mark.parametrize(("key", "value"), EDITED)
def test_an_edited_config_is_refused(stopped, key, value):
    folder, config = stopped
    edited = json.loads(json.dumps(config))
    *way, last = key.split(".")
    place = edited[way[0]] if way else edited
    place[last] = value
    (folder / "config.json").write_text(json.dumps(edited))
    code, said = ends_well("stream", "--resume", folder)
    assert code in (3, 4, 6, 7, 9), said
    assert sum(line.startswith("error: ") for line in said.splitlines()) == 1, said


@pytest.mark.parametrize("text", ["", "[]", "{", "null", "\0", "[" * 100_000, '{"epochs": NaN}'])
def test_a_config_that_is_none_is_refused(stopped, text):
    folder, _ = stopped
    (folder / "config.json").write_text(text)
    code, said = ends_well("stream", "--resume", folder)
    assert code in (3, 4), said
