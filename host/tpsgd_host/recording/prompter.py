"""Which label comes next, and when to say it: so many takes of each label, with a countdown if wanted.

Time is that of the stream, in seconds: a recording that is played fast counts down as fast.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

#: Seconds after "now" in which a word or gesture must begin.
OPEN = 3.0


class Prompter:
    """Says what to record now.

    Parameters
    ----------
    labels : sequence of str
        In their order.
    takes : int
        Recordings of each label; 0: as many as the user wants, of the label that he chooses.
    countdown : float
        Seconds from one take to the next; 0 for no countdown.

    Attributes
    ----------
    done : Counter
        Takes of each label so far. Undoing one lowers it, so that its label comes again.
    """

    def __init__(self, labels: Sequence[str], takes: int = 0, countdown: float = 0.0) -> None:
        self._labels, self._takes, self._countdown = labels, takes, countdown
        self._begun = 0.0  # the time when the countdown began
        self._opened = False
        self.done: Counter[str] = Counter()

    @property
    def chooses(self) -> bool:
        """Whether the prompter, not the user, chooses the label."""
        return self._takes > 0

    @property
    def label(self) -> str:
        """The label to record now; empty if all takes are done, or the user chooses."""
        return next((label for label in self._labels if self.done[label] < self._takes), "")

    @property
    def finished(self) -> bool:
        """Whether all takes are done."""
        return self.chooses and not self.label

    def is_open(self, now: float) -> bool:
        """Whether a word counts at this time."""
        return not self._countdown or now >= self._begun + self._countdown

    def opens(self, now: float) -> bool:
        """Whether a word counts from this moment on: once for each take. What began before does not."""
        fresh = bool(self._countdown) and not self._opened and self.is_open(now)
        self._opened |= fresh
        return fresh

    def missed(self, now: float, active: bool) -> bool:
        """Whether the time for this take is over without a word; then the countdown begins anew."""
        if not self._countdown or active or now < self._begun + self._countdown + OPEN:
            return False
        self._again(now)
        return True

    def taken(self, label: str, now: float) -> None:
        """Note a take."""
        self.done[label] += 1
        self._again(now)

    def undone(self, label: str) -> None:
        """Note that a take is undone."""
        self.done[label] = max(0, self.done[label] - 1)

    def prompt(self, label: str, now: float) -> str:
        """Return what the user is to do: 3, 2, 1, now."""
        which = f"{label or 'a word'}, take {self.done[label] + 1}" + (f" of {self._takes}" if self._takes else "")
        if self.is_open(now):
            return f"now: {which}"
        return f"{math.ceil(self._begun + self._countdown - now)}  {which}"

    def _again(self, now: float) -> None:
        self._begun, self._opened = now, False
