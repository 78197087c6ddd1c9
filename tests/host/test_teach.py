"""Teaching: what a lesson's screen knows and shows, what is kept as data, and lessons with the virtual board."""

from __future__ import annotations

import json

import numpy as np
import pytest
from commands import call, fails
from sensors import GESTURES, SOUND, write_gestures

from tpsgd_host.boards.live import Heard, Taught
from tpsgd_host.data.load import load_samples
from tpsgd_host.data.playing import Piece, played
from tpsgd_host.data.wav import find_recordings
from tpsgd_host.errors import ConfigError, DataError
from tpsgd_host.link.messages import Level
from tpsgd_host.model.modelfile import load_model
from tpsgd_host.model.parsing import parse_config
from tpsgd_host.teaching.begin import begin
from tpsgd_host.teaching.keeping import Keeper, Overheard
from tpsgd_host.teaching.progress import Progress
from tpsgd_host.teaching.recital import Recital
from tpsgd_host.teaching.view import KEYS, class_lines, doing, level_lines, note_line, state_lines, teaching_keys

LAYOUT = parse_config(SOUND, "m.toml").layout
MOTION = parse_config(GESTURES, "m.toml").layout


def heard(event, predicted, shares):
    return Heard(event, 0.4, 0, predicted, shares, None)


def taught(label, predicted, kept, seen):
    return Taught(label, predicted, 0.5, kept, 20, seen)


def test_progress_counts_what_was_taught_and_takes_it_back():
    progress = Progress(("on", "off"))
    progress.learn(0)
    assert progress.accuracy is None and progress.probabilities == (0, 0) and not progress.unsaved
    for event, (label, predicted) in enumerate([("on", "off"), ("off", "off"), ("on", "on"), ("on", "off")], 1):
        progress.hear(heard(event, predicted, (0.2, 0.8)))
        progress.teach(taught(label, predicted, event, event))
    assert progress.counts == {"on": 3, "off": 1}
    assert progress.accuracy == 0.5 and progress.unsaved and progress.kept == 4
    progress.undo(taught("on", "", 3, 4))
    assert progress.counts == {"on": 2, "off": 1} and progress.accuracy == 2 / 3
    progress.undo(taught(None, "", 3, 4))
    assert progress.note == "nothing to take back" and progress.counts == {"on": 2, "off": 1}
    progress.save()
    progress.learn(4)
    assert not progress.unsaved
    progress.learn(5)
    assert progress.unsaved


def test_a_word_that_the_board_is_not_sure_of_is_not_right():
    progress = Progress(("on", "off"))
    progress.hear(heard(1, "", (0.5, 0.5)))
    progress.test("on")
    progress.miss("off")
    assert [answer.right for answer in progress.tested] == [False, False]
    assert "not sure" in progress.note or "not heard" in progress.note


@pytest.mark.parametrize("width", [38, 58, 78, 138])
@pytest.mark.parametrize("unicode", [True, False])
def test_no_line_of_the_screen_is_wider_than_the_terminal(width, unicode):
    progress = Progress(("on", "a rather long name of a class", "bad\x1b[2Jname", *map(str, range(20))))
    progress.hear(heard(1, "on", (0.5,) * 23))
    progress.teach(taught("on", "off", 1, 123456))
    for i in range(300):
        progress.measure(Level(1, True, False, True, i / 300, 3, 2, 123456, bytes([i % 256] * 3)))
    progress.playing, progress.note = "on", "x" * 500
    lines = [*level_lines(progress, width, unicode, True), *level_lines(progress, width, unicode, False)]
    lines += [*class_lines(progress, width, unicode), note_line(progress, width)]
    assert all(line.cell_len <= width for line in lines)
    shown = "\n".join(line.plain for line in [*lines, doing(progress), *state_lines(progress)])
    assert "\x1b" not in shown and "badname" in shown and "lost values 3 times" in shown
    assert unicode or shown.isascii()


def test_each_class_has_a_key_that_is_no_command():
    assert len(set(KEYS)) == len(KEYS) and not set(KEYS) & set("usqp")
    assert [teaching_keys(["x"] * n) for n in (2, 9, 10, 12, 99)] == ["1-2", "1-9", "1-9 a", "1-9 a-c", "1-9 a-z"]


def test_what_the_host_overhears_is_kept_as_sound_else_as_samples(spoken):
    overheard = Overheard(LAYOUT)
    keeper = Keeper(spoken / "kept", LAYOUT, ("low", "high"), overheard)
    for _ in overheard.hear(played(spoken / "said", LAYOUT)):
        pass
    cuts = list(overheard._cuts)
    assert len(cuts) == 12
    assert keeper.add(cuts[0].sample, "low") == "low/0001.wav"
    near = bytes(min(255, x + 2) for x in cuts[7].sample)
    assert keeper.add(near, "high") == "high/0001.wav"
    assert keeper.add(bytes(range(1, 161)) * 2, "low") == "low-1"  # nothing of the kind was played
    assert keeper.counts == {"low": 2, "high": 1}
    assert [one.label for one in find_recordings(spoken / "kept")] == ["high", "low"]
    assert len(load_samples(spoken / "kept.csv", LAYOUT)) == 1
    assert [keeper.undo() for _ in range(4)] == ["low", "high", "low", ""]
    assert not keeper.counts
    with pytest.raises(ConfigError, match="cannot name a folder"):
        Keeper(spoken / "other", LAYOUT, ("a/b", "c"))


