"""CircuitPython's particulars: a second serial port, which carries the link, and boot.py, which enables that port.

The names of their interfaces tell the ports apart (on Linux); elsewhere their order on the device does.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tpsgd_host.boards.drives import FLASH, Drive, find_drives
from tpsgd_host.boards.profiles import load_profiles
from tpsgd_host.errors import ConfigError, PortError
from tpsgd_host.files import read_file
from tpsgd_host.link.usb import comports, find_port, siblings

#: Runs only at a reset, before USB starts; gives the board its second port.
BOOT = "boot.py"
ENABLE = "usb_cdc.enable(console=True, data=True)"
BOOT_PROGRAM = f"import usb_cdc\n\n{ENABLE}\n"

#: The start-up program, which takes precedence over main.py.
START_CIRCUITPYTHON = "code.py"

RESET = "press RESET on the board, or unplug it and plug it in again; only then does it read boot.py"

#: The names of the two ports' interfaces.
CONSOLE, DATA = "CircuitPython CDC ", "CircuitPython CDC2 "


@dataclass(frozen=True)
class Ports:
    """The serial ports of a CircuitPython board; ``data`` is empty unless boot.py enables it."""

    console: str
    data: str


def board_ports(url: str, drives: Iterable[Drive] | None = None) -> Ports | None:
    """Return both ports of the CircuitPython board with the port ``url``; None for other boards."""
    ports = comports()
    port = find_port(url, ports)
    if port is None:
        return None
    found = siblings(port, ports)
    if not any(_certain(one) for one in found):
        uids = {drive.uid for drive in (find_drives() if drives is None else drives) if drive.kind == FLASH}
        if not port.serial_number or port.serial_number.upper() not in uids:
            return None
    data = next((one for one in found if (one.interface or "").startswith(DATA)), None)
    console = next((one for one in found if (one.interface or "").startswith(CONSOLE)), None)
    if data is None and console is None and len(found) > 1:
        console, data = found[:2]
    return Ports((console or found[0]).device, data.device if data else "")


def _certain(port: Any) -> bool:
    """Whether a port belongs to CircuitPython by its own description."""
    mark = f"{port.vid:04x}:{port.pid:04x}"
    known = any(mark in board.usb for board in load_profiles().values() if board.firmware == "circuitpython")
    return known or (port.interface or "").startswith((CONSOLE, DATA))


def link_port(url: str) -> str:
    """Return the port that carries the link: ``url``, or the data port if it belongs to a CircuitPython board.

    Raises
    ------
    PortError
        When that board has no data port.
    """
    ports = board_ports(url)
    if ports is None:
        return url
    if not ports.data:
        raise PortError(
            f"{url} is CircuitPython's console, and the board has no second port for data",
            f"boot.py needs the lines import usb_cdc and {ENABLE} (tpsgd-host flash adds them); then {RESET}",
        )
    return ports.data


def console_port(url: str) -> str:
    """Return the port with the REPL: ``url``, or the console if it belongs to a CircuitPython board."""
    ports = board_ports(url)
    return ports.console if ports else url


def port_of(drive: Drive | None) -> str:
    """Return the console of the board with this drive, matched by serial number; empty if not found."""
    if drive is None or not drive.uid:
        return ""
    for port in comports():
        if (port.serial_number or "").upper() == drive.uid:
            ports = board_ports(port.device, [drive])
            return ports.console if ports else ""
    return ""


def circuitpy(named: Path | None, drives: Callable[[], list[Drive]] | None = None, *, seconds: float = 0.0) -> Path:
    """Return CircuitPython's drive: the named one, else the only one; wait for it as long as told.

    Raises
    ------
    ConfigError
        When there is no such drive, or several.
    """
    until = time.monotonic() + seconds
    while True:
        if named is not None:
            found = [named] if named.is_dir() else []
        else:
            found = [drive.path for drive in (drives or find_drives)() if drive.kind == FLASH]
        if found or time.monotonic() >= until:
            break
        time.sleep(0.3)
    if named is not None and not found:
        raise ConfigError(f"there is no drive {named}", "tpsgd-host boards lists the drives")
    if len(found) != 1:
        what = "there is no CIRCUITPY drive" if not found else f"there are {len(found)} CIRCUITPY drives"
        raise ConfigError(what, "plug the board in and mount its drive, or name the drive with --drive")
    return found[0]


def boot_state(drive: Path) -> str:
    """Classify boot.py on a drive: ``none``, ``ours``, ``enables`` the data port, or does ``not``."""
    try:
        text = read_file(drive / BOOT, 1 << 20).decode(errors="replace")
    except OSError:
        return "none"
    if text.strip() == BOOT_PROGRAM.strip():
        return "ours"
    code = "\n".join(line.partition("#")[0] for line in text.splitlines())
    enabled = re.search(r"usb_cdc\s*\.\s*enable\s*\(([^)]*)\)", code)
    return "enables" if enabled and re.search(r"\bdata\s*=\s*True\b", enabled[1]) else "not"
