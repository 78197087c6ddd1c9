"""A micro:bit in QEMU: MicroPython 1.9.2 on a Cortex-M0 with 9.3 KB of heap, which counts its instructions.

With ``-icount shift=6`` every instruction moves the emulated clock by 64 ns, so ``utime.ticks_us`` counts instructions
and repeats exactly, on any machine and under any load.
"""

from __future__ import annotations

import os
import re
import select
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from tpsgd_host.bench.emulated.process import EmulatorProcess
from tpsgd_host.errors import BoardError, DependencyError

QEMU = "qemu-system-arm"
FIRMWARE = Path("/usr/share/firmware-microbit-micropython/firmware.hex")

#: Nanoseconds of emulated time for one instruction.
INSTRUCTION_NS = 64


class MicrobitError(BoardError):
    """The board did not answer, or the script on it failed."""


def missing() -> str | None:
    """Return what is missing to run the emulated board, or None."""
    if shutil.which(QEMU) and FIRMWARE.exists():
        return None
    return "no emulated micro:bit: apt-get install qemu-system-arm firmware-microbit-micropython"


def emulator() -> str:
    """Return the emulator's version."""
    said = subprocess.run([QEMU, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"version (\S+)", said)
    return found[1] if found else "unknown"


class Microbit(EmulatorProcess):
    """One emulated board, with its REPL open; a context manager.

    All scripts run in one interpreter, so later scripts see what earlier ones defined.

    Attributes
    ----------
    shorten : callable
        Replaces the names in a script before it is sent, see :func:`~tpsgd_host.bench.m0.trim.shortener`.

    Raises
    ------
    DependencyError
        When emulator or firmware is not installed.
    """

    #: The emulated UART drops bytes that come too fast, so a script is pasted in pieces, each of which waits for its
    #: echo.
    CHUNK = 32

    def __init__(self) -> None:
        lack = missing()
        if lack:
            raise DependencyError(*lack.split(": "))
        self.shorten: Callable[[str], str] = str
        super().__init__([
            QEMU, "-machine", "microbit", "-display", "none", "-monitor", "none", "-serial", "stdio",
            "-icount", "shift=6,sleep=off", "-device", f"loader,file={FIRMWARE}",
        ])  # fmt: skip

    def _open(self) -> None:
        """Interrupt the running program and wait for the prompt."""
        for _ in range(20):
            self._send(b"\r\x03\x02")
            if self._read(b">>> ", 1, strict=False).endswith(b">>> "):
                while self._read(b">>> ", 0.2, strict=False):
                    pass
                return
        raise MicrobitError("the emulated board did not open its REPL")

    def _read(self, end: bytes, seconds: float, strict: bool = True) -> bytes:
        """Return the board's output up to ``end``."""
        got = b""
        stop = time.monotonic() + seconds
        out = self._output.fileno()
        while not got.endswith(end):
            if not select.select([out], [], [], max(0, stop - time.monotonic()))[0]:
                if strict:
                    raise MicrobitError(f"no answer in {seconds} s, only {got!r}")
                break
            data = os.read(out, 4096)
            if not data:
                raise MicrobitError("the emulator ended")
            got += data
        return got

    def run(self, script: str, seconds: float = 120) -> str:
        """Run a script and return its output; raise MicrobitError with the traceback where it fails."""
        self._paste(script)
        output = self._read(b">>> ", seconds)[:-4].decode(errors="replace").replace("\r\n", "\n").strip()
        if re.search(r"^\w*Error\b.*\Z", output, re.MULTILINE):
            raise MicrobitError(output)
        return output

    def begin(self, script: str, mark: str, seconds: float = 30) -> str:
        """Run a script that does not end; return its output before ``mark``."""
        self._paste(script)
        end = mark.replace("\n", "\r\n").encode()
        return self._read(end, seconds)[: -len(end)].decode(errors="replace").strip()

    def say(self, line: str, seconds: float = 30) -> str:
        """Send a line to the running script, which echoes it, and return the line that it prints."""
        data = line.encode()
        for at in range(0, len(data), self.CHUNK):
            self._send(data[at : at + self.CHUNK])
            self._read(data[at : at + self.CHUNK], 10)
        self._send(b"\r")
        got = self._read(b"\r\n", seconds)
        while got.count(b"\r\n") < 2:  # the end of the echo, then of the answer
            got += self._read(b"\r\n", seconds)
        return got.decode(errors="replace").strip()

    def end(self, seconds: float = 30) -> str:
        """Send an empty line to the running script, which ends it, and return its last output."""
        self._send(b"\r")
        return self._read(b">>> ", seconds)[:-4].decode(errors="replace").strip()

    def _paste(self, script: str) -> None:
        """Paste a script; entering the raw REPL first frees the buffer that the previous script filled."""
        for command, answer in ((b"\x01", b"exit\r\n>"), (b"\x02", b">>> "), (b"\x05", b"=== ")):
            self._send(command)
            self._read(answer, 10)
        data = self.shorten(script).encode()
        for at in range(0, len(data), self.CHUNK):
            piece = data[at : at + self.CHUNK]
            self._send(piece)
            self._read(piece, 10)
        self._send(b"\x04")
