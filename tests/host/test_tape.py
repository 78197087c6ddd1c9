"""A board sends what its sensor gives: what comes is what was played, and what is lost is told (SPEC 4.2)."""

from __future__ import annotations

import subprocess
import threading
import time
from contextlib import contextmanager

import numpy as np
import pytest
from boards import DEVICE
from sensors import GESTURES, SOUND, write_gestures
from sounds import speech, write_wav

from tpsgd import adpcm
from tpsgd.tape import PIECE, TAPE
from tpsgd_host.boards.board import Board
from tpsgd_host.boards.player import Player
from tpsgd_host.boards.taping import Taping
from tpsgd_host.boards.virtual import VirtualBoard, find_interpreter
from tpsgd_host.data.load import load_samples
from tpsgd_host.data.playing import Piece, played
from tpsgd_host.data.sound import halved
from tpsgd_host.errors import BoardError
from tpsgd_host.flashing.flash import flash
from tpsgd_host.link.session import Session
from tpsgd_host.link.tape import COMPRESSED, VALUES, TapeLink, _inflated
from tpsgd_host.model.build import build_model
from tpsgd_host.model.parsing import parse_config

SENSOR = "from tpsgd.capture import Stream\n\n\ndef open():\n    return Stream({rate}, {channels})\n"


@pytest.fixture
def layout(tmp_path, interpreter):
    """Flash a virtual board whose model hears; return the model's layout."""
    for label in ("one", "two"):
        write_wav(tmp_path / "words" / label / "1.wav", speech(8000, 1, len(label))[4000:8000])
    return flashed(tmp_path, SOUND, tmp_path / "words")


def flashed(folder, text, data):
    config = parse_config(text, "m.toml")
    model = build_model(config, load_samples(data, config.layout))
    model.save(folder / "m.tpsgd")
    flash(folder / "m.tpsgd", folder=folder / "board", heap=400 * 1024)
    return model.layout


@contextmanager
def board_of(folder, wrap=lambda port: port):
    """Switch a virtual board on; give its tape."""
    with VirtualBoard(folder / "board", hold=True) as machine:
        session = Session(wrap(machine.open_port()))
        try:
            yield Board(session).tape()
        finally:
            session.bye()


def taped(folder, pieces, rate, channels, compressed=False, real_time=False, wrap=lambda port: port):
    """Play to the board; return its pieces, the taping, and the player."""
    with board_of(folder, wrap) as link, Player(pieces, folder / "board", rate, real_time) as player:
        taping = Taping(link, rate, channels, compressed, player, by_place=not real_time)
        return list(taping.pieces()), taping, player


def values_of(pieces):
    return np.concatenate([piece.values for piece in pieces])


def padded(values, block):
    """Return what was played: the last block is filled up with zeros."""
    return np.pad(values, ((0, -len(values) % block), (0, 0)))


def test_sound_comes_as_it_was_played_bit_for_bit(tmp_path, layout):
    sound = list(played(tmp_path / "words", layout))
    pieces, taping, player = taped(tmp_path, sound, 8000, 1)
    assert (values_of(pieces) == padded(values_of(sound), 32)).all()
    assert (taping.overruns, taping.missed, player.lost) == (0, 0, 0)
    at = np.cumsum([0, *(len(one.values) for one in sound)])
    for label, begin, end in zip((one.label for one in sound), at, at[1:], strict=False):
        said = [one.label for one, place in zip(pieces, places(pieces), strict=True) if begin < place < end - 1]
        assert set(said) <= {label} and said


