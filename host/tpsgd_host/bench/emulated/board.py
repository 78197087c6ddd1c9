"""An emulated board with MicroPython's raw REPL on its emulator's standard input and output."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Sequence
from pathlib import Path

from tpsgd_host.bench.emulated.process import EmulatorProcess
from tpsgd_host.errors import BoardError


class EmulatedBoardError(BoardError):
    """The board did not answer, or the script on it failed."""


class EmulatedBoard(EmulatorProcess):
    """A board that starts with its emulator and ends with it; a context manager.

    All scripts run in one interpreter, so later scripts see what earlier ones defined.

    Parameters
    ----------
    command : sequence of str
        The emulator. The board's console is its standard input and output.
    first : bytes
        Goes to the emulator before anything that is for the board.
    """

    #: Bytes of a script that writes a file.
    PIECE = 512

    def __init__(self, command: Sequence[str], first: bytes = b"") -> None:
        super().__init__(command)
        self._first = first
        self._got = b""

    def run(self, script: str, seconds: float = 60) -> str:
        """Run a script and return what it printed; raise EmulatedBoardError with its traceback where it fails."""
        self._paste(script.encode())
        output = self._until(b"\x04", seconds)
        error = self._until(b"\x04>", seconds)
        if error:
            raise EmulatedBoardError(error.decode(errors="replace"))
        return output.decode().replace("\r\n", "\n")

    def write(self, name: str, data: bytes) -> None:
        """Write a file of the board."""
        self.run(f"f = open({name!r}, 'wb')")
        for at in range(0, len(data), self.PIECE):
            self.run(f"f.write({data[at : at + self.PIECE]!r})")
        self.run("f.close()")

    def make_folder(self, name: str) -> None:
        """Make a folder of the board."""
        self.run(f"import os\nos.mkdir({name!r})")

    def copy(self, path: Path, name: str) -> None:
        """Write the file ``path`` to the board as ``name``."""
        self.write(name, path.read_bytes())

    def _open(self) -> None:
        """Start the board and enter the raw REPL."""
        self._send(self._first)
        self.interrupt()

    def interrupt(self) -> None:
        """Interrupt the running program, if there is one, and enter the raw REPL.

        On a loaded machine the board answers late: it then answers every try, and the last answer counts.
        """
        for _ in range(60):
            self._send(b"\r\x03\x03\r\x01")
            if self._wait(b"raw REPL; CTRL-B to exit\r\n>", 2):
                break
        else:
            raise EmulatedBoardError("the emulated board did not open its REPL")
        self._send(b"print('open')\x04")
        self._until(b"OKopen\r\n\x04\x04>", 60)

    def _paste(self, script: bytes) -> None:
        """Send a script as the board has room for it: a UART drops what comes too fast."""
        self._send(b"\x05A\x01")
        answer = self._take(4, 60)
        if answer[:2] != b"R\x01":
            raise EmulatedBoardError(f"the board did not take the script: {answer!r}")
        window = left = int.from_bytes(answer[2:], "little")
        at = 0
        while at < len(script):
            while left == 0 or self._got:
                if self._take(1, 60) != b"\x01":  # it is full of errors already
                    self._send(b"\x04")
                    return
                left += window
            piece = script[at : at + left]
            self._send(piece)
            at += len(piece)
            left -= len(piece)
        self._send(b"\x04")
        while self._take(1, 60) == b"\x01":
            pass

    def _wait(self, end: bytes, seconds: float) -> bool:
        """Return whether ``end`` comes within ``seconds``, and drop everything up to it."""
        try:
            self._until(end, seconds)
        except EmulatedBoardError:
            if self._process.poll() is not None:
                raise
            return False
        return True

    def _until(self, end: bytes, seconds: float) -> bytes:
        """Return what the board sends before ``end``."""
        stop = time.monotonic() + seconds
        while end not in self._got:
            self._more(stop, seconds)
        found, _, self._got = self._got.partition(end)
        return found

    def _take(self, n: int, seconds: float) -> bytes:
        """Return the next ``n`` bytes that the board sends."""
        stop = time.monotonic() + seconds
        while len(self._got) < n:
            self._more(stop, seconds)
        taken, self._got = self._got[:n], self._got[n:]
        return taken

    def _more(self, stop: float, seconds: float) -> None:
        out = self._output.fileno()
        if not select.select([out], [], [], max(0, stop - time.monotonic()))[0]:
            raise EmulatedBoardError(f"no answer in {seconds} s, only {self._got[-200:]!r}")
        data = os.read(out, 4096)
        if not data:
            raise EmulatedBoardError("the emulator ended")
        self._got += data
