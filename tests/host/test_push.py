"""Weights put on a board (SPEC 4.3): it has the old ones or the new ones, whole, and goes on from there."""

from __future__ import annotations

import json
import struct
from dataclasses import replace
from pathlib import Path

import cases
import numpy as np
import pytest
from boards import FaultyPort, LocalBoard, case_records
from commands import call, fails
from liars import PUSH_LIES, LyingPort

from tpsgd import checkpoint as device
from tpsgd.incoming import PART, PLACED, PUT
from tpsgd_host.boards.board import Board
from tpsgd_host.errors import BoardError, MismatchError
from tpsgd_host.link import session as link
from tpsgd_host.link.session import Session
from tpsgd_host.model.checkpoint import load_checkpoint
from tpsgd_host.model.modelfile import Model, load_model, parse_model
from tpsgd_host.model.same import learning_weights

#: Networks of each kind; some layers of 3 are frozen.
CASES = (0, 1, 3, 5, 6, 8)


def other_weights(model: Model, seed: int = 1) -> Model:
    """Return the model with other weights in the layers that learn."""
    rng = np.random.default_rng(seed)
    weights = [
        w if layer.frozen or not any(layer.shifts) else rng.integers(256, 65536, w.shape).astype(w.dtype)
        for layer, w in zip(model.layers, model.weights, strict=True)
    ]
    return replace(model, weights=tuple(weights))


def network(case: int) -> Model:
    return parse_model(cases.model_bytes(case), "case")


@pytest.mark.parametrize("case", CASES)
def test_a_board_goes_on_from_weights_as_if_it_had_been_flashed_with_them(tmp_path, case):
    new = other_weights(network(case))
    ends = []
    for folder, flashed in (("pushed", network(case)), ("flashed", new)):
        (tmp_path / folder).mkdir()
        with LocalBoard(tmp_path / folder, flashed.to_bytes()) as local:
            board = Board(Session(local.port))
            if folder == "pushed":
                assert board.put_weights(new) == 1
                assert board.weights() == b"".join(w.tobytes() for w in new.weights)
            board.start(5, 0, fresh=False)
            list(board.stream(case_records(case, 8)))
            ends.append((board.finish().weights_crc, local.server.network.seen))
            board.close()
    assert ends[0] == ends[1]


def test_they_stay_after_a_reset_and_take_turns_with_checkpoints(tmp_path):
    base = network(1)
    with LocalBoard(tmp_path, base.to_bytes()) as local:
        board = Board(Session(local.port))
        for generation in range(1, 5):
            new = other_weights(base, generation)
            assert board.put_weights(new) == generation
            assert {load_checkpoint(path).generation for path in tmp_path.glob("slot*")} == {
                generation, max(1, generation - 1)
            }  # fmt: skip
        board.close()
    with LocalBoard(tmp_path, base.to_bytes()) as local:
        board = Board(Session(local.port))
        assert board.info.weights_crc == new.weights_crc
        assert (board.info.run_id, board.info.applied, board.info.seen, board.info.total) == (0, 0, 0, base.total)
        board.close()


@pytest.mark.parametrize("seed", range(4))
def test_a_harmful_wire_changes_nothing(tmp_path, seed, monkeypatch):
    monkeypatch.setattr(link, "RETRY", 0.05)
    base = network(CASES[seed])
    with LocalBoard(tmp_path, base.to_bytes()) as local:
        port = FaultyPort(local.port, seed, chance=0.002)
        session = Session(port)
        board = Board(session)
        new = other_weights(base)
        board.require(base)
        assert board.put_weights(new) == 1
        assert port.faults
        assert local.server.network.crc() == new.weights_crc
        board.close()


@pytest.mark.parametrize("what", PUSH_LIES)
def test_a_lying_board_is_noticed(tmp_path, what):
    with LocalBoard(tmp_path, cases.model_bytes(0)) as local:
        board = Board(Session(LyingPort(local.port, *PUSH_LIES[what])))
        with pytest.raises((BoardError, MismatchError)) as caught:
            board.put_weights(other_weights(network(0)))
        assert caught.value.hint
        board.close()


def put(session: Session, crc: int) -> None:
    session.request(PUT, struct.pack("<IIII", 0, 0, 0, crc), PLACED)


def part(session: Session, at: int, data: bytes) -> tuple[int, int, int]:
    return struct.unpack("<III", session.request(PART, struct.pack("<I", at) + data, PLACED).payload)


@pytest.fixture
def trained(tmp_path):
    """A board with a checkpoint, its session, and other weights for it."""
    with LocalBoard(tmp_path, cases.model_bytes(0)) as local:
        session = Session(local.port)
        session.hello()
        session.start(7, 8, fresh=True)
        list(session.stream(case_records(0, 8)))
        session.sync(save=True)
        yield local, session, other_weights(network(0))
        session.bye()


