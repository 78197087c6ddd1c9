"""A board whose serial port is a pseudo-terminal: MicroPython's unix port with the manners of a microcontroller.

The REPL, the raw REPL with raw paste and the file system calls are the interpreter's own. What the unix port does
otherwise than a board is done here: Ctrl-D starts it anew ("soft reboot") instead of ending it, start-up runs main.py
unless the host was in the raw REPL, and Ctrl-C interrupts a program that runs.
"""

from __future__ import annotations

import os
import pty
import select
import signal
import socket
import subprocess
import threading
import tty
from pathlib import Path

BANNER = b"raw REPL; CTRL-B to exit\r\n>"
PROMPT = b">>> "


class TerminalBoard:
    """A context manager; ``path`` is the port's name, ``boots`` counts starts."""

    def __init__(self, interpreter: str, folder: Path, heap: int = 256 * 1024) -> None:
        self.folder = folder
        self.boots = 0
        self._command = [interpreter, "-X", f"heapsize={heap}"]
        self._ours, self._theirs = pty.openpty()
        tty.setraw(self._theirs)
        self.path = os.ttyname(self._theirs)
        self._stop = threading.Event()
        self._raw = False  # whether the REPL was in raw mode when it ended
        self._thread = threading.Thread(target=self._live, daemon=True)

    def __enter__(self) -> TerminalBoard:
        self.folder.mkdir(exist_ok=True)
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._thread.join(10)
        assert not self._thread.is_alive()
        os.close(self._ours)
        os.close(self._theirs)

    def _live(self) -> None:
        while not self._stop.is_set():
            self.boots += 1
            self._boot()
            if not self._stop.is_set():
                os.write(self._ours, b"MPY: soft reboot\r\n")

    def _boot(self) -> None:
        """Run the interpreter until it ends; a program first, then the REPL, as a board does."""
        # No terminal: the unix port sets a terminal's mode around every program and drops what has been typed ahead.
        ours, theirs = socket.socketpair()
        inner, line = ours.detach(), theirs.detach()
        again = self._raw
        program = ["main.py"] if not again and (self.folder / "main.py").is_file() else []
        environment = {"PATH": os.defpath, "HOME": str(self.folder), "MICROPYPATH": ":.frozen"}
        process = subprocess.Popen(
            [*self._command, "-i", *program], cwd=self.folder, stdin=line, stdout=line, stderr=line,
            env=environment, start_new_session=True,
        )  # fmt: skip
        os.close(line)
        try:
            if again:
                self._to_raw(inner)
            self._carry(inner, process, bool(program))
        finally:
            process.kill()
            process.wait()
            os.close(inner)

    def _to_raw(self, inner: int) -> None:
        """Bring a fresh interpreter into the raw REPL, as a board is there after a soft reset from it."""
        seen = b""
        while not seen.endswith(PROMPT):
            seen += os.read(inner, 1024)
        os.write(inner, b"\x01")
        while not seen.endswith(BANNER):
            seen += os.read(inner, 1024)
        os.write(self._ours, BANNER)

    def _carry(self, inner: int, process: subprocess.Popen[bytes], running: bool) -> None:
        """Carry bytes both ways until the process ends; ``running``: main.py runs, until a prompt comes."""
        tail, interrupted = b"", False
        while not self._stop.is_set():
            # What the host sends after a Ctrl-C is for the prompt, as it is where an interrupt takes the Ctrl-C out.
            sources = [inner] if interrupted else [self._ours, inner]
            ready, _, _ = select.select(sources, [], [], 0.05)
            if inner in ready:
                try:
                    data = os.read(inner, 4096)
                except OSError:
                    data = b""
                if not data:
                    return  # the process has ended
                os.write(self._ours, data)
                tail = (tail + data)[-64:]
                if tail.endswith((PROMPT, BANNER)):
                    self._raw, running, interrupted = tail.endswith(BANNER), False, False
            elif not ready and process.poll() is not None:
                return
            if self._ours in ready:
                data = os.read(self._ours, 4096)
                if b"\x03" in data and running and _interruptible(process.pid):
                    data = data.rpartition(b"\x03")[2]
                    interrupted = True
                    process.send_signal(signal.SIGINT)
                    if not data:
                        continue
                os.write(inner, data)


def _interruptible(pid: int) -> bool:
    """Whether Ctrl-C interrupts the program: ``micropython.kbd_intr(-1)`` takes the handler away."""
    status = Path(f"/proc/{pid}/status").read_text()
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught.split()[1], 16) >> (signal.SIGINT - 1) & 1)
