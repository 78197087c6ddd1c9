"""Start a board anew and see that its program runs with the model that was written."""

from __future__ import annotations

import time
from collections.abc import Callable

from tpsgd_host.boards.connect import connect
from tpsgd_host.errors import BoardError, BoardGoneError, PortError
from tpsgd_host.flashing.deploy import check_arrived
from tpsgd_host.flashing.remote import Remote
from tpsgd_host.link.messages import Info
from tpsgd_host.model.modelfile import Model

#: Seconds that a board may take to start anew and to load its program and model: a slow chip took twelve.
START_WITHIN = 60.0

#: Seconds after which the user is told that the board is still being waited for.
TELL_AFTER = 10.0


def start(model: Model, remote: Remote, tell: Callable[[str], None], within: float = START_WITHIN) -> Info:
    """Start the board anew and return what it says, once it has the model.

    Raises
    ------
    BoardError
        When the program has not answered within so many seconds. All files are on the board then, and verified.
    MismatchError
        When the board holds another model.
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
        except (PortError, BoardGoneError) as error:  # native USB goes away for a moment; a slow chip loads its program
            waited = time.monotonic() - begun
            if waited > within and isinstance(error, PortError):
                raise
            if waited > within:
                last = next((f"; it printed {line!r}" for line in reversed(printed) if line.strip()), "")
                raise BoardError(
                    "all files are on the board, verified, but its program has not answered within "
                    f"{waited:.0f} s{last}",
                    f"press RESET (EN) on the board, then look: tpsgd-host doctor --port {remote.port}",
                ) from error
            if waited > TELL_AFTER and not told:
                tell(f"it has not answered for {waited:.0f} s; waiting up to {within:.0f} s")
                told = True
            time.sleep(0.3)
    check_arrived(model, info)
    return info