@pytest.mark.parametrize("how", ["start", "again", "save", "bye", "hello"])
def test_until_the_last_byte_the_old_weights_stay_whatever_comes(trained, tmp_path, how):
    local, session, new = trained
    learned = local.server.network.crc()
    data = learning_weights(new)
    put(session, new.weights_crc)
    taken, generation, crc = part(session, 0, data[:100])
    assert (taken, generation, crc) == (100, 0, learned)
    if how == "start":
        session.start(8, 0, fresh=False)
    elif how == "again":
        put(session, 1)
    elif how == "save":
        session.sync(save=True)
    elif how == "hello":
        session.hello()
    else:
        session.bye()  # the device program ends
        assert local.server.network.crc() == learned
        assert [load_checkpoint(path).generation for path in tmp_path.glob("slot*")] == [1]
        return
    if how != "again":
        with pytest.raises(BoardError, match=r"PUT|given up"):
            part(session, 100, data[100:200])
        assert all(load_checkpoint(path) for path in tmp_path.glob("slot*")), "no part of a file stays"
    assert session.sync(save=False).weights_crc == learned
    assert device.newest(f"{tmp_path}/", local.server.network, local.server.model_crc).generation in (1, 2)


@pytest.mark.parametrize(
    ("crc", "at", "text"),
    [(1, 0, "have CRC .* not 00000001"), (None, 4, "from 4 on, .* 0 have come"), (None, 0, "are missing")],
)
def test_weights_that_do_not_fit_are_refused_and_leave_nothing(trained, tmp_path, crc, at, text):
    local, session, new = trained
    learned = local.server.network.crc()
    data = learning_weights(new) + (b"" if crc else bytes(1))
    put(session, crc or new.weights_crc)
    with pytest.raises(BoardError, match=text):
        for i in range(0, len(data), 190):
            part(session, at + i, data[i : i + 190])
    assert session.sync(save=False).weights_crc == learned
    assert len(list(tmp_path.glob("slot*"))) == 1
    with pytest.raises(BoardError, match=r"CRC|come|missing"):
        part(session, 0, data[:10])


def test_a_flash_that_cannot_be_written_keeps_the_old_weights(trained, tmp_path):
    local, session, new = trained
    learned = local.server.network.crc()
    (tmp_path / "slot1.ckpt").mkdir()
    with pytest.raises(BoardError, match="cannot be written"):
        put(session, new.weights_crc)
    assert session.sync(save=False).weights_crc == learned


# -- the command


def test_push_is_the_opposite_of_pull(flashed):
    run = json.loads(call("stream", "train.csv", "--epochs", "2", "--json"))
    call("pull", "-o", "learned.tpsgd")
    slot = Path("board/slot0.ckpt").read_bytes()
    call("reset-model", "--yes")
    assert json.loads(call("push", "learned.tpsgd", "--json"))["weights_crc_hex"] == run["weights_crc_hex"]
    call("pull", "-o", "again.tpsgd")
    assert Path("again.tpsgd").read_bytes() == Path("learned.tpsgd").read_bytes()
    assert "the same" not in call("push", "motion.tpsgd")
    Path("kept.ckpt").write_bytes(slot)
    assert run["weights_crc_hex"] in call("push", "motion.tpsgd", "--checkpoint", "kept.ckpt")
    kept = {load_checkpoint(path).generation: load_checkpoint(path) for path in Path("board").glob("slot*")}
    newest, pushed = kept[max(kept)], load_checkpoint(Path("kept.ckpt"))
    assert (newest.seen, newest.total, newest.generator) == (pushed.seen, pushed.total, pushed.generator)
    assert newest.seen == 180


def test_push_refuses_another_network_with_what_differs(flashed):
    before = {path: path.read_bytes() for path in Path("board").iterdir() if path.is_file()}
    model = load_model("motion.tpsgd")
    layer = replace(model.layers[0], shifts=(9,) * len(model.layers[0].shifts))
    for other, text in (
        (replace(model, classes=("a", "b", "c")), "classes a, b, c; the board has "),
        (replace(model, seed=99), "seed 99, the board has "),
        (replace(model, layers=(layer, *model.layers[1:])), "layer 1 has shifts"),
    ):
        other.save(Path("other.tpsgd"))
        said = fails(9, "push", "other.tpsgd")
        assert text in said
        assert "tpsgd-host flash other.tpsgd" in said
    call("stream", "train.csv", "--epochs", "1")
    assert "belongs to model" in fails(9, "push", "other.tpsgd", "--checkpoint", "board/slot0.ckpt")
    assert "cannot read" in fails(5, "push", "motion.tpsgd", "--checkpoint", "none.ckpt")
    assert all(path.read_bytes() == data for path, data in before.items() if not path.name.endswith("ckpt"))
