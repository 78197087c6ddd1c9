"""``tpsgd-host monitor``: watch a board: its output, its state, its predictions."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import click
from rich.cells import cell_len, set_cell_size
from rich.console import Group
from rich.live import Live
from rich.text import Text

from tpsgd_host.boards.connect import BoardText
from tpsgd_host.boards.line import open_line
from tpsgd_host.boards.many import Place, Teller
from tpsgd_host.boards.monitor import Deaf, Event, Guess, Listens, Said, Stands, Watch, Word
from tpsgd_host.commands.many import all_option, on_all, places_of
from tpsgd_host.commands.options import FILE, board_options, data_options
from tpsgd_host.console import Console
from tpsgd_host.data.encoded import EncodedSamples
from tpsgd_host.data.layout import layout_of
from tpsgd_host.data.load import load_encoded
from tpsgd_host.data.rejects import BadRows
from tpsgd_host.errors import BoardError, PortError
from tpsgd_host.model.modelfile import Model
from tpsgd_host.runs.view.report import percent
from tpsgd_host.terminal import echo, one_line

_BAR = 20


@dataclass
class Summary:
    """What was seen.

    Attributes
    ----------
    answered : bool
        Whether the board runs the device program.
    lines, samples, labelled, right : int
        Lines that it printed; samples that it classified, those that have a label, and right answers.
    words, overruns : int
        Words or gestures that it heard, and times that values of its sensor were lost.
    """

    answered: bool = False
    lines: int = 0
    samples: int = 0
    labelled: int = 0
    right: int = 0
    words: int = 0
    overruns: int = 0

    @property
    def accuracy(self) -> float | None:
        """Share of right predictions; None without labels."""
        return self.right / self.labelled if self.labelled else None

    def count(self, event: Event) -> None:
        """Count an event."""
        if isinstance(event, Said):
            self.lines += 1
        elif isinstance(event, Guess):
            self.samples += 1
            self.labelled += event.right is not None
            self.right += event.right is True
        elif isinstance(event, Word):
            self.words += 1
        elif isinstance(event, Listens):
            self.overruns = event.overruns


def monitor(
    show: Callable[[Event], None],
    *,
    port: str = "virtual",
    folder: Path | None = None,
    heap: int | None = None,
    baud: int = 115200,
    data: Path | None = None,
    every: float = 2.0,
    seconds: float | None = None,
    pause: float = 0.0,
    listen: bool = False,
    names: tuple[str | None, str | None, str | None] = (None, None, None),
    bad_rows: BadRows = "stop",
) -> Summary:
    """Watch a board until Ctrl-C, the end of ``data``, of ``seconds``, or of the virtual board's program.

    Parameters
    ----------
    show : callable
        Called with every event as it happens.
    port, folder, heap, baud
        See :func:`tpsgd_host.boards.connect.connect`.
    data : Path, optional
        Samples for the board to classify, one by one; nothing is learned. Labels may name what is foreign, if the
        model has a class none.
    every : float
        Seconds between queries of the board's state.
    seconds : float, optional
        Seconds after which to end; None for no limit.
    pause : float
        Seconds between two samples.
    listen : bool
        Send nothing to the board, and only show its output.
    names : tuple
        Names of label, group and value columns (with commas) that replace the model's.

    Raises
    ------
    PortError, BoardError, ModelError, DataError
        With ``data``, also when the board does not run the device program.
    """
    summary = Summary()

    def hand_on(event: Event) -> None:
        summary.count(event)
        show(event)

    text = BoardText(lambda line: hand_on(Said(line)))
    deadline = time.monotonic() + seconds if seconds is not None else float("inf")
    with open_line(port, folder, heap, baud, listen) as line:
        try:
            watch = Watch(line, text, hand_on, every, deadline)
            summary.answered = not listen and watch.greet(needed=data is not None)
            if data is not None:
                watch.classify(partial(_samples, data, names, bad_rows), pause)
            else:
                watch.idle()
        except PortError as error:
            code = line.exit_code()
            if code is None:
                raise
            if code or data is not None:
                last = (text.all.strip().splitlines() or ["it printed nothing"])[-1]
                raise BoardError(
                    f"the virtual board's program ended with exit code {code}: {last}",
                    "correct main.py in the board's folder, or flash again with: tpsgd-host flash MODEL",
                ) from error
        except KeyboardInterrupt:
            watch.settle()
        finally:
            text("\n" if text.all and not text.all.endswith("\n") else "")
            watch.part()
    return summary


def _samples(
    data: Path, names: tuple[str | None, str | None, str | None], bad_rows: BadRows, model: Model
) -> EncodedSamples:
    """Return the samples of a file as a model reads them: a label that is no class of it is its class none, if any."""
    none = None if model.prototypes is None else model.prototypes.none
    return load_encoded(
        data, layout_of(model.layout, *names), model.scaling, model.classes, bad_rows, False, other=none
    )


class _View:
    """Shows events: on a terminal the sensor's level and a bar for each class stay below what was printed.

    Elsewhere, and with a ``prefix`` that begins each line, there is a line for each answer, and a state only if it has
    changed.
    """

    def __init__(self, console: Console, prefix: str = "") -> None:
        self._console, self._prefix = console, prefix
        self._last: tuple[int, int, int] | None = None
        self._marks = ("█", "░") if (console.encoding or "").lower().startswith("utf") else ("#", ".")
        self._live: Live | None = None
        self._word: Word | None = None
        self._listens: Listens | None = None

    def __enter__(self) -> _View:
        return self

    def __exit__(self, *error: object) -> None:
        if self._live is not None:
            self._live.stop()

    def __call__(self, event: Event) -> None:
        """Show an event."""
        if isinstance(event, Said):
            self._print(Text(event.text))
        elif isinstance(event, Guess):
            self._print(self._guess(event))
        elif isinstance(event, Word):
            self._word = event
            self._print(self._answer(f"{event.seconds:4.1f} s", event.predicted, event.probability, "")
                        .append(self._others(event)))  # fmt: skip
            self._draw()
        elif isinstance(event, Listens):
            self._tell_losses(event)
            self._listens = event
            self._draw()
        elif isinstance(event, Deaf):
            self._print(Text(event.why, "yellow"))
        elif (event.applied, event.seen, event.weights_crc) != self._last:
            self._stands(event)

    def _stands(self, event: Stands) -> None:
        if self._last is None:
            self._print(Text(f"device program on {event.machine}, engine {event.engine}", "dim"))
        self._last = (event.applied, event.seen, event.weights_crc)
        self._print(
            Text(
                f"{event.seen} samples learned, weights CRC {event.weights_crc:08x}, heap {event.heap_used} bytes "
                f"in use, {event.heap_free} free",
                "dim",
            )
        )

    def _guess(self, guess: Guess) -> Text:
        style, verdict = "", ""
        if guess.right is not None:
            style = "green" if guess.right else "red"
            verdict = "  right" if guess.right else f"  wrong: {guess.label}"
        line = self._answer(f"line {guess.line:<6}", guess.predicted, guess.probability, style).append(verdict, style)
        return line.append(self._others(guess, cell_len(line.plain)))

    def _answer(self, head: str, predicted: str, probability: float, style: str) -> Text:
        return Text(f"{head} ").append(
            f"{one_line(predicted):<14} {self._bar(probability, _BAR)} {probability:4.0%}", style
        )

    def _bar(self, share: float, length: int) -> str:
        full = round(share * length)
        return self._marks[0] * full + self._marks[1] * (length - full)

    def _others(self, answer: Guess | Word, used: int = 50) -> Text:
        """Return the other classes, the likeliest first, as far as they fit on the line."""
        others = sorted(((p, name) for name, p in answer.probabilities.items() if name != answer.predicted),
                        key=lambda one: -one[0])  # fmt: skip
        line = Text("", "dim")
        for p, name in others:
            part = f"  {one_line(name)} {p:.0%}"
            used += cell_len(part)
            if used >= self._console.width:
                break
            line.append(part)
        return line

    def _tell_losses(self, event: Listens) -> None:
        """Say that values were lost, each time that there are more."""
        if self._listens is not None and event.overruns > self._listens.overruns:
            self._print(
                Text(
                    f"values of the sensor were lost, {event.overruns} times so far; words dropped for it: "
                    f"{event.torn}: the board is too slow for this sensor, or was busy",
                    "red",
                )
            )

    def _draw(self) -> None:
        """Draw the level and all classes; only on a terminal."""
        if self._prefix or not self._console.is_terminal or self._listens is None:
            return
        if self._live is None:
            self._live = Live(console=self._console, auto_refresh=False, transient=True)
            self._live.start()
        now = self._listens
        room = max(10, min(60, self._console.width - 24))
        rows = [Text(f"{'level':<15}").append(self._bar(now.level, room), "cyan" if now.active else "dim")]
        if self._word is not None:
            for name, p in list(self._word.probabilities.items())[: max(1, self._console.height - 4)]:
                style = "green" if name == self._word.predicted else ""
                rows.append(
                    Text(f"{set_cell_size(one_line(name), 14)} ").append(f"{self._bar(p, room)} {p:4.0%}", style)
                )
        else:
            rows.append(Text("nothing heard so far", "dim"))
        self._live.update(Group(*rows), refresh=True)

    def _print(self, text: Text) -> None:
        self._console.print(Text(self._prefix) + text if self._prefix else text, soft_wrap=True)


def _as_line(event: Event) -> str:
    """Return an event as a line of JSON."""
    values: dict[str, object] = {"event": type(event).__name__.lower(), **asdict(event)}
    if isinstance(event, Stands):
        values["weights_crc_hex"] = f"{event.weights_crc:08x}"
    elif isinstance(event, Guess):
        values["right"] = event.right
    return json.dumps(values)


@click.command("monitor")
@click.option("--data", type=FILE, metavar="FILE", help="Have the board classify the samples in FILE, one by one.")
@click.option("--pause", type=click.FloatRange(0), default=0.0, show_default=True, metavar="SECONDS",
              help="Wait this long between two samples.")  # fmt: skip
@click.option("--every", type=click.FloatRange(0.1), default=2.0, show_default=True, metavar="SECONDS",
              help="How often to ask for the board's state.")  # fmt: skip
@click.option(
    "--seconds", type=click.FloatRange(0), metavar="SECONDS", help="End after this time.  [default: at Ctrl-C]"
)
@click.option("--listen", is_flag=True, help="Send nothing to the board; only show its output.")
@board_options
@all_option
@data_options
@click.option("--json", "as_json", is_flag=True, help="Print only JSON, one object per line.")
def command(
    port: str, baud: int, board_dir: Path | None, heap: int | None, label: str | None, group: str | None,
    columns: str | None, everyone: bool, as_json: bool, **how: Any,
) -> None:  # fmt: skip
    """Watch a board: its output, state and predictions.

    The state is shown if the board runs the device program. A board with a sensor listens: the level, and for each word
    or gesture the probability of every class, are shown as they come.

    Of your own program, such as one with a Learner, the output is shown; on CircuitPython it is on the console, which
    --listen --port CONSOLE shows. With --data the board classifies samples one by one, without learning. Ctrl-C ends
    the command; the board continues.

    \b
    Examples:
      tpsgd-host monitor --port /dev/ttyUSB0
      tpsgd-host monitor --data test.csv --pause 0.5
      tpsgd-host monitor --all
    """
    if how["listen"] and how["data"] is not None:
        raise click.UsageError("--listen sends nothing, --data sends samples: use one of them.")
    if everyone:
        _monitor_all({"baud": baud, "heap": heap, "names": (label, group, columns), **how}, as_json)
        return
    console = Console(highlight=False)
    with _View(console) as view:
        show: Callable[[Event], None] = view
        if as_json:
            show = lambda event: echo(_as_line(event))  # noqa: E731 - its type stands above
        summary = monitor(
            show, port=port, baud=baud, folder=board_dir, heap=heap, names=(label, group, columns), **how
        )  # fmt: skip
    if as_json:
        echo(json.dumps({"event": "end", **_as_dict(summary)}))
    elif summary.samples or summary.words:
        console.print(_line(summary))


def _monitor_all(how: dict[str, Any], as_json: bool) -> None:
    """Watch every board; ``how``: what else :func:`monitor` takes."""
    printing = threading.Lock()
    screen = Console(highlight=False)

    def work(place: Place, tell: Teller) -> Summary:
        view = _View(screen, f"{one_line(place.name)}: ")

        def show(event: Event) -> None:
            tell.check()
            if as_json:
                with printing:
                    echo(json.dumps({"board": place.name, **json.loads(_as_line(event))}))
            else:
                view(event)

        return monitor(show, port=place.port, folder=place.folder, **how)

    on_all(places_of(), work, _as_dict, _line, as_json, rows=False, together=True, indent=None)


def _as_dict(summary: Summary) -> dict[str, Any]:
    return {**asdict(summary), "accuracy": summary.accuracy}


def _line(summary: Summary) -> str:
    """Return what was seen, in a line."""
    if summary.samples:
        of = f", {percent(summary.accuracy)} right" if summary.labelled else ""
        return f"{summary.samples} samples classified{of}"
    if summary.words:
        return f"{summary.words} words or gestures heard, values lost {summary.overruns} times"
    return f"{summary.lines} lines of output{'' if summary.answered else ', no device program answered'}"
