"""A run continues exactly where it was after a failure of host, board, port, or all of them (SPEC 4)."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import cases
import golden
import numpy as np
import pytest
from boards import LocalBoard, OneEpoch, case_records
from commands import call
from processes import board_pids

from tpsgd_host.boards.board import Board
from tpsgd_host.boards.reconnecting import ReconnectingBoard
from tpsgd_host.boards.virtual import VirtualBoard
from tpsgd_host.errors import BoardError, BoardGoneError, DataError, MismatchError, PortError
from tpsgd_host.link.session import Session
from tpsgd_host.model.modelfile import parse_model
from tpsgd_host.runs.folder import RunFolder
from tpsgd_host.runs.records import cut
from tpsgd_host.runs.resume import newest_unfinished

RUN = 0xABCDE


def begin(board, every=0, fresh=True):
    """Open a session and begin a run of forty records."""
    session = Session(board.port)
    session.hello()
    session.start(RUN, cases.SAMPLES, fresh=fresh, every=every)
    return session


def feed(session, records):
    return [bytes(pair) for part in session.stream(records) for pair in part]


def crc_of(session):
    return session.sync(save=False).weights_crc


@pytest.mark.parametrize("case", [0, 1])
def test_a_new_host_finds_the_run_and_the_results_that_nobody_has_seen(tmp_path, case):
    records = case_records(case)
    with LocalBoard(tmp_path, cases.model_bytes(case)) as board:
        results = feed(begin(board), cut(records, 0, 20))
        have = 12  # of twenty: the host was killed before it wrote the others down
        session = Session(board.port)
        assert session.hello().run_id == RUN
        board.server.confirmed = have
        info = session.go_on(RUN, have)
        assert (info.applied, info.kept) == (20, 8)
        assert feed(session, cut(records, 20, 20)) == results[have:]
        feed(session, cut(records, 20, 40))
        assert crc_of(session) == golden.GOLDEN[case][0]


def test_a_board_that_was_reset_goes_on_from_its_checkpoint_and_says_the_same_again(tmp_path):
    records = case_records(1)
    with LocalBoard(tmp_path, cases.model_bytes(1)) as board:
        results = feed(begin(board, every=5), cut(records, 0, 23))
    with LocalBoard(tmp_path, cases.model_bytes(1)) as board:
        session = Session(board.port)
        session.hello()
        info = session.go_on(RUN, 23, every=5)
        assert 15 < info.applied < 23
        assert info.kept == 0
        assert feed(session, cut(records, info.applied, 40))[: 23 - info.applied] == results[info.applied :]
        assert crc_of(session) == golden.GOLDEN[1][0]


def test_a_board_ahead_of_the_host_takes_its_older_slot(tmp_path):
    records = case_records(1)
    with LocalBoard(tmp_path, cases.model_bytes(1)) as board:
        feed(begin(board, every=5), cut(records, 0, 23))
    with LocalBoard(tmp_path, cases.model_bytes(1)) as board:
        session = Session(board.port)
        ahead = session.hello().applied
        info = session.go_on(RUN, ahead - 1)
        assert info.applied < ahead - 1
        feed(session, cut(records, info.applied, 40))
        assert crc_of(session) == golden.GOLDEN[1][0]


def test_a_run_that_another_replaced_is_found_in_its_slot(tmp_path):
    records = case_records(1)
    with LocalBoard(tmp_path, cases.model_bytes(1)) as board:
        session = begin(board, every=10)
        feed(session, cut(records, 0, 20))
        session.start(RUN + 1, 0, fresh=False)
        feed(session, cut(records, 0, 3))
        session.hello()
        info = session.go_on(RUN, 20)
        assert (info.run_id, info.seen) == (RUN, 10)
        feed(session, cut(records, info.applied, 40))
        assert crc_of(session) == golden.GOLDEN[1][0]


def test_a_run_that_the_board_does_not_know_changes_nothing(tmp_path):
    with LocalBoard(tmp_path, cases.model_bytes(0)) as board:
        session = begin(board)
        feed(session, cut(case_records(0), 0, 10))
        before = crc_of(session)
        info = session.go_on(RUN + 1, 10)
        assert (info.run_id, info.applied, info.weights_crc) == (RUN, 10, before)
        assert crc_of(session) == before


def test_a_board_without_a_session_says_so_at_once(tmp_path):
    with LocalBoard(tmp_path, cases.model_bytes(0)) as board:
        session = begin(board)
        board.server.expected = -1  # as after a reset
        with pytest.raises(BoardGoneError, match="no session"):
            feed(session, case_records(0))


def test_a_checkpoint_that_cannot_be_read_leaves_no_half_network(tmp_path, monkeypatch):
    from tpsgd import checkpoint

    with LocalBoard(tmp_path, cases.model_bytes(0)) as board:
        session = begin(board, every=5)
        feed(session, cut(case_records(0), 0, 10))

    def damaged(found, network):
        network.layers[0].w[0] ^= 255
        raise OSError("medium")

    with LocalBoard(tmp_path, cases.model_bytes(0)) as board:
        session = Session(board.port)
        with monkeypatch.context() as patch:
            patch.setattr(checkpoint, "load", damaged)
            with pytest.raises(BoardError, match="medium"):
                session.hello()
        assert session.hello().seen == 5


class Boards:
    """A board that is reset when told, with an opener for :class:`ReconnectingBoard`."""

    def __init__(self, folder, case, every=5):
        self.folder, self.model, self.every = folder, cases.model_bytes(case), every
        self.opened = 0

    @contextmanager
    def __call__(self):
        self.opened += 1
        with LocalBoard(self.folder, self.model) as self.now:
            yield Board(Session(self.now.port), every=self.every)


def line_of(tmp_path, case, *, history=None, patience=5.0, every=5):
    """Return a reconnecting board on a case, what it noted, and the boards that it reaches."""
    said = []
    boards = Boards(tmp_path, case, every)
    line = ReconnectingBoard(boards, patience, said.append)
    line.__enter__()
    line.follow(parse_model(cases.model_bytes(case), "case"), history)
    return line, said, boards


@pytest.mark.parametrize("case", [0, 1])
@pytest.mark.parametrize("every", [0, 5])
def test_a_port_that_vanishes_costs_nothing(tmp_path, case, every, monkeypatch):
    line, said, boards = line_of(tmp_path, case, every=every)
    left = [3, 9, 9, 30]
    real = Board.stream

    def stream(self, records):
        for part in real(self, records):
            yield part
            if left and line._given >= left[0]:
                left.pop(0)
                raise PortError("pulled", "")

    monkeypatch.setattr(Board, "stream", stream)
    line.begin(RUN, OneEpoch(case), True)
    results = np.concatenate(list(line.apply(0, cases.SAMPLES)))
    outcome = line.finish()
    line.__exit__(None, None, None)
    assert len(results) == 40
    assert outcome.weights_crc == golden.GOLDEN[case][0]
    assert boards.opened == 5 - len(left)
    assert "waiting up to 5 s" in said[0]
    assert sum("back after" in text for text in said) == boards.opened - 1


def test_results_that_host_and_board_lost_are_computed(tmp_path):
    with LocalBoard(tmp_path, cases.model_bytes(1)) as board:
        session = begin(board)
        results = feed(session, cut(case_records(1), 0, 20))
        session.sync(save=True)  # the only slot
    line, said, _ = line_of(tmp_path, 1, history=b"".join(results[:8]))
    line.begin(RUN, OneEpoch(1), True)
    got = np.concatenate(list(line.apply(8, 40)))
    outcome = line.finish()
    line.__exit__(None, None, None)
    assert "results 8 to 19" in said[0]
    assert [bytes(pair) for pair in got[:12]] == results[8:]
    assert outcome.weights_crc == golden.GOLDEN[1][0]


def test_a_board_that_comes_to_other_results_is_refused(tmp_path):
    with LocalBoard(tmp_path, cases.model_bytes(1)) as board:
        results = feed(begin(board, every=5), cut(case_records(1), 0, 20))
    wrong = bytearray(b"".join(results))
    wrong[2 * 19] ^= 1
    line, _, _ = line_of(tmp_path, 1, history=bytes(wrong))
    line.begin(RUN, OneEpoch(1), True)
    with pytest.raises(MismatchError, match="record 19"):
        list(line.apply(20, 40))
    line.__exit__(None, None, None)


def test_a_run_from_present_weights_survives_a_reset_before_its_first_checkpoint(tmp_path):
    with LocalBoard(tmp_path, cases.model_bytes(1)) as board:
        session = begin(board)
        feed(session, case_records(1))
        session.start(RUN + 1, cases.SAMPLES, fresh=False)
        feed(session, case_records(1))
        twice = crc_of(session)
    with LocalBoard(tmp_path, cases.model_bytes(1)) as board:
        session = begin(board)
        feed(session, case_records(1))
        session.sync(save=True)
    line, _, _ = line_of(tmp_path, 1, every=0)
    line.follow(line.board.model().with_weights(line.board.weights()))
    line.begin(RUN + 1, OneEpoch(1), False)
    list(line.apply(0, 10))
    line._recover(PortError("pulled", ""))
    list(line.apply(10, 40))
    assert line.finish().weights_crc == twice
    line.__exit__(None, None, None)


def test_without_patience_a_port_that_vanishes_is_an_error(tmp_path, monkeypatch):
    line, _, _ = line_of(tmp_path, 0, patience=0)
    line.begin(RUN, OneEpoch(0), True)

    def pulled(self, records):
        raise PortError("pulled", "")

    monkeypatch.setattr(Board, "stream", pulled)
    with pytest.raises(PortError, match="pulled"):
        list(line.apply(0, cases.SAMPLES))
    line.__exit__(None, None, None)


def test_a_board_that_does_not_come_back_is_given_up_with_a_way_on(tmp_path, monkeypatch):
    line, _, _ = line_of(tmp_path, 0, patience=0.3)
    line.begin(RUN, OneEpoch(0), True)

    def gone():
        raise PortError("there is no port", "")

    line._opener = gone
    with pytest.raises(PortError, match="did not come back") as caught:
        line._recover(PortError("pulled", ""))
    assert "--resume" in caught.value.hint


class Uart:
    """A port in front of a board with a receive buffer of 240 bytes that drops what does not fit, as UARTs do."""

    def __init__(self, port, size=240):
        self._port, self._size = port, size
        self._buffer, self._lock = bytearray(), threading.Lock()
        self.dropped = self.highest = 0

    def readinto(self, view):
        """The board's side: wait for bytes, and take at most the requested number."""
        while True:
            with self._lock:
                if self._buffer:
                    part = self._buffer[: len(view)]
                    view[: len(part)] = part
                    del self._buffer[: len(part)]
                    return len(part)
            if self._port is None:
                return 0
            time.sleep(0.0005)

    def write(self, data):
        with self._lock:
            room = self._size - len(self._buffer)
            self._buffer += data[:room]
            self.dropped += max(0, len(data) - room)
            self.highest = max(self.highest, len(self._buffer))

    def read(self, timeout):
        return self._port.read(timeout)

    def close(self):
        port, self._port = self._port, None
        port.close()