def test_gestures_that_only_a_board_saw_are_kept_as_readings(tmp_path):
    keeper = Keeper(tmp_path / "seen", MOTION, ("a", "b"))
    sample = np.random.default_rng(2).integers(1, 256, 24).astype(np.uint8)
    keeper.add(sample.tobytes(), "b")
    keeper.add(sample[::-1].tobytes(), "a")
    model = parse_config(GESTURES, "m.toml")
    read = load_samples(tmp_path / "seen.csv", model.layout)
    assert read.classes == ("a", "b")
    assert (read.values[0].ravel() + 128 == sample).all()


def test_a_recital_teaches_a_few_of_each_class_in_turn_and_tests_the_rest():
    pieces = [Piece(np.full((10, 1), i, np.int16), "abx"[i % 3]) for i in range(18)]
    recital = Recital(pieces, ("a", "b"), 2, seed=3)
    assert [piece.label for piece in recital.taught] == ["a", "b", "a", "b"]
    assert sorted(piece.label for piece in recital.tested) == ["a"] * 4 + ["b"] * 4
    assert len({piece.values[0, 0] for piece in recital.taught + recital.tested}) == 12
    with pytest.raises(DataError, match="fewer: a 6, b 6"):
        Recital(pieces, ("a", "b"), 7)


def test_a_model_from_nothing_is_made_once(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    first = begin(("on", "off"), "sound")
    again = begin(("on", "off"), "sound")
    assert first.fresh and not again.fresh and first.path.name == "words.tpsgd"
    assert load_model(first.path).crc == again.model.crc
    assert first.model.layout.hears and first.model.classes == ("on", "off")
    with pytest.raises(ConfigError, match="is a model of on, off, not of on, off, stop"):
        begin(("on", "off", "stop"), "sound")
    moved = begin(("wave", "tap"), "motion").model
    assert set(moved.layout.front.multipliers) == {round(127 * 65536 / 2000)}
    assert moved.layout.front.counts == 1000


def test_played_words_are_taught_tested_and_kept(spoken, interpreter):
    flags = ("--board-dir", "board", "--as-labelled", "--samples", 3, "--json")
    done = json.loads(call("teach", "low", "high", "--play", "said", *flags))
    assert done["taught"] == {"low": 3, "high": 3} == done["kept_data"]
    assert (done["tested"], done["unheard"], done["extra"], done["overruns"]) == (6, 0, 0, 0)
    assert done["accuracy"] == 1.0 and done["saved"] and done["seen"] == 6 + 10 * 6
    assert len(load_samples("taught/words", load_model(spoken / "words.tpsgd").layout)) == 6
    call("simulate", "taught/words", "--model", "words.tpsgd", "--epochs", 2)
    more = json.loads(call("teach", "--play", "said", *flags, "--seed", 2))  # goes on with the board's
    assert more["seen"] == done["seen"] + 66 and more["kept_data"] == {"low": 6, "high": 6}
    assert more["prequential"] == 1.0
    again = json.loads(call("teach", "low", "high", "--play", "said", *flags))  # the same model: it stays
    assert again["seen"] == more["seen"] + 66


def test_the_same_recital_gives_the_same_weights(spoken, interpreter):
    crcs = set()
    for folder in ("one", "two"):
        flags = ("--board-dir", folder, "--as-labelled", "--samples", 2, "--json")
        crcs.add(json.loads(call("teach", "low", "high", "--play", "said", "--yes", *flags))["weights_crc_hex"])
    assert len(crcs) == 1


def test_played_gestures_are_taught_and_kept_as_a_table(tmp_path, monkeypatch, interpreter):
    monkeypatch.chdir(tmp_path)
    write_gestures(tmp_path / "g.csv", 12)
    done = json.loads(
        call("teach", "a", "b", "--play", "g.csv", "--as-labelled", "--samples", 4, "--board-dir", "board", "--json")
    )
    assert done["taught"] == {"a": 4, "b": 4} and done["data"] == "taught/gestures.csv"
    assert done["tested"] == 4 and done["accuracy"] == 1.0
    assert len(load_samples("taught/gestures.csv", load_model(tmp_path / "gestures.tpsgd").layout)) == 8


def test_the_demo_teaches_from_nothing(spoken, interpreter):
    done = json.loads(call("demo", "teach", "--data", "said", "--out", "demo", "--json"))
    assert done["taught"] == {"high": 5, "low": 5} and done["accuracy"] == 1.0 and done["tested"] == 2
    said = call("demo", "teach", "--data", "said", "--out", "demo")
    assert "$ tpsgd-host teach high low --play demo/said" in said and "right among 2" in said
    assert "not for a lesson" in call("demo", "teach", "--epochs", 3, code=2)


def test_what_cannot_be_taught_is_said(spoken):
    assert "name them with --play" in call("teach", "--as-labelled", code=2)
    assert "use one of them" in call("teach", "--play", "said", "--microphone", code=2)
    assert "each word once" in call("teach", "on", "on", "--play", "said", code=2)
    assert "no terminal" in fails(3, "teach", "--microphone")
    assert "hears its own sensor" in fails(3, "teach", "--play", "said", "--as-labelled", "--port", "/dev/none")
