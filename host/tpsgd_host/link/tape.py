"""A tape over an open session: the board sends what its sensor gives (SPEC 4.2).

Shapes: R values of a piece, C channels.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from itertools import chain

import numpy as np
import numpy.typing as npt

from tpsgd.adpcm import STEP
from tpsgd.tape import PIECE, RECORD, TAPE
from tpsgd_host.errors import BoardError
from tpsgd_host.link.session import Session

#: Forms of the values.
END, VALUES, COMPRESSED = range(3)

#: Channels that a sensor can have at most: a reading fits into a piece.
MAX_CHANNELS = 58

_MOVE = (-1, -1, -1, -1, 2, 4, 6, 8)
_STEPS = tuple(STEP)


@dataclass(frozen=True)
class Tape:
    """What a board says about a tape.

    Attributes
    ----------
    channels : int
        Of its sensor; 0 where there is no tape.
    pieces, values : int
        Sent since it began: pieces modulo 65536, values of a channel modulo 2**32.
    overruns : int
        Times that values of the sensor were lost, modulo 65536.
    """

    channels: int
    pieces: int
    values: int
    overruns: int


@dataclass(frozen=True)
class TapePiece:
    """Values of a board's sensor, shape (R, C).

    Attributes
    ----------
    lost : bool
        Whether the sensor's values before it were lost on the board.
    missed : int
        Pieces before it that the link lost.
    pressed : bool
        Whether the board's button was pressed.
    """

    values: npt.NDArray[np.int16]
    lost: bool
    missed: int
    pressed: bool


class TapeLink:
    """The requests of a tape.

    Parameters
    ----------
    session : Session
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._form = self._channels = self._next = 0

    def begin(self, form: int, rate: int) -> Tape:
        """Begin a tape, or begin it anew: of ``rate`` values a second and channel, which the sensor must give.

        Raises
        ------
        BoardError
            When the board has no such sensor, or its program is too old.
        """
        tape = self._ask(form, rate)
        if not 0 < tape.channels <= MAX_CHANNELS or (form == COMPRESSED and tape.channels != 1):
            raise BoardError(f"the board's sensor claims {tape.channels} channels", "flash the board again")
        self._form, self._channels, self._next = form, tape.channels, 0
        return tape

    def end(self) -> Tape:
        """End the tape. The pieces that came before its end can still be taken."""
        return self._ask(END, 0)

    def piece(self, timeout: float) -> TapePiece | None:
        """Return the next piece; None after ``timeout`` seconds, or where something else came.

        Raises
        ------
        BoardError
            When the sensor failed, or the board sends what cannot be.
        """
        frame = self._session.unasked(timeout)
        if frame is None or frame.kind != PIECE or not self._form:
            return None
        if len(frame.payload) < 3:
            raise _impossible(f"{len(frame.payload)} bytes")
        number, flags = struct.unpack_from("<HB", frame.payload)
        values = _unpacked(frame.payload[3:], self._form, self._channels)
        missed = (number - self._next) & 0xFFFF
        self._next = (number + 1) & 0xFFFF
        return TapePiece(values, bool(flags & 1), missed, bool(flags & 2))

    def _ask(self, form: int, rate: int) -> Tape:
        payload = self._session.request(RECORD, struct.pack("<BH", form, rate), TAPE).payload
        try:
            said, *numbers = struct.unpack("<BBHIH", payload)
        except struct.error:
            raise BoardError(f"the board's TAPE has {len(payload)} bytes", "flash the board again") from None
        if said != form:
            raise BoardError(f"the board began a tape of form {said}, not {form}", "flash the board again")
        return Tape(*numbers)


def _unpacked(data: bytes, form: int, channels: int) -> npt.NDArray[np.int16]:
    """Return the values of a piece, shape (R, C)."""
    if form == COMPRESSED:
        return _inflated(data)[:, None]
    if len(data) % (2 * channels):
        raise _impossible(f"{len(data)} bytes of values of {channels} channels")
    return np.frombuffer(data, "<i2").astype(np.int16).reshape(-1, channels)


def _inflated(data: bytes) -> npt.NDArray[np.int16]:
    """Return values compressed to four bits, shape (R,)."""
    if len(data) < 3 or data[2] >= len(_STEPS):
        raise _impossible("no state before its values" if len(data) < 3 else f"step {data[2]}")
    p, i = struct.unpack_from("<hB", data)
    values = []
    for code in chain.from_iterable((byte & 15, byte >> 4) for byte in data[3:]):
        step = _STEPS[i]
        move = (step >> 3) + (step if code & 4 else 0) + (step >> 1 if code & 2 else 0) + (step >> 2 if code & 1 else 0)
        p = max(-32768, p - move) if code & 8 else min(32767, p + move)
        i = max(0, min(88, i + _MOVE[code & 7]))
        values.append(p)
    return np.array(values, np.int16)


def _impossible(what: str) -> BoardError:
    return BoardError(f"the board's PIECE is not possible: {what}", "flash the board again")
