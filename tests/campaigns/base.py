"""What the campaigns share: where the helpers of the tests are, a way to say how far one is."""

from __future__ import annotations

import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
for folder in (HERE.parent / "host", HERE.parent / "shared", HERE):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))


class Progress:
    """Says every ten seconds how far a campaign is."""

    def __init__(self, what: str, total: int) -> None:
        self._what, self._total = what, total
        self._begun = self._said = time.monotonic()
        self.done = 0

    def step(self, note: str = "") -> None:
        """Count one."""
        self.done += 1
        now = time.monotonic()
        if now - self._said > 10:
            self._said = now
            print(f"{self._what}: {self.done} of {self._total}, {now - self._begun:.0f} s {note}", flush=True)