def places(pieces):
    """Return the place of each piece's middle value."""
    ends = np.cumsum([len(piece.values) for piece in pieces])
    return [end - len(piece.values) + len(piece.values) // 2 for end, piece in zip(ends, pieces, strict=True)]


def test_compressed_sound_is_near_what_was_played(tmp_path, layout):
    """Of these bursts 25 dB; of speech 19 to 25."""
    sound = list(played(tmp_path / "words", layout))
    pieces, _, _ = taped(tmp_path, sound, 8000, 1, compressed=True)
    expected = padded(values_of(sound), 32).astype(float)
    error = values_of(pieces) - expected
    assert 10 * np.log10((expected**2).sum() / (error**2).sum()) > 25
    sizes = {len(piece.values) for piece in pieces[:-1]} - {0}
    assert sizes == {228}


def test_a_microphone_of_twice_the_rate_is_halved_as_everywhere(tmp_path, layout):
    (tmp_path / "board" / "sensor.py").write_text(SENSOR.format(rate=16000, channels=1))
    sound = speech(16000, 1)
    with board_of(tmp_path) as link, Player([Piece(sound[:, None])], tmp_path / "board", 16000, False) as player:
        link.begin(VALUES, 8000)
        got = []
        while not player.ended or player.unread:
            piece = link.piece(1.0)
            got += [piece.values[:, 0]] if piece else []
        link.end()
        while (piece := link.piece(0)) is not None:
            got.append(piece.values[:, 0])
    expected = halved(padded(sound[:, None], 32)[:, 0])
    assert (np.concatenate(got) == expected).all()


def test_readings_come_as_they_were_played(tmp_path, interpreter):
    write_gestures(tmp_path / "g.csv")
    layout = flashed(tmp_path, GESTURES, tmp_path / "g.csv")
    moves = list(played(tmp_path / "g.csv", layout))
    pieces, taping, _ = taped(tmp_path, moves, 100, 3)
    assert (values_of(pieces) == values_of(moves)).all()
    assert taping.overruns == taping.missed == 0
    assert {len(piece.values) for piece in pieces[:-1]} - {0} == {5}


class Deaf:
    """A port that loses every tenth frame from the board."""

    def __init__(self, port):
        self._port, self._rest, self.dropped, self._seen = port, b"", 0, 0

    def __getattr__(self, name):
        return getattr(self._port, name)

    def read(self, timeout):
        data = self._rest + self._port.read(timeout)
        kept = b""
        while len(data) >= 2 and data[0] == 0xF5 and len(data) >= data[1] + 8:
            frame, data = data[: data[1] + 8], data[data[1] + 8 :]
            if frame[2] == 0x8B:
                self._seen += 1
                if self._seen % 10 == 0:
                    self.dropped += 1
                    continue
            kept += frame
        if data[:1] == b"\xf5":
            self._rest = data
            return kept
        self._rest = b""
        return kept + data


def test_what_the_link_loses_is_counted_and_the_rest_is_right(tmp_path, layout):
    sound = list(played(tmp_path / "words", layout))
    ports = []

    def deaf(port):
        ports.append(Deaf(port))
        return ports[-1]

    with board_of(tmp_path, deaf) as link, Player(sound, tmp_path / "board", 8000, False) as player:
        taping = Taping(link, 8000, 1, False, player)
        pieces = []
        for piece in taping.pieces():
            pieces.append(piece)
    assert ports[0].dropped > 10
    assert ports[0].dropped - 1 <= taping.missed <= ports[0].dropped  # the last one may be lost
    expected = padded(values_of(sound), 32)[:, 0].tobytes()
    whole = b""
    for piece in [*pieces, Piece(np.zeros((0, 1), np.int16), lost=True)]:
        if piece.lost:
            assert whole in expected
            whole = b""
        whole += piece.values.tobytes()


def test_a_link_too_slow_is_told_as_an_overrun(tmp_path, layout):
    """The host does not read for a while: the board waits, and its microphone runs over."""
    read = threading.Event()

    def sound():
        yield Piece(np.ones((60_000, 1), np.int16))  # neither the link nor the pipe can hold it
        assert read.wait(60)
        yield Piece(np.full((320, 1), 7, np.int16))

    with board_of(tmp_path) as link, Player(sound(), tmp_path / "board", 400_000, True) as player:
        taping = Taping(link, 8000, 1, False, player)
        stream = taping.pieces()
        pieces = [next(stream)]
        while player.blocks < 60_000 // 32:
            time.sleep(0.01)
        for piece in stream:
            pieces.append(piece)
            if not len(piece.values):
                read.set()
    assert player.lost > 0
    assert 1 <= taping.overruns == sum(piece.lost for piece in pieces)
    values = values_of(pieces)[:, 0].tolist()
    assert len(values) == (player.blocks - player.lost) * 32
    assert values == [1] * (len(values) - 320) + [7] * 320


def test_what_cannot_be_is_refused(tmp_path, layout):
    with board_of(tmp_path) as link:
        with pytest.raises(BoardError, match="gives 8000 values a second, the host wants 16000"):
            link.begin(VALUES, 16000)
        with pytest.raises(BoardError, match="form 7"):
            link.begin(7, 8000)
        (tmp_path / "board" / "sensor.py").unlink()
        assert link.end().channels == 0
    with board_of(tmp_path) as link, pytest.raises(BoardError, match=r"no sensor\.py"):
        link.begin(VALUES, 8000)


class Said:
    """A session that has given frames."""

    def __init__(self, *payloads, tape=b"\x02\x01" + bytes(8)):
        from tpsgd_host.link.wire import Frame

        self._frames = [Frame(PIECE, 0, one) for one in payloads]
        self._tape = Frame(TAPE, 0, tape)

    def request(self, kind, payload, answer):
        return self._tape

    def unasked(self, timeout):
        return self._frames.pop(0) if self._frames else None


@pytest.mark.parametrize(
    ("payload", "why"),
    [(b"\0", "1 bytes"), (b"\0\0\0\1", "no state"), (b"\0\0\0\0\0\x59", "step 89")],
)
def test_a_lying_board_is_refused(payload, why):
    link = TapeLink(Said(payload))
    link.begin(COMPRESSED, 8000)
    with pytest.raises(BoardError, match=why):
        link.piece(0)
    with pytest.raises(BoardError, match="0 channels"):
        TapeLink(Said(tape=b"\x02\x00" + bytes(8))).begin(COMPRESSED, 8000)
    with pytest.raises(BoardError, match="form 1, not 2"):
        TapeLink(Said(tape=b"\x01\x01" + bytes(8))).begin(COMPRESSED, 8000)
    link = TapeLink(Said(bytes(8), tape=b"\x01\x03" + bytes(8)))
    link.begin(VALUES, 100)
    with pytest.raises(BoardError, match="5 bytes of values of 3 channels"):
        link.piece(0)


KERNELS = """
from array import array
from tpsgd import adpcm, adpcm_viper
x = array("h", [{values}])
found = []
for kernels in (adpcm, adpcm_viper):
    out = bytearray(len(x) // 2 + 3)
    state = array("H", (65336, 30, 3))
    kernels.squeeze(x, out, state, len(x))
    laid = bytearray(2 * len(x) + 1)
    kernels.lay(x, laid, 1, len(x))
    found.append((bytes(out), list(state), bytes(laid)))
print(found[0] == found[1], found[1][0].hex(), found[1][2].hex())
"""


def test_compiled_and_readable_kernels_give_the_same_bytes(interpreter):
    rng = np.random.default_rng(1)
    x = np.concatenate([rng.integers(-32768, 32768, 200), rng.integers(-30, 30, 200), [32767, -32768] * 20])
    done = subprocess.run(
        [find_interpreter(), "-c", KERNELS.format(values=",".join(map(str, x.tolist())))],
        capture_output=True, text=True, env={"MICROPYPATH": str(DEVICE.parent)},
    )  # fmt: skip
    same, codes, laid = done.stdout.split()
    assert same == "True", done.stderr
    assert bytes.fromhex(laid)[1:] == x.astype("<i2").tobytes()
    out, state = bytearray(len(x) // 2 + 3), [65336, 30, 3]
    adpcm.squeeze(x.tolist(), out, state, len(x))
    assert out.hex() == codes
    head = np.int16(-200).tobytes() + bytes([30])
    assert int(_inflated(head + bytes(out[3:]))[-1]) % 65536 == state[0]
