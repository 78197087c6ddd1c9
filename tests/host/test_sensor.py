"""The virtual board's sensor: what is played is heard bit for bit, and what was lost is never taken for a word."""

from __future__ import annotations

import time

import numpy as np
import pytest
from sensors import GESTURES, SOUND, write_gestures
from sounds import speech, write_wav

from tpsgd_host.boards.player import Player
from tpsgd_host.boards.virtual import VirtualBoard
from tpsgd_host.data.load import load_samples
from tpsgd_host.data.playing import Piece, played
from tpsgd_host.data.sound import frames, words
from tpsgd_host.errors import DataError
from tpsgd_host.flashing.flash import flash
from tpsgd_host.model.build import build_model
from tpsgd_host.model.parsing import parse_config

#: Hears, and prints each word's sample; computes so long, now and then, that it cannot listen.
MAIN = """
import time
from tpsgd import capture, frontend, runtime
from tpsgd.modelfile import Model

k = runtime.engine()
with open("model.tpsgd", "rb") as file:
    model = Model(file)
sample = bytearray(model.steps * model.channels + 1)
sensor = capture.find()
ear = capture.Ear(sensor, frontend.build(model, k, sample, sensor.rate))
ear.start()
starve = {starve}
print("listening")
quiet = time.ticks_ms()
while time.ticks_diff(time.ticks_ms(), quiet) < 1500:
    if ear.listen():
        print("word", bytes(memoryview(sample)[:-1]).hex())
    if ear.idle:
        time.sleep_ms(2)
    else:
        quiet = time.ticks_ms()
    if starve and ear.front.active:
        starve -= 1
        time.sleep_ms(2500)
        quiet = time.ticks_ms()
print("end", sensor.overruns, ear.torn)
ear.stop()
"""

SENSOR = "from tpsgd.capture import Stream\n\n\ndef open():\n    return Stream({rate}, {channels})\n"


def board_with(folder, text, data, starve, rate, channels):
    """Flash a virtual board with a model for ``data``, and with a program that listens; return the model's layout."""
    config = parse_config(text, "m.toml")
    model = build_model(config, load_samples(data, config.layout))
    model.save(folder / "m.tpsgd")
    flash(folder / "m.tpsgd", folder=folder / "board", heap=400 * 1024)
    (folder / "board" / "main.py").write_text(MAIN.format(starve=starve))
    (folder / "board" / "sensor.py").write_text(SENSOR.format(rate=rate, channels=channels))
    return model.layout


def heard(folder, pieces, rate, real_time):
    """Play to the board; return the samples it found, its overruns and torn words, and the player."""
    said = ""
    with (
        VirtualBoard(folder / "board", hold=True) as machine,
        Player(pieces, folder / "board", rate, real_time) as player,
    ):
        port = machine.open_port()
        until = time.monotonic() + 60
        while "\nend " not in said or not said.endswith("\n"):
            assert time.monotonic() < until and "Traceback" not in said, said
            said += port.read(0.2).decode().replace("\r", "")
        port.close()
    lines = [line.split() for line in said.splitlines()]
    found = [bytes.fromhex(line[1]) for line in lines if line[0] == "word"]
    overruns, torn = next((int(line[1]), int(line[2])) for line in lines if line[0] == "end")
    return found, overruns, torn, player


@pytest.fixture
def spoken(tmp_path, interpreter):
    for label, seed in (("one", 1), ("two", 2)):
        for take in range(3):
            write_wav(tmp_path / "words" / label / f"{take}.wav", speech(8000, 1, 10 * seed + take)[4000:8000])
    return tmp_path


def of_the_host(pieces, layout):
    pcm = np.concatenate([piece.values for piece in pieces])[:, 0]
    pcm = np.pad(pcm, (0, -len(pcm) % 32))
    return [one.sample.tobytes() for one in words(frames(pcm, layout.front), layout.front, layout.steps)]


def test_a_board_hears_what_is_played_bit_for_bit(spoken):
    layout = board_with(spoken, SOUND, spoken / "words", 0, 8000, 1)
    pieces = list(played(spoken / "words", layout))
    found, overruns, torn, player = heard(spoken, pieces, 8000, real_time=False)
    assert found == of_the_host(pieces, layout)
    assert len(found) == 6
    assert (overruns, torn, player.lost) == (0, 0, 0)
    assert not (spoken / "board" / "sensor.pipe").exists()


def long_word(seed):
    """A word of 0.9 s: more than the pipe holds."""
    t = np.arange(int(0.9 * 8000)) / 8000
    tones = sum(np.sin(2 * np.pi * h * (150 + 60 * seed) * (t + 2 * t**2)) for h in (1, 3))  # they rise
    return np.round(tones * 4000).astype(np.int16)


def test_a_board_too_slow_for_its_microphone_counts_it_and_drops_the_torn_word(spoken):
    for take in range(6):
        write_wav(spoken / "long" / "ab"[take % 2] / f"{take}.wav", long_word(take))
    layout = board_with(spoken, SOUND, spoken / "long", 1, 8000, 1)
    pieces = list(played(spoken / "long", layout))
    expected = [np.frombuffer(one, np.uint8).astype(int) for one in of_the_host(pieces, layout)]
    assert len(expected) == 6
    found, overruns, torn, player = heard(spoken, pieces, 8000, real_time=True)
    assert player.lost > 100
    assert overruns >= 1 and torn == 1
    assert 1 <= len(found) < len(expected)
    # Each is a word that was played, whole: near it, where a torn one would be far. (The level of noise differs.)
    half = of_the_host([Piece(np.pad(long_word(1)[:3600], 8000)[:, None])], layout)[0]
    assert distance(half, expected) > 2 * max(distance(sample, expected) for sample in found)


def distance(sample, expected):
    """Return the mean difference to the nearest word that was played."""
    return min(np.abs(np.frombuffer(sample, np.uint8) - one).mean() for one in expected)


def test_a_board_feels_the_gestures_that_are_played(tmp_path, interpreter):
    write_gestures(tmp_path / "g.csv")
    layout = board_with(tmp_path, GESTURES, tmp_path / "g.csv", 0, 100, 3)
    found, overruns, _, _ = heard(tmp_path, played(tmp_path / "g.csv", layout), 100, real_time=False)
    assert overruns == 0
    assert len(found) == 4
    assert found[0] != found[1]


def test_what_does_not_fit_the_model_is_not_played(spoken):
    write_gestures(spoken / "g.csv")
    layout = parse_config(SOUND, "m.toml").layout
    with pytest.raises(DataError, match="takes a folder of WAV files"):
        list(played(spoken / "g.csv", layout))
    plain = SOUND.replace('[frontend]\nkind = "logmel"', "channels = 3")
    with pytest.raises(DataError, match="no front end"):
        list(played(spoken / "words", parse_config(plain, "m.toml").layout))
