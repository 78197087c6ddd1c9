"""The USB device of a serial port, which identifies a board even when its port gets another name."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from typing import Any

from serial.tools import list_ports

from tpsgd_host.errors import PortError


def comports() -> list[Any]:
    """Return the serial ports of this machine that are USB devices, as pyserial describes them."""
    return [port for port in list_ports.comports() if port.vid is not None and port.pid is not None]


def find_port(url: str, ports: Iterable[Any]) -> Any | None:
    """Return the port that ``url`` names, also through a symbolic link; None where it is not a USB device."""
    wanted = os.path.realpath(url.replace("/dev/tty.", "/dev/cu."))  # macOS has two names for each port
    return next((port for port in ports if url == port.device or wanted == os.path.realpath(port.device)), None)


def device(port: Any) -> str:
    """Return the identity of a USB device: vendor, product, and its serial number, or its socket if it has none."""
    number = port.serial_number or "@" + (port.location or "").partition(":")[0]
    return f"{port.vid:04x}:{port.pid:04x}:{number}"


def siblings(port: Any, ports: Iterable[Any]) -> list[Any]:
    """Return all ports of the device of ``port``, in the order of its interfaces."""
    return sorted((other for other in ports if device(other) == device(port)), key=_interface)


def _interface(port: Any) -> tuple[int, tuple[int, ...], str]:
    """Return the sort key of a device's ports: the interface number, else the numbers in the name (macOS)."""
    told = re.search(r":\w+\.(\d+)$", port.location or "")
    return int(told[1]) if told else 0, tuple(map(int, re.findall(r"\d+", port.device))), port.device


def identity(url: str) -> str:
    """Return a port's lasting identity: its device, and which of that device's ports; empty without a USB device."""
    ports = comports()
    port = find_port(url, ports)
    return f"{device(port)}:{siblings(port, ports).index(port)}" if port else ""


def locate(url: str, known: str) -> str:
    """Return the present name of the port with identity ``known``, else ``url``.

    Parameters
    ----------
    url : str
        Its last known name.
    known : str
        Its :func:`identity`; empty if it has none.

    Raises
    ------
    PortError
        When the port is missing, and another device has its name.
    """
    if not known:
        return url
    ports = comports()
    name, _, place = known.rpartition(":")
    for port in ports:
        if device(port) == name:
            found = siblings(port, ports)
            if int(place) < len(found):
                return str(found[int(place)].device)
    other = find_port(url, ports)
    if other is not None:
        raise PortError(
            f"{url} is another device now ({device(other)}); the run began on {name}, which is not plugged in",
            "plug that board in, or name its port with --port",
        )
    return url
