"""A lesson with a board: words are played to it, it says what it hears, and learns what is labelled, exactly once."""

from __future__ import annotations

import io
import json
import os
import shutil
import struct
import time
from array import array
from contextlib import contextmanager
from itertools import pairwise

import numpy as np
import pytest
from boards import FaultyPort
from commands import call
from liars import LESSON_LIES, LyingPort
from processes import board_pids
from sensors import GESTURES, SOUND, write_gestures
from sounds import write_wav

from tpsgd import frames, lesson
from tpsgd.learner import Learner
from tpsgd_host.boards.board import Board
from tpsgd_host.boards.live import Heard, LiveSession, Returned, live_session
from tpsgd_host.boards.monitor import Listens, Word
from tpsgd_host.boards.player import Player
from tpsgd_host.boards.virtual import VirtualBoard
from tpsgd_host.commands.monitor import _View, monitor
from tpsgd_host.console import Console
from tpsgd_host.data.load import load_samples
from tpsgd_host.data.playing import played
from tpsgd_host.errors import BoardError, ConfigError, PortError, TpsgdError
from tpsgd_host.flashing.flash import flash
from tpsgd_host.link import session as link
from tpsgd_host.link.messages import Level
from tpsgd_host.link.session import Session
from tpsgd_host.link.wire import Frame
from tpsgd_host.model.build import build_model
from tpsgd_host.model.modelfile import load_model
from tpsgd_host.model.parsing import parse_config
from tpsgd_host.training.executor import TRAIN, Records
from tpsgd_host.training.simulator import Simulator

WORDS = ("falls", "rises")
HEAP = 400 * 1024


def word(kind, take):
    """Half a second of a tone that falls or rises."""
    t = np.arange(4000) / 8000
    sweep = 400 * t + (600 * t**2 if kind else 600 * (t - t**2))
    tone = np.sin(2 * np.pi * (sweep + 40 * take * t)) * np.hanning(len(t))
    return np.round(9000 * tone).astype(np.int16)


def board_with(folder, text, data):
    """Flash a virtual board with a model for ``data``; return its layout."""
    config = parse_config(text, "m.toml")
    build_model(config, load_samples(data, config.layout)).save(folder / "m.tpsgd")
    flash(folder / "m.tpsgd", folder=folder / "board", heap=HEAP)
    return config.layout


@pytest.fixture(scope="module")
def _hearing_once(tmp_path_factory, interpreter):
    """Make what ``hearing`` copies."""
    folder = tmp_path_factory.mktemp("hearing")
    for kind, label in enumerate(WORDS):
        for take in range(4):
            write_wav(folder / "words" / label / f"{take}.wav", word(kind, take))
    board_with(folder, SOUND, folder / "words")
    return folder


@pytest.fixture
def hearing(_hearing_once, tmp_path):
    """A folder with words and a virtual board that hears them."""
    shutil.copytree(_hearing_once, tmp_path, dirs_exist_ok=True)
    return tmp_path


def pieces(folder):
    return list(played(folder / "words", load_model(folder / "m.tpsgd").layout, shuffled=True))


def playing(folder, what=None):
    return Player(what or pieces(folder), folder / "board", 8000, real_time=False)


