"""``tpsgd-host stream``: send samples to a board, which trains itself."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from tpsgd_host.boards.board import ENGINES, Board
from tpsgd_host.boards.connect import connect
from tpsgd_host.boards.reconnecting import Lifeline
from tpsgd_host.commands.options import (
    FILE,
    board_options,
    data_options,
    json_option,
    layout_of,
    run_options,
)
from tpsgd_host.errors import ConfigError, MismatchError
from tpsgd_host.link.usb import identity, locate
from tpsgd_host.model.modelfile import Model, load_model
from tpsgd_host.runs.course import Course
from tpsgd_host.runs.driver import drive
from tpsgd_host.runs.events import EpochEnded, RunStarted, SampleResult
from tpsgd_host.runs.resume import KEY, Names, Reach, head, history, newest_unfinished, read_recipe, recipe
from tpsgd_host.runs.run import RunPlan, RunReport, TextRelay, conclude, illustrated, load_schedule, run
from tpsgd_host.runs.sinks import Sink
from tpsgd_host.runs.view.live import LiveView
from tpsgd_host.runs.wear import wear_note
from tpsgd_host.terminal import echo
from tpsgd_host.training.simulator import Simulator

#: What ``--resume`` without a folder stands for.
NEWEST = ":newest:"

#: Options that a run which goes on may be given anew, with the field of :class:`Reach` that they set; others that do
#: not touch the run.
CHANGEABLE = {
    "port": "port", "baud": "baud", "board_dir": "folder", "heap": "heap", "every": "every", "reconnect": "reconnect",
}  # fmt: skip
FREE = {"run_path", "as_json", "root"}


def stream(
    plan: RunPlan,
    *,
    port: str = "virtual",
    folder: Path | None = None,
    heap: int | None = None,
    baud: int = 115200,
    model_path: Path | None = None,
    engine: str = "auto",
    fresh: bool = True,
    every: int = Reach.every,
    reconnect: float = Reach.reconnect,
    view: Sink | None = None,
    names: Names = (None, None, None),
) -> RunReport:
    """Send the samples of a run to a board and keep what it answers.

    Parameters
    ----------
    plan : RunPlan
    port, folder, heap, baud, engine, every
        See :func:`tpsgd_host.boards.connect.connect`.
    model_path : Path, optional
        File of the model on the board; without it the model is read from the board.
    fresh : bool
        Begin from the weights that were flashed, else from the present ones.
    reconnect : float
        Seconds to wait for a board that vanishes in the middle; 0: not at all.
    view : Sink, optional
        Shows the run; by default the terminal does.
    names : tuple
        Names of label, group and value columns (with commas) where they are not the model's.

    Raises
    ------
    DataError, ModelError, PortError, BoardError, FitError, MismatchError
    """
    reach = Reach(port, folder, heap, baud, engine, every, reconnect, identity(port))
    text = TextRelay()
    with _lifeline(reach, text) as line:
        board = line.board
        model = load_model(model_path) if model_path else board.model()
        board.require(model)
        plan = plan.reading(layout_of(model.layout, *names))
        schedule = load_schedule(plan, model)
        start = model if fresh else model.with_weights(board.weights())
        course = Course(model, schedule)
        line.follow(course, start)
        config: dict[str, object] = {
            "executor": "board", "port": port, "engine": board.info.engine, "machine": board.info.machine,
            KEY: recipe(plan, reach, names, schedule),
        }  # fmt: skip
        return run(
            line, model, plan, schedule, view or LiveView(), fresh, config, text, start=start, course=course,
            notes=[wear_note(model, every, schedule.total)],
        )  # fmt: skip


def resume(
    path: Path | None = None,
    *,
    root: Path = RunPlan.root,
    changes: dict[str, Any] | None = None,
    view: Sink | None = None,
) -> RunReport:
    """Go on with a run that was stopped, killed, or lost its board; return the report of all of it.

    Parameters
    ----------
    path : Path, optional
        The run's folder; by default the newest unfinished one in ``root``.
    changes : dict, optional
        Fields of :class:`~tpsgd_host.runs.resume.Reach` that are not what they were: the board has another port now.
    view : Sink, optional
        Shows the run; by default the terminal does.

    Raises
    ------
    DataError, ConfigError, ModelError, PortError, BoardError, MismatchError
    """
    unfinished = read_recipe(path or newest_unfinished(root))
    reach = replace(unfinished.reach, **(changes or {}))
    if "port" in (changes or {}):
        reach = replace(reach, usb=identity(reach.port))
    folder, start, config, view = unfinished.folder, unfinished.start, unfinished.config, view or LiveView()
    schedule = load_schedule(unfinished.plan.reading(layout_of(start.layout, *unfinished.names)), start)
    unfinished.check(schedule)
    course = Course(start, schedule)
    text = TextRelay()
    with _lifeline(reach, text) as line:
        past = folder.go_on()
        for event in head(past, config):
            folder.handle(event)
            past.insert(0, event)
        results = history(past, folder.path / "log.jsonl")
        line.follow(course, start, results, config["model_crc"])
        for event in past:
            if isinstance(event, (RunStarted, SampleResult, EpochEnded)):
                view.handle(event)
        sinks: list[Sink] = [folder, view]
        text.attach(sinks)
        with illustrated(folder, view):
            ended, outcome = drive(
                line, start, schedule, sinks, config["run_id"], fresh=config["fresh"], past=past, course=course,
                notes=[f"the run in {folder.path} goes on at record {len(results) // 2} of {schedule.results}"],
            )  # fmt: skip
            return conclude(folder, line, start, schedule, ended, outcome)


def _lifeline(reach: Reach, text: TextRelay) -> Lifeline:
    """Return the way to a board, under whatever name its port has then; what it has to say it says only once."""
    told: set[str] = set()

    def note(fact: str) -> None:
        if fact not in told:
            told.add(fact)
            text.note(fact)

    def opener() -> AbstractContextManager[Board]:
        port = locate(reach.port, reach.usb)
        if port != reach.port:
            note(f"the board is at {port} now, it was at {reach.port}")
        return connect(
            port, folder=reach.folder, heap=reach.heap, baud=reach.baud, engine=reach.engine, every=reach.every,
            on_text=text, on_note=note,
        )  # fmt: skip

    return Lifeline(opener, reach.reconnect, text.note)


def verify(report: RunReport, plan: RunPlan, model: Model) -> int:
    """Repeat a run on the host and return the weights' CRC-32.

    Parameters
    ----------
    report : RunReport
        Of a run that began fresh from ``model``.

    Raises
    ------
    MismatchError
        When board and host differ.
    """
    plan = plan.reading(plan.layout or model.layout)
    _, outcome = drive(Simulator(model), model, load_schedule(plan, model), [], 0)
    if outcome.weights_crc != report.outcome.weights_crc:
        raise MismatchError(
            f"the board's weights have CRC {report.outcome.weights_crc:08x}, the host's {outcome.weights_crc:08x}",
            "this must not happen: please report it with the run's folder",
        )
    return outcome.weights_crc


@click.command("stream")
@click.argument("data", type=FILE, required=False)
@run_options
@board_options
@click.option(
    "--model",
    "model_path",
    type=FILE,
    metavar="FILE",
    help="The model on the board, where reading it from the board takes too long.",
)
@click.option(
    "--engine",
    type=click.Choice(list(ENGINES)),
    default="auto",
    show_default=True,
    help="Kernels the board is to use; auto takes its best.",
)
@click.option("--continue", "go_on", is_flag=True, help="Go on from the board's present weights.")
@click.option(
    "--checkpoint-every",
    "every",
    type=click.IntRange(0),
    default=Reach.every,
    show_default=True,
    metavar="N",
    help="Samples between two checkpoints on the board's flash; 0: only at the end.",
)
@click.option(
    "--reconnect",
    type=click.FloatRange(0),
    default=Reach.reconnect,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for a board that vanishes or is reset; 0: not at all.",
)
@click.option(
    "--resume",
    "run_path",
    type=FILE,
    is_flag=False,
    flag_value=NEWEST,
    metavar="[RUN]",
    help="Go on with the run in this folder, or with the newest unfinished one; DATA is known then.",
)
@data_options
@json_option
def command(
    data: Path | None, port: str, baud: int, board_dir: Path | None, heap: int | None, model_path: Path | None,
    engine: str, go_on: bool, every: int, reconnect: float, run_path: Path | None, label: str | None,
    group: str | None, columns: str | None, as_json: bool, **plan: Any,
) -> None:  # fmt: skip
    """Send the samples in DATA to a board, which trains itself on them.

    Every training sample is classified before it is learned: the share of right answers is the prequential accuracy.
    Samples held out with --test or --test-split are only classified. The run's folder keeps configuration, log
    (log.jsonl, log.csv), the accuracy as a picture, and the trained model.

    No sample is lost or learned twice, whatever happens to cable, board or this computer: a board that comes back is
    found again, at another port too, and a run that was stopped goes on with --resume.

    \b
    Examples:
      tpsgd-host stream data.csv --epochs 20 --test-split 0.2
      tpsgd-host stream train.csv --test test.csv --port /dev/ttyUSB0
      tpsgd-host stream --resume
    """
    view = LiveView(mode="quiet" if as_json else "auto")
    if run_path is not None:
        chosen = None if run_path == Path(NEWEST) else run_path
        show_report(resume(chosen, root=plan["root"], changes=_changes(), view=view), as_json)
        return
    if data is None:
        raise click.UsageError("Which samples? Name a file (stream DATA), or go on with a run (stream --resume).")
    report = stream(
        RunPlan(data=data, **plan), port=port, folder=board_dir, heap=heap, baud=baud, model_path=model_path,
        engine=engine, fresh=not go_on, every=every, reconnect=reconnect, view=view,
        names=(label, group, columns),
    )  # fmt: skip
    show_report(report, as_json)


def _changes() -> dict[str, Any]:
    """Return what the command line says of the board in a run that goes on; refuse what decides the run."""
    context = click.get_current_context()
    changes = {}
    for name, value in context.params.items():
        if context.get_parameter_source(name) is not ParameterSource.COMMANDLINE or name in FREE:
            continue
        if name not in CHANGEABLE:
            option = next(p.opts[0] for p in context.command.params if p.name == name)
            raise ConfigError(
                f"{option} cannot be changed in a run that goes on",
                "Leave it out: the run's folder knows it. Or begin a new run, without --resume.",
            )
        changes[CHANGEABLE[name]] = value
    return changes


def show_report(report: RunReport, as_json: bool) -> None:
    """Print what a run left behind."""
    if as_json:
        echo(json.dumps(report.as_dict(), indent=2))
        return
    details = report.outcome.details
    echo(f"weights CRC {report.outcome.weights_crc:08x}, engine {details.get('engine')}", nl=False)
    if details.get("state_bytes"):
        echo(f", {details['state_bytes']} bytes of training state", nl=False)
    echo(f"\nrun folder  {report.folder}")
