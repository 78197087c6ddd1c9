"""What freezing the recurrent layer saves, and what it costs: RAM and accuracy, simulated. See README.md."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tpsgd_host.model.build import build_model
from tpsgd_host.model.modelfile import memory
from tpsgd_host.model.parsing import load_config
from tpsgd_host.runs.driver import drive
from tpsgd_host.runs.records import Presentation, RunRecords
from tpsgd_host.tasks.task import Task, load_task
from tpsgd_host.training.simulator import Simulator

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Result:
    """One way to train.

    Attributes
    ----------
    learns, file : int
        Weights that training changes; bytes of the model file.
    ram : int
        Bytes to train in, buffers of the link among them.
    accuracies : tuple of float
        On held-out recordings, one a seed.
    """

    name: str
    learns: int
    file: int
    ram: int
    accuracies: tuple[float, ...]


def measure(path: Path, task: Task, seeds: int, epochs: int) -> Result:
    """Train the model of a TOML file with several seeds."""
    config = load_config(path)
    accuracies = []
    for seed in range(1, seeds + 1):
        model = build_model(replace(config, seed=seed), task.train)
        presentation = Presentation(task.train, task.test, epochs, task.shuffle_seed, test_every=epochs)
        ended, _ = drive(Simulator(model), RunRecords(model, presentation), [], run_id=0)
        accuracies.append(ended.test_accuracy or 0.0)
    learns = sum(w.size for w, layer in zip(model.weights, model.layers, strict=True) if not layer.frozen)
    return Result(config.name, learns, len(model.to_bytes()), memory(model).total, tuple(accuracies))


def main() -> None:
    """Print a line for each of the two models."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=80)
    options = parser.parse_args()
    task = load_task("gesture")
    print(f"{'':8}{'learn':>8}{'file B':>8}{'RAM B':>8}  accuracy of {options.seeds} seeds, {options.epochs} epochs")
    for name in ("all", "frozen"):
        r = measure(HERE / f"{name}.toml", task, options.seeds, options.epochs)
        share = 100 * np.array(r.accuracies)
        spread = share.std(ddof=min(1, len(share) - 1))
        print(f"{r.name:8}{r.learns:8}{r.file:8}{r.ram:8}  {share.mean():.1f} ± {spread:.1f} %")


if __name__ == "__main__":
    main()
