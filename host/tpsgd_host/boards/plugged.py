"""Find what is plugged in: serial ports by their USB ids, drives by their info files."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from serial.tools import list_ports

from tpsgd_host.boards.drives import BOOT, Drive, find_drives
from tpsgd_host.boards.profiles import BoardProfile, load_profiles

CERTAIN, POSSIBLE = "certain", "possible"


@dataclass(frozen=True)
class Plugged:
    """Something that may be a board.

    Attributes
    ----------
    where : str
        Port or folder.
    kind : str
        ``port``, ``boot`` (a drive that takes UF2 files, or a loader's port) or ``flash`` (CircuitPython's drive).
    boards : tuple of str
        Names of the profiles that match.
    sure : bool
        Whether it is certainly a board; a USB-UART chip may lead to anything.
    text : str
        Its own description.
    """

    where: str
    kind: str
    boards: tuple[str, ...]
    sure: bool
    text: str

    def as_dict(self) -> dict[str, object]:
        """Return it as a dict for JSON."""
        return {
            "where": self.where, "kind": self.kind, "boards": list(self.boards), "sure": self.sure, "text": self.text,
        }  # fmt: skip


def plugged(ports: Iterable[Any] | None = None, drives: Iterable[Drive] | None = None) -> list[Plugged]:
    """Return what is plugged in, without ports that have no USB id."""
    boards = load_profiles().values()
    found = [_port(port, boards) for port in (list_ports.comports() if ports is None else ports)]
    found += [_drive(drive, boards) for drive in (find_drives() if drives is None else drives)]
    return [item for item in found if item]


def only_port(board: BoardProfile) -> str:
    """Return the port of a board if it is the only plugged-in one of its kind; empty if that is not certain."""
    fitting = [item for item in plugged() if item.kind == "port" and board.name in item.boards]
    sure = [item for item in fitting if item.sure] or fitting
    return sure[0].where if len(sure) == 1 else ""


def _port(port: Any, boards: Iterable[BoardProfile]) -> Plugged | None:
    if port.vid is None or port.pid is None:
        return None
    mark = f"{port.vid:04x}:{port.pid:04x}"
    text = f"{mark} {port.product or port.description or ''}".strip()
    if getattr(port, "interface", None):  # a board with several ports describes each of them here
        text += f", {port.interface}"
    for kind, sure, key in (("port", True, "usb"), ("boot", True, "usb_boot"), ("port", False, "bridges")):
        names = tuple(board.name for board in boards if mark in getattr(board, key))
        if names:
            return Plugged(port.device, kind, names, sure, text)
    return Plugged(port.device, "port", (), False, text)


def _drive(drive: Drive, boards: Iterable[BoardProfile]) -> Plugged:
    if drive.kind == BOOT:
        names = tuple(b.name for b in boards if b.drive and drive.board_id.startswith(b.drive))
    else:
        said = _plain(drive.text)
        names = tuple(b.name for b in boards if b.firmware == "circuitpython" and _plain(b.chip) in said)
    return Plugged(str(drive.path), drive.kind, names, True, f"{drive.board_id} {drive.text}".strip())


def _plain(name: str) -> str:
    """Return a chip's name in one spelling."""
    return name.lower().replace("-", "")
