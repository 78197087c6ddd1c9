"""A byte pipe to a board: any port that pyserial opens."""

from __future__ import annotations

import errno
import time
from typing import Protocol

import serial
from serial.tools import list_ports

from tpsgd_host.errors import PortError

#: A port that takes no bytes for this many seconds counts as gone: its board is not reading.
WRITE_TIMEOUT = 10.0

#: pyserial's RFC 2217 client has no timeout for writing. It negotiates all settings with its server whenever one
#: changes, the timeout for reading included; so that one stays as it is, and reads are repeated.
RFC2217, RFC2217_READ = "rfc2217://", 0.02

#: A program that was killed holds its port for a moment longer, and so may a program that it ran. A port that stays
#: busy for this many seconds is in use; between tries there are some.
BUSY_FOR, BETWEEN_TRIES = 2.0, 0.05


class Port(Protocol):
    """What a session needs from a port."""

    def read(self, timeout: float) -> bytes:
        """Return the bytes that have arrived; wait at most ``timeout`` seconds for the first."""

    def write(self, data: bytes) -> None:
        """Send all of ``data``."""

    def close(self) -> None:
        """Close the port."""


class SerialPort:
    """A port opened by pyserial: a device path, ``socket://host:port``, ``rfc2217://host:port`` and the like.

    Raises
    ------
    PortError
        When the port does not exist, is busy, may not be opened, or vanishes.
    """

    def __init__(self, url: str, baud: int = 115200) -> None:
        self.url = url
        self._steady = url.lower().startswith(RFC2217)
        limits = (RFC2217_READ, None) if self._steady else (0, WRITE_TIMEOUT)
        # If two hosts shared a port, each would get half of the board's output.
        alone = {} if "://" in url else {"exclusive": True}
        until = time.monotonic() + BUSY_FOR
        while True:
            try:
                self._serial = serial.serial_for_url(
                    url, baudrate=baud, timeout=limits[0], write_timeout=limits[1], **alone
                )
                return
            except (serial.SerialException, ValueError, OSError) as error:
                if not _busy(error) or time.monotonic() > until:
                    raise _explain(url, error) from error
            time.sleep(BETWEEN_TRIES)

    def read(self, timeout: float) -> bytes:
        """Return the bytes that have arrived; wait at most ``timeout`` seconds for the first."""
        try:
            if self._steady:
                return self._read_steadily(timeout)
            self._serial.timeout = timeout
            first = self._serial.read(1)
            if not first:
                return b""
            self._serial.timeout = 0
            return bytes(first + self._serial.read(4096))
        except (serial.SerialException, OSError, TypeError) as error:
            raise PortError(
                f"the port {self.url} is gone: {error}", "was the board unplugged or reset? Plug it in and try again"
            ) from error

    def _read_steadily(self, timeout: float) -> bytes:
        """Return the bytes that have arrived, without changing the port's own timeout."""
        until = time.monotonic() + timeout
        while not (first := self._serial.read(1)) and time.monotonic() < until:
            pass
        return bytes(first + self._serial.read(self._serial.in_waiting)) if first else b""

    def write(self, data: bytes) -> None:
        """Send all of ``data``."""
        try:
            self._serial.write(data)
        except (serial.SerialException, OSError, TypeError) as error:
            raise PortError(
                f"the port {self.url} is gone: {error}", "was the board unplugged or reset? Plug it in and try again"
            ) from error

    def close(self) -> None:
        """Close the port."""
        self._serial.close()


def _busy(error: Exception) -> bool:
    """Whether a port does not open because another program has it."""
    number = getattr(error, "errno", None)
    return number in (errno.EBUSY, errno.EAGAIN) or "busy" in str(error) or "exclusively" in str(error)


def _explain(url: str, error: Exception) -> PortError:
    """Explain why a port does not open, and what would help."""
    number = getattr(error, "errno", None)
    ports = ", ".join(port.device for port in list_ports.comports()) or "none"
    if number == errno.ENOENT or "No such file" in str(error):
        return PortError(
            f"there is no port {url}",
            f"ports on this machine: {ports}. Is the board plugged in, the cable a data cable?",
        )
    if number == errno.EACCES or "Permission" in str(error):
        return PortError(
            f"no permission to open {url}",
            "join the port's group: sudo usermod -aG dialout $USER; then log in again",
        )
    if _busy(error):
        return PortError(f"the port {url} is in use", "close the other program (a serial monitor, mpremote, an IDE)")
    return PortError(f"cannot open the port {url}: {error}", f"ports on this machine: {ports}")
