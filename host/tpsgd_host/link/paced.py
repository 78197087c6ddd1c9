"""A wire of a given speed in front of a port, which acts on a link like a UART.

Each direction is a thread that passes on a byte in no less than ten bit times (start, eight data, stop).
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable

from tpsgd_host.errors import PortError
from tpsgd_host.link.port import Port

#: A thread passes on this many seconds of bytes at once: short compared to a frame, long compared to a timer tick.
SLICE = 0.001


class PacedPort:
    """A port at the end of a full-duplex wire of ``baud`` bits per second; writes wait in its buffer.

    Attributes
    ----------
    sent, received : int
        Bytes that went over the wire.
    """

    def __init__(self, port: Port, baud: int) -> None:
        self._port = port
        self._rate = baud / 10
        self._down: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._up: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self.sent = self.received = 0
        self._ended = threading.Event()
        self._error: PortError | None = None
        self._threads = [
            threading.Thread(target=self._run, args=(job,), daemon=True) for job in (self._send, self._take)
        ]
        for thread in self._threads:
            thread.start()

    def read(self, timeout: float) -> bytes:
        """Return the bytes that have come over the wire; wait at most ``timeout`` seconds for the first."""
        try:
            data = self._up.get(timeout=timeout)
        except queue.Empty:
            if self._error:
                raise self._error from None
            return b""
        while not self._up.empty():
            data += self._up.get()
        return data

    def write(self, data: bytes) -> None:
        """Put ``data`` on the wire."""
        if self._error:
            raise self._error
        self._down.put(data)

    def close(self) -> None:
        """Stop the wire and close the port."""
        self._ended.set()
        for thread in self._threads:
            thread.join()
        self._port.close()

    def _run(self, job: Callable[[], None]) -> None:
        try:
            job()
        except PortError as error:
            self._error = error

    def _send(self) -> None:
        while not self._ended.is_set():
            try:
                data = self._down.get(timeout=0.1)
            except queue.Empty:
                continue
            self.sent += len(data)
            self._pass_on(data, self._port.write)

    def _take(self) -> None:
        while not self._ended.is_set():
            data = self._port.read(0.1)
            self.received += len(data)
            self._pass_on(data, self._up.put)

    def _pass_on(self, data: bytes, to: Callable[[bytes], None]) -> None:
        """Pass on bytes in slices, each when its last bit would have arrived."""
        size = max(1, round(SLICE * self._rate))
        due = time.perf_counter()
        for at in range(0, len(data), size):
            part = data[at : at + size]
            due += len(part) / self._rate
            time.sleep(max(0.0, due - time.perf_counter()))
            to(part)
