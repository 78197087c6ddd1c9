"""The session against the device's own program: results in order, exactly once, whatever the wire does (SPEC 4, 6)."""

from __future__ import annotations

import zlib

import cases
import numpy as np
import pytest
from boards import FaultyPort, LocalBoard, case_records, put_on

from tpsgd_host.boards.virtual import VirtualBoard
from tpsgd_host.errors import BoardError, FitError, ModelError, PortError
from tpsgd_host.link import session as link
from tpsgd_host.link.session import Session
from tpsgd_host.training.executor import Records


def apply(session: Session, records: Records) -> tuple[int, int]:
    """Run records fresh; return the CRCs of weights and results, as ``cases.train`` does."""
    session.start(7, cases.SAMPLES, fresh=True)
    results = np.concatenate(list(session.stream(records)))
    assert len(results) == len(records)
    return session.sync(save=False).weights_crc, zlib.crc32(results.tobytes())


@pytest.mark.parametrize("case", [0, 1, 5, 6])
def test_a_board_learns_what_the_reference_learns(tmp_path, case):
    import golden

    with LocalBoard(tmp_path, cases.model_bytes(case)) as board:
        session = Session(board.port)
        info = session.hello()
        assert info.model_crc == int.from_bytes(cases.model_bytes(case)[-4:], "little")
        assert apply(session, case_records(case)) == golden.GOLDEN[case]


@pytest.mark.parametrize("seed", range(12))
def test_a_harmful_wire_changes_nothing(tmp_path, seed, monkeypatch):
    import golden

    monkeypatch.setattr(link, "RETRY", 0.05)
    case = seed % 4
    with LocalBoard(tmp_path, cases.model_bytes(case), receive_buffer=(240, 480, 2048)[seed % 3]) as board:
        port = FaultyPort(board.port, seed)
        session = Session(port)
        session.hello()
        assert apply(session, case_records(case)) == golden.GOLDEN[case], f"seed {seed}"
        print(f"seed {seed}: {port.faults} faults, {session.resent} frames sent again")
        assert port.faults


def test_the_virtual_board_survives_a_harmful_wire(tmp_path, interpreter, monkeypatch):
    import golden

    monkeypatch.setattr(link, "RETRY", 0.05)
    put_on(tmp_path / "board", cases.model_bytes(1))
    with VirtualBoard(tmp_path / "board", 256 * 1024) as board:
        port = FaultyPort(board.open_port(), seed=3)
        session = Session(port)
        session.hello()
        assert apply(session, case_records(1)) == golden.GOLDEN[1]
        assert port.faults
        port.close()


def test_weights_and_model_are_read_back(tmp_path):
    model = cases.model_bytes(2)
    with LocalBoard(tmp_path, model) as board:
        session = Session(board.port)
        session.hello()
        assert session.read(0) == model
        weights = session.read(1)
        assert weights in model
        session.start(1, 40, fresh=True)
        list(session.stream(case_records(2)))
        assert zlib.crc32(session.read(1)) == session.sync(save=False).weights_crc != zlib.crc32(weights)


def test_what_was_learned_is_there_after_a_restart(tmp_path):
    with LocalBoard(tmp_path, cases.model_bytes(0)) as board:
        session = Session(board.port)
        session.hello()
        session.start(9, 40, fresh=True)
        list(session.stream(case_records(0)))
        saved = session.sync(save=True)
        session.bye()
    with LocalBoard(tmp_path, cases.model_bytes(0)) as board:
        info = Session(board.port).hello()
        assert (info.weights_crc, info.run_id, info.seen) == (saved.weights_crc, 9, saved.seen)


def test_another_model_does_not_take_the_old_ones_checkpoint(tmp_path):
    with LocalBoard(tmp_path, cases.model_bytes(0)) as board:
        session = Session(board.port)
        session.hello()
        session.start(9, 40, fresh=True)
        list(session.stream(case_records(0)))
        session.sync(save=True)
    with LocalBoard(tmp_path, cases.model_bytes(2)) as board:
        assert Session(board.port).hello().seen == 0


def test_checkpoints_come_every_so_many_samples(tmp_path):
    with LocalBoard(tmp_path, cases.model_bytes(0)) as board:
        session = Session(board.port)
        session.hello()
        session.start(9, 40, fresh=True, every=10)
        list(session.stream(case_records(0)))
        assert session.sync(save=False).generation == 35 // 10


