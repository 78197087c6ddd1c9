"""A session with a board: one request at a time, and records that never exceed its receive buffer (SPEC 4, go-back-N).

Shapes: R records, r results of one answer.
"""

from __future__ import annotations

import secrets
import struct
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tpsgd import frames
from tpsgd import header as fields
from tpsgd.lesson import HEARD, LEVEL
from tpsgd.plan import ANSWER, FRAME, PAYLOAD
from tpsgd.tape import PIECE
from tpsgd_host.errors import BoardError, BoardGoneError, ModelError, PortError
from tpsgd_host.link.messages import NO_SESSION, SENSOR_FAILED, Done, Info, board_error, unsaved
from tpsgd_host.link.port import Port
from tpsgd_host.link.wire import Decoder, Frame
from tpsgd_host.model.modelfile import MAX_FILE
from tpsgd_host.training.executor import Bytes, Records

#: Seconds to wait for an answer before sending a frame again, while the board's pace is unknown; doubled each time.
RETRY = 0.5
MIN_RETRY, MAX_RETRY = 0.05, 4.0

#: The same limit for a request: the answer to HELLO is long, and on a bad wire seldom arrives complete.
MAX_REQUEST = 1.0

#: Bytes of a DATA payload, and of a whole DATA frame, that are not records.
HEAD = 4
OVERHEAD = HEAD + 8

#: Bytes kept free in the receive buffer for two DATA frames without records, which ask a silent board for its state.
RESERVE = 2 * OVERHEAD

#: Ends any frame that the board may think is open. If the board is only busy and its buffer is full, only zeros are
#: lost.
PADDING = bytes(FRAME)

#: Maximum bytes of the model file or the weights that one READ returns.
CHUNK = ANSWER - 4

#: Results for which an ACK has room; a board that claims to keep more is not believed.
MAX_RESULTS = (ANSWER - 6) // 2

#: What a board sends unasked in a lesson or of a tape, and how many of these frames are held; the oldest are dropped.
UNASKED = (LEVEL, HEARD, PIECE)
MAX_UNASKED = 500

#: A session waits this many times its patience for a board that answers but takes no record and gives no result.
STUCK = 4

#: Added to the op of a record that the board makes its sample of itself.
RAW = 2

#: Minimum bytes of records in a frame, on however bad a wire.
SMALLEST = 24


