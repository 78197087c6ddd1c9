"""demo keyword: recordings of words are collected, or spoken by a synthesizer, and a board learns them."""

from __future__ import annotations

import numpy as np
import pytest
from commands import call, fails
from sounds import speech, write_wav

from tpsgd_host.data.load import load_samples
from tpsgd_host.data.wav import find_recordings, read_wav
from tpsgd_host.errors import DataError, DependencyError
from tpsgd_host.model.build import build_model
from tpsgd_host.model.new import new_model
from tpsgd_host.model.parsing import load_config
from tpsgd_host.runs.driver import drive
from tpsgd_host.runs.records import Presentation, RunRecords
from tpsgd_host.tasks import keyword, voices
from tpsgd_host.training.simulator import Simulator


@pytest.fixture
def said(tmp_path):
    """Twelve recordings by each of ``count`` speakers."""

    def write(count, name="{label}_{speaker}_{take}"):
        for speaker in range(count):
            for take in range(6):
                for number, label in enumerate(("one", "two")):
                    pcm = speech(8000, 2, 100 * speaker + take)[4000 + 8000 * number :][:4000]
                    path = tmp_path / "said" / (name.format(label=label, speaker=f"s{speaker}", take=take) + ".wav")
                    write_wav(path, pcm)
        return tmp_path / "said"

    return write


@pytest.fixture
def synthesizer(tmp_path):
    try:
        return voices.synthesize(tmp_path / "spoken", ("yes", "no"), 1, ("f1",))
    except DependencyError as error:
        pytest.skip(f"{error.message} {error.hint}")


@pytest.mark.parametrize("name", ["{label}_{speaker}_{take}", "{label}/{speaker}_nohash_{take}"])
def test_the_speakers_of_the_test_part_say_nothing_in_the_other(said, tmp_path, name):
    root = said(10, name)
    found = keyword.collect(tmp_path / "demo", root)
    assert found.pattern == name
    assert len(found.strangers) == 2 and not set(found.strangers) & set(found.speakers)
    for folder, count, speakers in ((found.train, 96, found.speakers), (found.test, 24, found.strangers)):
        parts = find_recordings(folder, found.pattern)
        assert len(parts) == count
        assert {one.fields["speaker"] for one in parts} == set(speakers)
        for one in parts:
            assert one.path.read_bytes() == (root / one.path.relative_to(folder)).read_bytes()


def test_of_few_speakers_recordings_are_set_aside(said, tmp_path):
    found = keyword.collect(tmp_path / "demo", said(3))
    assert (found.counts, found.strangers, len(found.speakers)) == ((28, 8), (), 3)
    assert {one.label for one in find_recordings(found.test)} == {"one", "two"}


def test_other_recordings_are_neither_learned_nor_removed(said, tmp_path):
    root = said(1)
    write_wav(tmp_path / "demo" / "train" / "mine.wav", speech(8000, 1))
    with pytest.raises(DataError, match=r"other recordings: mine\.wav"):
        keyword.collect(tmp_path / "demo", root)
    assert (tmp_path / "demo" / "train" / "mine.wav").exists()
    for path in root.glob("one*"):
        path.unlink()
    with pytest.raises(DataError, match="one word, two"):
        keyword.collect(tmp_path / "other", root)


def test_a_board_learns_the_words_of_a_folder(said, tmp_path, monkeypatch, interpreter):
    monkeypatch.chdir(tmp_path)
    said(1)
    shown = call("demo", "keyword", "--data", "said", "-e", "3", "-o", "out")
    for part in ("2 words, 10 recordings", "$ tpsgd-host new keyword", "log-mel bands", "equal, bit for bit", "record"):
        assert part in shown
    assert "held out 100.0%" in shown and "synthetic" not in shown
    assert "its own data" in fails(3, "demo", "gesture", "--data", "said")


def test_without_the_synthesizer_the_command_that_installs_it_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(voices, "PACKAGE", "no_such_package")
    said = fails(DependencyError.exit_code, "demo", "keyword", "-o", str(tmp_path / "out"))
    assert "pip install 'tpsgd[voices]'" in said and "--data FOLDER" in said
    assert not (tmp_path / "out").exists()


def test_the_synthesizer_says_the_same_each_time_and_no_two_takes_alike(synthesizer, tmp_path):
    again = voices.synthesize(tmp_path / "again", ("yes", "no"), 1, ("f1",))
    assert {path.name for path in again.iterdir()} == {"yes_f1_0.wav", "no_f1_0.wav"}
    for path in synthesizer.iterdir():
        assert path.read_bytes() == (again / path.name).read_bytes()
    voices.synthesize(again, ("yes", "no"), 2, ("f1",))
    assert (again / "yes_f1_0.wav").read_bytes() == (synthesizer / "yes_f1_0.wav").read_bytes()
    words = [read_wav(path, 8000) for path in sorted(again.iterdir())]
    assert len({word.tobytes() for word in words}) == 4
    assert all(0.2 < len(word) / 8000 < 1.0 and 8000 < np.abs(word.astype(int)).max() < 10000 for word in words)


def test_a_program_that_fails_is_no_traceback(synthesizer):
    with pytest.raises(DependencyError, match="has no voice 'nobody'"):
        voices._say('{"rate": 8000, "words": [{"text": "yes", "voice": "nobody", "speed": 160, "pitch": 50}]}')


def test_a_network_knows_words_of_voices_that_it_has_not_learned(synthesizer, tmp_path):
    voices.synthesize(tmp_path / "voices", ("yes", "no", "stop"), 1)
    found = keyword.collect(tmp_path, tmp_path / "voices")
    new_model("words", tmp_path / "m.toml", data=found.train, group=found.pattern)
    config = load_config(tmp_path / "m.toml")
    train, test = (load_samples(part, config.layout, config.classes) for part in (found.train, found.test))
    model = build_model(config, train)
    ended, _ = drive(Simulator(model), RunRecords(model, Presentation(train, test, 20, 1, test_every=20)), [], 0)
    assert ended.test_accuracy is not None and ended.test_accuracy >= keyword.GOAL
