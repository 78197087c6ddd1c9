"""The line to a board, whatever program runs there: the port alone, without a session."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tpsgd_host.boards.circuitpython import link_port
from tpsgd_host.boards.connect import VIRTUAL
from tpsgd_host.boards.virtual import VirtualBoard, default_folder
from tpsgd_host.link.port import Port, SerialPort


@dataclass(frozen=True)
class Line:
    """An open port, and the process that it leads to where the board is the virtual one."""

    port: Port
    machine: VirtualBoard | None = None

    def exit_code(self) -> int | None:
        """Return with what the virtual board's program has ended; None while it runs, or where nobody knows."""
        if self.machine is None or not self.machine.ended(within=1.0):
            return None
        return self.machine.wait()


@contextmanager
def open_line(
    port: str, folder: Path | None = None, heap: int | None = None, baud: int = 115200, listen: bool = False
) -> Iterator[Line]:
    """Open the port of a board; close it after the block; parameters as for ``connect``.

    The virtual board's last words arrive however soon after them its program ends. ``listen``: the port that was named
    and no other, for what a program prints there.

    Raises
    ------
    PortError, BoardError
        The port does not open; the virtual board is bare.
    """
    if port != VIRTUAL:
        serial = SerialPort(port if listen else link_port(port), baud)
        try:
            yield Line(serial)
        finally:
            serial.close()
        return
    with VirtualBoard(folder or default_folder(), heap, hold=True) as machine:
        held = machine.open_port()
        try:
            yield Line(held, machine)
        finally:
            held.close()
