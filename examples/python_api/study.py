"""Seeds times leaks on the task gesture-rnn, simulated: how much is the leak, how much is luck? See README.md."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table

from tpsgd_host.model.build import build_model
from tpsgd_host.model.parsing import parse_config
from tpsgd_host.runs.driver import drive
from tpsgd_host.runs.records import Presentation, RunRecords
from tpsgd_host.tasks.task import Task, load_task
from tpsgd_host.training.simulator import Simulator


def accuracy(task: Task, seed: int, leak: int, epochs: int) -> float:
    """Train one network and return its accuracy on the held-out recordings.

    Parameters
    ----------
    seed : int
        Of initial weights and targets.
    leak : int
        A unit of the recurrent layer keeps ``1 - 2**-leak`` of its state from step to step.
    """
    config = parse_config(task.toml, task.name)
    layers = tuple(replace(layer, leak=leak) if layer.kind == "recurrent" else layer for layer in config.layers)
    model = build_model(replace(config, seed=seed, layers=layers), task.train)
    presentation = Presentation(task.train, task.test, epochs, task.shuffle_seed, test_every=epochs)
    ended, _ = drive(Simulator(model), RunRecords(model, presentation), [], run_id=0)
    return ended.test_accuracy or 0.0


def study(seeds: Sequence[int], leaks: Sequence[int], epochs: int) -> npt.NDArray[np.float64]:
    """Return the accuracy of every pair, shape (leaks, seeds), 0 to 1."""
    task = load_task("gesture-rnn")
    return np.array([[accuracy(task, seed, leak, epochs) for seed in seeds] for leak in leaks])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    parser.add_argument("--leaks", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--epochs", type=int, default=80)
    options = parser.parse_args()
    found = study(options.seeds, options.leaks, options.epochs)
    table = Table(caption="percent of 40 held-out recordings", title="gesture: test accuracy")
    for head in ("leak", *(f"seed {seed}" for seed in options.seeds), "mean", "std"):
        table.add_column(head, justify="right")
    for leak, row in zip(options.leaks, 100 * found, strict=True):
        spread = row.std(ddof=min(1, len(row) - 1))
        table.add_row(str(leak), *(f"{share:.1f}" for share in row), f"{row.mean():.1f}", f"{spread:.1f}")
    Console().print(table)


if __name__ == "__main__":
    main()
