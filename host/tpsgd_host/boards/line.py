"""The line to a board, whatever program it runs: only the port, without a session."""

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
    """An open port, and the virtual board's process if it leads there."""

    port: Port
    machine: VirtualBoard | None = None

    def exit_code(self) -> int | None:
        """Return the exit code of the virtual board's program; None while it runs, and for real boards."""
        if self.machine is None or not self.machine.ended(within=1.0):
            return None
        return self.machine.wait()


@contextmanager
def open_line(
    port: str, folder: Path | None = None, heap: int | None = None, baud: int = 115200, listen: bool = False
) -> Iterator[Line]:
    """Open the port of a board, and close it after the block; parameters as for ``connect``.

    The virtual board's last output arrives even if its program ends at once. ``listen``: open exactly the named port,
    to read what a program prints there.

    Raises
    ------
    PortError, BoardError
        When the port does not open, or the virtual board is bare.
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
