"""How long a training step takes: the same network, samples and bits on every engine at hand."""

from __future__ import annotations

import subprocess
import tempfile
import time
from dataclasses import dataclass
from importlib import resources
from itertools import pairwise
from pathlib import Path

import numpy as np

from tpsgd_host.boards.flash import board_files
from tpsgd_host.boards.virtual import find_interpreter
from tpsgd_host.data.layout import Layout
from tpsgd_host.data.scaling import Scaling
from tpsgd_host.errors import BoardError, DependencyError
from tpsgd_host.model import Layer, Model, initial_weights
from tpsgd_host.runs.executor import Records
from tpsgd_host.simulator import Simulator

SIZES = (60, 32, 16, 6)
ROUNDS = 5


@dataclass(frozen=True)
class Step:
    """Time of one training step on one engine."""

    where: str
    engine: str
    microseconds: float
    crc: int

    @property
    def rate(self) -> float:
        """Samples a second."""
        return 1e6 / self.microseconds


def network(sizes: tuple[int, ...] = SIZES) -> Model:
    """Return an untrained MLP of the given sizes, inputs first."""
    layers, weights = [], []
    for i, (n, m) in enumerate(pairwise(sizes)):
        kind = "output" if i == len(sizes) - 2 else "dense"
        layers.append(Layer(kind, m, n, (9,)))
        weights.append(initial_weights(1, i, m, n, round(8192 * (3 / n) ** 0.5)))
    scaling = Scaling(np.zeros(1, np.float32), np.ones(1, np.float32))
    classes = tuple(str(i) for i in range(sizes[-1]))
    return Model("bench", 1, Layout(1, sizes[0]), classes, tuple(layers), scaling, tuple(weights))


def measure_speed() -> list[Step]:
    """Time a training step on the virtual board's engines and on the host's; the fastest of five rounds each."""
    model = network()
    steps = [_on_board(model, "plain", 200), _on_board(model, "viper", 4000)]
    steps += [_on_host(model, "np", 2000)]
    try:
        steps.append(_on_host(model, "c", 20000))
    except DependencyError:
        pass  # no compiler built it; the table shows what there is
    return steps


def _on_board(model: Model, engine: str, samples: int) -> Step:
    """Run ``bench/step.py`` with the device package in MicroPython's unix port."""
    with tempfile.TemporaryDirectory(prefix="tpsgd-") as place:
        folder = Path(place)
        (folder / "tpsgd").mkdir()
        for name, data in board_files(model).items():
            (folder / name).write_bytes(data)
        script = resources.files("tpsgd_host.bench") / "step.py"
        (folder / "step.py").write_bytes(script.read_bytes())
        done = subprocess.run(
            [find_interpreter(), "step.py", "model.tpsgd", engine, str(samples)],
            cwd=folder, capture_output=True, text=True, check=False,
        )  # fmt: skip
    try:
        microseconds, crc = done.stdout.split()
        return Step("virtual board", engine, float(microseconds), int(crc, 16))
    except ValueError:
        raise BoardError(f"the bench program failed on engine {engine}: {done.stderr.strip()[-200:]}") from None


def _on_host(model: Model, engine: str, samples: int) -> Step:
    simulator = Simulator(model, engine)  # type: ignore[arg-type]
    values = ((np.arange(SIZES[0]) * 37 % 255) + 1).astype(np.uint8)
    labels = (np.arange(samples) % SIZES[-1]).astype(np.uint8)
    records = Records(np.zeros(samples, np.uint8), labels, np.tile(values, (samples, 1)))
    simulator.begin(0, 0, fresh=True)
    best = float("inf")
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        for _results in simulator.apply(records):
            pass
        best = min(best, time.perf_counter() - begun)
    return Step("host, simulate", engine, best / samples * 1e6, simulator.finish().weights_crc)
