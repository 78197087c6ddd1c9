"""record --port: words and gestures of a board's sensor; and takes that are asked for, with a countdown."""

from __future__ import annotations

import gc
import json
import sys

import numpy as np
import pytest
from commands import call, fails
from sensors import GESTURES, SOUND, write_gestures
from sounds import speech, write_wav

from tpsgd_host.data.load import load_samples
from tpsgd_host.data.playing import Piece, played
from tpsgd_host.data.wav import find_recordings, read_wav
from tpsgd_host.flashing.flash import flash
from tpsgd_host.model.build import build_model
from tpsgd_host.model.parsing import parse_config
from tpsgd_host.recording.cutter import Cutter
from tpsgd_host.recording.prompter import OPEN, Prompter
from tpsgd_host.recording.recorder import Recorder
from tpsgd_host.recording.store import WavFolder


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for label, seed in (("one", 1), ("two", 2)):
        for take in range(2):
            write_wav(tmp_path / "words" / label / f"{take}.wav", speech(8000, 1, 10 * seed + take)[4000:8000])
    write_gestures(tmp_path / "g.csv")
    return tmp_path


def put(folder, text, data):
    """Flash a virtual board with a model for ``data``."""
    config = parse_config(text, "m.toml")
    model = build_model(config, load_samples(data, config.layout))
    model.save(folder / "m.tpsgd")
    flash(folder / "m.tpsgd", folder=folder / "board", heap=400 * 1024)


