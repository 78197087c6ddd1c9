"""Show a comparison's progress on standard error: a bar with the time left, or plain lines without a terminal."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType

from rich.progress import BarColumn, Progress, TaskID, TextColumn

from tpsgd_host.console import Console

_LINES_EVERY = 30.0  # seconds between two lines without a terminal
_EARLY = 2.0  # seconds before an estimate of the time left is useful


class ProgressView:
    """Shows progress; a context manager whose :meth:`report` takes (done, of, text).

    Parameters
    ----------
    title : str
        Title of the comparison.
    quiet : bool
        Show nothing.
    console : Console, optional
        Standard error by default.
    clock : callable
        Seconds, never falling.
    """

    def __init__(
        self, title: str, quiet: bool = False, console: Console | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._title, self._quiet, self._clock = title, quiet, clock
        self._console = console or Console(stderr=True, highlight=False)
        self._bar: Progress | None = None
        self._task = TaskID(0)
        self._since = self._said = clock()
        self._text = ""
        self._share = 0.0

    def __enter__(self) -> ProgressView:
        self._since = self._clock()
        if not self._quiet and self._console.is_terminal and not self._console.is_dumb_terminal:
            columns = TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[left]}")
            self._bar = Progress(*columns, console=self._console, transient=True)
            self._bar.start()
            self._task = self._bar.add_task(self._title, total=1.0, left="")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def report(self, done: float, of: float, text: str) -> None:
        """Update the progress. The bar never falls, even if there is more work than expected."""
        self._share = max(self._share, min(1.0, done / of if of else 0.0))
        if self._quiet:
            return
        if self._bar is not None:
            self._bar.update(self._task, completed=self._share, description=f"{self._title}: {text}", left=self._left())
            return
        now = self._clock()
        if text != self._text or now - self._said >= _LINES_EVERY:
            self._text, self._said = text, now
            left = self._left()
            self._console.print(
                f"{self._title}: {text}, {self._share:.0%}{', ' + left if left else ''}", soft_wrap=True
            )

    def _left(self) -> str:
        """Return the time left as text."""
        passed = self._clock() - self._since
        if passed < _EARLY or not 0 < self._share < 1:
            return ""
        return f"{duration(passed / self._share * (1 - self._share))} left"


def duration(seconds: float) -> str:
    """Return a duration as text, in a suitable unit."""
    if seconds < 99.5:
        return f"{seconds:.1f} s" if seconds < 9.95 else f"{seconds:.0f} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 99.5 else f"{minutes / 60:.1f} h"
