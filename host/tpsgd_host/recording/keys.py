"""Keys as they are pressed, without Enter and without waiting."""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def pressed() -> Iterator[Callable[[], str]]:
    """Have keys come as they are pressed; the block gets a function that returns those since the last call.

    Without a terminal there are never any. The terminal is as before after the block, however that ends.
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