def test_a_slow_board_behind_a_small_buffer_is_never_sent_more_than_it_holds(tmp_path):
    board = LocalBoard(tmp_path, cases.model_bytes(1), receive_buffer=240)
    uart = Uart(board.port)
    board.server.link._source = board.port = uart
    board.server.poller = None
    with board:
        session = Session(uart)
        session.hello()
        train = board.server._learn
        board.server._learn = lambda: (time.sleep(0.1), train())
        session.start(7, cases.SAMPLES, fresh=True)
        before = session.resent
        results = [pair for part in session.stream(case_records(1)) for pair in part]
        assert len(results) == 40
        assert uart.dropped == 0
        assert uart.highest > 100
        assert session.resent == before
        assert crc_of(session) == golden.GOLDEN[1][0]


# -- as a user meets it


def test_stream_finds_a_board_again_that_was_killed(flashed):
    varied = ["--variation", "motion"]  # each sample is sent again as it was
    whole = json.loads(call("stream", "train.csv", "--epochs", "6", *varied, "--json"))
    stop = threading.Event()

    def killer():
        while not stop.is_set():
            time.sleep(0.4)
            for pid in board_pids(flashed / "board"):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    thread = threading.Thread(target=killer)
    thread.start()
    try:
        # Slow enough to be killed several times on the way
        slow = ["--engine", "plain", "--checkpoint-every", "20"]
        text = call("stream", "train.csv", "--epochs", "6", *varied, *slow)
    finally:
        stop.set()
        thread.join()
    assert "waiting up to 30 s" in text
    assert f"{whole['weights_crc']:08x}" in text


