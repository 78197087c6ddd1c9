"""A session with a board: requests one at a time, records in a window (SPEC 4, go-back-N).

Shapes: R records, r results of one answer.
"""

from __future__ import annotations

import secrets
import struct
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from tpsgd import frames
from tpsgd.plan import ANSWER, FRAME, PAYLOAD
from tpsgd_host.errors import BoardError
from tpsgd_host.link.messages import Done, Info, board_error
from tpsgd_host.link.port import Port
from tpsgd_host.link.wire import Decoder, Frame
from tpsgd_host.runs.executor import Bytes, Records

#: Seconds without an answer after which a frame is sent again, before the board's pace is known; doubled each time.
RETRY = 0.5
SHORTEST_RETRY, LONGEST_RETRY = 0.05, 4.0

#: Bytes of a DATA payload that are not records; bytes of a DATA frame that are not.
HEAD = 4
OVERHEAD = HEAD + 8

#: Ends whatever frame the board believes to be in.
PADDING = bytes(FRAME)

#: Fewest bytes of records in a frame, however bad the wire is.
SMALLEST = 24


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
        self._run_number = self._streamed = 0
        self._size = self._largest = PAYLOAD - HEAD
        self._mean, self._retry = RETRY / 6, RETRY
        self.resent = 0
        self.received_results = 0
        self.info: Info | None = None

    # -- requests

    def hello(self, engine: int = 0, window: int | None = None) -> Info:
        """Open the session and return what the board says of itself.

        Parameters
        ----------
        engine : int
            The engine wanted, by its number; 0 for the board's best.
        window : int, optional
            Keep no more bytes under way than this, where the board would take more.
        """
        while True:
            frame = Frame(frames.HELLO, 0, struct.pack("<BBI", 1, engine, secrets.randbits(32)))
            if 0x03 not in frame.encode():
                break
        answer = self._exchange(frame, frames.INFO, self._patience)
        self._next = 1
        info = Info.parse(answer.payload)
        self.info = replace(info, window=min(info.window, window or info.window))
        # Two frames at least: one travels while the answer to the other does.
        self._size = self._largest = max(SMALLEST, min(PAYLOAD - HEAD, self.info.window // 2 - OVERHEAD))
        return self.info

    def start(self, run_id: int, total: int, fresh: bool, every: int = 0) -> Info:
        """Begin a run of ``total`` training samples; ``fresh``: from the weights in the board's model file."""
        self._run_number = self._next
        answer = self._request(frames.START, struct.pack("<BIII", int(fresh), run_id, total, every), frames.INFO)
        self.received_results = self._streamed = 0
        return Info.parse(answer.payload)

    def sync(self, save: bool) -> Done:
        """Wait until all is applied; ``save``: have the board write a checkpoint."""
        payload = struct.pack("<BH", int(save), self.received_results & 0xFFFF)
        return Done.parse(self._request(frames.SYNC_UP, payload, frames.DONE).payload)

    def read(self, what: int, progress: Callable[[int], None] = lambda n: None) -> bytes:
        """Return the board's model file (0) or its live weights (1)."""
        data = bytearray()
        while True:
            count = ANSWER - 4
            answer = self._request(frames.READ, struct.pack("<BIB", what, len(data), count), frames.CHUNK)
            if int.from_bytes(answer.payload[:4], "little") != len(data):
                raise BoardError("the board answers for another place than was asked", "flash the board again")
            data += answer.payload[4:]
            progress(len(data))
            if len(answer.payload) - 4 < count:
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

    def _exchange(self, frame: Frame, kind: int, patience: float) -> Frame:
        """Send a request until its answer comes."""
        heard, wait = time.monotonic(), self._retry
        padding = b""
        while True:
            sent = time.monotonic()
            self._port.write(padding + frame.encode())
            while (reply := self._receive(sent + wait)) is not None:
                heard = time.monotonic()
                if reply.number != frame.number or reply.kind not in (kind, frames.ERROR):
                    continue
                if not padding:
                    self._pace(heard - sent)
                if reply.kind == frames.ERROR:
                    self._next = (frame.number + 1) & 255
                    raise board_error(reply.payload)
                return reply
            if time.monotonic() - heard > patience:
                raise self._silent(time.monotonic() - heard)
            self.resent += 1
            wait = self._longer(wait)
            padding = PADDING

    # -- records

    def stream(self, records: Records) -> Iterator[Bytes]:
        """Send records; yield their results as they come, arrays (r, 2) of predicted class and p_y.

        The window is never exceeded, and no record is sent that the board could not keep the result of.
        """
        assert self.info is not None
        source = _Source(records, self.received_results, self._streamed)
        flight = _Flight(source.begin)
        heard, wait, went_back = time.monotonic(), self._retry, False
        while self.received_results < source.end_index:
            self._fill_window(source, flight)
            sent = time.monotonic()
            reply = self._receive(sent + wait)
            if reply is None:
                if time.monotonic() - heard > self._patience:
                    raise self._silent(time.monotonic() - heard)
                wait, went_back = self._longer(wait), False
                self._go_back(flight, PADDING)
                continue
            heard = time.monotonic()
            if reply.kind == frames.ERROR:
                raise board_error(reply.payload)
            if reply.kind != frames.ACK or reply.number != self._run_number or len(reply.payload) < 6:
                continue
            came = flight.acknowledge(int.from_bytes(reply.payload[:2], "little"))
            results = self._results(reply.payload[2:])
            if came:
                wait, went_back = self._retry, False
                self._size = min(self._size + 1, self._largest)
            if len(results):
                yield results
            elif not came and flight.frames and not went_back:
                went_back = True  # once a loss: answers to what was under way behind it say nothing new
                self._go_back(flight)
        self._streamed = source.begin + source.length

    def _fill_window(self, source: _Source, flight: _Flight) -> None:
        """Send as much as window, results and records allow."""
        assert self.info is not None
        limit = source.limit(self.received_results + self.info.results)
        while flight.next < limit:
            n = min(self._size, limit - flight.next)
            if flight.frames and flight.bytes + n + OVERHEAD > self.info.window:
                return
            head = struct.pack("<HH", self.received_results & 0xFFFF, flight.next & 0xFFFF)
            self._port.write(Frame(frames.DATA, self._run_number, head + source.piece(flight.next, n)).encode())
            flight.add(n)

    def _go_back(self, flight: _Flight, padding: bytes = b"") -> None:
        """Begin again at the first byte that the board has not acknowledged, in smaller frames."""
        self.resent += max(1, len(flight.frames))
        self._size = max(SMALLEST, self._size * 3 // 4)
        if padding:
            self._port.write(padding)
        if not flight.frames:  # all is taken, the results are missing: anything that is answered brings them
            head = struct.pack("<HH", self.received_results & 0xFFFF, flight.next & 0xFFFF)
            self._port.write(Frame(frames.DATA, self._run_number, head).encode())
        flight.go_back()

    def _results(self, payload: bytes) -> Bytes:
        """Return the results in an ACK that are new, shape (r, 2)."""
        first = int.from_bytes(payload[:4], "little")
        if first > self.received_results:
            raise BoardError("results were lost on the way", "this is a fault of the link: please report it")
        pairs = np.frombuffer(payload[4:], np.uint8).reshape(-1, 2)
        new = pairs[self.received_results - first :]
        self.received_results += len(new)
        return new

    def _longer(self, wait: float) -> float:
        """Return the time to wait after ``wait`` was too short: double, to a limit that the board's pace sets."""
        return min(2 * wait, 20 * self._retry, LONGEST_RETRY)

    def _pace(self, seconds: float) -> None:
        """Learn how long the board takes to answer."""
        self._mean += (seconds - self._mean) / 4
        self._retry = min(max(SHORTEST_RETRY, 6 * self._mean), LONGEST_RETRY)

    # -- receiving

    def _receive(self, deadline: float) -> Frame | None:
        """Return the next frame, or None at the deadline; text goes where the user sees it."""
        while not self._inbox:
            left = deadline - time.monotonic()
            if left <= 0:
                return None
            data = self._port.read(left)
            if not data:
                self._decoder.give_up()  # what looks like half a frame is none: no more of it came
            for item in self._decoder.feed(data):
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
    """Records as the byte stream of a run.

    Parameters
    ----------
    first : int
        Index of the first record in the run.
    begin : int
        Its place in the stream.
    """

    def __init__(self, records: Records, first: int, begin: int) -> None:
        head = np.column_stack([records.ops, records.labels])
        self._bytes = np.hstack([head, records.data]).astype(np.uint8).tobytes()
        self._size = 2 + records.data.shape[1]
        self._first = first
        self.begin = begin
        self.length = len(self._bytes)
        self.end_index = first + len(records)

    def limit(self, index: int) -> int:
        """Return the place behind the last record whose index is below ``index``."""
        return int(self.begin + min((index - self._first) * self._size, self.length))

    def piece(self, at: int, n: int) -> bytes:
        """Return ``n`` bytes of the stream from place ``at``."""
        return self._bytes[at - self.begin : at - self.begin + n]


class _Flight:
    """What is under way: from the first byte not acknowledged, ``base``, to the next to be sent."""

    def __init__(self, begin: int) -> None:
        self.base = self.next = self._highest = begin
        self.frames: deque[int] = deque()  # place behind each frame under way

    @property
    def bytes(self) -> int:
        """Bytes under way, frames' overhead included."""
        return self.next - self.base + OVERHEAD * len(self.frames)

    def add(self, n: int) -> None:
        """Note a frame with the next ``n`` bytes."""
        self.next += n
        self._highest = max(self._highest, self.next)
        self.frames.append(self.next)

    def acknowledge(self, taken: int) -> bool:
        """Note that the board has taken all before ``taken`` (modulo 65536); return whether that is news."""
        step = (taken - self.base) & 0xFFFF
        if not step or self.base + step > self._highest:
            return False
        self.base += step
        self.next = max(self.next, self.base)
        while self.frames and self.frames[0] <= self.base:
            self.frames.popleft()
        return True

    def go_back(self) -> None:
        """Take all that is not acknowledged as lost."""
        self.next = self.base
        self.frames.clear()
