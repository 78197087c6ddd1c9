"""A session with a board: requests one at a time, records in a window (SPEC 4, go-back-N).

Shapes: R records, r results of one answer.
"""

from __future__ import annotations

import secrets
import struct
import time
from collections import deque
from collections.abc import Callable, Iterator

import numpy as np
from tpsgd import frames
from tpsgd.plan import ANSWER, FRAME, PAYLOAD

from tpsgd_host.errors import BoardError
from tpsgd_host.link.messages import Done, Info, board_error
from tpsgd_host.link.port import Port
from tpsgd_host.link.wire import Decoder, Frame
from tpsgd_host.runs.executor import Bytes, Records

#: Seconds without an answer after which a frame is sent again; doubled each time.
RETRY = 0.5

#: Bytes of a DATA payload that are not records.
_CONFIRMED = 2


class Session:
    """A conversation with the device program at the other end of a port.

    Parameters
    ----------
    port : Port
    on_text : callable
        Gets what the board prints, as text.
    patience : float
        Seconds of silence after which the board is given up.
    """

    def __init__(self, port: Port, on_text: Callable[[str], None] = lambda text: None, patience: float = 15.0) -> None:
        self._port = port
        self._on_text = on_text
        self._patience = patience
        self._decoder = Decoder()
        self._inbox: deque[Frame] = deque()
        self._next = 0
        self.resent = 0
        self.received_results = 0
        self.info: Info | None = None

    # -- requests

    def hello(self, engine: int = 0, patience: float | None = None) -> Info:
        """Open the session and return what the board says of itself."""
        while True:
            frame = Frame(frames.HELLO, 0, struct.pack("<BBI", 1, engine, secrets.randbits(32)))
            if 0x03 not in frame.encode():
                break
        answer = self._exchange(frame, frames.INFO, patience or self._patience, any_number=True)
        self._next = 1
        self.info = Info.parse(answer.payload)
        return self.info

    def start(self, run_id: int, total: int, fresh: bool, every: int = 0) -> Info:
        """Begin a run of ``total`` training samples; ``fresh``: from the weights in the board's model file."""
        answer = self._request(frames.START, struct.pack("<BIII", int(fresh), run_id, total, every), frames.INFO)
        self.received_results = 0
        return Info.parse(answer.payload)

    def sync(self, save: bool) -> Done:
        """Wait until all is applied; ``save``: have the board write a checkpoint."""
        payload = struct.pack("<BH", int(save), self.received_results & 0xFFFF)
        return Done.parse(self._request(frames.SYNC_UP, payload, frames.DONE).payload)

    def read(self, what: int, progress: Callable[[int], None] = lambda n: None) -> bytes:
        """Return the board's model file (0) or its live weights (1)."""
        data = bytearray()
        while True:
            answer = self._request(frames.READ, struct.pack("<BIB", what, len(data), ANSWER - 4), frames.CHUNK)
            data += answer.payload[4:]
            progress(len(data))
            if len(answer.payload) < ANSWER:
                return bytes(data)

    def bye(self) -> None:
        """End the session; a board that does not answer any more is left alone."""
        if self.info is None:
            return
        try:
            self._exchange(Frame(frames.BYE, self._next, b""), frames.ACK, patience=1.0)
        except BoardError:
            pass
        self.info = None

    def _request(self, kind: int, payload: bytes, answer: int) -> Frame:
        frame = Frame(kind, self._next, payload)
        reply = self._exchange(frame, answer, self._patience)
        self._next = (self._next + 1) & 255
        return reply

    def _exchange(self, frame: Frame, kind: int, patience: float, any_number: bool = False) -> Frame:
        """Send a frame until its answer comes."""
        begun, wait = time.monotonic(), RETRY
        while True:
            self._port.write(frame.encode())
            deadline = time.monotonic() + wait
            while (reply := self._receive(deadline)) is not None:
                if reply.kind == frames.ERROR and (any_number or reply.number == frame.number):
                    self._next = (frame.number + 1) & 255
                    raise board_error(reply.payload)
                if reply.kind == kind and (any_number or reply.number == frame.number):
                    return reply
            if time.monotonic() - begun > patience:
                raise self._silent(time.monotonic() - begun)
            self.resent += 1
            wait = min(2 * wait, 4.0)

    # -- records

    def stream(self, records: Records) -> Iterator[Bytes]:
        """Send records; yield their results as they come, arrays (r, 2) of predicted class and p_y.

        The window is never exceeded, and no record is sent that the board could not keep the result of.
        """
        assert self.info is not None
        source = _Source(records, self.received_results)
        flight: deque[Frame] = deque()
        flying, last, quiet_since, wait = 0, None, time.monotonic(), RETRY
        gone_back = False  # once a loss: the answers to frames that were under way behind it say nothing new
        while self.received_results < source.end:
            while flying + FRAME <= self.info.window or not flight:
                payload = source.take(PAYLOAD - _CONFIRMED, self.received_results + self.info.results)
                if not payload:
                    break
                head = struct.pack("<H", self.received_results & 0xFFFF)
                last = Frame(frames.DATA, self._next, head + payload)
                self._next = (self._next + 1) & 255
                flight.append(last)
                flying += len(payload) + _CONFIRMED + 8
                self._port.write(last.encode())
            reply = self._receive(time.monotonic() + wait)
            if reply is None:
                if time.monotonic() - quiet_since > self._patience:
                    raise self._silent(time.monotonic() - quiet_since)
                wait = min(2 * wait, 4.0)
                gone_back = False
                self._send_again(list(flight)[:1] or [last])
                continue
            quiet_since, wait = time.monotonic(), RETRY
            before = len(flight)
            while flight and (reply.number - flight[0].number) & 255 < 128:
                flying -= len(flight.popleft().payload) + 8
            if reply.kind == frames.ERROR:
                raise board_error(reply.payload)
            results = self._results(reply)
            if len(results):
                yield results
            if len(flight) < before:
                gone_back = False
            elif flight and not len(results) and not gone_back and reply.kind == frames.ACK:
                gone_back = True
                self._send_again(list(flight))

    def _results(self, reply: Frame) -> Bytes:
        """Return the results in an answer that are new, shape (r, 2)."""
        if reply.kind != frames.ACK or len(reply.payload) < 4:
            return np.empty((0, 2), np.uint8)
        first = int.from_bytes(reply.payload[:4], "little")
        pairs = np.frombuffer(reply.payload[4:], np.uint8).reshape(-1, 2)
        new = pairs[max(0, self.received_results - first) :]
        if first > self.received_results:
            raise BoardError("results were lost on the way", "this is a fault of the link: please report it")
        self.received_results += len(new)
        return new

    def _send_again(self, again: list[Frame | None]) -> None:
        for frame in again:
            if frame is not None:
                self.resent += 1
                self._port.write(frame.encode())

    # -- receiving

    def _receive(self, deadline: float) -> Frame | None:
        """Return the next frame, or None at the deadline; text goes where the user sees it."""
        while not self._inbox:
            left = deadline - time.monotonic()
            if left <= 0:
                return None
            for item in self._decoder.feed(self._port.read(left)):
                if isinstance(item, Frame):
                    self._inbox.append(item)
                else:
                    self._on_text(item.decode(errors="replace"))
        return self._inbox.popleft()

    def _silent(self, seconds: float) -> BoardError:
        return BoardError(
            f"the board has not answered for {seconds:.0f} s",
            "does it run the device program? Reset it, then flash it again with: tpsgd-host flash MODEL",
        )


class _Source:
    """Records as the byte stream that DATA frames carry."""

    def __init__(self, records: Records, first: int) -> None:
        head = np.column_stack([records.ops, records.labels])
        self._size = 2 + records.data.shape[1]
        self._bytes = np.hstack([head, records.data]).astype(np.uint8).tobytes()
        self._first = first
        self._at = 0
        self.end = first + len(records)

    def take(self, most: int, limit: int) -> bytes:
        """Return the next bytes, at most ``most``, none of a record whose index is ``limit`` or more."""
        end = min(self._at + most, (limit - self._first) * self._size, len(self._bytes))
        data = self._bytes[self._at : end]
        self._at = max(end, self._at)
        return data
