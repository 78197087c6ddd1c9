"""A micro:bit in QEMU: MicroPython 1.9.2 on a Cortex-M0 with 9.3 KB of heap, that counts its own instructions.

With ``-icount shift=6`` every instruction moves the emulated clock by 64 ns, so ``utime.ticks_us`` counts instructions
and repeats exactly, on any machine and under any load.
"""

import os
import re
import select
import shutil
import subprocess
import time
from pathlib import Path

QEMU = "qemu-system-arm"
FIRMWARE = Path("/usr/share/firmware-microbit-micropython/firmware.hex")

#: Nanoseconds of emulated time an instruction takes.
INSTRUCTION_NS = 64


class MicrobitError(RuntimeError):
    """The board did not answer, or the script on it failed."""


def missing():
    """Return what keeps the emulated board from running, or None."""
    if shutil.which(QEMU) and FIRMWARE.exists():
        return None
    return "no emulated micro:bit: apt-get install qemu-system-arm firmware-microbit-micropython"


class Microbit:
    """One emulated board, with its REPL open; a context manager.

    Each script runs in the same interpreter, so what one defines the next one finds.
    """

    #: The emulated UART drops what comes too fast, so a script is pasted, and each piece waits for its echo.
    CHUNK = 32

    def __enter__(self):
        self._process = subprocess.Popen(
            [
                QEMU, "-machine", "microbit", "-display", "none", "-monitor", "none", "-serial", "stdio",
                "-icount", "shift=6,sleep=off", "-device", f"loader,file={FIRMWARE}",
            ],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0,
        )  # fmt: skip
        try:
            self._open()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Stop the emulator."""
        self._process.kill()
        self._process.wait()
        self._process.stdin.close()
        self._process.stdout.close()

    def _open(self):
        """Interrupt whatever runs and wait for the prompt."""
        for _ in range(20):
            self._send(b"\r\x03\x02")
            if self._read(b">>> ", 1, strict=False).endswith(b">>> "):
                while self._read(b">>> ", 0.2, strict=False):
                    pass
                return
        raise MicrobitError("the emulated board did not open its REPL")

    def _send(self, data):
        self._process.stdin.write(data)

    def _read(self, end, seconds, strict=True):
        """Return what the board says up to ``end``."""
        got = b""
        stop = time.monotonic() + seconds
        out = self._process.stdout.fileno()
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

    def run(self, script, seconds=120):
        """Run a script and return what it printed; raise MicrobitError with its traceback where it fails."""
        self._paste(script)
        output = self._read(b">>> ", seconds)[:-4].decode(errors="replace").replace("\r\n", "\n").strip()
        if re.search(r"^\w*Error\b.*\Z", output, re.MULTILINE):
            raise MicrobitError(output)
        return output

    def begin(self, script, mark, seconds=30):
        """Run a script that does not end; return what it printed before ``mark``."""
        self._paste(script)
        end = mark.replace("\n", "\r\n").encode()
        return self._read(end, seconds)[: -len(end)].decode(errors="replace").strip()

    def say(self, line, seconds=30):
        """Give a line to the running script, which echoes it, and return the line that it prints."""
        data = line.encode()
        for at in range(0, len(data), self.CHUNK):
            self._send(data[at : at + self.CHUNK])
            self._read(data[at : at + self.CHUNK], 10)
        self._send(b"\r")
        got = self._read(b"\r\n", seconds)
        while got.count(b"\r\n") < 2:  # the echo's end, and the answer's
            got += self._read(b"\r\n", seconds)
        return got.decode(errors="replace").strip()

    def end(self, seconds=30):
        """Give an empty line to the running script, which ends it, and return what it printed last."""
        self._send(b"\r")
        return self._read(b">>> ", seconds)[:-4].decode(errors="replace").strip()

    def _paste(self, script):
        """Paste a script; entering the raw REPL first frees the buffer that grew with the script before."""
        for command, answer in ((b"\x01", b"exit\r\n>"), (b"\x02", b">>> "), (b"\x05", b"=== ")):
            self._send(command)
            self._read(answer, 10)
        data = script.encode()
        for at in range(0, len(data), self.CHUNK):
            piece = data[at : at + self.CHUNK]
            self._send(piece)
            self._read(piece, 10)
        self._send(b"\x04")
