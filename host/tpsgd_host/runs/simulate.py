"""Make the run of a board on the host, with the same log and the same weights."""

from __future__ import annotations

from pathlib import Path

from tpsgd_host.data.layout import NO_NAMES, Names, layout_of
from tpsgd_host.model.modelfile import load_model
from tpsgd_host.model.target import Target, with_target
from tpsgd_host.runs.records import RunRecords
from tpsgd_host.runs.run import RunPlan, RunReport, begin_folder, data_notes, load_presentation, new_run_id, run
from tpsgd_host.runs.sinks import Sink
from tpsgd_host.runs.view.live import LiveView
from tpsgd_host.training.simulator import Engine, Simulator


def simulate(
    plan: RunPlan,
    model_path: Path,
    *,
    engine: Engine = "auto",
    view: Sink | None = None,
    names: Names = NO_NAMES,
    target: Target | None = None,
) -> RunReport:
    """Make the run that a board would make, with the same log and the same weights.

    Parameters
    ----------
    plan : RunPlan
    model_path : Path
    engine : {"auto", "c", "np", "plain"}
    view : Sink, optional
        Shows the run; by default the terminal does.
    names : tuple
        Names of label, group and value columns (with commas) that replace the model's.
    target : {"feedback", "label"}, optional
        What hidden layers learn from; by default as the model says.

    Raises
    ------
    ConfigError, DataError, ModelError, DependencyError
    """
    model = load_model(model_path)
    if target is not None:
        model = with_target(model, target)
    simulator = Simulator(model, engine)
    plan = plan.reading(layout_of(model.layout, *names))
    records = RunRecords(model, load_presentation(plan, model))
    folder, config = begin_folder(plan, records, {"executor": "simulator", "engine": simulator.engine})
    return run(
        simulator,
        records,
        folder,
        view or LiveView(),
        new_run_id(),
        config=config,
        notes=data_notes(plan, records.presentation),
    )
