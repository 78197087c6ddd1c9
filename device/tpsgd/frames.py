"""Frames over a byte pipe (SPEC 4): find them, check them, send them.

There is one buffer for each direction, allocated once. The board skips bytes outside a valid frame; only the host shows
them, as text.
"""

import struct

from tpsgd.plan import ANSWER, FRAME, PAYLOAD
from tpsgd.runtime import crc32

SYNC = 0xF5

HELLO, START, DATA, SYNC_UP, READ, BYE = 0x01, 0x02, 0x04, 0x05, 0x06, 0x07
INFO, ACK, DONE, CHUNK, UNSAVED, ERROR = 0x81, 0x84, 0x85, 0x86, 0x87, 0x8F


class RefusedError(Exception):
    """The board cannot do what the host asked for; ``code`` as in SPEC 4."""

    def __init__(self, code, text):
        super().__init__(text)
        self.code = code


class Frames:
    """Frames in both directions.

    Parameters
    ----------
    source : stream
        ``readinto(view)`` waits for bytes and returns how many came; 0 at the end of the pipe.
    sink : stream
        ``write(view)`` sends all of ``view``.

    Attributes
    ----------
    payload : bytearray
        The last frame received. Its payload is ``payload[4 : 4 + length]``.
    out : bytearray
        The frame to send. Write its payload here, from byte 4 on.
    idle : function or None
        Called before each read. It may do something else, and send, until bytes are waiting.
    """

    idle = None

    def __init__(self, source, sink):
        self._source = source
        self._sink = sink
        self.payload = bytearray(FRAME)
        self.out = bytearray(ANSWER + 8)
        self._have = self._used = self.kind = self.number = self.length = 0

    def receive(self):
        """Wait for the next valid frame and set ``kind``, ``number`` and ``length``. Return False at the pipe's end."""
        buffer = self.payload
        self._drop(self._used)
        while True:
            at = 0
            while at < self._have and buffer[at] != SYNC:
                at += 1
            self._drop(at)
            if not self._fill(4):
                return False
            size = buffer[1]
            if buffer[0] != SYNC or size > PAYLOAD:
                self._drop(1)
                continue
            if not self._fill(size + 8):
                return False
            crc = crc32(memoryview(self.payload)[1 : size + 4]) & 0xFFFFFFFF
            if crc != struct.unpack_from("<I", buffer, size + 4)[0]:
                self._drop(1)
                continue
            self._used = size + 8
            self.length, self.kind, self.number = size, buffer[2], buffer[3]
            return True

    def waiting(self):
        """Return whether bytes of the next frame have arrived already."""
        return self._have > self._used

    def send(self, kind, number, size):
        """Send the ``size`` bytes of payload in ``out``."""
        out = self.out
        out[0], out[1], out[2], out[3] = SYNC, size, kind, number
        view = memoryview(out)  # made each time: one that is kept would take room from a network
        struct.pack_into("<I", out, size + 4, crc32(view[1 : size + 4]) & 0xFFFFFFFF)
        # Short writes lose nothing on RP2 (micropython #12037: long ones may), but one of whole USB packets of 64
        # bytes may lie there until the next comes (#15960): the last byte of such a frame goes by itself.
        size += 8
        if not size & 63:
            self._sink.write(view[: size - 1])
            view = view[size - 1 :]
            size = 1
        self._sink.write(view[:size])

    def say(self, text):
        """Send text between frames; the host shows it."""
        self._sink.write(text.encode())

    def _fill(self, n):
        """Read until ``n`` bytes are in the buffer, and no more: a console read may wait for all that it asks for."""
        while self._have < n:
            ask = n - self._have
            if self.idle:
                self.idle()
                ask = 1  # more would stop it until all of them have come
            if not ask & 63:
                ask -= 1  # a read of whole USB packets of 64 bytes hangs on RP2 (micropython #11253)
            got = self._source.readinto(memoryview(self.payload)[self._have : self._have + ask])
            if not got:
                return False
            self._have += got
        return True

    def _drop(self, n):
        """Forget the first ``n`` bytes of the buffer."""
        if n:
            left = self._have - n
            for i in range(left):
                self.payload[i] = self.payload[n + i]
            self._have = left
            self._used = 0
