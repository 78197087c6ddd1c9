"""The board that was last flashed from a folder; commands there use it unless the user names a port."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from tpsgd_host.boards.connect import VIRTUAL
from tpsgd_host.errors import DataError
from tpsgd_host.files import write_atomic
from tpsgd_host.link.usb import identity, locate

FILE = ".tpsgd.json"


@dataclass(frozen=True)
class Remembered:
    """A board; ``usb`` is the lasting identity of its USB device, empty if it has none."""

    board: str
    port: str
    usb: str

    @property
    def present_port(self) -> str:
        """The present name of its port.

        Raises
        ------
        PortError
            When it is not plugged in and another device has its name.
        """
        return locate(self.port, self.usb)


def remember(folder: Path, board: str, port: str) -> bool:
    """Save the board that was flashed from a folder (nothing for the virtual one); return whether a note exists now."""
    if port in ("", VIRTUAL):
        (folder / FILE).unlink(missing_ok=True)
        return False
    try:
        write_atomic(folder / FILE, (json.dumps(asdict(Remembered(board, port, identity(port)))) + "\n").encode())
    except DataError:
        return False  # the folder cannot be written, so the user must name the port
    return True


def remembered(folder: Path) -> Remembered | None:
    """Return the board that was last flashed from a folder; None for the virtual one, or if the note is damaged."""
    try:
        said = json.loads((folder / FILE).read_text(encoding="utf-8"))
        note = Remembered(**{key: str(said[key]) for key in ("board", "port", "usb")})
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return note if note.port else None
