"""Find processes and ask whether they run, by way of /proc."""

from __future__ import annotations

import contextlib
import os


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def board_pids(folder):
    """Return the processes of the virtual board in ``folder``."""
    found = []
    for entry in os.listdir("/proc"):
        with contextlib.suppress(OSError, ValueError):
            words = open(f"/proc/{int(entry)}/cmdline").read()
            if "heapsize" in words and os.readlink(f"/proc/{entry}/cwd") == str(folder):
                found.append(int(entry))
    return found
