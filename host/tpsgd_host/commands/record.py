"""``tpsgd-host record``: record words or gestures from a microphone, a board's sensor, WAV files or a table."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import click
from rich.live import Live

from tpsgd_host.boards.connect import VIRTUAL, connect
from tpsgd_host.boards.player import Player
from tpsgd_host.boards.taping import Taping
from tpsgd_host.boards.virtual import default_folder
from tpsgd_host.commands.options import FILE, HeapType, Seconds, board_dir_option, json_option
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
from tpsgd_host.recording.prompter import Prompter
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
    labels: Sequence[str] = (),
    takes: int = 0,
    countdown: float = 0.0,
    board: BoardSource | None = None,
    watch: Callable[[Recorder], None] = lambda recorder: None,
) -> RecordReport:
    """Cut words or gestures out of a source's stream, and add them to a set.

    Parameters
    ----------
    data : Path
        The set: a folder for sound, a CSV for gestures. It is created, or added to.
    source : Path or str
        ``"microphone"``, a folder of WAV files, or a table with recordings. With a virtual board it is played to that.
    model : Path, optional
        TOML or model file whose front end says what a word is. Gestures need one.
    rate : int
        Samples per second, without a model.
    label : str
        Label of all recordings; if empty, that of the file that is played.
    fast : bool
        As fast as files can be read, not in real time.
    labels : sequence of str
        Those that a board's button chooses in turn, and of which ``takes`` are recorded each; 0: until the source or
        the user ends it.
    countdown : float
        Seconds from one take to the next; 0 for no countdown.
    board : BoardSource, optional
        The board whose sensor is recorded.
    watch : callable
        Called with the recorder about twenty times a second; may choose labels, undo, and end it.
    """
    named = model is not None or board is not None
    if not named and source != MICROPHONE and Path(source).is_file() and not is_sound(source):
        raise ConfigError(f"{source} is a table: what a gesture is must be said", "--model FILE.toml with a [frontend]")
    if takes and not labels:
        raise ConfigError(f"--takes {takes} of which labels?", "name them: --labels yes,no")
    with ExitStack() as stack:
        if board is not None:
            layout, pieces = stack.enter_context(board.opened(source, model, pause, fast))
        else:
            layout = _layout(model, rate)
            pieces = _pieces(source, layout, pause)
        front = layout.front
        assert front is not None
        store = _store(data, layout, front)
        prompter = Prompter(labels, takes, countdown) if takes or countdown else None
        cutter = Cutter(front, 1 if layout.hears else layout.channels)
        recorder = Recorder(cutter, store, check_label(label) if label else "", labels, prompter)
        real_time = board is None and source != MICROPHONE and not fast
        state = recorder.run(pieces, front.rate, real_time, lambda: watch(recorder))
    return RecordReport(str(data), state.added, state.unlabelled, state.lost, dict(sorted((+store.counts).items())))


@dataclass(frozen=True)
class BoardSource:
    """A board whose sensor is recorded.

    Attributes
    ----------
    port, folder, heap, baud
        See :func:`tpsgd_host.boards.connect.connect`.
    compressed : bool
        Whether sound travels as four bits a value: at 115,200 baud nothing else fits.
    """

    port: str = VIRTUAL
    folder: Path | None = None
    heap: int | None = None
    baud: int = 115200
    compressed: bool = False

    @contextmanager
    def opened(
        self, source: Path | str, model: Path | None, pause: float | None, fast: bool
    ) -> Iterator[tuple[Layout, Iterator[Piece]]]:
        """Give the layout of the model, which is the board's if none is named, and what the board's sensor gives."""
        if self.port != VIRTUAL and source != MICROPHONE:
            raise ConfigError(f"{source} cannot be played to a real board", "leave --from out: it has its own sensor")
        if self.port == VIRTUAL and source == MICROPHONE:
            raise ConfigError(
                "the virtual board's sensor is what is played to it", "name that with --from, or leave --port out"
            )
        with ExitStack() as stack:
            line = stack.enter_context(
                connect(self.port, folder=self.folder, heap=self.heap, baud=self.baud, on_text=lambda text: None)
            )
            layout = _layout(model, 0) if model else line.model().layout
            if layout.front is None:
                raise ConfigError("the model on the board has no front end", "name one with --model, or flash another")
            player = None
            if self.port == VIRTUAL:
                pieces = played(Path(source), layout, pause)
                place = self.folder or default_folder()
                player = stack.enter_context(Player(pieces, place, layout.front.rate, not fast))
            channels = 1 if layout.hears else layout.channels
            taping = Taping(line.tape(), layout.front.rate, channels, self.compressed, player, by_place=fast)
            yield layout, stack.enter_context(closing(taping.pieces()))


def _pieces(source: Path | str, layout: Layout, pause: float | None) -> Iterator[Piece]:
    """Return what the computer's microphone gives, or recordings that are played."""
    assert layout.front is not None
    if source != MICROPHONE:
        return played(Path(source), layout, pause)
    if not layout.hears:
        raise ConfigError("a microphone hears, and the model takes readings", "name a table: --from FILE.csv")
    return hear(layout.front.rate)


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
@click.option("--takes", type=click.IntRange(0), default=0, metavar="N",
              help="Record so many of each label, one label after the other, then end.")  # fmt: skip
