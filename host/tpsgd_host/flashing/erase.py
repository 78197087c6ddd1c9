"""Remove the device program, its model and what it learned from a board. The user's own files stay."""

from __future__ import annotations

import json
import shutil
import textwrap
from dataclasses import asdict, dataclass
from pathlib import Path

from tpsgd import serve
from tpsgd_host.boards.circuitpython import board_ports, circuitpy
from tpsgd_host.boards.connect import VIRTUAL
from tpsgd_host.boards.profiles import load_profile
from tpsgd_host.boards.virtual import SETTINGS, default_folder
from tpsgd_host.errors import BoardError, ConfigError
from tpsgd_host.flashing.mpy import PACKAGE
from tpsgd_host.flashing.ownership import Belongings
from tpsgd_host.flashing.probe import CIRCUITPYTHON
from tpsgd_host.flashing.programs import run
from tpsgd_host.flashing.remote import Remote
from tpsgd_host.model.checkpoint import BESIDE

#: Ways to reach a board: the virtual board's folder, CircuitPython's drive, MicroPython's REPL at a port.
FOLDER, DRIVE, REPL = "folder", "drive", "REPL"

#: Seconds that mpremote may take.
PATIENCE = 60

#: Runs on the board: removes files, and the package's folder if it is then empty; prints what it removed, as JSON.
ON_BOARD = """
import json, os
removed = []
def remove(path, how=os.remove):
    try:
        how(path)
        removed.append(path)
    except OSError:
        pass
for path in {files!r}:
    remove(path)
remove({package!r}, os.rmdir)
print(json.dumps(removed))
"""


@dataclass(frozen=True)
class EraseReport:
    """What happened to a board's files.

    Attributes
    ----------
    place : str
        Folder or port.
    removed, kept : tuple of str
        ``kept``: programs with our names that tpsgd did not write.
    """

    board: str
    place: str
    removed: tuple[str, ...]
    kept: tuple[str, ...]

    def as_dict(self) -> dict[str, object]:
        """Return the report for JSON."""
        return asdict(self)


def erase(
    board: str | None = None, *, folder: Path | None = None, port: str | None = None, drive: Path | None = None
) -> EraseReport:
    """Remove the device program, model and checkpoints from a board.

    Parameters
    ----------
    board : str, optional
        ``virtual``, or a board in ``boards/boards.toml``: CircuitPython is reached through its drive, other boards by
        the command ``mpremote``. By default the board at ``port`` or with ``drive``, else the virtual board.
    folder : Path, optional
        Flash of the virtual board.
    port : str, optional
        Serial port of a real board; by default the only one.
    drive : Path, optional
        Drive of a CircuitPython board; by default the only one.

    Raises
    ------
    BoardError, DependencyError, ConfigError
    """
    way = _way(board, port, drive)
    if way == FOLDER:
        return _erase_folder(folder or default_folder())
    if way == DRIVE:
        place = circuitpy(drive)
        removed, kept = _erase_files(place)
        return EraseReport(board or CIRCUITPYTHON, str(place), removed, kept)
    return _erase_serial(board or "connected", port or "")


def _way(board: str | None, port: str | None, drive: Path | None) -> str:
    """Return how to reach the board; what the user named decides, and must be consistent."""
    named = port not in (None, VIRTUAL)
    if board is None:
        if drive is not None or (named and board_ports(str(port)) is not None):
            return DRIVE
        return REPL if named else FOLDER
    profile = load_profile(board)  # an unknown name is refused with a list of the known ones
    if profile.name != VIRTUAL:
        return DRIVE if profile.firmware == CIRCUITPYTHON else REPL
    if named or drive is not None:
        raise ConfigError(
            f"the virtual board has no port or drive, but {drive or port} was named: which board is meant?",
            "leave out --board, or name the real board (tpsgd-host boards lists them)",
        )
    return FOLDER


def _erase_folder(place: Path) -> EraseReport:
    """Remove files from the virtual board's folder."""
    if not (place / SETTINGS).is_file() and not (place / serve.MODEL).is_file():
        raise BoardError(
            f"there is no virtual board in {place}: it has neither {SETTINGS} nor {serve.MODEL}",
            "name its folder with --board-dir",
        )
    removed, kept = _erase_files(place)
    return EraseReport(VIRTUAL, str(place), removed, kept)


def _erase_files(place: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Remove all our files from a folder; return what was removed, and the programs that are not ours."""
    there = Belongings.in_folder(place)
    removed: list[str] = []
    package = place / PACKAGE
    try:
        for name in (*there.ours(), *_files()):
            if (place / name).is_file():
                (place / name).unlink()
                removed.append(name)
        shutil.rmtree(package / "__pycache__", ignore_errors=True)
        if package.is_dir() and not any(package.iterdir()):
            package.rmdir()
            removed.append(PACKAGE)
    except OSError as error:
        raise BoardError(
            f"cannot erase the board in {place}: {error}", "do you have permission to write there? Try again"
        ) from error
    return tuple(removed), there.kept()


def _erase_serial(board: str, port: str) -> EraseReport:
    """Remove files from a real board through its REPL; without a port, mpremote takes the first board that it finds."""
    remote = Remote(port or "auto")
    if port:
        remote.release()
    there = remote.belongings(fresh=True)
    code = textwrap.dedent(ON_BOARD).format(package=PACKAGE, files=(*there.ours(), *_files()))
    said = run(remote.command("resume", "exec", code), timeout=PATIENCE)
    try:
        removed = json.loads(said.strip().splitlines()[-1])
    except (ValueError, IndexError) as error:
        raise BoardError(
            f"the board did not report what it erased: {said.strip()[-200:]!r}",
            "reset it and run the same command again",
        ) from error
    return EraseReport(board, remote.port, tuple(removed), there.kept())


def _files() -> list[str]:
    return [serve.MODEL, *BESIDE]