class Session:
    """A session with the device program at the other end of a port.

    Parameters
    ----------
    port : Port
    on_text : callable
        Called with text that the board prints.
    on_note : callable
        Called with notes about the board for the user, once for each reason.
    patience : float
        Seconds of silence before giving up on the board.
    """

    def __init__(
        self,
        port: Port,
        on_text: Callable[[str], None] = lambda text: None,
        patience: float = 15.0,
        on_note: Callable[[str], None] = lambda text: None,
    ) -> None:
        self._port = port
        self._on_text = on_text
        self._on_note = on_note
        self._told: set[int] = set()  # reasons for which no checkpoint was written
        self._patience = patience
        self._decoder = Decoder()
        self._inbox: deque[Frame] = deque()
        self._unasked: deque[Frame] = deque(maxlen=MAX_UNASKED)
        self._next = self._serial = 0
        self._index = self._streamed = 0  # position of the next record in the run, and in the stream
        self._size = self._largest = PAYLOAD - HEAD
        self._mean, self._retry = RETRY / 6, RETRY
        self._gap = 0.0  # seconds between two answers of a training board; 0 while unknown
        self.resent = 0
        self.received_results = 0
        self.info: Info | None = None

    # -- requests

    def hello(self, engine: int = 0, receive_buffer: int | None = None) -> Info:
        """Open the session and return the board's description of itself.

        Parameters
        ----------
        engine : int
            The number of the wanted engine; 0 for the board's best.
        receive_buffer : int, optional
            Maximum bytes under way, where the board would take more.
        """
        while True:
            # A session number tells this session's answers from those of an earlier one that are still on the way.
            frame = Frame(frames.HELLO, secrets.randbits(8), struct.pack("<BBI", 1, engine, secrets.randbits(32)))
            if 0x03 not in frame.encode():
                break
        answer = self._exchange(frame, frames.INFO, self._patience)
        self._next = (frame.number + 1) & 255
        info = Info.parse(answer.payload)
        self.info = replace(
            info,
            receive_buffer=min(info.receive_buffer, receive_buffer or info.receive_buffer),
            results=min(info.results, MAX_RESULTS),
        )
        # At least two frames: one travels while the answer to the other does.
        fits = (self.info.receive_buffer - RESERVE) // 2 - OVERHEAD
        self._size = self._largest = max(SMALLEST, min(PAYLOAD - HEAD, fits))
        return self.info

    def start(self, run_id: int, total: int, fresh: bool, every: int = 0) -> Info:
        """Begin a run of ``total`` training samples; ``fresh``: with the weights in the board's model file."""
        payload = struct.pack("<BIIII", int(fresh), run_id, total, every, 0)
        answer = self.request(frames.START, payload, frames.INFO)
        self.received_results = self._index = self._streamed = 0
        info = Info.parse(answer.payload)
        if info.run_id != run_id or info.applied:  # an ERROR got lost: asked again, the board reports its state
            raise BoardError("the board could not begin the run", "flash it again with: tpsgd-host flash MODEL")
        return info

    def go_on(self, run_id: int, have: int, every: int = 0) -> Info:
        """Continue run ``run_id``, of which the host has ``have`` results; INFO says where, if the board has that run.

        The next record to send is number ``applied``; the next result to arrive is number ``applied - kept``.
        """
        payload = struct.pack("<BIIII", 2, run_id, 0, every, have)
        info = Info.parse(self.request(frames.START, payload, frames.INFO).payload)
        self.received_results, self._index, self._streamed = info.applied - info.kept, info.applied, 0
        return info

    def sync(self, save: bool) -> Done:
        """Wait until all records are applied; ``save``: have the board write a checkpoint."""
        payload = struct.pack("<BH", int(save), self.received_results & 0xFFFF)
        done = Done.parse(self.request(frames.SYNC_UP, payload, frames.DONE).payload)
        self._tell_unsaved(done.failed)
        return done

    def read(self, what: int, progress: Callable[[int], None] = lambda n: None, prototypes: int = 0) -> bytes:
        """Return the board's model file (0) or its live weights (1), in the size that the file's header gives.

        ``prototypes``: bytes of prototypes after the weights in the file.

        Raises
        ------
        ModelError
            When the header is not valid, or names more bytes than a model file can have.
        BoardError
            When the board sends other bytes than requested.
        """
        magic, header, length = struct.unpack("<4s2xHI", self._chunk(0, 0, 12))
        if magic != fields.MAGIC or not header + 4 < length <= MAX_FILE:
            raise ModelError(
                f"the board's model file begins with {magic!r} and claims {length} bytes, {header} of them before its "
                f"weights; the maximum is {MAX_FILE}",
                "put it on the board again with: tpsgd-host flash MODEL",
            )
        end = length if what == 0 else length - header - prototypes - 4
        data = bytearray()
        while len(data) < end:
            data += self._chunk(what, len(data), min(CHUNK, end - len(data)))
            progress(len(data))
        return bytes(data)

    def _chunk(self, what: int, offset: int, count: int) -> bytes:
        """Return exactly ``count`` bytes from ``offset`` on."""
        payload = self.request(frames.READ, struct.pack("<BIB", what, offset, count), frames.CHUNK).payload
        place = int.from_bytes(payload[:4], "little")
        if place != offset or len(payload) != 4 + count:
            raise BoardError(
                f"asked for {count} bytes from {offset} on, the board sent {max(0, len(payload) - 4)} from {place} on",
                "flash the board again with: tpsgd-host flash MODEL",
            )
        return payload[4:]

    def unasked(self, timeout: float) -> Frame | None:
        """Return the next LEVEL, HEARD or PIECE, or None after ``timeout`` seconds without one.

        Raises
        ------
        BoardError
            When the board says that its sensor failed.
        """
        deadline = time.monotonic() + timeout
        while not self._unasked:
            reply = self._receive(deadline, unasked=True)
            if reply is not None:
                self._put_aside(reply)
            elif time.monotonic() >= deadline:
                break
        frame = self._unasked.popleft() if self._unasked else None
        if frame is not None and frame.kind == frames.ERROR:
            raise board_error(frame.payload)
        return frame

    def _put_aside(self, reply: Frame) -> None:
        """Keep what is no answer if it says that the sensor failed; the rest is stale."""
        if reply.kind == frames.ERROR and reply.payload[:1] == SENSOR_FAILED:
            self._unasked.append(reply)

    def bye(self) -> None:
        """End the session; do not insist if the board no longer answers."""
        if self.info is None:
            return
        try:
            self._exchange(Frame(frames.BYE, self._next, b""), frames.ACK, patience=1.0)
        except (BoardError, PortError):
            pass
        self.info = None

    def request(self, kind: int, payload: bytes, answer: int) -> Frame:
        """Carry out a request; return its answer, a frame of kind ``answer``."""
        frame = Frame(kind, self._next, payload)
        reply = self._exchange(frame, answer, self._patience)
        self._next = (self._next + 1) & 255
        return reply

    def _exchange(self, frame: Frame, kind: int, patience: float) -> Frame:
        """Send a request until its answer arrives; anything else that arrives does not prolong the wait."""
        wait = self._retry
        first = sent = time.monotonic()
        padding, echoed = b"", False
        while True:
            self._port.write(padding + frame.encode())
            while (reply := self._receive(sent + wait)) is not None:
                now = time.monotonic()
                echoed |= reply == frame
                stale = frame.kind == frames.HELLO and reply.kind == frames.ERROR and reply.payload[:1] == NO_SESSION
                if reply.number != frame.number or reply.kind not in (kind, frames.ERROR) or stale:
                    self._put_aside(reply)
                    if now - first > patience:
                        break
                    continue  # stale: it answers a frame from before the session
                if sent == first:
                    self._pace(now - sent)
                if reply.kind == frames.ERROR:
                    self._next = (frame.number + 1) & 255
                    raise board_error(reply.payload)
                return reply
            if time.monotonic() - first > patience:
                raise self._silent(time.monotonic() - first, echoed)
            self.resent += 1
            wait = min(self._longer(wait), MAX_REQUEST)
            padding = PADDING if sent > first else b""  # a single loss seldom leaves the board inside a frame
            sent = time.monotonic()

    # -- records

    def stream(self, records: Records) -> Iterator[Bytes]:
        """Send records; yield results as they arrive, arrays (r, 2) of predicted class and p_y.

        Never exceeds the receive buffer, and sends no record for whose result the board has no room.
        """
        assert self.info is not None
        source = _Source(records, self._index, self._streamed)
        flight = _Flight(source.begin)
        if self.received_results < self._index and not len(records):
            self._ask(flight)
        heard = moved = time.monotonic()  # times of the last awaited answer, and of the last that advanced the run
        wait, tries = self._patience_of_frame(), 0
        while self.received_results < source.end_index:
            self._fill_buffer(source, flight)
            reply = self._receive(time.monotonic() + wait)
            now = time.monotonic()
            if now - heard > self._patience:
                raise self._silent(now - heard)
            if now - moved > STUCK * self._patience:
                raise self._stuck(now - moved)
            if reply is None:
                tries += 1
                wait = self._longer(wait)
                self._ask(flight, PADDING if tries > 2 and now - heard > (8 * self._gap or 6 * RETRY) else b"")
                continue
            if reply.kind == frames.ERROR:
                raise board_error(reply.payload)
            if reply.kind != frames.ACK or len(reply.payload) < 6:
                continue
            before = flight.base, self.received_results
            awaited = flight.awaits(reply.number)
            if flight.acknowledge(reply.number, int.from_bytes(reply.payload[:2], "little")):
                self._learn_gap(now - heard)
                self._size = min(self._size + 1, self._largest)
            elif flight.lost:
                self._size = max(SMALLEST, self._size * 3 // 4)
            results = self._results(reply.payload[2:], source.end_index)
            if (flight.base, self.received_results) != before:
                moved, awaited = now, True
            if awaited:
                heard, wait, tries = now, self._patience_of_frame(), 0
            if len(results):
                yield results
        self._streamed = source.begin + source.length
        self._index += len(records)

    def _fill_buffer(self, source: _Source, flight: _Flight) -> None:
        """Send as much as the receive buffer, the results and the records allow."""
        assert self.info is not None
        limit = source.limit(self.received_results + self.info.results)
        while flight.next < limit:
            n = min(self._size, limit - flight.next)
            if flight.frames and flight.unread + n + OVERHEAD > self.info.receive_buffer - RESERVE:
                return
            if flight.next < flight.highest:
                self.resent += 1
            self._data(flight, source.piece(flight.next, n))

    def _ask(self, flight: _Flight, padding: bytes = b"") -> None:
        """Ask for the board's state: the answer shows what was lost, and brings the missing results.

        Silence alone does not make the host send anything again. A board that is just slow still has everything in its
        receive buffer, which has no room for more.
        """
        if padding:
            self._port.write(padding)
            flight.written += len(padding)
        self._data(flight, b"")

    def _data(self, flight: _Flight, piece: bytes) -> None:
        """Send the next ``piece`` of the stream."""
        self._serial = (self._serial + 1) & 255
        head = struct.pack("<HH", self.received_results & 0xFFFF, flight.next & 0xFFFF)
        self._port.write(Frame(frames.DATA, self._serial, head + piece).encode())
        flight.add(self._serial, len(piece))

    def _results(self, payload: bytes, end: int) -> Bytes:
        """Return the new results in an ACK, shape (r, 2), for records before number ``end``."""
        first = int.from_bytes(payload[:4], "little")
        if first > self.received_results or first + len(payload) // 2 - 2 > end or len(payload) % 2:
            raise BoardError(
                f"the board sent results {first} to {first + len(payload) // 2 - 3}; number {self.received_results} is "
                f"expected, of {end}",
                "this is a bug in the link: please report it",
            )
        pairs = np.frombuffer(payload[4:], np.uint8).reshape(-1, 2)
        if len(pairs) and pairs[:, 1].max() > 127:
            raise BoardError(
                f"the board gave a class the probability {pairs[:, 1].max()}/127",
                "this is a bug in the link: please report it",
            )
        new = pairs[self.received_results - first :]
        self.received_results += len(new)
        return new

    def _longer(self, wait: float) -> float:
        """Return the next wait after ``wait`` was too short: doubled, up to a limit set by the board's pace."""
        return min(2 * wait, 20 * self._retry, MAX_RETRY)

    def _patience_of_frame(self) -> float:
        """Return the seconds to wait for the answer to a DATA frame before asking."""
        return min(max(self._retry, 3 * self._gap), MAX_RETRY)

    def _learn_gap(self, seconds: float) -> None:
        """Update the longest time between two answers of the board, which decays slowly."""
        self._gap = max(seconds, self._gap + (seconds - self._gap) / 16)

    def _pace(self, seconds: float) -> None:
        """Update the board's time to answer."""
        self._mean += (seconds - self._mean) / 4
        self._retry = min(max(MIN_RETRY, 6 * self._mean), MAX_RETRY)

    # -- receiving

    def _receive(self, deadline: float, unasked: bool = False) -> Frame | None:
        """Return the next answer, or None at the deadline, or with ``unasked`` when a LEVEL or HEARD has come.

        Text is shown to the user.
        """
        while not self._inbox:
            if unasked and self._unasked:
                return None
            left = deadline - time.monotonic()
            if left <= 0:
                return None
            data = self._port.read(left)
            if not data:
                self._decoder.give_up()  # what looks like the start of a frame is not one: nothing followed
            for item in self._decoder.feed(data):
                if isinstance(item, Frame) and item.kind == frames.UNSAVED:
                    self._tell_unsaved(int.from_bytes(item.payload[:2], "little"))
                elif isinstance(item, Frame) and item.kind in UNASKED:
                    self._unasked.append(item)
                elif isinstance(item, Frame):
                    self._inbox.append(item)
                else:
                    self._on_text(item.decode(errors="replace"))
        return self._inbox.popleft()

    def _tell_unsaved(self, number: int) -> None:
        """Note that a checkpoint could not be written, once for each reason; 0 means that it was."""
        if number and number not in self._told:
            self._told.add(number)
            why, todo = unsaved(number)
            self._on_note(
                f"the board could not write a checkpoint: {why}. The run continues; what it has learned since its last "
                f"checkpoint is only in its RAM: a reset would cost that time, but no sample. What to do: {todo}"
            )

    def _silent(self, seconds: float, echoed: bool = False) -> BoardGoneError:
        if echoed:
            return BoardGoneError(
                f"the board has not answered for {seconds:.0f} s: this port echoes what it receives",
                "is it the right port (tpsgd-host boards), and does the board run the device program?",
            )
        return BoardGoneError(
            f"the board has not answered for {seconds:.0f} s",
            "does it run the device program? Reset it, then flash it again with: tpsgd-host flash MODEL",
        )

    def _stuck(self, seconds: float) -> BoardGoneError:
        return BoardGoneError(
            f"the board answers, but has taken no record and given no result for {seconds:.0f} s",
            "is the cable bad, or is the program not tpsgd's? Reset the board, then: tpsgd-host stream --resume",
        )


class _Source:
    """Records as the byte stream of a run.

    Parameters
    ----------
    first : int
        Index of the first record in the run.
    begin : int
        Its position in the stream.
    """

    def __init__(self, records: Records, first: int, begin: int) -> None:
        self._bytes, self._ends = _stream_of(records)
        self._first = first
        self.begin = begin
        self.length = len(self._bytes)
        self.end_index = first + len(records)

    def limit(self, index: int) -> int:
        """Return the position after the last record whose index is below ``index``."""
        count = min(index - self._first, len(self._ends))
        return self.begin + (int(self._ends[count - 1]) if count > 0 else 0)

    def piece(self, at: int, n: int) -> bytes:
        """Return ``n`` bytes of the stream from position ``at``."""
        return self._bytes[at - self.begin : at - self.begin + n]


def _stream_of(records: Records) -> tuple[bytes, npt.NDArray[np.int64]]:
    """Return the bytes of records, and the position after each, shape (R,)."""
    head = np.column_stack([records.ops, records.labels]).astype(np.uint8)
    if records.raw is None:
        data = np.hstack([head, records.data]).astype(np.uint8)
        return data.tobytes(), np.arange(1, len(records) + 1) * data.shape[1]
    parts = []
    for i, raw in enumerate(records.raw):
        op, label = head[i].tolist()
        parts.append(bytes([op, label]) + records.data[i].tobytes() if raw is None else bytes([op + RAW, label]) + raw)
    return b"".join(parts), np.cumsum([len(part) for part in parts], dtype=np.int64)


class _Sent(NamedTuple):
    """A DATA frame without an answer so far."""

    number: int
    end: int  # the position after it in the stream
    mark: int  # and in everything written
    turn: int  # how often the sender had gone back until then
    full: bool  # whether it carries records


class _Flight:
    """The bytes under way: from ``base``, the first one not acknowledged, to the next one to send.

    Attributes
    ----------
    frames : deque of _Sent
        Frames without an answer. The answer to a frame shows that the receive buffer holds nothing from before it.
    written : int
        Bytes written so far, including padding and lost bytes.
    lost : bool
        Whether the last acknowledgement showed a loss.
    """

    def __init__(self, begin: int) -> None:
        self.base = self.next = self.highest = begin
        self.frames: deque[_Sent] = deque()
        self.written = self._read = self._turn = 0
        self.lost = False

    @property
    def unread(self) -> int:
        """Bytes that may be in the board's receive buffer or on the way to it."""
        return self.written - self._read

    def add(self, number: int, n: int) -> None:
        """Record a frame with the next ``n`` bytes."""
        self.next += n
        self.written += n + OVERHEAD
        self.highest = max(self.highest, self.next)
        self.frames.append(_Sent(number, self.next, self.written, self._turn, n > 0))

    def awaits(self, number: int) -> bool:
        """Whether frame ``number`` is without an answer."""
        return any(frame.number == number for frame in self.frames)

    def acknowledge(self, number: int, taken: int) -> bool:
        """Record the answer to frame ``number``: the board has the stream up to ``taken`` (modulo 65536).

        Bytes before the frame that the board misses are lost, so the first of them is sent next. Answers to frames that
        were under way when a loss was seen repeat it, and change nothing. Return whether the answer brought news.
        """
        step = (taken - self.base) & 0xFFFF
        news = 0 < step <= self.highest - self.base
        if news:
            self.base += step
            self.next = max(self.next, self.base)
        self.lost = False
        place = next((i for i, frame in enumerate(self.frames) if frame.number == number), None)
        if place is None:
            return False
        frame = self.frames[place]
        for _ in range(place + 1):
            self.frames.popleft()
        self._read = frame.mark
        if frame.turn == self._turn and frame.end > self.base:
            self.lost = True
            self._turn += 1
            self.next = self.base
        return news and frame.full
