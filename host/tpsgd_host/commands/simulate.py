"""``tpsgd-host simulate``: make the run of a board on the host."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import click

from tpsgd_host.commands.options import FILE, data_options, json_option, run_options, target_option
from tpsgd_host.commands.project import data_here, model_here
from tpsgd_host.commands.stream import show_report
from tpsgd_host.model.target import Target
from tpsgd_host.runs.run import RunPlan
from tpsgd_host.runs.simulate import simulate
from tpsgd_host.runs.view.live import LiveView
from tpsgd_host.training.simulator import Engine


@click.command("simulate")
@click.argument("data", type=FILE, required=False)
@click.option(
    "--model", "-m", "model_path", type=FILE, metavar="FILE", help="Model to train.  [default: the only one here]"
)
@run_options
@click.option(
    "--engine",
    type=click.Choice(get_args(Engine)),
    default="auto",
    show_default=True,
    help="auto takes the compiled trainer if there is one; all compute the same bits.",
)
@target_option
@data_options
@json_option
def command(
    data: Path | None, model_path: Path | None, engine: Engine, label: str | None, group: str | None,
    columns: str | None, target: Target | None, as_json: bool, **plan: Any,
) -> None:  # fmt: skip
    """Train MODEL on this computer, just as a board would.

    The log and the weights are the same as on a board.

    DATA and MODEL default to the only ones in this folder. The trained model is saved in the run's folder.

    \b
    Example:
      tpsgd-host simulate data.csv --model gestures.tpsgd --epochs 20 --test-split 0.2
    """
    report = simulate(
        RunPlan(data=data or data_here(), **plan), model_path or model_here(), engine=engine,
        names=(label, group, columns), target=target, view=LiveView(mode="quiet" if as_json else "auto"),
    )  # fmt: skip
    show_report(report, as_json)
