"""A micro:bit in QEMU: MicroPython 1.9.2 on a Cortex-M0 with 9.3 KB of heap, that counts its own instructions.

With ``-icount shift=6`` every instruction moves the emulated clock by 64 ns, so ``utime.ticks_us`` counts instructions
and repeats exactly, on any machine and under any load.
"""

import os
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
    """One emulated board, with its raw REPL open; a context manager.

    Each script runs in the same interpreter, so what one defines the next one finds.
    """

    #: The emulated UART drops what comes faster than this.
    CHUNK = 16
    PAUSE = 0.004

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
        """Interrupt whatever runs and enter the raw REPL."""
        for _ in range(20):
            self._send(b"\r\x03\x03\r\x01")
            if b"raw REPL" in self._read(b"exit\r\n>", 1, strict=False):
                return
        raise MicrobitError("the emulated board did not open its REPL")

    def _send(self, data):
        for at in range(0, len(data), self.CHUNK):
            self._process.stdin.write(data[at : at + self.CHUNK])
            time.sleep(self.PAUSE)

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
        """Run a script and return what it printed; raise MicrobitError with its traceback where it fails.

        Leaving the raw REPL and entering it again frees the buffer that grew with the script before.
        """
        self._send(b"\x02\x01")
        self._read(b"exit\r\n>", 5)
        self._send(script.encode() + b"\x04")
        answer = self._read(b"\x04>", seconds)
        if not answer.startswith(b"OK"):
            raise MicrobitError(f"the board did not take the script: {answer!r}")
        output, _, error = answer[2:-2].partition(b"\x04")
        if error:
            raise MicrobitError(error.decode(errors="replace"))
        return output.decode().replace("\r\n", "\n")
