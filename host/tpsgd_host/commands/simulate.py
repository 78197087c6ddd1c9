"""``tpsgd-host simulate``: the run that a board would make, on the host."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import click

from tpsgd_host.commands.options import FILE, data_options, json_option, layout_of, run_options
from tpsgd_host.commands.stream import show_report
from tpsgd_host.model.modelfile import load_model
from tpsgd_host.runs.run import RunPlan, RunReport, load_schedule, run
from tpsgd_host.runs.sinks import Sink
from tpsgd_host.runs.view.live import LiveView
from tpsgd_host.training.simulator import Engine, Simulator


def simulate(
    plan: RunPlan,
    model_path: Path,
    *,
    engine: str = "auto",
    view: Sink | None = None,
    names: tuple[str | None, str | None, str | None] = (None, None, None),
) -> RunReport:
    """Make the run that a board would make; same log, same weights.

    Parameters
    ----------
    plan : RunPlan
    model_path : Path
    engine : {"auto", "c", "np", "plain"}
    view : Sink, optional
        Shows the run; by default the terminal does.
    names : tuple
        Names of label, group and value columns (with commas) where they are not the model's.
    """
    model = load_model(model_path)
    simulator = Simulator(model, cast(Engine, engine))
    plan = plan.reading(layout_of(model.layout, *names))
    schedule = load_schedule(plan, model)
    config: dict[str, object] = {"executor": "simulator", "engine": simulator.engine}
    return run(simulator, model, plan, schedule, view or LiveView(), fresh=True, config=config)


@click.command("simulate")
@click.argument("data", type=FILE)
@click.option("--model", "-m", "model_path", type=FILE, required=True, metavar="FILE", help="Model to train.")
@run_options
@click.option(
    "--engine",
    type=click.Choice(["auto", "c", "np", "plain"]),
    default="auto",
    show_default=True,
    help="auto takes the compiled trainer where there is one; all compute the same bits.",
)
@data_options
@json_option
def command(
    data: Path, model_path: Path, engine: str, label: str | None, group: str | None, columns: str | None,
    as_json: bool, **plan: Any,
) -> None:  # fmt: skip
    """Train MODEL on the samples in DATA on this computer: same log and same weights as on a board.

    The trained model lies in the run's folder.

    \b
    Example:
      tpsgd-host simulate data.csv --model gestures.tpsgd --epochs 20 --test-split 0.2
    """
    report = simulate(
        RunPlan(data=data, **plan), model_path, engine=engine, names=(label, group, columns),
        view=LiveView(mode="quiet" if as_json else "auto"),
    )  # fmt: skip
    show_report(report, as_json)
