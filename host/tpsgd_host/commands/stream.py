"""``tpsgd-host stream``: send samples to a board, which trains itself."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from tpsgd_host.boards.board import ENGINES
from tpsgd_host.boards.many import Place, Teller
from tpsgd_host.boards.streaming import resume, stream
from tpsgd_host.commands.many import all_option, on_all, places_of
from tpsgd_host.commands.options import FILE, Seconds, board_options, data_options, json_option, run_options
from tpsgd_host.commands.project import data_here
from tpsgd_host.errors import ConfigError
from tpsgd_host.runs.events import EpochEnded, Event, Note, RunStarted
from tpsgd_host.runs.records import MAX_RECORDS
from tpsgd_host.runs.resume import Connection
from tpsgd_host.runs.run import RunPlan, RunReport
from tpsgd_host.runs.view.live import LiveView
from tpsgd_host.runs.view.report import percent
from tpsgd_host.terminal import echo

#: The value of ``--resume`` without a folder.
NEWEST = ":newest:"

#: Options that may change when a run is resumed, with the field of :class:`Connection` that each sets; then others
#: that do not affect the run.
CHANGEABLE = {
    "port": "port", "baud": "baud", "board_dir": "folder", "heap": "heap", "every": "every", "reconnect": "reconnect",
}  # fmt: skip
FREE = {"run_path", "as_json", "root"}


@click.command("stream")
@click.argument("data", type=FILE, required=False)
@run_options
@board_options
@all_option
@click.option(
    "--model",
    "model_path",
    type=FILE,
    metavar="FILE",
    help="The model on the board, if reading it from the board takes too long.",
)
@click.option(
    "--engine",
    type=click.Choice(list(ENGINES)),
    default="auto",
    show_default=True,
    help="Kernels for the board to use; auto takes its best.",
)
@click.option("--continue", "go_on", is_flag=True, help="Continue from the board's present weights.")
@click.option(
    "--checkpoint-every",
    "every",
    type=click.IntRange(0, MAX_RECORDS),
    default=Connection.every,
    show_default=True,
    metavar="N",
    help="Samples between checkpoints on the board's flash; 0 for one at the end only.",
)
@click.option(
    "--reconnect",
    type=Seconds(0),
    default=Connection.reconnect,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for a board that vanishes or is reset; 0 for no wait.",
)
@click.option(
    "--resume",
    "run_path",
    type=FILE,
    is_flag=False,
    flag_value=NEWEST,
    metavar="[RUN]",
    help="Resume the run in this folder, or the newest unfinished one; it knows its DATA.",
)
@click.option(
    "--raw",
    is_flag=True,
    help="Send sound, or readings, as a sensor gives them: the board makes its samples with its own front end.",
)
@data_options
@json_option
def command(
    data: Path | None, port: str, baud: int, board_dir: Path | None, heap: int | None, model_path: Path | None,
    everyone: bool, engine: str, go_on: bool, every: int, reconnect: float, run_path: Path | None, raw: bool,
    label: str | None, group: str | None, columns: str | None, as_json: bool, **plan: Any,
) -> None:  # fmt: skip
    """Train a board on the samples in DATA.

    DATA defaults to the only data file in this folder.

    Every training sample is classified before it is learned; the share of right answers is the prequential accuracy.
    Samples held out with --test or --test-split are only classified. The run's folder gets the configuration, the log
    (log.jsonl, log.csv), a picture of the accuracy, and the trained model.

    No sample is lost or learned twice, whatever happens to cable, board or this computer: a board that comes back is
    found again, even at another port, and --resume continues a run that was stopped.

    \b
    Examples:
      tpsgd-host stream data.csv --epochs 20 --test-split 0.2
      tpsgd-host stream train.csv --test test.csv --port /dev/ttyUSB0
      tpsgd-host stream --resume
      tpsgd-host stream data.csv --all
    """
    if everyone:
        if run_path is not None:
            raise click.UsageError("--resume resumes one run: name its folder, without --all.")
        how = {
            "heap": heap, "baud": baud, "model_path": model_path, "engine": engine, "fresh": not go_on, "every": every,
            "reconnect": reconnect, "names": (label, group, columns), "raw": raw,
        }  # fmt: skip
        _stream_all(RunPlan(data=data or data_here(), **plan), how, as_json)
        return
    view = LiveView(mode="quiet" if as_json else "auto")
    if run_path is not None:
        chosen = None if run_path == Path(NEWEST) else run_path
        show_report(resume(chosen, root=plan["root"], changes=_changes(), view=view), as_json)
        return
    report = stream(
        RunPlan(data=data or data_here(), **plan), port=port, folder=board_dir, heap=heap, baud=baud,
        model_path=model_path, engine=engine, fresh=not go_on, every=every, reconnect=reconnect, view=view,
        names=(label, group, columns), raw=raw,
    )  # fmt: skip
    show_report(report, as_json)


def _stream_all(plan: RunPlan, how: dict[str, Any], as_json: bool) -> None:
    """Carry out a run on every board; ``how``: what else :func:`stream` takes."""

    def work(place: Place, tell: Teller) -> RunReport:
        named = replace(plan, name=f"{plan.name or plan.data.stem}-{place.name}")
        return stream(named, port=place.port, folder=place.folder, view=_Row(tell), **how)

    on_all(places_of(), work, RunReport.as_dict, _line, as_json)


class _Row:
    """Shows a run in one line among others."""

    def __init__(self, tell: Teller) -> None:
        self._tell = tell
        self._epochs = 0

    def handle(self, event: Event) -> None:
        """Take the next event."""
        if isinstance(event, RunStarted):
            self._epochs = int(str(event.config["epochs"]))
            self._tell("started")
        elif isinstance(event, EpochEnded):
            tested = f", held out {percent(event.test_accuracy)}" if event.test_accuracy is not None else ""
            self._tell(f"epoch {event.epoch} of {self._epochs}, {percent(event.train_accuracy)} right{tested}")
        elif isinstance(event, Note):
            self._tell(event.text)
        else:
            self._tell.check()


def _line(report: RunReport) -> str:
    """Return how a run ended, for a report on many."""
    accuracy = report.ended.train_accuracy if report.ended.test_accuracy is None else report.ended.test_accuracy
    return f"{percent(accuracy)} right, weights CRC {report.outcome.weights_crc:08x}, {report.folder}"


def _changes() -> dict[str, Any]:
    """Return the board's options for a resumed run; refuse options that determine the run."""
    context = click.get_current_context()
    changes = {}
    for name, value in context.params.items():
        if context.get_parameter_source(name) is not ParameterSource.COMMANDLINE or name in FREE:
            continue
        if name not in CHANGEABLE:
            option = next(p.opts[0] for p in context.command.params if p.name == name)
            raise ConfigError(
                f"{option} cannot be changed when a run is resumed",
                "Leave it out, as the run's folder has it; or begin a new run, without --resume.",
            )
        changes[CHANGEABLE[name]] = value
    return changes


def show_report(report: RunReport, as_json: bool) -> None:
    """Print how a run ended."""
    if as_json:
        echo(json.dumps(report.as_dict(), indent=2))
        return
    details = report.outcome.details
    echo(f"weights CRC {report.outcome.weights_crc:08x}, engine {details.get('engine')}", nl=False)
    if details.get("state_bytes"):
        echo(f", {details['state_bytes']} bytes of training state", nl=False)
    if "compared" in details:
        echo(
            ", same as computed by the host" if details["compared"] else ", not compared, as there is no trainer in C",
            nl=False,
        )
    echo(f"\nrun folder  {report.folder}")