def start_stream(*arguments):
    command = [sys.executable, "-m", "tpsgd_host", "stream", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def wait_for_samples(folder, count):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for log in folder.glob("*/log.csv"):
            if len(log.read_text().splitlines()) > count:
                return log.parent
        time.sleep(0.02)
    raise AssertionError("no samples in a minute")


@pytest.mark.parametrize(("number", "variation"), [(signal.SIGKILL, "motion"), (signal.SIGINT, "none")])
def test_a_host_that_was_stopped_goes_on(flashed, number, variation):
    options = ["--epochs", "6", "--test", "test.csv", "--engine", "plain", "--checkpoint-every", "50"]
    options += ["--variation", variation]
    whole = json.loads(call("stream", "train.csv", *options, "--json"))
    process = start_stream("train.csv", *options, "--runs", "stopped")
    folder = wait_for_samples(flashed / "stopped", 200)
    process.send_signal(number)
    process.communicate(timeout=30)
    report = json.loads(call("stream", "--resume", "--runs", "stopped", "--json"))
    assert report["folder"] == str(folder.relative_to(flashed))
    for key in ("weights_crc", "test_accuracy", "train_accuracy", "confusion", "samples"):
        assert report[key] == whole[key], key
    assert (folder / "log.csv").read_text() == open(os.path.join(whole["folder"], "log.csv")).read()
    assert RunFolder.open(folder).complete
    assert "complete" in call("stream", "--resume", folder, code=3)


def test_what_decides_a_run_cannot_be_changed_when_it_goes_on(flashed):
    process = start_stream("train.csv", "--epochs", "500", "--engine", "plain")
    folder = wait_for_samples(flashed / "runs", 50)
    assert "another process" in call("stream", "--resume", code=4)
    process.kill()
    process.communicate(timeout=30)
    assert "--epochs cannot be changed" in call("stream", "--resume", "--epochs", "3", code=3)
    lines = (flashed / "train.csv").read_text()
    (flashed / "train.csv").write_text(lines.replace(",slow,", ",fast,", 20))
    assert "has changed" in call("stream", "--resume", folder, code=4)


def test_there_may_be_nothing_to_resume(place):
    assert "no unfinished run" in call("stream", "--resume", code=4)
    assert "Which data file?" in call("stream", code=2)


@pytest.mark.parametrize("config", [b"", b"{", b"[]", b"\xff", b'{"a":' * 5000])
def test_a_damaged_run_beside_it_blocks_no_run(tmp_path, config):
    good, bad = tmp_path / "good", tmp_path / "bad"
    for folder in (good, bad):
        folder.mkdir()
        (folder / "log.jsonl").write_bytes(b"")
    (good / "config.json").write_text('{"resume": {}}')
    (bad / "config.json").write_bytes(config)
    os.utime(good / "config.json", (1, 1))
    assert newest_unfinished(tmp_path) == good
    (good / "config.json").write_text("{}")
    with pytest.raises(DataError, match="no unfinished run") as caught:
        newest_unfinished(tmp_path)
    assert "Ignored" in caught.value.hint and "bad" in caught.value.hint


def test_the_wear_of_the_flash_is_told(flashed):
    text = call("stream", "train.csv", "--epochs", "2", "--checkpoint-every", "50")
    assert "every 50 samples and at the end: 4 of" in text.replace("\n", " ")
    assert "100,000 cycles" in text


def test_a_virtual_board_can_be_reached_by_its_port_and_outlives_the_host(flashed):
    options = ["--epochs", "6", "--engine", "plain", "--checkpoint-every", "0"]
    whole = json.loads(call("stream", "train.csv", *options, "--json"))
    with VirtualBoard(flashed / "board") as board:
        process = start_stream("train.csv", *options, "--runs", "stopped", "--port", board.path)
        wait_for_samples(flashed / "stopped", 200)
        process.kill()
        process.communicate(timeout=30)
        text = call("stream", "--resume", "--runs", "stopped")
        assert f"{whole['weights_crc']:08x}" in text
        assert "computed here" not in text
