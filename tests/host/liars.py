"""Dishonest ports: they echo, flood, or change a real board's answers."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable
from typing import Any

from tpsgd import frames, incoming, lesson
from tpsgd_host.link.port import Port
from tpsgd_host.link.wire import Decoder, Frame

#: Changes the payload of an answer: gets the frame and how many of its kind came before.
Lie = Callable[[Frame, int], "bytes | None"]


class EchoPort:
    """Echoes what is written to it, like a looped cable."""

    def __init__(self) -> None:
        self._data = bytearray()

    def read(self, timeout: float) -> bytes:
        """Return what was written."""
        if not self._data:
            time.sleep(min(timeout, 0.01))
        data, self._data = bytes(self._data), bytearray()
        return data

    def write(self, data: bytes) -> None:
        """Take what comes back."""
        self._data += data

    def close(self) -> None:
        """Do nothing."""


class FloodPort(EchoPort):
    """Never falls silent: sends ``data`` again and again, whatever is written to it."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self._flood = data

    def read(self, timeout: float) -> bytes:
        """Return more of it."""
        time.sleep(0.001)
        return self._flood

    def write(self, data: bytes) -> None:
        """Hear nothing."""


class LyingPort:
    """A board's port on which the answers of one kind say something else; the CRC of each frame is right."""

    def __init__(self, port: Port, kind: int, lie: Lie) -> None:
        self._port, self._kind, self._lie = port, kind, lie
        self._decoder = Decoder()
        self.heard = self.lies = 0

    def read(self, timeout: float) -> bytes:
        """Return what the board said, changed."""
        out = b""
        for item in self._decoder.feed(self._port.read(timeout)):
            if not isinstance(item, Frame):
                out += item
                continue
            payload: bytes | None = item.payload
            if item.kind == self._kind:
                payload = self._lie(item, self.heard)
                self.heard += 1
                self.lies += payload != item.payload
            if payload is not None:
                out += Frame(item.kind, item.number, payload).encode()
        return out

    def write(self, data: bytes) -> None:
        """Send."""
        self._port.write(data)

    def close(self) -> None:
        """Close the port."""
        self._port.close()


def put(code: str, at: int, value: Any, after: int = 0) -> Lie:
    """Return the lie that puts another number into a payload, from answer number ``after`` on."""

    def lie(frame: Frame, number: int) -> bytes:
        payload = bytearray(frame.payload)
        if number >= after and at + struct.calcsize(code) <= len(payload):
            struct.pack_into(code, payload, at, value)
        return bytes(payload)

    return lie


def flip(at: int, after: int = 0) -> Lie:
    """Return the lie that flips a bit of a payload, from answer number ``after`` on."""

    def lie(frame: Frame, number: int) -> bytes:
        payload = bytearray(frame.payload)
        if number >= after and at < len(payload):
            payload[at] ^= 1
        return bytes(payload)

    return lie


def flip_newest(back: int, after: int) -> Lie:
    """Return the lie that flips a bit of the newest result in an ACK, ``back`` bytes from its end.

    The results before it may be some that the host has already.
    """

    def lie(frame: Frame, number: int) -> bytes:
        payload = bytearray(frame.payload)
        if number >= after and len(payload) > 6:
            payload[-back] ^= 1
        return bytes(payload)

    return lie


def flip_weights() -> Lie:
    """Return the lie that flips a bit in what is read second, the weights: each read begins with the file's header."""
    headers = 0

    def lie(frame: Frame, number: int) -> bytes:
        nonlocal headers
        headers = 1 if number == 0 else headers + (len(frame.payload) == 4 + 12)
        payload = bytearray(frame.payload)
        if headers == 2 and len(payload) > 4 + 12:
            payload[50] ^= 1
        return bytes(payload)

    return lie


def shorten_weights() -> Lie:
    """Return the lie that keeps back the last byte of the weights, which are read second: after another header."""
    headers = 0

    def lie(frame: Frame, number: int) -> bytes:
        nonlocal headers
        header = number == 0 or len(frame.payload) == 4 + 12
        headers = 1 if number == 0 else headers + header
        return frame.payload if header or headers < 2 else frame.payload[:-1]

    return lie


def pad(frame: Frame, number: int) -> bytes:
    """Give chunks that are never shorter than a whole one."""
    return frame.payload.ljust(120, b"\1")