@pytest.mark.parametrize(
    ("model", "error", "word"),
    [
        (b"", ModelError, "magic"),
        (cases.model_bytes(0)[:-1], ModelError, "length"),
        (cases.model_bytes(0)[:-9] + b"\0" + cases.model_bytes(0)[-8:], ModelError, "CRC"),
    ],
)
def test_a_board_refuses_a_damaged_model_by_name(tmp_path, model, error, word):
    with LocalBoard(tmp_path, model) as board, pytest.raises(error, match=word):
        Session(board.port).hello()


def test_a_board_without_a_model_says_so(tmp_path):
    with LocalBoard(tmp_path, b"") as board:
        (tmp_path / "model.tpsgd").unlink()
        with pytest.raises(ModelError, match=r"no model\.tpsgd") as caught:
            Session(board.port).hello()
    assert "flash" in caught.value.hint


@pytest.mark.parametrize("torn", [None, 0, 100])
def test_a_new_model_that_a_power_cut_left_is_taken_up(tmp_path, torn):
    """SPEC 1.8: PATH.new counts where PATH is missing or torn, and goes where it is not."""
    whole = cases.model_bytes(2)
    with LocalBoard(tmp_path, cases.model_bytes(0)) as board:
        path, new = tmp_path / "model.tpsgd", tmp_path / "model.tpsgd.new"
        new.write_bytes(whole)
        path.unlink() if torn is None else path.write_bytes(whole[:torn])
        info = Session(board.port).hello()
        assert info.model_crc == int.from_bytes(whole[-4:], "little")
        assert path.read_bytes() == whole and not new.exists()


def test_a_new_model_beside_a_whole_one_goes(tmp_path):
    whole = cases.model_bytes(0)
    with LocalBoard(tmp_path, whole) as board:
        (tmp_path / "model.tpsgd.new").write_bytes(cases.model_bytes(2))
        assert Session(board.port).hello().model_crc == int.from_bytes(whole[-4:], "little")
        assert not (tmp_path / "model.tpsgd.new").exists()


def test_a_torn_new_model_does_not_count(tmp_path):
    with LocalBoard(tmp_path, b"") as board:
        (tmp_path / "model.tpsgd.new").write_bytes(cases.model_bytes(0)[:-1])
        with pytest.raises(ModelError, match="magic"):
            Session(board.port).hello()


def test_an_engine_that_cannot_run_here_is_refused(tmp_path):
    with LocalBoard(tmp_path, cases.model_bytes(0)) as board, pytest.raises(BoardError, match="thumb"):
        Session(board.port).hello(engine=5)


def test_a_record_of_an_unknown_class_is_refused_and_not_learned(tmp_path):
    with LocalBoard(tmp_path, cases.model_bytes(0)) as board:
        session = Session(board.port)
        before = session.hello().weights_crc
        records = case_records(0, 1)
        session.start(1, 1, fresh=True)
        with pytest.raises(BoardError, match="class 200"):
            list(session.stream(Records(records.ops, np.array([200], np.uint8), records.data)))
        assert session.sync(save=False).weights_crc == before


def test_a_silent_board_is_given_up(tmp_path):
    class Deaf:
        def read(self, timeout):
            return b""

        def write(self, data):
            pass

        def close(self):
            pass

    with pytest.raises(BoardError, match="not answered") as caught:
        Session(Deaf(), patience=0.0).hello()
    assert "flash" in caught.value.hint


def test_text_of_the_board_is_shown(tmp_path, interpreter):
    put_on(tmp_path / "board", cases.model_bytes(0))
    main = tmp_path / "board" / "main.py"
    main.write_text("print('good morning')\n" + main.read_text())
    said = []
    with VirtualBoard(tmp_path / "board", 256 * 1024) as board:
        port = board.open_port()
        Session(port, said.append).hello()
        port.close()
    assert "good morning" in "".join(said)


def test_a_heap_too_small_for_the_model_is_told_with_figures(tmp_path, interpreter):
    from tpsgd_host.bench.timing import network

    put_on(tmp_path / "board", network((1000, 300, 2)).to_bytes())
    with VirtualBoard(tmp_path / "board", 300 * 1024) as board:
        port = board.open_port()
        with pytest.raises(FitError, match=r"needs 60\d{4} bytes"):
            Session(port).hello()
        port.close()


def test_a_port_that_does_not_exist_is_told():
    from tpsgd_host.link.port import SerialPort

    with pytest.raises(PortError, match="no port /dev/no-such-port"):
        SerialPort("/dev/no-such-port")
