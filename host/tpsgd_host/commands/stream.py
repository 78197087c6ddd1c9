"""``tpsgd-host stream``: send samples to a board, which trains itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from tpsgd_host.boards.connect import connect
from tpsgd_host.commands.options import (
    FILE,
    board_options,
    data_options,
    json_option,
    layout_of,
    run_options,
)
from tpsgd_host.errors import MismatchError
from tpsgd_host.model import Model, load_model
from tpsgd_host.runs.live import LiveView
from tpsgd_host.runs.session import RunPlan, RunReport, TextRelay, load_schedule, run
from tpsgd_host.runs.sinks import Sink
from tpsgd_host.simulator import Simulator

ENGINES = ("auto", "plain", "np", "viper", "thumb")


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
    every: int = 0,
    view: Sink | None = None,
    names: tuple[str | None, str | None, str | None] = (None, None, None),
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
    view : Sink, optional
        Shows the run; by default the terminal does.
    names : tuple
        Names of label, group and value columns (with commas) where they are not the model's.

    Raises
    ------
    DataError, ModelError, PortError, BoardError, FitError, MismatchError
    """
    text = TextRelay()
    with connect(port, folder=folder, heap=heap, baud=baud, engine=engine, every=every, on_text=text) as board:
        model = load_model(model_path) if model_path else board.model()
        board.require(model)
        plan = plan.reading(layout_of(model.layout, *names))
        schedule = load_schedule(plan, model)
        config: dict[str, object] = {
            "executor": "board", "port": port, "engine": board.info.engine, "machine": board.info.machine,
        }  # fmt: skip
        return run(board, model, plan, schedule, view or LiveView(), fresh, config, text)


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
    from tpsgd_host.runs.driver import drive

    plan = plan.reading(plan.layout or model.layout)
    _, outcome = drive(Simulator(model), model, load_schedule(plan, model), [], 0)
    if outcome.weights_crc != report.outcome.weights_crc:
        raise MismatchError(
            f"the board's weights have CRC {report.outcome.weights_crc:08x}, the host's {outcome.weights_crc:08x}",
            "this must not happen: please report it with the run's folder",
        )
    return outcome.weights_crc


@click.command("stream")
@click.argument("data", type=FILE)
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
    type=click.Choice(ENGINES),
    default="auto",
    show_default=True,
    help="Kernels the board is to use; auto takes its best.",
)
@click.option("--continue", "go_on", is_flag=True, help="Go on from the board's present weights.")
@click.option(
    "--checkpoint-every",
    "every",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    metavar="N",
    help="Samples between two checkpoints on the board's flash; 0: only at the end.",
)
@data_options
@json_option
def command(
    data: Path, port: str, baud: int, board_dir: Path | None, heap: int | None, model_path: Path | None, engine: str,
    go_on: bool, every: int, label: str | None, group: str | None, columns: str | None, as_json: bool, **plan: Any,
) -> None:  # fmt: skip
    """Send the samples in DATA to a board, which trains itself on them.

    Every training sample is classified before it is learned: the share of right answers is the prequential accuracy.
    Samples held out with --test or --test-split are only classified. The run's folder keeps configuration, log
    (log.jsonl, log.csv), the accuracy as a picture, and the trained model.

    \b
    Examples:
      tpsgd-host stream data.csv --epochs 20 --test-split 0.2
      tpsgd-host stream train.csv --test test.csv --port /dev/ttyUSB0
    """
    report = stream(
        RunPlan(data=data, **plan), port=port, folder=board_dir, heap=heap, baud=baud, model_path=model_path,
        engine=engine, fresh=not go_on, every=every, view=LiveView(mode="quiet" if as_json else "auto"),
        names=(label, group, columns),
    )  # fmt: skip
    show_report(report, as_json)


def show_report(report: RunReport, as_json: bool) -> None:
    """Print what a run left behind."""
    if as_json:
        click.echo(json.dumps(report.as_dict(), indent=2))
        return
    details = report.outcome.details
    click.echo(f"weights CRC {report.outcome.weights_crc:08x}, engine {details.get('engine')}", nl=False)
    if details.get("state_bytes"):
        click.echo(f", {details['state_bytes']} bytes of training state", nl=False)
    click.echo(f"\nrun folder  {report.folder}")