def files_of(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.wav")}


def test_words_of_a_boards_microphone_are_those_that_were_played(here, interpreter):
    put(here, SOUND, here / "words")
    port = ("--port", "virtual", "--board-dir", "board", "--from", "words", "--fast")
    report = json.loads(call("record", "set", *port, "--json"))
    assert (report["added"], report["lost"], report["counts"]) == (4, 0, {"one": 2, "two": 2})
    call("record", "straight", "--from", "words", "--fast")
    assert files_of(here / "set") == files_of(here / "straight")
    said = call("record", "near", *port, "--compress")
    assert "4 recordings added" in said and "lost" not in said
    pairs = zip(find_recordings(here / "near"), find_recordings(here / "set"), strict=True)
    for near, exact in pairs:
        x, y = (read_wav(one.path, 8000).astype(float) for one in (near, exact))
        n = min(len(x), len(y))
        assert abs(len(x) - len(y)) <= 2 * 128
        shift = max(range(-256, 257, 128), key=lambda s: float((np.roll(x[:n], s) * y[:n]).sum()))
        assert ((np.roll(x[:n], shift) - y[:n]) ** 2).mean() < 0.02 * (y**2).mean()


def test_gestures_of_a_boards_sensor_are_those_that_were_played(here, interpreter):
    put(here, GESTURES, here / "g.csv")
    call("record", "set.csv", "--port", "virtual", "--board-dir", "board", "--from", "g.csv", "--fast")
    (here / "m.toml").write_text(GESTURES)
    call("record", "straight.csv", "--from", "g.csv", "--model", "m.toml", "--fast")
    assert (here / "set.csv").read_bytes() == (here / "straight.csv").read_bytes()
    assert len((here / "set.csv").read_text().splitlines()) > 100


def test_what_a_board_cannot_give_is_refused(here, interpreter):
    put(here, SOUND, here / "words")
    assert "what is played to it" in fails(3, "record", "set", "--port", "virtual", "--board-dir", "board")
    assert "real board" in fails(3, "record", "set", "--port", "/dev/ttyX", "--from", "words")
    assert "of which labels" in fails(3, "record", "set", "--from", "words", "--takes", "2")


def test_a_recording_that_ends_early_ends_the_tape(here, interpreter, monkeypatch):
    put(here, SOUND, here / "words")
    wrong = []
    monkeypatch.setattr(sys, "unraisablehook", wrong.append)
    port = ("--port", "virtual", "--board-dir", "board", "--from", "words")
    said = call("record", "set", *port, "--fast", "--labels", "x", "--takes", "1")
    gc.collect()
    assert "1 recordings added" in said and not wrong


def recorder_of(folder, prompter=None, labels=()):
    layout = parse_config(SOUND, "m.toml").layout
    return layout, Recorder(Cutter(layout.front, 1), WavFolder(folder, 8000), "", labels, prompter)


def test_so_many_takes_of_each_label_then_the_end(here):
    said = call("record", "set", "--from", "words", "--fast", "--labels", "a,b", "--takes", "2")
    assert "a 2, b 2" in said
    said = call("record", "set", "--from", "words", "--fast", "--labels", "a,b", "--takes", "1")
    assert "2 recordings added" in said and "a 3, b 3" in said


def test_an_undone_take_comes_again(here):
    prompter = Prompter(["a", "b"], 1)
    layout, recorder = recorder_of(here / "set", prompter)
    asked = []

    def step():
        asked.append(recorder.state.label)
        if recorder.state.added == 1 and not recorder.state.undone:
            recorder.undo()

    recorder.run(played(here / "words", layout), 8000, False, step)
    assert dict(+recorder.store.counts) == {"a": 1, "b": 1}
    assert [name for name, before in zip(asked, ["", *asked], strict=False) if name != before] == ["a", "b", "a", "b"]


def test_words_count_after_the_countdown_only(here):
    """A word a second: of those in the three seconds of a countdown none is kept."""
    prompter = Prompter(["a"], 3, 3.0)
    _, recorder = recorder_of(here / "set", prompter)
    prompts = []
    recorder.run(
        [Piece(speech(8000, 20)[:, None])], 8000, False, lambda: prompts.append(recorder.state.prompt)
    )  # fmt: skip
    assert recorder.state.added == 3
    shown = [one for one, before in zip(prompts, ["", *prompts], strict=False) if one != before]
    assert shown[:4] == ["3  a, take 1 of 3", "2  a, take 1 of 3", "1  a, take 1 of 3", "now: a, take 1 of 3"]
    assert shown[4].startswith(("4", "3")) and "take 2 of 3" in shown[4]
    assert 9 < len(prompts) * 0.05 < 20


def test_without_a_word_the_countdown_begins_anew(here):
    prompter = Prompter(["a"], 1, 1.0)
    _, recorder = recorder_of(here / "set", prompter)
    lasts = set()
    quiet = np.random.default_rng(1).normal(0, 20, (round(8000 * (2 * OPEN + 3)), 1)).astype(np.int16)
    recorder.run([Piece(quiet)], 8000, False, lambda: lasts.add(recorder.state.last))
    assert recorder.state.added == 0
    assert "nothing was heard: again" in lasts


def test_a_boards_button_chooses_the_next_label(here):
    _, recorder = recorder_of(here / "set", labels=["x", "y"])
    chosen = []
    silence = np.zeros((400, 1), np.int16)
    pieces = [Piece(silence, pressed=pressed) for pressed in (False, True, True, False, True, False, True)]
    recorder.run(pieces, 8000, False, lambda: chosen.append(recorder.state.label))
    assert chosen == ["", "x", "x", "x", "y", "y", "x"]


BUTTON = """
from time import ticks_ms

from tpsgd.capture import Stream

reads = 0


class Counting(Stream):
    def readinto(self, buffer):
        global reads
        n = super().readinto(buffer)
        reads += n > 0
        return n


def open():
    return Counting(8000, 1)


def button():
    return 60 <= reads < 90 or reads >= 380
"""


def test_the_button_of_sensor_py_is_told_with_the_values(here, interpreter):
    """Blocks of 32 values: pressed at value 1,920, and after the first word."""
    put(here, SOUND, here / "words")
    (here / "board" / "sensor.py").write_text(BUTTON)
    said = call(
        "record", "set", "--port", "virtual", "--board-dir", "board", "--from", "words/one", "--fast",
        "--labels", "x,y",
    )  # fmt: skip
    assert "x 1, y 1" in said