def heard(live, seconds=30):
    """Return the next word."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for event in live.poll(0.2):
            if isinstance(event, Heard):
                return event
    raise AssertionError("nothing was heard")


def teach_all(live, player, count=8, practice=3):
    """Teach every word as it is played; return what was heard, and how many were right."""
    events, right = [], 0
    for _ in range(count):
        event = heard(live)
        events.append(event)
        right += live.teach(event.event, player.label_at(event.onset)).right
        live.practise(practice)
        live.go_on()
    return events, right


def by_learner(folder, practice):
    """Return the CRC of the weights, and the samples, of a Learner in a program that hears the same."""
    learner = Learner(f"{folder}/m.tpsgd", replay=8000)
    values = np.concatenate([piece.values for piece in pieces(folder)])[:, 0]
    labels = np.concatenate([[piece.label] * len(piece.values) for piece in pieces(folder)])
    samples = []
    for at in range(0, len(values) - 32, 32):
        learner.front.buffer[:32] = array("h", values[at : at + 32].tolist())
        if learner.front.push(32):
            learner.take()
            samples.append(bytes(learner.network.sample[: learner.network.size]))
            learner.predict()
            learner.teach(next(label for label in labels[at - 4000 : at][::-1] if label))
            learner.practise(practice)
    return learner.network.crc(), samples


def test_a_lesson_learns_what_a_learner_in_a_program_learns(hearing):
    with (
        live_session(folder=hearing / "board", passes=0, hold=True) as live,
        playing(hearing) as player,
    ):
        events, right = teach_all(live, player)
        crc = live.save().weights_crc
        assert live.pull().weights_crc == crc
    assert (crc, [event.sample for event in events]) == by_learner(hearing, 3)
    assert [event.event for event in events] == list(range(1, 9)) and not any(event.missed for event in events)
    assert [player.label_at(event.onset) for event in events] == [p.label for p in pieces(hearing) if p.label]
    assert all(0.3 < event.seconds < 1.0 for event in events), [event.seconds for event in events]
    assert right >= 4
    assert live.state.kept == 8


def test_a_lesson_learns_what_a_simulation_of_the_same_samples_learns(hearing):
    model = load_model(hearing / "m.tpsgd")
    with live_session(folder=hearing / "board", budget=0, hold=True) as live, playing(hearing) as player:
        events, _ = teach_all(live, player, practice=1)
        assert live.state.room == live.state.kept == 0
        crc = live.save().weights_crc
    data = np.array([list(event.sample) for event in events], np.uint8)
    labels = np.array([WORDS.index(player.label_at(event.onset)) for event in events], np.uint8)
    simulator = Simulator(model)
    simulator.start(1, model.total, True)
    for _ in simulator.stream(Records(np.full(8, TRAIN, np.uint8), labels, data)):
        pass
    assert simulator.finish().weights_crc == crc


@pytest.mark.parametrize("seed", [1, 2])
def test_a_harmful_wire_loses_no_word_and_teaches_none_twice(hearing, seed, monkeypatch):
    monkeypatch.setattr(link, "RETRY", 0.05)
    faulty = []
    with VirtualBoard(hearing / "board") as machine:

        @contextmanager
        def opener():
            port = machine.open_port()
            faulty.append(FaultyPort(port, seed, 0.002))
            yield Board(Session(faulty[0]))
            port.close()

        with LiveSession(opener, passes=0, hold=True, patience=0) as live, playing(hearing) as player:
            events, _ = teach_all(live, player)
            crc = live.save().weights_crc
    assert faulty[0].faults
    assert (crc, [event.sample for event in events]) == by_learner(hearing, 3)


def test_a_reset_board_learns_the_lesson_again(hearing):
    noted = []
    with live_session(folder=hearing / "board", passes=0, hold=True, on_note=noted.append) as live:
        with playing(hearing) as player:
            first, _ = teach_all(live, player, 3)
        (pid,) = board_pids(hearing / "board")
        os.kill(pid, 9)
        returned = []
        until = time.monotonic() + 30
        while not returned and time.monotonic() < until:
            returned = [event for event in live.poll(0.2) if isinstance(event, Returned)]
        assert returned[0].reset and returned[0].shown == 3
        assert live.state.kept == 3 and any("reset" in note for note in noted)
        with playing(hearing) as player:
            again, _ = teach_all(live, player, 2)
        assert again[0].event > first[-1].event
        assert live.state.kept == 5
        # What was heard before the reset can still be taught: its sample is shown.
        assert live.teach(first[0].event, WORDS[0]).sample == first[0].sample
        os.kill(board_pids(hearing / "board")[0], 9)
        assert live.undo().sample == first[0].sample  # the reset is noticed here
        assert live.state.kept == 5


def test_the_board_practises_by_itself_and_an_older_word_can_be_taught(hearing):
    with live_session(folder=hearing / "board", passes=6) as live, playing(hearing):
        events = [heard(live) for _ in range(3)]
        assert all(after.event > before.event for before, after in pairwise(events))
        known = next(event for event in events if event.sample is not None)
        while not live.poll(0.0):
            pass
        taught = live.teach(known.event, "rises")
        assert taught.sample == known.sample and taught.kept == 1
        until = time.monotonic() + 30
        while live.save().seen < 7 and time.monotonic() < until:
            live.poll(0.05)
        assert live.save().seen == 7  # and then no more
        heard_again = live.show(known.sample)
        assert heard_again.predicted == "rises" and heard_again.probabilities[1] > 0.6
        assert live.undo().label == "rises"
        assert live.undo().label is None
        with pytest.raises(BoardError, match="is gone"):
            live.teach(99999, "rises")
        with pytest.raises(ConfigError, match="no class 'tap'"):
            live.teach(known.event, "tap")


def test_levels_show_the_sound_and_the_state(hearing):
    with live_session(folder=hearing / "board", hold=True) as live, playing(hearing):
        levels = []
        while not any(isinstance(event, Heard) for event in levels):
            levels += live.poll(0.2)
    levels = [event for event in levels if isinstance(event, Level)]
    assert any(level.active for level in levels) and not levels[0].active
    assert max(level.level for level in levels) > 2 * levels[0].level
    assert all(len(level.frame) == 16 and not level.pressed for level in levels)


def test_gestures_are_taught_as_words_are(tmp_path, interpreter):
    write_gestures(tmp_path / "g.csv", 6)
    layout = board_with(tmp_path, GESTURES, tmp_path / "g.csv")
    pieces = list(played(tmp_path / "g.csv", layout))
    with (
        live_session(folder=tmp_path / "board", hold=True) as live,
        Player(pieces, tmp_path / "board", 100, real_time=False) as player,
    ):
        events, _ = teach_all(live, player, 6)
        labels = [player.label_at(event.onset) for event in events]
        assert labels == [piece.label for piece in pieces if piece.label]
        assert all(live.show(event.sample).predicted == label for event, label in zip(events, labels, strict=True))


# -- what goes wrong


def test_a_board_without_sensor_or_front_end_says_so(hearing, _flashed_once):
    (hearing / "board" / "sensor.py").unlink()
    with pytest.raises(BoardError, match=r"no sensor\.py") as caught, live_session(folder=hearing / "board"):
        pass
    assert "--sensor" in caught.value.hint
    with pytest.raises(BoardError, match="no front end") as caught, live_session(folder=_flashed_once / "board"):
        pass
    assert "[frontend]" in caught.value.hint
    with live_session(folder=_flashed_once / "board", ears=False) as live:  # it can be shown samples all the same
        sample = bytes([200] * live.model.layout.steps * live.model.layout.channels)
        assert live.teach(live.show(sample).event, 1).kept == 1


def test_a_sensor_that_fails_ends_the_lesson_with_its_words(hearing):
    sensor = hearing / "board" / "sensor.py"
    sensor.write_text(
        "from tpsgd.capture import Stream\n\n\nclass Loose(Stream):\n    def readinto(self, buffer):\n"
        "        n = super().readinto(buffer)\n        self.n = getattr(self, 'n', 0) + n\n"
        "        if self.n > 9000:\n            raise OSError(19)\n        return n\n\n\n"
        "def open():\n    return Loose(8000, 1)\n"
    )
    with live_session(folder=hearing / "board") as live, playing(hearing), pytest.raises(BoardError, match="sensor"):
        until = time.monotonic() + 30
        while time.monotonic() < until:
            live.poll(0.2)


def test_an_older_program_is_told_to_be_flashed_again(hearing):
    def without_flags(frame, number):
        return frame.payload[:-1] if number == 0 else frame.payload

    with pytest.raises(BoardError, match="cannot listen") as caught, lying(hearing, frames.INFO, without_flags):
        pass
    assert "flash" in caught.value.hint


@contextmanager
def lying(hearing, kind, lie):
    """A lesson with a board whose answers of one kind are changed."""
    with VirtualBoard(hearing / "board") as machine:

        @contextmanager
        def opener():
            port = machine.open_port()
            yield Board(Session(LyingPort(port, kind, lie), patience=3.0))
            port.close()

        with LiveSession(opener, patience=0, hold=True) as live, playing(hearing):
            yield live


@pytest.mark.parametrize("what", LESSON_LIES)
def test_what_cannot_be_is_refused(hearing, what):
    kind, lie = LESSON_LIES[what]
    with (
        pytest.raises(TpsgdError, match=r"not possible|another part|asked for") as caught,
        lying(hearing, kind, lie) as live,
    ):
        for _ in range(8):
            live.teach(heard(live, 5).event, 0)
            live.go_on()
    assert caught.value.hint


def test_a_flood_of_levels_holds_nobody_up(hearing):
    flood = Frame(lesson.LEVEL, 7, struct.pack("<HBBHHI", 0, 0, 0, 0, 0, 0) + bytes(16)).encode() * 50

    class Flooded(LyingPort):
        flooding = False

        def read(self, timeout):
            return flood + super().read(0) if self.flooding else super().read(timeout)

    with VirtualBoard(hearing / "board") as machine:
        ports = []

        @contextmanager
        def opener():
            port = machine.open_port()
            ports.append(Flooded(port, 0, lambda frame, number: frame.payload))
            yield Board(Session(ports[0], patience=3.0))
            port.close()

        with LiveSession(opener, patience=0) as live:
            ports[0].flooding = True
            assert 1 <= len(live.poll(1.0)) <= 100
            assert live.save().seen == 0  # an answer is found among them
            ports[0].flooding = False


def test_a_lesson_is_ended_by_its_session(hearing):
    with live_session(folder=hearing / "board") as live:
        assert live.state.listening
    with live_session(folder=hearing / "board") as live:
        assert (live.state.event, live.state.kept) == (0, 0)


# -- monitor


def watched(folder, words, **how):
    """Return the events of a monitor until it has shown so many words."""
    said = []

    def show(event):
        said.append(event)
        if sum(isinstance(one, Word) for one in said) == words:
            raise KeyboardInterrupt

    summary = monitor(show, folder=folder / "board", every=0.5, seconds=60, **how)
    return said, summary


def test_monitor_shows_all_classes_of_what_a_board_hears(hearing, capsys):
    with playing(hearing):
        said, summary = watched(hearing, 3)
    words = [event for event in said if isinstance(event, Word)]
    assert [sorted(word.probabilities) for word in words] == [sorted(WORDS)] * 3
    assert all(word.probability == word.probabilities[word.predicted] for word in words)
    assert all(0.98 < sum(word.probabilities.values()) < 1.02 for word in words)
    assert any(isinstance(event, Listens) and event.active for event in said)
    assert (summary.words, summary.overruns, summary.answered) == (3, 0, True)
    with _View(Console(highlight=False)) as view:
        for event in said:
            view(event)
    lines = [line for line in capsys.readouterr().out.splitlines() if "%" in line]
    assert len(lines) == 3 and all(all(name in line for name in WORDS) and len(line) < 80 for line in lines)


def test_monitor_draws_level_and_bars_on_a_terminal(hearing):
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=80, height=24, highlight=False)
    with _View(console) as view:
        view(Listens(0.5, True, 0, 0))
        assert "nothing heard so far" in out.getvalue()
        view(Word(1, 0.6, "rises", 0.9, {"falls": 0.1, "rises": 0.9}))
        view(Listens(0.25, False, 2, 1))
    shown = out.getvalue()
    assert "level" in shown and "falls" in shown and "90%" in shown and "lost, 2 times" in shown


def test_monitor_tells_why_it_hears_nothing(hearing):
    (hearing / "board" / "sensor.py").unlink()
    said = [json.loads(line) for line in call("monitor", "--board-dir", hearing / "board", "--seconds", "1", "--json")
            .splitlines()]  # fmt: skip
    assert next(one for one in said if one["event"] == "deaf")["why"].startswith("the board says: the board has no sen")
    assert any(one["event"] == "stands" for one in said)


def test_monitor_gives_all_classes_for_data_and_leaves_the_board_as_it_was(hearing):
    with live_session(folder=hearing / "board", passes=0) as live:
        live.teach(live.show(bytes(range(1, 251)) + bytes([9] * 70)).event, 1)
        before = live.save()
    command = "monitor", "--board-dir", hearing / "board", "--data", hearing / "words", "--json"
    said = [json.loads(line) for line in call(*command).splitlines()]
    guesses = [one for one in said if one["event"] == "guess"]
    assert len(guesses) == 8 and all(sorted(one["probabilities"]) == sorted(WORDS) for one in guesses)
    stands = [one for one in said if one["event"] == "stands"]
    assert {(one["weights_crc"], one["seen"], one["applied"]) for one in stands} == {(before.weights_crc, 1, 1)}


def test_a_second_program_does_not_play_into_the_same_sensor(hearing):
    """The first goes on: its pipe stays when the second is refused, and is free once the first has ended."""
    with VirtualBoard(hearing / "board"):
        with pytest.raises(PortError, match="is in use") as refused, VirtualBoard(hearing / "board"):
            pass
        assert "--board-dir" in (refused.value.hint or "")
        assert (hearing / "board" / "sensor.pipe").exists()
    with VirtualBoard(hearing / "board"):
        assert (hearing / "board" / "sensor.pipe").exists()
