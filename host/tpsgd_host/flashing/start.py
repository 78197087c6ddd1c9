"""Restart a board, and check that its program runs with the model that was written."""

from __future__ import annotations

import time
from collections.abc import Callable

from tpsgd_host.boards.connect import connect
from tpsgd_host.errors import BoardError, BoardGoneError, PortError
from tpsgd_host.flashing.deploy import check_arrived
from tpsgd_host.flashing.remote import Remote
from tpsgd_host.link.messages import Info
from tpsgd_host.model.modelfile import Model

#: Seconds for a board to restart and load its program and model; a slow chip took twelve.
START_WITHIN = 60.0

#: Seconds before the user is told that the board has not answered yet.
TELL_AFTER = 10.0


def start(model: Model, remote: Remote, tell: Callable[[str], None], within: float = START_WITHIN) -> Info:
    """Restart the board and return its INFO when it has the model.

    Raises
    ------
    BoardError
        When the program has not answered in time. All files are then on the board, and verified.
    MismatchError
        When the board has another model.
    """
    remote.restart()
    tell("the board starts")
    begun, told = time.monotonic(), False
    printed: list[str] = []
    while True:
        try:
            with connect(remote.port, on_text=printed.append) as board:
                info = board.info
            break
        except (
            PortError,
            BoardGoneError,
        ) as error:  # native USB disappears for a moment; a slow chip loads its program
            waited = time.monotonic() - begun
            if waited > within and isinstance(error, PortError):
                raise
            if waited > within:
                last = next((f"; it printed {line!r}" for line in reversed(printed) if line.strip()), "")
                raise BoardError(
                    "all files are on the board, verified, but its program has not answered within "
                    f"{waited:.0f} s{last}",
                    f"press RESET (EN) on the board, then check: tpsgd-host doctor --port {remote.port}",
                ) from error
            if waited > TELL_AFTER and not told:
                tell(f"it has not answered for {waited:.0f} s; waiting up to {within:.0f} s")
                told = True
            time.sleep(0.3)
    check_arrived(model, info)
    return info
