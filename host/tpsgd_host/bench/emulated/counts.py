"""Instructions of kernels and training steps on the emulated ESP32, engine by engine.

The board's clock counts them, in steps of 125, so the figures are the same on any machine but for a few such steps.
"""

from __future__ import annotations

from dataclasses import dataclass

from tpsgd_host.bench.emulated.esp32 import ESP32, INSTRUCTION_NS
from tpsgd_host.bench.timing import MATRIX
from tpsgd_host.model.modelfile import Model

#: Samples of a training step's figure: the most that one of them took counts.
SAMPLES = 12

#: What the board runs: it needs the trainer, and ``model.tpsgd`` for a step.
PROGRAM = """import gc, time
from tpsgd import modelfile, network, runtime
from tpsgd.parameters import pack
number = {name: number for number, name in runtime.ENGINES.items()}
def took(f, a, b, c, d): # no *arguments: they are allocated, and that takes as long as it happens to
    least = 1 << 30
    for _ in range(9):
        t = time.ticks_us()
        f(a, b, c, d)
        least = min(least, time.ticks_diff(time.ticks_us(), t))
    return least
def kernels(engine, m, n):
    k = runtime.engine(number[engine])
    w = bytearray([(i * 151 % 254) + 1 for i in range(2 * m * n)])
    x = k.activations(n)
    k.load(bytes([(i * 37 % 255) + 1 for i in range(n)]), 0, x, n - 1)
    z = k.view(k.accumulators(m), m)
    matrix = k.matrix(w, m, n, 0)
    time.sleep_ms(20)  # the console's interrupts are over
    said = []
    for f, shift in ((k.forward, 5), (k.update, 8), (k.backward, 5 << 27 | 8)):
        for i in range(m):
            z[i] = i * 13 % 200 - 99 or 1
        said += [took(f, matrix, x, pack(rows, columns, 0, 0) | shift, z) for rows, columns in ((1, 1), (m, n))]
    print(*said)
def step(engine, samples):
    k = runtime.engine(number[engine])
    with open('model.tpsgd', 'rb') as file:
        model = modelfile.Model(file)
        network.modules(model)
        gc.collect()
        before = gc.mem_alloc()
        net = network.build(file, model, k)
        gc.collect()
        heap = gc.mem_alloc() - before
    time.sleep_ms(20)
    most = 0
    for y in range(samples):
        for i in range(len(net.sample) - 1):
            net.sample[i] = (i * 37 + y * 11) % 255 + 1
        label = y % net.classes
        t = time.ticks_us()
        net.train(label)
        most = max(most, time.ticks_diff(time.ticks_us(), t))
    crc = net.crc()
    trainer = took(lambda run, what, y, d: run(what, y, d), k.run, net.described, 0, 1) if hasattr(k, 'run') else 0
    print(most, trainer, heap, '%08x' % crc)
"""


@dataclass(frozen=True)
class KernelCounts:
    """Instructions a weight; the call from MicroPython does not count."""

    forward: float
    update: float
    backward: float


@dataclass(frozen=True)
class StepCounts:
    """Instructions of a training step, with what the interpreter does.

    Attributes
    ----------
    most : int
        Of the samples, the one that took most.
    trainer : int or None
        The part in the trainer in C, for a sample after those; None where the engine calls kernels one by one.
    heap : int
        Bytes of the network.
    crc : str
        Of the weights after all samples.
    """

    most: int
    trainer: int | None
    heap: int
    crc: str


def prepare(board: ESP32) -> None:
    """Define the functions that measure; the board has the trainer."""
    board.run(PROGRAM)


def count_kernels(board: ESP32, engine: str, m: int = MATRIX[0], n: int = MATRIX[1]) -> KernelCounts:
    """Measure an engine on a matrix of m units and n inputs, the bias counted."""
    said = [_instructions(part) for part in board.run(f"kernels({engine!r}, {m}, {n})", 300).split()]
    return KernelCounts(*((whole - one) / (m * n - 1) for one, whole in zip(said[::2], said[1::2], strict=True)))


def count_step(board: ESP32, model: Model, engine: str, samples: int = SAMPLES) -> StepCounts:
    """Train a model on samples of a fixed pattern (see :data:`PROGRAM`)."""
    board.write("model.tpsgd", model.to_bytes())
    most, trainer, heap, crc = board.run(f"step({engine!r}, {samples})\ngc.collect()", 900).split()
    return StepCounts(_instructions(most), _instructions(trainer) or None, int(heap), crc)


def _instructions(microseconds: str) -> int:
    return int(microseconds) * 1000 // INSTRUCTION_NS
