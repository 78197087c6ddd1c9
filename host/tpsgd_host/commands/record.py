"""``tpsgd-host record``: record words or gestures from a microphone, WAV files or a table."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click
from rich.live import Live

from tpsgd_host.commands.options import FILE, json_option
from tpsgd_host.console import Console
from tpsgd_host.data.frontend import FrontEnd, LogMel, mel_edges
from tpsgd_host.data.layout import Layout
from tpsgd_host.data.playing import Piece, played
from tpsgd_host.data.wav import is_sound
from tpsgd_host.errors import ConfigError
from tpsgd_host.model.front import BANDS, LOW
from tpsgd_host.model.modelfile import load_model
from tpsgd_host.model.parsing import load_config
from tpsgd_host.recording.cutter import Cutter
from tpsgd_host.recording.keys import pressed
from tpsgd_host.recording.microphone import hear
from tpsgd_host.recording.recorder import Recorder
from tpsgd_host.recording.store import Store, TableFile, WavFolder, check_label
from tpsgd_host.recording.view import screen
from tpsgd_host.terminal import echo

__all__ = ["RecordReport", "command", "record"]

MICROPHONE = "microphone"


@dataclass(frozen=True)
class RecordReport:
    """What was recorded.

    Attributes
    ----------
    added, unlabelled, lost : int
        Recordings saved; recordings without a label, which were not; times that values were lost.
    counts : dict
        Recordings of each label in the set, earlier ones included.
    """

    data: str
    added: int
    unlabelled: int
    lost: int
    counts: dict[str, int]


def record(
    data: Path,
    source: Path | str = MICROPHONE,
    *,
    model: Path | None = None,
    rate: int = 8000,
    label: str = "",
    fast: bool = False,
    pause: float | None = None,
    watch: Callable[[Recorder], None] = lambda recorder: None,
) -> RecordReport:
    """Cut words or gestures out of a source's stream, and add them to a set.

    Parameters
    ----------
    data : Path
        The set: a folder for sound, a CSV for gestures. It is created, or added to.
    source : Path or str
        ``"microphone"``, a folder of WAV files, or a table with recordings.
    model : Path, optional
        TOML or model file whose front end says what a word is. Gestures need one.
    rate : int
        Samples per second, without a model.
    label : str
        Label of all recordings; if empty, that of the file that is played.
    fast : bool
        As fast as files can be read, not in real time.
    watch : callable
        Called with the recorder about twenty times a second; may choose labels, undo, and end it.
    """
    if model is None and source != MICROPHONE and Path(source).is_file() and not is_sound(source):
        raise ConfigError(f"{source} is a table: what a gesture is must be said", "--model FILE.toml with a [frontend]")
    layout = _layout(model, rate)
    front = layout.front
    assert front is not None
    store = _store(data, layout, front)
    channels = 1 if layout.hears else layout.channels
    recorder = Recorder(Cutter(front, channels), store, check_label(label) if label else "")
    from_files = source != MICROPHONE
    if not from_files and not layout.hears:
        raise ConfigError("a microphone hears, and the model takes readings", "name a table: --from FILE.csv")
    pieces: Iterator[Piece] = played(Path(source), layout, pause) if from_files else hear(front.rate)
    state = recorder.run(pieces, front.rate, from_files and not fast, lambda: watch(recorder))
    return RecordReport(str(data), state.added, state.unlabelled, state.lost, dict(sorted((+store.counts).items())))


def _layout(model: Path | None, rate: int) -> Layout:
    """Return the layout of a model that has a front end; without a model, that of the usual one for sound."""
    if model is None:
        front = LogMel(rate, rate * 256 // 8000, rate * 128 // 8000, mel_edges(BANDS[rate], LOW, rate / 2))
        return Layout(20, front.channels, windows="recording", front=front)
    layout = load_config(model).layout if model.suffix == ".toml" else load_model(model).layout
    if layout.front is None:
        raise ConfigError(
            f"{model} has no front end", "give it a [frontend] in its TOML, or leave --model out for sound"
        )
    return layout


def _store(data: Path, layout: Layout, front: FrontEnd) -> Store:
    if isinstance(front, LogMel):
        return WavFolder(data, front.rate)
    if not layout.columns:
        raise ConfigError("the model names no columns", 'name them in its TOML: columns = ["x", "y", "z"] in [data]')
    return TableFile(data, layout.columns, front.counts, layout.label, layout.group or "take")


@click.command("record")
@click.argument("data", type=FILE)
@click.option("--from", "source", default=MICROPHONE, show_default=True, metavar="SOURCE",
              help="microphone, a folder of WAV files, or a table of gestures, which are played.")  # fmt: skip
@click.option("--model", type=FILE, metavar="FILE",
              help="TOML or model file whose front end finds the words.  [default: the usual one]")  # fmt: skip
@click.option("--rate", type=click.Choice(["8000", "16000"]), default="8000", show_default=True,
              help="Samples per second, without a model.")  # fmt: skip
@click.option("--label", metavar="NAME", help="Label of all recordings.  [default: the key's, or the file's]")
@click.option("--labels", metavar="A,B,...", help="Labels of the keys 1, 2, ...  [default: those of DATA]")
@click.option("--fast", is_flag=True, help="Take files as fast as they can be read, not in real time.")
@click.option("--pause", type=click.FloatRange(0), metavar="SECONDS", help="Pause between two files.")
@json_option
def command(
    data: Path, source: str, model: Path | None, rate: str, label: str | None, labels: str | None, fast: bool,
    pause: float | None, as_json: bool,
) -> None:  # fmt: skip
    """Record words or gestures as data to learn from.

    DATA is a folder of WAV files with a folder per label, or a CSV of gestures. The board's own front end finds the
    words. A key chooses the label of the next words; recordings can be undone or relabelled. Recordings are added to
    DATA if it exists. All other commands accept DATA as it is.

    \b
    Examples:
      tpsgd-host record words --labels yes,no,stop,go
      tpsgd-host record words --label yes --from my-recordings --fast
      tpsgd-host record gestures.csv --from played.csv --model gestures.toml
    """
    names = [check_label(name.strip()) for name in labels.split(",")] if labels else []
    if label and not names:
        names = [label]
    place: Path | str = source if source == MICROPHONE else Path(source)
    console = Console(stderr=True)
    with _screen(console, names, f"{data} from {source}", as_json) as watch:
        report = record(
            data, place, model=model, rate=int(rate), label=label or "", fast=fast, pause=pause, watch=watch
        )  # fmt: skip
    if as_json:
        echo(json.dumps(report.__dict__, indent=2))
        return
    counts = ", ".join(f"{name} {count}" for name, count in report.counts.items()) or "nothing"
    echo(f"{report.added} recordings added to {report.data}; it has {counts}")
    if report.unlabelled:
        echo(f"{report.unlabelled} had no label and were not kept: name one with --label, or press its key")
    if report.lost:
        echo(f"values were lost {report.lost} times: what was under way then was dropped")
    if report.counts and not is_sound(data):
        echo(f"next: tpsgd-host stream {data}")
    elif report.counts:
        echo(f"next: tpsgd-host new {data.name} --data {data}")


@contextmanager
def _screen(console: Console, names: Sequence[str], title: str, quiet: bool) -> Iterator[Callable[[Recorder], None]]:
    """Give what shows the state and obeys the keys; without a terminal it does nothing."""
    if quiet or not console.is_terminal:
        yield lambda recorder: None
        return
    unicode = (console.encoding or "").lower().startswith("utf")
    with pressed() as keys, Live(console=console, auto_refresh=False, transient=True) as live:

        def watch(recorder: Recorder) -> None:
            labels = names or sorted(recorder.store.counts)[:9]
            for key in keys():
                _obey(key, recorder, labels)
            live.update(screen(recorder, labels, title, console.width, unicode), refresh=True)

        yield watch


def _obey(key: str, recorder: Recorder, labels: Sequence[str]) -> None:
    state = recorder.state
    if key.isdecimal() and 1 <= int(key) <= len(labels):
        recorder.choose(labels[int(key) - 1])
    elif key == "u":
        recorder.undo()
    elif key == "r":
        recorder.relabel()
    elif key == " ":
        state.paused = not state.paused
    elif key == "q":
        state.ended = True
