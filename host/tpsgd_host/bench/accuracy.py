"""How well tasks are learned: several seeds, against the same network with its hidden layers left alone.

Shapes: S samples, N classes.
"""

from __future__ import annotations

import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import fmean, stdev

import numpy as np

from tpsgd_host.boards.connect import connect
from tpsgd_host.boards.flash import flash
from tpsgd_host.build import build_model
from tpsgd_host.config import Config, parse_config
from tpsgd_host.errors import MismatchError
from tpsgd_host.model import Model, memory
from tpsgd_host.runs.driver import Schedule, drive
from tpsgd_host.runs.events import RunEnded
from tpsgd_host.runs.executor import Outcome
from tpsgd_host.simulator import Simulator
from tpsgd_host.tasks.task import Task, load_task

#: How much heap the virtual board gets where the task is about accuracy, not memory.
HEAP = 1 << 20


@dataclass(frozen=True)
class BoardRun:
    """One run on the virtual board: test accuracy, state in bytes, and the weights' CRC there and simulated."""

    accuracy: float
    state_bytes: int
    heap_used: int
    crc: int
    simulated_crc: int
    seconds: float


@dataclass(frozen=True)
class AccuracyResult:
    """A task's figures; accuracies are shares of the test split, one a seed."""

    task: str
    network: str
    train_samples: int
    test_samples: int
    epochs: int
    parameters: int
    planned_bytes: int
    goal: float
    trained: tuple[float, ...]
    frozen: tuple[float, ...]
    board: BoardRun | None

    def as_dict(self) -> dict[str, object]:
        """Return the figures for JSON, means and deviations with them."""
        return {**asdict(self), "trained_mean": fmean(self.trained), "frozen_mean": fmean(self.frozen),
                "trained_deviation": deviation(self.trained), "frozen_deviation": deviation(self.frozen)}  # fmt: skip


def deviation(values: tuple[float, ...]) -> float:
    """Return the standard deviation, 0 for a single value."""
    return stdev(values) if len(values) > 1 else 0.0


def measure_accuracy(name: str, data_dir: Path | None, seeds: int, on_board: bool) -> AccuracyResult:
    """Train a task with ``seeds`` seeds, its own first, with and without its hidden layers.

    Parameters
    ----------
    data_dir : Path, optional
        Folder of the data that no package ships.
    on_board : bool
        Train the first seed on the virtual board too.

    Raises
    ------
    MismatchError
        When the board's weights differ from the simulation's.
    """
    task = load_task(name, data_dir)
    config = parse_config(task.toml, f"{name}.toml")
    trained, frozen = [], []
    first: tuple[Model, Outcome] | None = None
    for seed in range(config.seed, config.seed + seeds):
        model = build_model(replace(config, seed=seed), task.train)
        ended, outcome = _simulate(task, model)
        first = first or (model, outcome)
        trained.append(ended.test_accuracy or 0.0)
        frozen.append(_simulate(task, build_model(_frozen(config, seed), task.train))[0].test_accuracy or 0.0)
    assert first is not None
    board = _on_board(task, *first) if on_board else None
    model = first[0]
    return AccuracyResult(
        name, model.shape, len(task.train), len(task.test), task.epochs, model.parameters, memory(model).total,
        task.goal, tuple(trained), tuple(frozen), board,
    )  # fmt: skip


def _schedule(task: Task) -> Schedule:
    return Schedule(task.train, task.test, task.epochs, task.shuffle_seed, test_every=task.epochs)


def _simulate(task: Task, model: Model) -> tuple[RunEnded, Outcome]:
    return drive(Simulator(model), model, _schedule(task), [], 0)


def _frozen(config: Config, seed: int) -> Config:
    """Return the same network with only its output layer learning."""
    still = tuple(0 for _ in config.layers[0].shifts)
    layers = tuple(layer if layer.kind == "output" else replace(layer, shifts=still) for layer in config.layers)
    return replace(config, seed=seed, layers=layers)


def _on_board(task: Task, model: Model, simulated: Outcome) -> BoardRun:
    """Train on the virtual board, in a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="tpsgd-") as place:
        folder = Path(place)
        model.save(folder / "model.tpsgd")
        flash(folder / "model.tpsgd", folder=folder / "board", heap=HEAP)
        with connect("virtual", folder=folder / "board", heap=HEAP) as board:
            ended, outcome = drive(board, model, _schedule(task), [], 0)
    if outcome.weights_crc != simulated.weights_crc:
        raise MismatchError(
            f"{task.name}: the board's weights have CRC {outcome.weights_crc:08x}, "
            f"the simulation's {simulated.weights_crc:08x}",
            "this must not happen: please report it",
        )
    details = outcome.details
    return BoardRun(
        ended.test_accuracy or 0.0, int(str(details["state_bytes"])), int(str(details["heap_used"])),
        outcome.weights_crc, simulated.weights_crc, ended.seconds,
    )  # fmt: skip


def summary(results: list[AccuracyResult]) -> str:
    """Say in a sentence what training the hidden layers brought."""
    gains = [fmean(r.trained) - fmean(r.frozen) for r in results]
    return f"training the hidden layers brought {100 * float(np.mean(gains)):+.1f} points on average"
