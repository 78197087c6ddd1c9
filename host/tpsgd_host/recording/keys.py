"""Read keys as they are pressed, without Enter and without waiting."""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def pressed() -> Iterator[Callable[[], str]]:
    """Give the block a function that returns the keys pressed since its last call.

    Without a terminal there are none. The terminal is always restored after the block.
    """
    if not sys.stdin.isatty():
        yield lambda: ""
        return
    if sys.platform == "win32":
        import msvcrt

        yield lambda: msvcrt.getwch() if msvcrt.kbhit() else ""
        return
    import termios
    import tty

    handle = sys.stdin.fileno()
    before = termios.tcgetattr(handle)

    def read() -> str:
        if not select.select([handle], [], [], 0)[0]:
            return ""
        return os.read(handle, 64).decode(errors="ignore")

    try:
        tty.setcbreak(handle)  # Ctrl-C still interrupts
        yield read
    finally:
        termios.tcsetattr(handle, termios.TCSADRAIN, before)
