"""Show a run while it lasts: progress, figures and accuracy curve on a terminal, plain lines elsewhere."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Literal, TypeAlias

import numpy as np
from rich.console import Console as RichConsole
from rich.console import ConsoleOptions, Group, RenderableType, RenderResult
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from tpsgd_host.console import Console
from tpsgd_host.runs.events import (
    BoardText,
    EpochEnded,
    Event,
    Note,
    RunEnded,
    RunStarted,
    SampleResult,
    class_names,
)
from tpsgd_host.runs.metrics import RECENT, Metrics
from tpsgd_host.runs.view.chart import CURVE, MARK, Curve, chart
from tpsgd_host.runs.view.report import confusion_report, percent
from tpsgd_host.terminal import clean

Mode: TypeAlias = Literal["auto", "live", "plain", "quiet"]

_GAP = "   "  # between two facts on a line
_RATE_EVERY, _RATE_MARKS = 0.5, 21  # samples/s is the mean of the last ten seconds


class LiveView:
    """Sink that shows the run.

    Parameters
    ----------
    console : Console, optional
        The console to use; standard output by default.
    mode : {"auto", "live", "plain", "quiet"}
        ``auto`` is ``live`` on a terminal and ``plain`` elsewhere: one line per epoch. ``quiet`` shows nothing.
    clock : callable
        Seconds, never falling.
    """

    def __init__(
        self, console: Console | None = None, mode: Mode = "auto", clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._console = console or Console(highlight=False)
        if mode == "auto":
            mode = "live" if self._console.is_terminal and not self._console.is_dumb_terminal else "plain"
        self._mode = mode
        self._state = _State(clock)
        self._live: Live | None = None

    def handle(self, event: Event) -> None:
        """Take the next event."""
        if self._mode == "quiet":
            return
        self._state.handle(event)
        if isinstance(event, BoardText):
            self._say("board: ", event.text, "dim")
        elif isinstance(event, Note):
            self._say("note: ", event.text, "")
        elif isinstance(event, EpochEnded) and self._mode == "plain":
            self._print(_epoch_line(event, self._state.epochs))
        elif isinstance(event, RunEnded):
            self._stop()
            self._report(event)

    def __enter__(self) -> LiveView:
        if self._mode == "live":
            self._live = Live(self._state, console=self._console, refresh_per_second=8, vertical_overflow="crop")
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def _stop(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _say(self, prefix: str, text: str, style: str) -> None:
        for line in clean(text).splitlines():
            self._print(Text(prefix + line, style))

    def _print(self, what: RenderableType) -> None:
        # In a file or a pipe, a line stays one line.
        soft = self._mode == "plain" and isinstance(what, Text)
        self._console.print(what, soft_wrap=soft, highlight=False)

    def _report(self, event: RunEnded) -> None:
        if event.confusion:
            of = "last epoch, before learning" if event.test_accuracy is None else "held out"
            names = class_names(self._state.config, len(event.confusion))[: len(event.confusion)]
            matrix = np.array(event.confusion, np.int64)
            self._print(confusion_report(matrix, names, of, self._console.width))
        self._print(_summary(event))


class _State:
    """The state that the live view shows; one thread feeds it, another draws it."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._metrics = Metrics()
        self._prequential = Curve()
        self._held_out: list[tuple[float, float]] = []
        self._done = 0
        self._epoch = 0
        self._marks: deque[tuple[float, int]] = deque(maxlen=_RATE_MARKS)
        self._ended = False
        self.config: dict[str, object] = {}
        self.epochs = 0
        self.total = 0

    def handle(self, event: Event) -> None:
        with self._lock:
            self._metrics.handle(event)
            if isinstance(event, SampleResult):
                self._add(event)
            elif isinstance(event, EpochEnded) and event.test_accuracy is not None:
                self._held_out.append((self._done, event.test_accuracy))
            elif isinstance(event, RunStarted):
                self.config = event.config
                self.epochs, self.total = _whole(event.config.get("epochs")), _whole(event.config.get("total"))
            elif isinstance(event, RunEnded):
                self._ended = True

    def _add(self, result: SampleResult) -> None:
        self._done = result.index + 1
        self._epoch = result.epoch
        accuracy = self._metrics.recent_accuracy
        if result.kind == "train" and accuracy is not None:
            self._prequential.add(self._done, accuracy)
        now = self._clock()
        if not self._marks or now - self._marks[-1][0] >= _RATE_EVERY:
            self._marks.append((now, self._done))

    def _rate(self) -> float:
        """Samples per second over the last marks; it falls while a board is silent."""
        if not self._marks:
            return 0.0
        since, done = self._marks[0]
        return (self._done - done) / max(self._clock() - since, 1e-3)

    def __rich_console__(self, console: RichConsole, options: ConsoleOptions) -> RenderResult:
        with self._lock:
            width = min(options.max_width, 120)
            rows = min(15, options.size.height // 3, options.size.height - 8)
            parts: list[RenderableType] = [self._progress(width), self._figures(width)]
            if rows >= 3 and width >= 24 and self._prequential.points:
                parts += self._chart(width, rows | 1, options.ascii_only)
        yield Group(*parts)

    def _progress(self, width: int) -> RenderableType:
        rate = self._rate()
        left = max(self.total - self._done, 0)
        speed = f"{rate:,.0f}/s" if rate >= 10 or not rate else f"{rate:.1f}/s"
        ending = "" if self._ended or not self.total else f"ETA {_duration(left / rate) if rate else '-'}"
        counts = f"{self._done:,}" + (f"/{self.total:,}" if self.total else "")
        share = f"{self._done / self.total:4.0%}" if self.total else ""
        facts = [share, counts, speed, ending] if width >= 60 else [share, ending or speed]
        grid = Table.grid(padding=(0, 2), expand=False)
        facts = [fact for fact in facts if fact]
        bar = max(width - sum(len(fact) + 2 for fact in facts), 8)
        style = "green" if self._ended and self._done >= self.total else CURVE
        grid.add_row(
            ProgressBar(self.total or None, self._done, width=bar, pulse=not self.total and not self._ended,
                        complete_style=style, finished_style="green"),
            *(Text(fact, no_wrap=True) for fact in facts),
        )  # fmt: skip
        return grid

    def _figures(self, width: int) -> RenderableType:
        m = self._metrics
        test = m.epochs[-1].test_accuracy if m.epochs else None
        facts = [
            ("epoch ", f"{self._epoch}/{self.epochs}" if self.epochs else str(self._epoch)),
            ("prequential ", f"{percent(m.train.accuracy)} (last {RECENT}: {percent(m.recent_accuracy)})"),
            ("loss ", "-" if m.train.loss is None else f"{m.train.loss:.3f}"),
            ("held out ", percent(test)),
        ]
        # Facts that do not fit move to a line of their own.
        lines: list[Text] = []
        for name, value in facts:
            fact = Text(name, "dim", no_wrap=True).append(value, "not dim bold")
            if lines and len(lines[-1]) + len(_GAP) + len(fact) <= width:
                lines[-1].append(_GAP).append(fact)
            else:
                lines.append(fact)
        return Group(*lines)

    def _chart(self, width: int, rows: int, ascii_only: bool) -> list[RenderableType]:
        end = max(self.total, self._done)
        drawing = chart(self._prequential.points, self._held_out, end, width, rows, ascii_only)
        key = Text("     ", no_wrap=True).append("." if ascii_only else "⣀⡠⠊", CURVE).append(f" last {RECENT}", "dim")
        key.append("   ").append("o" if ascii_only else "◆", MARK).append(" held out", "dim")
        return [drawing, key]


def _whole(value: object) -> int:
    return value if isinstance(value, int) and value > 0 else 0


def _duration(seconds: float) -> str:
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02}"
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"


def _epoch_line(event: EpochEnded, epochs: int) -> Text:
    of = f"/{epochs}" if epochs else ""
    loss = "-" if event.train_loss is None else f"{event.train_loss:.3f}"
    rate = event.samples / event.seconds if event.seconds else 0.0
    return Text(
        f"epoch {event.epoch:>{len(of) - 1 if of else 1}}{of}  prequential {percent(event.train_accuracy):>6}"
        f"  loss {loss}  held out {percent(event.test_accuracy):>6}  {event.samples:,} samples, {rate:,.0f}/s"
    )


def _summary(event: RunEnded) -> Text:
    style = {"complete": "bold green", "interrupted": "bold yellow", "failed": "bold red"}[event.status]
    crc = "unknown" if event.weights_crc is None else f"{event.weights_crc:08x}"
    return Text.assemble(
        (event.status, style),
        f": {event.samples:,} samples in {_duration(event.seconds)}, weights' CRC {crc}\n",
        f"prequential {percent(event.train_accuracy)}, held out {percent(event.test_accuracy)}",
    )
