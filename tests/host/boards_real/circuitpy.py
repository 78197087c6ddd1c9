"""A CircuitPython board: the real interpreter on a folder that is its drive, two pseudo-terminals its USB ports.

What the unix port lacks of a board stands beside it: ``usb_cdc`` over the second terminal, with the short writes that
the real one makes, and the starts: boot.py at a reset, code.py after it and at every Ctrl-D on the console.
"""

from __future__ import annotations

import os
import pty
import select
import subprocess
import threading
import tty
from pathlib import Path
from types import SimpleNamespace

UID = "E6614C311B5A4A2F"
BOOT_OUT = (
    "Adafruit CircuitPython 10.0.3 on 2025-10-17; Raspberry Pi Pico W with rp2040\n"
    f"Board ID:raspberry_pi_pico_w\nUID:{UID}\n"
)

USB_CDC = """import os, select
STATE = os.getenv("USB_STATE")
class Serial:
    def __init__(self, handle):
        self._file = open(handle, "r+b")
        self._poll = select.poll()
        self._poll.register(self._file, select.POLLIN)
    def readinto(self, view):
        return self._file.readinto(view)
    def write(self, data):
        return self._file.write(memoryview(data)[:50])
    @property
    def in_waiting(self):
        return len(self._poll.poll(0))
def enable(*, console=True, data=False):
    with open(STATE, "w") as file:
        file.write("data" if data else "")
handle = os.getenv("USB_DATA")  # what the board has opened of its second port
data = Serial(int(handle)) if handle else None
"""


def make_drive(folder: Path) -> Path:
    """Make the drive of a new board."""
    folder.mkdir()
    (folder / "boot_out.txt").write_text(BOOT_OUT)
    (folder / "code.py").write_text('print("Hello World!")\n')
    return folder


class CircuitBoard:
    """A board that is plugged in; a context manager.

    Attributes
    ----------
    console, data : str
        Its ports' names. It has them anew at every reset, and ``data`` is empty where boot.py did not ask for it.
    """

    def __init__(self, interpreter: str, drive: Path, beside: Path) -> None:
        self.drive, self._beside, self._interpreter = drive, beside, interpreter
        beside.mkdir(exist_ok=True)
        (beside / "usb_cdc.py").write_text(USB_CDC)
        self.console = self.data = ""
        self.starts = 0
        self._open: list[int] = []
        self._process: subprocess.Popen[bytes] | None = None
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()

    def __enter__(self) -> CircuitBoard:
        self.reset()
        return self

    def __exit__(self, *error: object) -> None:
        self._end()

    def _end(self) -> None:
        self._stop.set()
        if self._thread:
            self._thread.join(10)
            assert not self._thread.is_alive()
        self._kill()
        for end in self._open:
            os.close(end)
        self._open = []

    def _kill(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()

    def reset(self) -> None:
        """Plug it in again: boot.py runs, USB starts, code.py runs."""
        self._end()
        self._stop.clear()
        state = self._beside / "usb"
        state.unlink(missing_ok=True)
        if (self.drive / "boot.py").is_file():
            subprocess.run([self._interpreter, "boot.py"], cwd=self.drive, env=self._environment(), check=True)
        self._console, self.console = self._terminal()
        enabled = state.is_file() and state.read_text() == "data"
        self.data = self._terminal()[1] if enabled else ""
        self._start()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _terminal(self) -> tuple[int, str]:
        """Open a terminal; return the computer's port name for it, and the board's end."""
        board, computer = pty.openpty()
        tty.setraw(computer)
        self._open += [board, computer]
        return board, os.ttyname(computer)

    def _environment(self) -> dict[str, str]:
        return {"PATH": os.defpath, "MICROPYPATH": f":{self._beside}:.frozen", "USB_STATE": str(self._beside / "usb")}

    def _start(self) -> None:
        self.starts += 1
        data = [self._open[2]] if self.data else []
        self._process = subprocess.Popen(
            [self._interpreter, "-X", "heapsize=256k", "code.py"], cwd=self.drive, stdin=subprocess.DEVNULL,
            stdout=self._console, stderr=self._console, pass_fds=data,
            env=self._environment() | {"USB_DATA": str(data[0]) if data else ""},
        )  # fmt: skip

    def _watch(self) -> None:
        """Record console input; a Ctrl-D restarts code.py."""
        while not self._stop.is_set():
            if not select.select([self._console], [], [], 0.05)[0]:
                continue
            typed = os.read(self._console, 4096)
            if b"\x04" in typed:
                self._kill()
                self._start()

    def ports(self, names: bool = True) -> list[SimpleNamespace]:
        """Return the board's ports as pyserial lists them; ``names``: with those of the interfaces, as on Linux."""
        found = []
        for number, (path, name) in enumerate(((self.console, "CDC"), (self.data, "CDC2"))):
            if path:
                found.append(usb_port(path, UID, 2 * number, f"CircuitPython {name} control" if names else None))
        return found


def usb_port(path, serial, interface=0, name=None, vid=0x239A, pid=0x8120):
    """Return a port as pyserial describes it."""
    return SimpleNamespace(
        device=path, vid=vid, pid=pid, serial_number=serial, location=f"1-1.4:1.{interface}", interface=name,
        product="Pico W", description="Pico W",
    )  # fmt: skip
