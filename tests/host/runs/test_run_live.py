"""The live view: what it prints on a terminal, in a pipe, and in silence."""

from __future__ import annotations

import io
import itertools
import re
from collections.abc import Callable

import numpy as np
import pytest
from rich.console import Console

from tpsgd_host.runs.events import BoardText, Event, Note, RunEnded, RunStarted
from tpsgd_host.runs.sinks import Fanout
from tpsgd_host.runs.view.chart import Curve, chart
from tpsgd_host.runs.view.live import LiveView, Mode
from tpsgd_host.runs.view.report import clip, confusion_report
from tpsgd_host.terminal import clean

MakeRun = Callable[..., list[Event]]


def show(events: list[Event], mode: Mode, width: int = 80, height: int = 24) -> str:
    """Return what a view writes for ``events``."""
    out = io.StringIO()
    terminal = mode == "live"
    console = Console(file=out, force_terminal=terminal, width=width, height=height, legacy_windows=False, _environ={})
    ticks = itertools.count()
    with Fanout([LiveView(console, mode, clock=lambda: next(ticks) / 100)]) as sinks:
        for event in events:
            sinks.handle(event)
    return out.getvalue()


def test_a_pipe_gets_one_line_per_epoch(make_run: MakeRun) -> None:
    """No control sequences, no progress bar."""
    run = make_run(epochs=12)
    text = show(run, "auto")
    assert "\x1b" not in text
    lines = text.splitlines()
    assert [line[:11] for line in lines[:12]] == [f"epoch {i:>2}/12" for i in range(1, 13)]
    assert "weights' CRC 1a2b3c4d" in text


def test_long_lines_in_a_pipe_are_not_wrapped() -> None:
    """A line of the board is a line."""
    assert show([BoardText("x" * 200)], "plain") == f"board: {'x' * 200}\n"


def test_quiet_says_nothing(make_run: MakeRun) -> None:
    """The caller prints the result."""
    assert show([*make_run(), BoardText("a"), Note("b")], "quiet") == ""


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 40), (40, 20), (20, 10), (200, 5)])
def test_a_terminal_gets_progress_and_curve(make_run: MakeRun, width: int, height: int) -> None:
    """No line is wider than the terminal, and the cursor is shown again."""
    text = show(make_run(classes=12), "live", width, height)
    plain = clean(text.replace("\r", "\n"))
    assert "epoch" in plain
    assert all(len(line) <= width for line in plain.splitlines())
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")
    if width >= 40 and height >= 20:
        assert "held out" in plain
        assert any("\u2800" < c <= "\u28ff" for c in plain)


def test_facts_of_a_run_stay_whole_at_80_columns(make_run: MakeRun) -> None:
    """The widest that the figures of a run of two figures of epochs get."""
    plain = clean(show(make_run(epochs=80, classes=4), "live", 80).replace("\r", "\n"))
    assert re.search(r"(?m)^epoch 80/80   prequential 100\.0% \(last 100: 100\.0%\)   loss \d\.\d{3} *$", plain)
    assert re.search(r"(?m)^held out 100\.0% *$", plain)


def test_ctrl_c_leaves_the_terminal_whole(make_run: MakeRun) -> None:
    """The cursor is back after an exception."""
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=80, _environ={})
    with pytest.raises(KeyboardInterrupt), LiveView(console) as view:
        for event in make_run()[:100]:
            view.handle(event)
        raise KeyboardInterrupt
    assert out.getvalue().rindex("\x1b[?25h") > out.getvalue().rindex("\x1b[?25l")


def test_board_text_cannot_steer_the_terminal() -> None:
    """Escapes and control characters are taken out, markup is not obeyed."""
    text = show([BoardText("\x1b[2Jone\r\ntwo [red]x[/red]\x1b]0;title\x07\ud800\x9b"), Note("[bold]n")], "plain")
    assert text == "board: one\nboard: two [red]x[/red]\nnote: [bold]n\n"


def test_a_run_without_config_or_samples() -> None:
    """Nothing is known and nothing fails."""
    end = RunEnded("failed", None, 0, 0.0, None, None, None)
    for mode in ("live", "plain"):
        assert "failed: 0 samples" in clean(show([RunStarted({}), end], mode))  # type: ignore[arg-type]


@pytest.mark.parametrize("n", [1, 2, 3, 10, 20, 30, 31, 100])
@pytest.mark.parametrize("width", [40, 60, 80, 120])
@pytest.mark.parametrize("scale", [9, 90_000])
def test_confusion_fits_its_width(n: int, width: int, scale: int) -> None:
    """A matrix with every class where it fits, pairs where not; never wider than the terminal."""
    rng = np.random.default_rng(n)
    matrix = rng.integers(0, 3, (n, n)) + np.diag(rng.integers(1, scale, n))
    names = [f"gesture {i}" for i in range(n)]
    out = io.StringIO()
    Console(file=out, width=width).print(confusion_report(matrix, names, "held out", width))
    text = out.getvalue()
    assert all(len(line) <= width for line in text.splitlines())
    if width >= 80 and n <= 30:
        assert "Confusion" in text
        assert sum("%" in line for line in text.splitlines()) == n
    if n > 30:
        assert "Most confused" in text


def test_chart_has_its_size_and_marks() -> None:
    """The curve goes up from the bottom left, the mark stands at the top right."""
    text = chart([(i, i / 100) for i in range(101)], [(100, 1.0)], 100, 45, 5).plain.split("\n")
    assert [len(line) for line in text] == [45] * 5
    assert text[0].startswith("100% ")
    assert text[-1].startswith("  0% ")
    assert text[0][-1] == "◆"
    assert text[-1][5] != " "
    assert text[0][5] == " "


def test_ascii_chart() -> None:
    """A terminal without Unicode gets dots."""
    assert chart([(0, 0.5), (1, 1)], [(1, 0.9)], 1, 40, 5, ascii_only=True).plain.isascii()


def test_curve_keeps_within_its_limit() -> None:
    """Old points are thinned out, the ends stay."""
    curve = Curve(64)
    for i in range(10_000):
        curve.add(i, 0.5)
    assert 32 <= len(curve.points) <= 64
    assert curve.points[-1][0] > 9_000
    assert curve.points == sorted(curve.points)


def test_clip_keeps_both_ends() -> None:
    """Names that differ at their end stay different."""
    assert clip("short", 8) == "short"
    assert clip("roll-right-1", 8) == "roll…t-1"
    assert [len(clip("abcdefghij", n)) for n in range(1, 12)] == [*range(1, 11), 10]
    assert clip("a\x1bb\n", 9) == "a b "
