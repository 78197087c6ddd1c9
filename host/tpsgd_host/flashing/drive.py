"""Flash a CircuitPython board: put files on its drive, and check what boot.py needs before the board can run them."""

from __future__ import annotations

from pathlib import Path

from tpsgd_host.boards.circuitpython import (
    BOOT,
    ENABLE,
    RESET,
    START_CIRCUITPYTHON,
    board_ports,
    boot_state,
    circuitpy,
    console_port,
    port_of,
)
from tpsgd_host.boards.drives import read_drive
from tpsgd_host.boards.profiles import BoardProfile
from tpsgd_host.flashing.deploy import (
    Flashed,
    Progress,
    board_files,
    check_memory,
    deploy_drive,
    drive_files,
    other_program,
)
from tpsgd_host.flashing.mpy import circuitpython_files, why_no_module
from tpsgd_host.flashing.ownership import Belongings, question
from tpsgd_host.flashing.releases import Ask, Tell
from tpsgd_host.flashing.remote import Remote
from tpsgd_host.flashing.start import start
from tpsgd_host.model.modelfile import Model

#: Why CircuitPython gets the trainer as source.
WHY_SOURCES = "CircuitPython only takes .mpy files from its own mpy-cross"

#: Seconds for a board to show its drive after new firmware.
MOUNTED_WITHIN = 30.0


def flash_drive(
    model: Model,
    board: BoardProfile,
    port: str,
    named: Path | None,
    written: str,
    ask: Ask,
    tell: Tell,
    progress: Progress,
) -> Flashed:
    """Copy to CircuitPython's drive, then check the board if its port is known and boot.py has been read.

    Parameters
    ----------
    port : str
        Port of the board; empty to search for it.
    named : Path or None
        The drive; None to search for it.
    written : str
        The firmware that was just written; empty if none was.
    """
    check_memory(model, board, board.heap, "(as documented)")
    drive = circuitpy(named, seconds=MOUNTED_WITHIN if written else 0.0)
    there = Belongings.in_folder(drive)
    if others := there.others(START_CIRCUITPYTHON):
        ask(question(others, str(drive)))
    elif (name := other_program(drive)) and START_CIRCUITPYTHON not in there.files:
        ask(f"{drive} has a {name} that is not tpsgd's. {START_CIRCUITPYTHON} takes precedence. Continue?")
    before = boot_state(drive)
    files = drive_files(drive, board_files(model, circuitpython_files()))
    deploy_drive(drive, files, there, progress)
    port = port or port_of(read_drive(drive))
    todo = _todo(before, port)
    info = None if todo or not port else start(model, Remote(console_port(port)), tell)
    return Flashed(port if info else str(drive), files, WHY_SOURCES, written, info, todo, why_no_module(None))


def _todo(boot: str, port: str) -> str:
    """Return what the user must do before CircuitPython has its data port; ``boot``: the earlier kind of boot.py."""
    if boot == "not":
        return f"{BOOT} is yours and was not changed: add the lines import usb_cdc and {ENABLE}, then {RESET}"
    ports = board_ports(port) if port else None
    if boot == "none" or (ports and not ports.data):
        return RESET
    return ""
