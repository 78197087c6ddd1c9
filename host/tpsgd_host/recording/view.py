"""The screen of a recording: a level meter, the labels with their counts, and the last event."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tpsgd_host.recording.recorder import Recorder
from tpsgd_host.terminal import one_line

KEYS = "1-9 label   r relabel the last one   u undo   space pause   q end"

_MARKS = " ▁▂▃▄▅▆▇█"
_PLAIN = " .:-=+*##"


def screen(recorder: Recorder, labels: Sequence[str], title: str, width: int, unicode: bool) -> RenderableType:
    """Return the screen.

    Parameters
    ----------
    labels : sequence of str
        By their keys, 1 first.
    """
    state = recorder.state
    room = max(10, width - 12)
    marks = _MARKS if unicode else _PLAIN
    trace = "".join(marks[min(8, int(level * 9))] for level in state.levels[-room:])
    doing = "paused" if state.paused else "hearing a word" if state.active else "listening"
    style = "yellow" if state.paused else "bold green" if state.active else "cyan"
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    names = [*labels, *(name for name in sorted(recorder.store.counts) if name not in labels)]
    for number, name in enumerate(names[:12], 1):
        key = str(number) if number <= min(9, len(labels)) else " "
        chosen = name == state.label
        count = recorder.store.counts[name]
        table.add_row(
            key, Text(one_line(name), "bold reverse" if chosen else ""), str(count), "<- now" if chosen else ""
        )
    lost = Text(f"   lost values {state.lost} times", "bold red") if state.lost else Text("")
    unlabelled = Text(f"   {state.unlabelled} without a label", "yellow") if state.unlabelled else Text("")
    return Group(
        Text(title, "bold"),
        Text(f"{doing:<15}", style).append(f"{state.added} kept").append(lost).append(unlabelled),
        *([Text(one_line(state.prompt)[: max(10, width - 1)], "bold yellow", no_wrap=True)] if state.prompt else []),
        Text(f"level {trace}", "green", overflow="crop", no_wrap=True),
        table,
        Text(one_line(state.last)[: max(10, width - 1)], no_wrap=True),
        Text(KEYS, "dim"),
    )
