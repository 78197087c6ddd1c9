"""Recording: words are cut as the board would, kept under their labels, and read by every other command."""

from __future__ import annotations

import json
import sys
import time

import numpy as np
import pexpect
import pytest
from commands import call, fails
from sensors import GESTURES, SOUND, write_gestures
from sounds import speech, write_wav

from tpsgd_host.data.load import load_samples
from tpsgd_host.data.motion import readings_of, stored
from tpsgd_host.data.playing import Piece, played
from tpsgd_host.data.sound import frames, word, words
from tpsgd_host.data.wav import find_recordings, read_wav
from tpsgd_host.errors import ConfigError, DataError
from tpsgd_host.model.parsing import parse_config
from tpsgd_host.recording.cutter import Cutter
from tpsgd_host.recording.recorder import Recorder
from tpsgd_host.recording.store import SampleTable, TableFile, WavFolder, check_label


@pytest.fixture
def spoken(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for label, seed in (("one", 1), ("two", 2)):
        for take in range(3):
            write_wav(tmp_path / "words" / label / f"{take}.wav", speech(8000, 1, 10 * seed + take)[4000:8000])
    return tmp_path


def test_words_of_files_go_into_a_folder_a_label_and_recording_goes_on(spoken):
    report = json.loads(call("record", "set", "--from", "words", "--fast", "--json"))
    assert report["added"] == 6
    assert report["counts"] == {"one": 3, "two": 3}
    report = json.loads(call("record", "set", "--from", "words/one", "--label", "yes", "--fast", "--json"))
    assert report["added"] == 3
    assert report["counts"] == {"one": 3, "two": 3, "yes": 3}
    said = call("record", "set", "--from", "words", "--fast")
    assert "6 recordings added" in said and "one 6" in said
    assert [path.name for path in sorted((spoken / "set" / "one").iterdir())] == [f"{i:04d}.wav" for i in range(1, 7)]


def test_what_is_kept_gives_the_samples_that_the_board_found(spoken):
    layout = parse_config(SOUND, "m.toml").layout
    pieces = list(played(spoken / "words", layout))
    pcm = np.concatenate([piece.values for piece in pieces])[:, 0]
    heard = frames(pcm, layout.front)
    call("record", "set", "--from", "words", "--fast")
    for one in find_recordings(spoken / "set"):
        kept = read_wav(one.path, 8000)
        at = pcm.tobytes().index(kept.tobytes()) // 2
        assert at % layout.front.hop == 0
        first, count = at // layout.front.hop, len(frames(kept, layout.front))
        same = word(heard[first : first + count], 20, 128)
        assert word(frames(kept, layout.front), 20, 128).tobytes() == same.tobytes()
    assert len(load_samples(spoken / "set", layout)) == 6


@pytest.mark.parametrize("size", [7, 100, 4000])
def test_pieces_of_any_size_give_the_same_cuts(spoken, size):
    layout = parse_config(SOUND, "m.toml").layout
    stream = np.concatenate([piece.values for piece in played(spoken / "words" / "one", layout)])[
        : 9000 if size == 1 else None
    ]
    whole = Cutter(layout.front, 1).take(stream)
    cutter = Cutter(layout.front, 1)
    pieces = [cut for at in range(0, len(stream), size) for cut in cutter.take(stream[at : at + size])]
    assert len(whole) == len(pieces) > 0
    assert all((a.values == b.values).all() and a.middle == b.middle for a, b in zip(whole, pieces, strict=True))


def test_a_word_in_which_values_were_lost_is_not_kept(spoken):
    layout = parse_config(SOUND, "m.toml").layout
    stream = np.concatenate([piece.values for piece in played(spoken / "words" / "one", layout)])
    middle = Cutter(layout.front, 1).take(stream)[1].middle
    pieces = [Piece(stream[:middle]), Piece(stream[middle + 500 :], lost=True)]
    recorder = Recorder(Cutter(layout.front, 1), WavFolder(spoken / "set", 8000), "one")
    state = recorder.run(pieces, 8000, real_time=False)
    assert (state.added, state.lost) == (2, 1)


def test_undo_and_relabel(spoken):
    layout = parse_config(SOUND, "m.toml").layout
    for store in (WavFolder(spoken / "set", 8000), TableFile(spoken / "t.csv", ("x",), 1.0, "label", "take")):
        recorder = Recorder(Cutter(layout.front, 1), store, "one")
        recorder.run(played(spoken / "words" / "one", layout), 8000, real_time=False)
        assert +store.counts == {"one": 3}
        recorder.choose("two")
        recorder.relabel()
        assert +store.counts == {"one": 2, "two": 1}
        recorder.undo()
        recorder.undo()
        assert +store.counts == {"one": 1}
        recorder.undo()
        recorder.undo()
        assert recorder.state.last == "nothing to undo"
        assert not +store.counts
    assert not list((spoken / "set").rglob("*.wav"))
    assert not (spoken / "t.csv").read_text()


def test_gestures_go_into_a_table_that_new_reads(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_gestures(tmp_path / "g.csv")
    (tmp_path / "g.toml").write_text(GESTURES)
    report = json.loads(call("record", "set.csv", "--from", "g.csv", "--model", "g.toml", "--fast", "--json"))
    assert report["counts"] == {"a": 2, "b": 2}
    report = json.loads(
        call("record", "set.csv", "--from", "g.csv", "--model", "g.toml", "--label", "c", "--fast", "--json")
    )
    assert report["counts"] == {"a": 2, "b": 2, "c": 4}
    layout = parse_config(GESTURES, "g.toml").layout
    samples = load_samples(tmp_path / "set.csv", layout)
    assert samples.classes == ("a", "b", "c") and len(samples) == 8
    (tmp_path / "other.csv").write_text("label,take,q\n")
    assert "has the columns label, take, q" in fails(4, "record", "other.csv", "--from", "g.csv", "--model", "g.toml")


def test_words_without_a_label_are_not_kept_and_this_is_said(spoken):
    layout = parse_config(SOUND, "m.toml").layout
    recorder = Recorder(Cutter(layout.front, 1), WavFolder(spoken / "set", 8000))
    pieces = [Piece(piece.values) for piece in played(spoken / "words" / "one", layout)]
    state = recorder.run(pieces, 8000, real_time=False)
    assert (state.added, state.unlabelled) == (0, 3)
    assert not (spoken / "set").exists()


def test_what_cannot_be_is_refused(spoken):
    for label in ("", "..", "a/b", "_x", "a\nb"):
        with pytest.raises(ConfigError, match="cannot name a folder"):
            check_label(label)
    with pytest.raises(DataError, match="is a file"):
        WavFolder(spoken / "words" / "one" / "0.wav", 8000)
    (spoken / "g.toml").write_text(GESTURES)
    (spoken / "g.csv").write_text("label,take,x,y,z\n")
    assert "--model" in fails(3, "record", "set.csv", "--from", "g.csv")
    assert "takes readings" in fails(3, "record", "set.csv", "--model", "g.toml")


def test_without_sounddevice_the_microphone_says_what_to_install(spoken, monkeypatch):
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    said = fails(10, "record", "set")
    assert "sounddevice" in said and "tpsgd[microphone]" in said


@pytest.mark.parametrize("size", [(24, 80), (40, 140)])
def test_keys_in_a_terminal_choose_labels_take_back_and_end(spoken, size):
    program = [
        "-m", "tpsgd_host", "record", "set", "--from", "words", "--labels", "left,right", "--pause", "0.8",
    ]  # fmt: skip
    child = pexpect.spawn(sys.executable, program, dimensions=size, encoding="utf-8", timeout=60)
    child.expect("9 label|1-9 label")
    child.send("2")
    child.expect("kept as right: right/0001.wav")
    child.send("u")
    child.expect("undone: right")
    child.send("1")
    child.expect("kept as left: left/0001.wav")
    child.send("2r")
    child.expect("left is now right")
    child.send("q")
    child.expect("added to set; it has right 1")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
    assert [path.relative_to(spoken / "set").as_posix() for path in (spoken / "set").rglob("*.wav")] == [
        "right/0001.wav"
    ]


def test_ctrl_c_leaves_whole_recordings(spoken):
    child = pexpect.spawn(
        sys.executable, ["-m", "tpsgd_host", "record", "set", "--from", "words", "--label", "x"], timeout=60
    )
    child.expect("kept as x")
    child.sendintr()
    child.expect("interrupted")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 130
    time.sleep(0.1)
    assert {path.suffix for path in (spoken / "set").rglob("*") if path.is_file()} == {".wav"}
    assert all(len(read_wav(one.path, 8000)) > 1000 for one in find_recordings(spoken / "set"))


def test_a_table_of_samples_is_what_the_model_reads(tmp_path):
    layout = parse_config(SOUND, "m.toml").layout
    store = SampleTable(tmp_path / "set" / "s.csv", layout.steps, layout.channels, layout.label)
    samples = np.random.default_rng(1).integers(-127, 128, (3, 20, 16)).astype(np.int16)
    assert [store.add(one, label) for one, label in zip(samples, "aba", strict=True)] == ["a-1", "b-1", "a-2"]
    again = SampleTable(tmp_path / "set" / "s.csv", layout.steps, layout.channels, layout.label)
    assert again.counts == store.counts == {"a": 2, "b": 1}
    assert store.undo() == "a"
    read = load_samples(tmp_path / "set" / "s.csv", layout)
    assert (read.values == samples[:2]).all() and read.labels.tolist() == [0, 1]


@pytest.mark.parametrize("size", [50, 3000])
def test_a_cutter_makes_the_samples_of_the_board(spoken, size):
    layout = parse_config(SOUND, "m.toml").layout
    stream = np.concatenate([piece.values for piece in played(spoken / "words", layout)])
    cutter = Cutter(layout.front, 1, layout.steps)
    found = [cut for at in range(0, len(stream), size) for cut in cutter.take(stream[at : at + size])]
    board = [one.sample.tobytes() for one in words(frames(stream[:, 0], layout.front), layout.front, layout.steps)]
    assert [cut.sample for cut in found] == board and len(board) == 6


def test_readings_of_activations_give_these_activations():
    front = parse_config(GESTURES, "m.toml").layout.front
    sample = np.arange(1, 256, dtype=np.uint8).repeat(3).reshape(-1, 3)
    assert (stored(readings_of(sample, front), front) == sample).all()
