"""The requests of a lesson: a board listens to its own sensor and learns what the host labels (SPEC 4.1)."""

from __future__ import annotations

import struct

from tpsgd import frames
from tpsgd import lesson as device
from tpsgd.plan import PAYLOAD
from tpsgd.tape import PIECE
from tpsgd_host.errors import BoardError
from tpsgd_host.link.messages import Heard, Lesson, Level
from tpsgd_host.link.session import CHUNK, Session

#: READ: the newest sample, the newest HEARD.
SAMPLE, ANSWER = 2, 3

#: Bytes of a sample in one SHOW.
PART = PAYLOAD - 4

#: Samples to practise with one request: the board does not listen meanwhile.
PRACTISED = 4

EAR, LEVELS, HOLD, GO_ON = 1, 2, 4, 8


class LessonLink:
    """A lesson over an open session.

    Parameters
    ----------
    session : Session
    classes, channels, size : int
        N, C and T*C of the board's model.
    """

    def __init__(self, session: Session, classes: int, channels: int, size: int) -> None:
        self._session = session
        self._classes, self._channels, self._size = classes, channels, size

    def listen(
        self, ears: bool, levels: bool, passes: int, budget: int, hold: bool = False, go_on: bool = False
    ) -> Lesson:
        """Begin the lesson, or change it.

        Parameters
        ----------
        ears : bool
            Whether the board listens to its sensor.
        levels : bool
            Whether it sends LEVEL.
        passes : int
            How many times the board practises all kept samples by itself, 0 to 255.
        budget : int
            Bytes for taught samples. With another number than before, what was kept is dropped.
        hold, go_on : bool
            Whether it stops listening after each event, and whether it goes on now.
        """
        flags = EAR * ears | LEVELS * levels | HOLD * hold | GO_ON * go_on
        return self._ask(device.LISTEN, struct.pack("<BBI", flags, passes, budget))

    def teach(self, event: int, y: int) -> Lesson:
        """Learn and keep the sample of ``event`` as one of class y; ``label`` is None if a newer event has come."""
        return self._ask(device.TEACH, struct.pack("<HB", event & 0xFFFF, y))

    def undo(self) -> Lesson:
        """Drop the sample that was kept last."""
        return self._ask(device.UNDO, b"")

    def practise(self, n: int) -> Lesson:
        """Learn ``n`` of the kept samples again, at most PRACTISED."""
        return self._ask(device.PRACTISE, struct.pack("<H", min(n, PRACTISED)))

    def show(self, sample: bytes) -> Lesson:
        """Show a sample, T*C stored activations: it becomes the newest event."""
        if len(sample) != self._size:
            raise ValueError(f"a sample of {len(sample)} activations; the model takes {self._size}")
        for at in range(0, self._size, PART):
            lesson = self._ask(device.SHOW, struct.pack("<I", at) + sample[at : at + PART])
        return lesson

    def sample(self, event: int) -> bytes | None:
        """Return the sample of ``event``; None if a newer event has come."""
        return self._read(SAMPLE, event, self._size)

    def heard(self, event: int) -> Heard | None:
        """Return the answer to ``event`` again; None if a newer event has come."""
        payload = self._read(ANSWER, event, CHUNK)
        return Heard.parse(payload, self._classes) if payload is not None else None

    def unasked(self, timeout: float) -> Level | Heard | None:
        """Return what the board tells next; None after ``timeout`` seconds.

        Raises
        ------
        BoardError
            When its sensor failed, or it tells what cannot be.
        """
        frame = self._session.unasked(timeout)
        if frame is None or frame.kind == PIECE:  # left of a tape
            return None
        if frame.kind == device.LEVEL:
            return Level.parse(frame.payload, self._channels)
        return Heard.parse(frame.payload, self._classes)

    def _ask(self, kind: int, payload: bytes) -> Lesson:
        return Lesson.parse(self._session.request(kind, payload, device.LESSON).payload, self._classes)

    def _read(self, what: int, event: int, size: int) -> bytes | None:
        """Return at most ``size`` bytes of what belongs to an event."""
        data = bytearray()
        while len(data) < size:
            count = min(CHUNK, size - len(data))
            ask = struct.pack("<BIBH", what, len(data), count, event & 0xFFFF)
            payload = self._session.request(frames.READ, ask, frames.CHUNK).payload
            if int.from_bytes(payload[:4], "little") != len(data) or len(payload) > 4 + count:
                raise BoardError("the board sent another part of a sample than was asked for", "flash the board again")
            if len(payload) <= 4:
                return None
            data += payload[4:]
            if what == ANSWER:
                break
        return bytes(data)
