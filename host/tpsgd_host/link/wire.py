"""Frames on the wire: encode them, and find them among the other output of a board."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from zlib import crc32

from tpsgd.frames import SYNC
from tpsgd.plan import PAYLOAD


@dataclass(frozen=True)
class Frame:
    """A frame (SPEC 4): type, sequence number, and payload of at most 200 bytes."""

    kind: int
    number: int
    payload: bytes

    def encode(self) -> bytes:
        """Return the bytes of the frame on the wire."""
        body = bytes([len(self.payload), self.kind, self.number]) + self.payload
        return bytes([SYNC]) + body + struct.pack("<I", crc32(body))


class Decoder:
    """Splits a board's output into frames and text.

    Feed it bytes as they arrive. Each byte ends up in a frame or in the text, or is dropped as a damaged frame's sync
    byte.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Frame | bytes]:
        """Yield frames, and the text between them, in order of arrival."""
        self._buffer += data
        text = bytearray()
        while self._buffer:
            at = self._buffer.find(SYNC)
            if at:
                end = len(self._buffer) if at < 0 else at
                text += self._buffer[:end]
                del self._buffer[:end]
                continue
            found = self._frame()
            if found is None:
                break
            if isinstance(found, Frame):
                if text:
                    yield bytes(text)
                    text.clear()
                yield found
            else:
                del self._buffer[:1]
        if text:
            yield bytes(text)

    def give_up(self) -> None:
        """Stop waiting for the rest of a frame, and continue after its sync byte."""
        del self._buffer[:1]

    def _frame(self) -> Frame | bool | None:
        """Return the frame at the start of the buffer, False if there is none, None if more bytes are needed."""
        if len(self._buffer) < 2:
            return None
        size = self._buffer[1]
        if size > PAYLOAD:
            return False
        if len(self._buffer) < size + 8:
            return None
        body = bytes(self._buffer[1 : size + 4])
        if crc32(body) != int.from_bytes(self._buffer[size + 4 : size + 8], "little"):
            return False
        del self._buffer[: size + 8]
        return Frame(body[1], body[2], body[3:])