def cut(frame: Frame, number: int) -> bytes:
    """Give chunks without a byte."""
    return frame.payload[:4]


def endless(frame: Frame, number: int) -> bytes:
    """Give a model file that never ends: each chunk is there, and the header says four gigabytes."""
    payload = bytearray(frame.payload)
    if number == 0:
        struct.pack_into("<I", payload, 4 + 8, 0xFFFFFFFF)
    return bytes(payload)


def stand_still(frame: Frame, number: int) -> bytes:
    """Acknowledge nothing: the answer comes, and the record stream does not."""
    return struct.pack("<HI", 0, 0)


#: What a board can lie about in a whole run: kind of answer, lie.
LIES: dict[str, tuple[int, Lie]] = {
    "INFO keeps no results": (frames.INFO, put("<B", 4, 0)),
    "INFO keeps 255 results": (frames.INFO, put("<B", 4, 255)),
    "INFO has more results than it keeps": (frames.INFO, put("<B", 5, 200)),
    "INFO has a window of nothing": (frames.INFO, put("<H", 2, 0)),
    "INFO names another model": (frames.INFO, flip(6)),
    "INFO has applied records before the first": (frames.INFO, put("<I", 18, 77, after=1)),
    "CHUNK of the weights altered": (frames.CHUNK, flip_weights()),
    "CHUNK of the weights one byte short": (frames.CHUNK, shorten_weights()),
    "CHUNK of the model altered": (frames.CHUNK, flip(50, after=1)),
    "CHUNK never shorter than asked": (frames.CHUNK, pad),
    "CHUNK without a byte": (frames.CHUNK, cut),
    "CHUNK of a file that never ends": (frames.CHUNK, endless),
    "CHUNK from another place": (frames.CHUNK, put("<I", 0, 7, after=1)),
    "DONE with another CRC": (frames.DONE, flip(8)),
    "DONE with more records": (frames.DONE, flip(0)),
    "DONE with more samples learned": (frames.DONE, flip(4)),
    "ACK that takes nothing": (frames.ACK, stand_still),
    "ACK with another class": (frames.ACK, flip_newest(2, after=3)),
    "ACK with another probability": (frames.ACK, flip_newest(1, after=3)),
    "ACK with a probability above one": (frames.ACK, put("<B", 7, 255)),
    "ACK with a probability just above one": (frames.ACK, put("<B", 7, 128)),
    "ACK with a class there is not": (frames.ACK, put("<B", 6, 250)),
    "ACK with results from the future": (frames.ACK, put("<I", 2, 99999)),
}


def lengthen(frame: Frame, number: int) -> bytes:
    """Send more than there is."""
    return frame.payload + bytes(40)


def empty(frame: Frame, number: int) -> bytes:
    """Send a frame without payload."""
    return b""


#: What a board can lie about in a lesson.
LESSON_LIES: dict[str, tuple[int, Lie]] = {
    "HEARD with a class there is not": (lesson.HEARD, put("<B", 8, 77)),
    "HEARD with a probability above one": (lesson.HEARD, put("<B", 9, 200)),
    "HEARD too long": (lesson.HEARD, lengthen),
    "HEARD without payload": (lesson.HEARD, empty),
    "LEVEL too long": (lesson.LEVEL, lengthen),
    "LEVEL without payload": (lesson.LEVEL, empty),
    "LESSON with a label there is not": (lesson.LESSON, put("<B", 3, 9)),
    "LESSON with a class there is not": (lesson.LESSON, put("<B", 4, 99)),
    "LESSON with a probability above one": (lesson.LESSON, put("<B", 5, 255)),
    "LESSON without payload": (lesson.LESSON, empty),
    "CHUNK of a sample from another place": (frames.CHUNK, put("<I", 0, 5, after=20)),
}

#: What a board can lie about when weights are put on it.
PUSH_LIES: dict[str, tuple[int, Lie]] = {
    "PLACED with another CRC": (incoming.PLACED, flip(8)),
    "PLACED that takes nothing": (incoming.PLACED, put("<I", 0, 0)),
    "PLACED in no checkpoint": (incoming.PLACED, put("<I", 4, 0)),
    "PLACED without payload": (incoming.PLACED, empty),
    "PLACED too long": (incoming.PLACED, lengthen),
}

#: Lies that change nothing a run depends on: it ends as it should.
HARMLESS = ("INFO keeps 255 results", "INFO has a window of nothing")
