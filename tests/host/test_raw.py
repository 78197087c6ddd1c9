"""Raw records: the board makes its samples of sound or readings itself, and learns what the simulation learns."""

from __future__ import annotations

import json
import struct

import numpy as np
import pytest
from boards import FaultyPort, LocalBoard
from commands import call, fails
from sensors import GESTURES, SOUND, write_gestures
from sounds import speech, write_wav

from tpsgd_host.data.frontend import LogMel
from tpsgd_host.data.load import load_samples
from tpsgd_host.data.raw import raw_of
from tpsgd_host.errors import BoardError
from tpsgd_host.flashing.flash import flash
from tpsgd_host.link import session as link
from tpsgd_host.link.session import Session
from tpsgd_host.model.build import build_model
from tpsgd_host.model.modelfile import load_model
from tpsgd_host.model.parsing import parse_config
from tpsgd_host.runs.driver import drive
from tpsgd_host.runs.records import Presentation, RunRecords
from tpsgd_host.runs.resume import KEY
from tpsgd_host.training.executor import TRAIN, Records
from tpsgd_host.training.simulator import Simulator


def model_for(folder, text, data):
    """Write a model for the data, m.tpsgd."""
    config = parse_config(text, "m.toml")
    build_model(config, load_samples(data, config.layout)).save(folder / "m.tpsgd")


@pytest.fixture
def spoken(place):
    """Words of both rates, one shorter than a window and one longer than a word may be."""
    for label, seed in (("one", 1), ("two", 2)):
        for take in range(4):
            rate = 16000 if take == 3 else 8000
            write_wav(
                place / "words" / label / f"{take}.wav",
                speech(rate, 1, 10 * seed + take)[rate // 2 : rate + rate // 4],
                rate,
            )
    write_wav(place / "words" / "one" / "short.wav", speech(8000, 1, 5)[5000:5200])
    write_wav(place / "words" / "two" / "long.wav", speech(8000, 2, 6))
    model_for(place, SOUND, place / "words")
    return place


@pytest.fixture
def moved(place):
    write_gestures(place / "g.csv", 8)
    model_for(place, GESTURES, place / "g.csv")
    return place


def board_and_simulation(data, *how):
    """Return the reports of a raw run on the virtual board and of its simulation."""
    flash("m.tpsgd", "virtual")
    run = json.loads(call("stream", data, *how, "--raw", "--json"))
    return run, json.loads(call("simulate", data, "--model", "m.tpsgd", *how, "--json"))


def test_sound_that_a_board_makes_its_samples_of_gives_the_simulation_s_weights(spoken, interpreter):
    run, host = board_and_simulation("words", "--epochs", "2", "--test-split", "0.3")
    assert run["weights_crc"] == host["weights_crc"] and run["test_accuracy"] == host["test_accuracy"]
    recipe = json.loads((spoken / run["folder"] / "config.json").read_text())[KEY]
    assert recipe["raw"] is True


def test_readings_too(moved, interpreter):
    run, host = board_and_simulation("g.csv", "--epochs", "3")
    assert run["weights_crc"] == host["weights_crc"]


def raw_records(folder, data, epochs=2):
    """Return the model and the records of a run, with what the sensor gives."""
    model = load_model(folder / "m.tpsgd")
    samples = load_samples(data, model.layout, model.classes)
    records = RunRecords(model, Presentation(samples, None, epochs, 1))
    records.send_raw(model.layout, "stop")
    return model, records


def test_only_what_is_longer_than_a_word_goes_as_a_sample(spoken):
    _, records = raw_records(spoken, spoken / "words")
    all_of_them = records.records(0, 10)
    long = [i for i, raw in enumerate(all_of_them.raw) if raw is None]
    assert len(long) == 1
    sizes = sorted(int.from_bytes(raw[:4], "little") for raw in all_of_them.raw if raw)
    assert (sizes[0], sizes[-1]) == (200, 6000)
    assert all(len(raw) == 4 + 2 * int.from_bytes(raw[:4], "little") for raw in all_of_them.raw if raw)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_harmful_wire_changes_no_raw_record(spoken, tmp_path, seed, monkeypatch):
    monkeypatch.setattr(link, "RETRY", 0.05)
    model, records = raw_records(spoken, spoken / "words", 1)
    _, expected = drive(Simulator(model), RunRecords(model, records.presentation), [], 0)
    with LocalBoard(tmp_path, model.to_bytes(), receive_buffer=(240, 2048)[seed % 2]) as board:
        port = FaultyPort(board.port, seed, 0.0005)
        session = Session(port)
        session.hello()
        session.start(7, len(records.records(0, 10)), fresh=True)
        results = np.concatenate(list(session.stream(records.records(0, 10))))
        assert len(results) == 10 and port.faults
        assert session.sync(save=False).weights_crc == expected.weights_crc


def send(folder, raw):
    """Have a board of this process take one raw record; return the session after it."""
    model = load_model(folder / "m.tpsgd")
    width = model.layout.steps * model.layout.channels
    board = LocalBoard(folder, model.to_bytes())
    with board:
        session = Session(board.port)
        before = session.hello().weights_crc
        session.start(1, 1, fresh=True)
        one = Records(np.array([TRAIN], np.uint8), np.zeros(1, np.uint8), np.ones((1, width), np.uint8), [raw])
        with pytest.raises(BoardError, match=r"record 0|front end") as caught:
            list(session.stream(one))
        assert session.sync(save=False).weights_crc == before
    return caught.value.message


def test_what_is_no_recording_of_one_word_is_refused_and_not_learned(spoken):
    front = load_model(spoken / "m.tpsgd").layout.front
    assert isinstance(front, LogMel)
    most = (front.segmenting.longest + front.segmenting.before - 1) * front.hop + front.window
    for count in (0, most + front.hop, 0xFFFFFFFF):
        assert str(count) in send(spoken, struct.pack("<I", count) + bytes(64))
    whole = struct.pack("<I", most) + bytes(2 * most)
    model = load_model(spoken / "m.tpsgd")
    with LocalBoard(spoken, model.to_bytes()) as board:  # one frame less is taken
        session = Session(board.port)
        session.hello()
        session.start(1, 1, fresh=True)
        one = Records(np.zeros(1, np.uint8), np.zeros(1, np.uint8), np.ones((1, 320), np.uint8), [whole])
        assert len(np.concatenate(list(session.stream(one)))) == 1


def test_part_of_a_reading_is_refused(moved):
    for count in (0, 4, 3 * 400):
        send(moved, struct.pack("<I", count) + bytes(64))


def test_a_model_without_front_end_takes_no_raw_records(flashed):
    assert "no front end" in fails(3, "stream", "train.csv", "--raw")
    (flashed / "m.tpsgd").write_bytes((flashed / "motion.tpsgd").read_bytes())
    assert "front end" in send(flashed, struct.pack("<I", 9) + bytes(18))


def test_samples_are_no_recordings(spoken):
    flash("m.tpsgd", "virtual")
    np.savez(spoken / "s.npz", x=np.zeros((4, 20, 16)), y=np.array(["one", "two"] * 2))
    assert "not what a sensor gives" in fails(4, "stream", "s.npz", "--raw")
    layout = load_model(spoken / "m.tpsgd").layout
    assert len(raw_of(spoken / "words", layout).values(1)) == 6000