@click.option("--countdown", type=Seconds(0), is_flag=False, flag_value=3.0, default=0.0, metavar="SECONDS",
              help="Count down before each take, 3 seconds if none are named.")  # fmt: skip
@click.option("--port", "-p", metavar="PORT",
              help="Record from the sensor of the board at this port, or virtual.  [default: no board]")  # fmt: skip
@click.option("--baud", default=115200, show_default=True, help="Speed of a serial port.")
@click.option("--compress/--no-compress", default=None,
              help="Sound as four bits a value.  [default: compress, but not for the virtual board]")  # fmt: skip
@board_dir_option
@click.option("--heap", type=HeapType(), metavar="SIZE", help="Heap of the virtual board.  [default: as flashed]")
@json_option
def command(
    data: Path, source: str, model: Path | None, rate: str, label: str | None, labels: str | None, fast: bool,
    pause: float | None, takes: int, countdown: float, port: str | None, baud: int, compress: bool | None,
    board_dir: Path | None, heap: int | None, as_json: bool,
) -> None:  # fmt: skip
    """Record words or gestures as data to learn from.

    DATA is a folder of WAV files with a folder per label, or a CSV of gestures. The board's own front end finds the
    words. A key chooses the label of the next words; recordings can be undone or relabelled. Recordings are added to
    DATA if it exists. All other commands accept DATA as it is. With --port the sensor is a board's: its button, if
    sensor.py has one, chooses the next label. What was lost on the way is counted and shown.

    \b
    Examples:
      tpsgd-host record words --labels yes,no,stop,go
      tpsgd-host record words --label yes --from my-recordings --fast
      tpsgd-host record gestures.csv --from played.csv --model gestures.toml
      tpsgd-host record words --port /dev/ttyUSB0 --labels yes,no --countdown
    """
    names = [check_label(name.strip()) for name in labels.split(",")] if labels else []
    if label and not names:
        names = [label]
    place: Path | str = source if source == MICROPHONE else Path(source)
    board = None
    if port:
        board = BoardSource(port, board_dir, heap, baud, port != VIRTUAL if compress is None else compress)
    console = Console(stderr=True)
    title = f"{data} from the board at {port}" if port else f"{data} from {source}"
    with _screen(console, names, title, as_json) as watch:
        report = record(
            data, place, model=model, rate=int(rate), label=label or "", fast=fast, pause=pause, labels=names,
            takes=takes, countdown=countdown, board=board, watch=watch,
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
