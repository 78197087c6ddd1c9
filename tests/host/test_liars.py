"""Ports and boards that do not tell the truth: every wait ends, and no lie becomes a result."""

from __future__ import annotations

import time
import zlib
from contextlib import contextmanager
from dataclasses import replace

import cases
import numpy as np
import pytest
from boards import LocalBoard, OneEpoch, case_records
from liars import HARMLESS, LIES, EchoPort, FloodPort, LyingPort, put

from tpsgd import frames
from tpsgd_host.boards.board import Board
from tpsgd_host.boards.lockstep import Lockstep
from tpsgd_host.boards.reconnecting import ReconnectingBoard
from tpsgd_host.errors import BoardError, MismatchError, TpsgdError
from tpsgd_host.link import session as link
from tpsgd_host.link.session import Session
from tpsgd_host.link.wire import Frame
from tpsgd_host.model.modelfile import parse_model
from tpsgd_host.training.simulator import Simulator

CASE = 1


def whole_run(port, patience=15.0):
    """Do what ``stream`` does with a board at a port; return the weights that it would keep."""

    @contextmanager
    def opener():
        yield Board(Session(port, patience=patience))

    source = OneEpoch(CASE)
    with ReconnectingBoard(opener, 0.0, lambda text: None) as line:
        model = line.board.model()
        line.follow(model)
        line.begin(5, source, True)
        results = np.concatenate(list(line.apply(0, cases.SAMPLES)))
        outcome = line.finish()
        assert outcome.details["compared"], "the compiled trainer is not there: pip install -e . with a C compiler"
        trained = model.with_weights(line.weights())
        if trained.weights_crc != outcome.weights_crc:  # as runs.run.run does
            raise MismatchError("read otherwise than said")
        return results, trained


@pytest.mark.parametrize("what", LIES)
def test_a_lying_board_is_noticed(tmp_path, what, monkeypatch):
    import golden

    monkeypatch.setattr(link, "STUCK", 2)
    kind, lie = LIES[what]
    begun = time.monotonic()
    with LocalBoard(tmp_path, cases.model_bytes(CASE)) as board:
        port = LyingPort(board.port, kind, lie)
        if what in HARMLESS:
            results, trained = whole_run(port)
            assert (trained.weights_crc, zlib.crc32(results.tobytes())) == golden.GOLDEN[CASE]
        else:
            with pytest.raises(TpsgdError) as caught:
                whole_run(port, 1.0 if what == "ACK that takes nothing" else 15.0)
            print(f"{what}: {type(caught.value).__name__}: {caught.value.message}")
            assert caught.value.hint or isinstance(caught.value, MismatchError)
        assert port.lies
    assert time.monotonic() - begun < 14  # no lie is told from the truth by waiting


@pytest.mark.parametrize("p_y", [128, 255])
def test_a_probability_above_one_is_no_result(tmp_path, p_y):
    with LocalBoard(tmp_path, cases.model_bytes(CASE)) as board:
        port = LyingPort(board.port, frames.ACK, put("<B", 7, p_y))
        session = Session(port)
        session.hello()
        session.start(7, cases.SAMPLES, fresh=True)
        with pytest.raises(BoardError, match=f"the board gave a class the probability {p_y}/127"):
            list(session.stream(case_records(CASE)))
        assert session.received_results == 0 and port.lies


@pytest.mark.parametrize("count", [-1, 1], ids=["short", "long"])
def test_a_piece_of_the_weights_has_the_length_that_was_asked_for(tmp_path, count):
    with LocalBoard(tmp_path, cases.model_bytes(CASE)) as board:
        session = Session(board.port)
        session.hello()
        honest = session.read(1)

    def lie(frame, number):
        return frame.payload[:-1] if count < 0 else frame.payload + b"\1"

    with LocalBoard(tmp_path, cases.model_bytes(CASE)) as board:
        port = LyingPort(
            board.port, frames.CHUNK, lambda frame, number: lie(frame, number) if number else frame.payload
        )
        session = Session(port)
        session.hello()
        asked = min(link.CHUNK, len(honest))
        with pytest.raises(BoardError, match=f"asked for {asked} bytes from 0 on, the board sent {asked + count} from"):
            session.read(1)
        assert port.lies == 1


@pytest.mark.parametrize("record", [0, 20, cases.SAMPLES - 1])
def test_the_first_result_that_differs_is_named(record):
    model = parse_model(cases.model_bytes(CASE), "case")
    source = OneEpoch(CASE)
    simulator = Simulator(model)
    simulator.begin(0, source, fresh=True)
    honest = np.concatenate(list(simulator.apply(0, cases.SAMPLES))).tobytes()
    wrong = bytearray(honest)
    wrong[2 * record + 1] ^= 1
    with pytest.raises(MismatchError, match=rf"record {record}: the board gave class \d+ with"):
        Lockstep(model, source).follow(wrong)
    lockstep = Lockstep(model, source)
    lockstep.follow(honest[: 2 * record])
    lockstep.follow(honest)
    lockstep.require(simulator.finish())
    with pytest.raises(MismatchError, match="the host computed"):
        lockstep.require(replace(simulator.finish(), weights_crc=0))


@pytest.mark.parametrize("kind", [frames.INFO, frames.ACK, frames.DONE, frames.CHUNK, frames.UNSAVED, frames.HELLO])
def test_a_flood_of_valid_frames_ends(kind):
    flood = b"".join(Frame(kind, number, bytes(20)).encode() for number in range(0, 256, 5))
    begun = time.monotonic()
    with pytest.raises(BoardError):
        Session(FloodPort(flood), patience=0.5).hello()
    assert time.monotonic() - begun < 20


@pytest.mark.parametrize("kind", [frames.INFO, frames.ACK, frames.DONE, frames.UNSAVED])
def test_a_flood_after_an_honest_beginning_ends(tmp_path, kind):
    class Turning(LyingPort):
        flooding = False

        def read(self, timeout):
            if not self.flooding:
                return super().read(timeout)
            time.sleep(0.001)
            return Frame(kind, 7, bytes(60)).encode() * 20

    with LocalBoard(tmp_path, cases.model_bytes(CASE)) as board:
        port = Turning(board.port, 0, lambda frame, number: frame.payload)
        session = Session(port, patience=0.5)
        session.hello()
        session.start(7, cases.SAMPLES, fresh=True)
        port.flooding = True
        begun = time.monotonic()
        with pytest.raises(BoardError, match="not answered"):
            list(session.stream(case_records(CASE)))
        with pytest.raises(BoardError, match="not answered"):
            session.sync(save=False)
        assert time.monotonic() - begun < 20


def test_text_without_end_ends():
    begun = time.monotonic()
    with pytest.raises(BoardError, match="not answered"):
        Session(FloodPort(b"raw REPL; CTRL-B to exit\r\n>"), patience=0.5).hello()
    assert time.monotonic() - begun < 20


def test_an_echo_is_told_as_one():
    begun = time.monotonic()
    with pytest.raises(BoardError, match="echoes what it receives"):
        Session(EchoPort(), patience=0.5).hello()
    assert time.monotonic() - begun < 20
