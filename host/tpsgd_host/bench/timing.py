"""How long kernels and training steps take, with the same network, samples and bits on every available engine.

Shapes: m units and n inputs (the bias counted) of a matrix.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass
from importlib import resources
from itertools import pairwise
from pathlib import Path

import numpy as np

from tpsgd_host.bench.programs import run_there, virtual_folder
from tpsgd_host.boards.virtual import interpreter_mpy
from tpsgd_host.data.layout import Layout
from tpsgd_host.data.scaling import Scaling
from tpsgd_host.errors import BoardError, DependencyError
from tpsgd_host.flashing.mpy import MpyFormat, native_modules
from tpsgd_host.model.modelfile import Layer, Model, initial_weights
from tpsgd_host.native.build import TARGETS, compiler
from tpsgd_host.training.executor import Records
from tpsgd_host.training.simulator import Engine, Simulator

SIZES = (60, 32, 16, 6)
MATRIX = (32, 61)
ROUNDS = 5

PROGRAM = "board.py"

#: Compiler flags for the reference: those of a plain C firmware, without SIMD, because the chips have none.
FLAGS = ("-std=c99", "-O2", "-fno-tree-vectorize")


@dataclass(frozen=True)
class Timing:
    """Nanoseconds on one engine; the kernels run on a matrix of size ``MATRIX``.

    Attributes
    ----------
    forward, update : float or None
        Per call; None where an engine's kernels cannot be called alone.
    step : float
        Per training step of the net ``SIZES``.
    heap : int or None
        Heap bytes of the network, where a board counts them.
    crc : int or None
        Of the weights after the same steps.
    """

    where: str
    engine: str
    forward: float | None
    update: float | None
    step: float
    heap: int | None = None
    crc: int | None = None

    @property
    def rate(self) -> float:
        """Training steps per second."""
        return 1e9 / self.step


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


def measure() -> list[Timing]:
    """Time all available engines in turn: C as the reference, the virtual board's, the host's."""
    module = native_modules(MpyFormat.of(interpreter_mpy()))
    timings = []
    if shutil.which("cc"):
        timings.append(yardstick("C -O2, scalar", FLAGS))
        if module and compiler("x64"):  # the same C, called from C
            timings.append(yardstick("C as in the module", ("-std=c99", *TARGETS["x64"].flags)))
    timings += [on_board("plain", 100), on_board("viper", 3000)]
    if module:
        timings.append(on_board("native", 1000))
    timings.append(on_host("np", 1000))
    try:
        timings.append(on_host("c", 20000))
    except DependencyError:
        pass  # it was not built; the table shows the other engines
    return timings


def yardstick(where: str, flags: tuple[str, ...]) -> Timing:
    """Compile the trainer in C as a plain program with ``flags``, and time it; ``where``: what to call it."""
    with tempfile.TemporaryDirectory(prefix="tpsgd-") as place:
        folder = Path(place)
        native = "tpsgd_host.native"
        for package, name in (
            (native, "trainer.c"),
            (native, "loops.h"),
            (native, "divide.h"),
            ("tpsgd_host.bench", "yardstick.c"),
        ):
            (folder / name).write_bytes((resources.files(package) / name).read_bytes())
        try:
            subprocess.run(
                ["cc", *flags, "yardstick.c", "-o", "yardstick"], cwd=folder, check=True, capture_output=True
            )
            arguments = [str(v) for v in (*MATRIX, 1000)]
            done = subprocess.run([folder / "yardstick", *arguments], check=True, capture_output=True, text=True)
        except subprocess.CalledProcessError as error:
            raise DependencyError(f"the C compiler failed: {error.stderr[-200:]}", "see cc --version") from error
    forward, update, step = (float(v) for v in done.stdout.split())
    return Timing(where, "-", forward, update, step)


def on_board(engine: str, steps: int) -> Timing:
    """Run ``bench/board.py`` with the device package in MicroPython's unix port."""
    model = network()
    with virtual_folder(model, PROGRAM, MpyFormat.of(interpreter_mpy())) as folder:
        done = run_there(folder, PROGRAM, "model.tpsgd", engine, *(str(v) for v in (steps, *MATRIX)))
    try:
        forward, update, step, heap, crc = done.stdout.split()
    except ValueError:
        raise BoardError(f"the bench program failed on engine {engine}: {done.stderr.strip()[-200:]}") from None
    return Timing("virtual board", engine, float(forward), float(update), float(step), int(heap), int(crc, 16))


def on_host(engine: Engine, samples: int) -> Timing:
    """Time the simulator; its kernels cannot be called alone."""
    simulator = Simulator(network(), engine)
    values = ((np.arange(SIZES[0]) * 37 % 255) + 1).astype(np.uint8)
    labels = (np.arange(samples) % SIZES[-1]).astype(np.uint8)
    records = Records(np.zeros(samples, np.uint8), labels, np.tile(values, (samples, 1)))
    simulator.start(0, 0, fresh=True)
    best = float("inf")
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        for _results in simulator.stream(records):
            pass
        best = min(best, time.perf_counter() - begun)
    return Timing("simulate", engine, None, None, best / samples * 1e9, None, simulator.finish().weights_crc)
