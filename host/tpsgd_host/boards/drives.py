"""Drives of boards: the boot ROM's, which takes UF2 files, and CircuitPython's, which is its flash."""

from __future__ import annotations

import os
import string
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

BOOT, FLASH = "boot", "flash"
INFO, BOOT_OUT = "INFO_UF2.TXT", "boot_out.txt"

#: Bytes to read of a drive's info file, so that a hostile drive cannot fill the memory.
LONGEST = 4096


@dataclass(frozen=True)
class Drive:
    """A mounted file system of a board.

    Attributes
    ----------
    kind : str
        ``boot``: takes UF2 files. ``flash``: is CircuitPython's file system.
    board_id : str
        As the drive reports it.
    text : str
        The first line of its info file.
    uid : str
        The chip's number, which is also its USB serial number; empty if the drive does not report it.
    """

    path: Path
    kind: str
    board_id: str
    text: str
    uid: str = ""


def mounted() -> list[Path]:
    """Return the mount points that could be boards' drives."""
    if sys.platform == "win32":
        return [Path(f"{letter}:\\") for letter in string.ascii_uppercase[2:] if Path(f"{letter}:\\").exists()]
    if sys.platform == "darwin":
        volumes = Path("/Volumes")
        return sorted(volumes.iterdir()) if volumes.is_dir() else []
    try:
        lines = Path("/proc/mounts").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    fields = [line.split() for line in lines]
    found = [line[1] for line in fields if len(line) > 2 and line[2] in ("vfat", "msdos", "fuseblk")]
    return [Path(path.replace("\\040", " ").replace("\\011", "\t")) for path in found]


def read_drive(path: Path) -> Drive | None:
    """Return the drive in a folder, or None if it is not a board's."""
    info = _text(path / INFO)
    if info:
        fields = dict(line.split(":", 1) for line in info.splitlines() if ":" in line)
        return Drive(path, BOOT, fields.get("Board-ID", "").strip(), info.splitlines()[0].strip())
    out = _text(path / BOOT_OUT)
    if "CircuitPython" in out:
        fields = dict(line.split(":", 1) for line in out.splitlines() if ":" in line)
        board_id, uid = (fields.get(key, "").strip() for key in ("Board ID", "UID"))
        return Drive(path, FLASH, board_id, out.splitlines()[0].strip(), uid.upper())
    return None


def find_drives(among: Iterable[Path] | None = None) -> list[Drive]:
    """Return the boards' drives among ``folders``, by default among all mounted file systems."""
    found = [read_drive(path) for path in (mounted() if among is None else among)]
    return [drive for drive in found if drive is not None]


def _text(path: Path) -> str:
    try:
        if not path.is_file():
            return ""
        with path.open("rb") as file:
            return file.read(LONGEST).decode(errors="replace")
    except OSError:
        return ""


def flush(path: Path) -> None:
    """Have the operating system write a file, and its folder, to the drive now."""
    for target in (path, path.parent):
        try:
            handle = os.open(target, os.O_RDONLY)
        except OSError:
            continue  # Windows cannot open folders; a boot drive vanishes when it has what it wants
        try:
            os.fsync(handle)
        except OSError:
            pass  # some file systems cannot do this for a folder
        finally:
            os.close(handle)
