"""What the screen of a lesson shows, as lines of text."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from tpsgd_host.runs.view.report import percent
from tpsgd_host.teaching.progress import NOT_SURE, Progress
from tpsgd_host.terminal import one_line

#: Keys of commands; the others, in this order, are those of the classes.
COMMANDS = "usqp"
KEYS = "123456789" + "".join(letter for letter in "abcdefghijklmnopqrstuvwxyz" if letter not in COMMANDS)

LONGEST_NAME = 16
LONGEST_BAR = 60
MAX_TRACES = 6
SHOWN = 12  # answers

_MARKS, _PLAIN = " ▁▂▃▄▅▆▇█", " .:-=+*##"


def level_lines(progress: Progress, width: int, unicode: bool, motion: bool) -> list[Text]:
    """Return the meter: the last levels, or of a motion sensor the readings of each channel."""
    room = max(10, width - 7)
    marks = _MARKS if unicode else _PLAIN
    if not motion:
        trace = "".join(marks[min(8, int(level * 9))] for level in progress.levels[-room:])
        return [Text("level  ", "dim").append(trace, "green")]
    frames = progress.frames[-room:]
    lines = []
    for c in range(min(MAX_TRACES, len(frames[0]) if frames else 1)):
        trace = "".join(marks[min(8, frame[c] * 9 // 256)] for frame in frames if len(frame) > c)
        lines.append(Text(f"axis {c + 1} ", "dim").append(trace, "green"))
    return lines


def doing(progress: Progress) -> Text:
    """Return what the board does at present, and what was lost."""
    if progress.active:
        line = Text(f"{'hearing':<11}", "bold green")
    elif progress.practising:
        line = Text(f"{'practising':<11}", "yellow")
    else:
        line = Text(f"{'listening':<11}", "cyan")
    if progress.playing:
        line.append(f"playing {one_line(progress.playing)[:LONGEST_NAME]}  ")
    line.append(f"{progress.words} heard", "dim")
    if progress.overruns:
        line.append(f"  lost values {progress.overruns} times, {progress.torn} words dropped", "bold red")
    if progress.missed:
        line.append(f"  {progress.missed} words lost on the way", "bold red")
    return line


def class_lines(progress: Progress, width: int, unicode: bool) -> list[Text]:
    """Return a line for each class: its key, the board's answer to the newest word, and how often it was taught."""
    names = [one_line(name) for name in progress.classes]
    room = max(4, min(LONGEST_NAME, max(map(cell_len, names)), width - 28))
    length = max(4, min(LONGEST_BAR, width - room - 24))
    full, empty = ("█", "░") if unicode else ("#", ".")
    counts = progress.counts
    lines = []
    for i, (raw, name, p) in enumerate(zip(progress.classes, names, progress.probabilities, strict=True)):
        key = KEYS[i] if i < len(KEYS) else " "
        guessed = progress.heard is not None and progress.heard.predicted == raw
        bar = round(p * length)
        line = Text(f" {key} ", "bold").append(f"{set_cell_size(name, room)} ", "bold" if guessed else "")
        line.append(full * bar, "green" if guessed else "blue").append(empty * (length - bar), "dim")
        line.append(f" {p:4.0%} ", "bold" if guessed else "").append(f"{counts[raw]:>4} ")
        taught = "taught" if progress.label == raw else "heard" if guessed else ""
        lines.append(line.append(f"{taught:<8}", "bold yellow" if progress.label == raw else "bold green"))
    if progress.heard is not None and not progress.heard.predicted:
        lines.append(Text(f"   {NOT_SURE}", "bold magenta"))
    return lines


def state_lines(progress: Progress) -> list[Text]:
    """Return how good the board is, and what it keeps."""
    answers = progress.answers
    right = sum(answer.right for answer in answers)
    lines = [_history(progress)]
    line = Text("right before it learned ", "dim").append(f"{right} of {len(answers)}")
    if answers:
        line.append(f" ({percent(progress.accuracy)})").append("  last 20 ", "dim").append(percent(progress.recent))
    lines.append(line)
    if progress.tested:
        right = sum(answer.right for answer in progress.tested)
        lines.append(
            Text("right among words never taught ", "dim").append(
                f"{right} of {len(progress.tested)} ({right / len(progress.tested):.1%})", "bold"
            )
        )
    line = Text(f"keeps {progress.kept} of {progress.room}, learned {max(0, progress.seen)} samples  ", "dim")
    line.append("not saved" if progress.unsaved else "saved" if progress.seen > 0 else "", "yellow")
    return [*lines, line]


def _history(progress: Progress) -> Text:
    """Return the last taught words, the newest first, each with what the board had said where that was wrong."""
    if not progress.answers:
        return Text("")
    line = Text("taught last: ", "dim", no_wrap=True, overflow="ellipsis")
    for i, answer in enumerate(reversed(progress.answers[-SHOWN:])):
        said = "" if answer.right else f" (said {one_line(answer.predicted)[:LONGEST_NAME] or NOT_SURE})"
        style = "green" if answer.right else "red"
        line.append(f"{', ' if i else ''}{one_line(answer.label)[:LONGEST_NAME]}{said}", style)
    return line


def note_line(progress: Progress, width: int) -> Text:
    """Return what happened last."""
    return Text(one_line(progress.note)[: max(10, width - 1)], "bold", no_wrap=True)


def teaching_keys(classes: Sequence[str]) -> str:
    """Return the keys that teach, in words."""
    count = min(len(classes), len(KEYS))
    if count <= 9:
        return f"1-{count}"
    return f"1-9 {KEYS[9]}-{KEYS[count - 1]}" if count > 10 else f"1-9 {KEYS[9]}"
