"""How learning rules scale with depth: networks with more and more layers, on images, in floats and in integers.

Rates are chosen on the end of the training part. Networks trained at those rates classify the test part, once.

Shapes: S samples of side x side pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import numpy as np
import numpy.typing as npt

from tpsgd_host.comparison.integer import accuracy, learn, records
from tpsgd_host.comparison.jobs import Progress, Workers
from tpsgd_host.data.layout import Layout
from tpsgd_host.data.samples import Samples
from tpsgd_host.model.build import build_model
from tpsgd_host.model.config import Config, LayerConfig, ScaleConfig, TrainingConfig
from tpsgd_host.model.modelfile import memory
from tpsgd_host.rules import Architecture, LayerShape, shuffled, train, training_bytes
from tpsgd_host.tasks.task import load_task
from tpsgd_host.training.simulator import Simulator

Floats = npt.NDArray[np.floating[Any]]
Labels = npt.NDArray[np.int64]

TASKS = ("digits", "mnist")
KINDS = {"mlp": (1, 2, 3, 4, 5, 6), "conv": (2, 4, 6, 8)}
INTEGER = "integer"  # what a board computes; all layers learn from feedback
RULES = (INTEGER, "tpsgd", "bp", "dfa", "drtp", "frozen")

UNITS = 64  # in a dense layer
FILTERS = (8, 16)  # in a conv layer in the first half of the network, and in the second half
REGIONS = 15  # more than most maps have positions, so nearly every value has a target
LARGEST_SIDE = 16  # larger images are scaled down by two

HIDDEN_RATES = (2.0**-12, 2.0**-10, 2.0**-8, 2.0**-6, 2.0**-4)
OUTPUT_RATES = (2.0**-6, 2.0**-4)
HIDDEN_SHIFTS = (7, 8, 9, 10, 11)  # of the integer networks; each phase adds one
OUTPUT_SHIFTS = (6, 7, 8)
READOUT_RATES = (2.0**-7, 2.0**-6, 2.0**-5, 2.0**-4, 2.0**-3)  # where only the output layer learns

EPOCHS = {"digits": 10, "mnist": 3}
PHASES = 3
SHUFFLE_SEED = 1
MAX_HELD_OUT = 1000


@dataclass(frozen=True)
class Images:
    """A task's images, pixels from -1 to 1, and their classes: for training, for choosing rates, for testing."""

    side: int
    classes: int
    train: tuple[Floats, Labels]
    choice: tuple[Floats, Labels]
    test: tuple[Floats, Labels]


@dataclass(frozen=True)
class DepthJob:
    """A network of one kind and depth, trained by one rule."""

    task: str
    kind: str
    depth: int
    rule: str
    seeds: int


@dataclass(frozen=True)
class DepthResult:
    """The result of a job: the chosen rates, and the accuracy on the samples that chose them and on the test part.

    The rates of an integer network are ``2**-shift``; its bytes are those that a board plans for.
    """

    task: str
    kind: str
    depth: int
    rule: str
    hidden_rate: float
    output_rate: float
    choice: float
    accuracies: tuple[float, ...]
    parameters: int
    training_bytes: int

    @property
    def spread(self) -> tuple[float, float]:
        """Mean and deviation over seeds."""
        values = self.accuracies
        return fmean(values), stdev(values) if len(values) > 1 else 0.0

    def as_dict(self) -> dict[str, object]:
        """Return the figures for JSON."""
        return {**asdict(self), "mean": self.spread[0], "deviation": self.spread[1]}


def measure_depth(
    tasks: Sequence[str], data_dir: Path | None, kinds: Sequence[str], samples: int, seeds: int, processes: int,
    progress: Progress = lambda done: None,
) -> list[DepthResult]:  # fmt: skip
    """Train networks of every depth with every rule.

    Parameters
    ----------
    tasks : sequence of {"digits", "mnist"}
    kinds : sequence of {"mlp", "conv"}
    samples : int
        Training samples, at most.
    seeds : int
        Number of networks trained at the chosen rates; the first seed chooses them.
    progress : callable
        Called with the share that is done.

    Returns
    -------
    list of DepthResult
        Ordered by task, kind, depth and rule.
    """
    images = {task: load_images(task, data_dir, samples) for task in tasks}
    jobs = [
        DepthJob(task, kind, depth, rule, seeds)
        for task in tasks for kind in kinds for depth in KINDS[kind] for rule in RULES
    ]  # fmt: skip
    work = [float(job.depth * (8 if job.kind == "conv" else 1)) for job in jobs]
    total = sum(work)
    with Workers(study, images, processes) as workers:
        return workers.run(jobs, work, lambda done: progress(done / total))


def load_images(name: str, data_dir: Path | None, samples: int) -> Images:
    """Return a task's images: at most ``samples`` for training, and the end of the training part for choosing rates."""
    task = load_task(name, data_dir)
    whole = _pixels(task.train)
    held = min(MAX_HELD_OUT, len(task.train) // 5)
    labels = task.train.labels.astype(np.int64)
    first = min(samples, len(labels) - held)
    test = _pixels(task.test), task.test.labels.astype(np.int64)
    side = int(whole.shape[1] ** 0.5)
    return Images(side, len(task.train.classes), (whole[:first], labels[:first]), (whole[-held:], labels[-held:]), test)


def _pixels(samples: Samples) -> Floats:
    """Return images as rows (S, side*side), -1 to 1; of large images, each 2 x 2 pixels become one."""
    values = samples.values
    if values.shape[1] > LARGEST_SIDE:
        values = values.reshape(len(values), values.shape[1] // 2, 2, -1, 2).mean(axis=(2, 4))
    top = 2.0 ** np.ceil(np.log2(samples.values.max()))  # 16 for digits, 256 for mnist
    return np.asarray(values.reshape(len(values), -1) * (2 / top) - 1, np.float32)


def build(kind: str, depth: int, side: int, classes: int) -> Architecture:
    """Return a network of equal dense layers, or of 3 x 3 conv layers with pooling in the middle and at the end."""
    if kind == "mlp":
        sizes = [side * side] + [UNITS] * depth
        layers = [LayerShape("dense", m, n) for n, m in pairwise(sizes)]
        return Architecture(side, side, classes, 0, "last", (*layers, LayerShape("output", classes, UNITS)))
    layers, below, pixels = [], 1, side
    for i in range(depth):
        half = i * 2 // depth
        pool = 2 if (i + 1) * 2 // depth > half else 1
        layers.append(
            LayerShape(
                "conv", FILTERS[half], 9 * below, kernel=(3, 3), pool=pool, depth=below, padded=True, regions=REGIONS
            )
        )
        pixels, below = pixels // pool, FILTERS[half]
    output = LayerShape("output", classes, pixels * pixels * below)
    return Architecture(side, side, classes, 0, "last", (*layers, output))


def study(images: dict[str, Images], job: DepthJob, report: Callable[[float], None]) -> DepthResult:
    """Choose the rates for a network and rule on held-out samples, then train with several seeds and test."""
    data = images[job.task]
    if job.rule == INTEGER:
        return _study_integers(data, job, report)
    architecture = build(job.kind, job.depth, data.side, data.classes)
    course = shuffled(*data.train, EPOCHS[job.task], SHUFFLE_SEED, PHASES)
    pairs = [(h, o) for h in HIDDEN_RATES for o in OUTPUT_RATES]
    if job.rule == "frozen":
        pairs = [(0.0, o) for o in READOUT_RATES]

    def run(tried: list[tuple[float, float]], seeds: list[int], test: tuple[Floats, Labels], before: float) -> Any:
        share = len(tried) / (len(pairs) + job.seeds)
        return train(
            job.rule, architecture, course, [test], rates=[[h] * job.depth + [o] for h, o in tried], seeds=seeds,
            progress=lambda done: report(before + share * done),
        ).accuracies[0]  # fmt: skip

    found = run(pairs, [1] * len(pairs), data.choice, 0.0)
    best = pairs[int(found.argmax())]
    seeds = list(range(1, job.seeds + 1))
    tested = run([best] * job.seeds, seeds, data.test, len(pairs) / (len(pairs) + job.seeds))
    return DepthResult(
        job.task, job.kind, job.depth, job.rule, *best, float(found.max()), tuple(float(a) for a in tested),
        sum(layer.parameters for layer in architecture.layers), training_bytes(job.rule, architecture),
    )  # fmt: skip


def _study_integers(data: Images, job: DepthJob, report: Callable[[float], None]) -> DepthResult:
    """Do as :func:`study` with the integers that a board computes."""
    pairs = [(h, o) for h in HIDDEN_SHIFTS for o in OUTPUT_SHIFTS]
    runs = len(pairs) + job.seeds
    found = []
    for i, pair in enumerate(pairs):
        found.append(_train_integers(data, job, pair, 1, data.choice))
        report((i + 1) / runs)
    best = pairs[int(np.argmax(found))]
    tested = []
    for seed in range(1, job.seeds + 1):
        tested.append(_train_integers(data, job, best, seed, data.test))
        report((len(pairs) + seed) / runs)
    model = build_model(_config(data, job, best, 1), _samples(data, data.train))
    return DepthResult(
        job.task, job.kind, job.depth, job.rule, 2.0 ** -best[0], 2.0 ** -best[1], max(found), tuple(tested),
        model.parameters, memory(model).total,
    )  # fmt: skip


def _train_integers(
    data: Images, job: DepthJob, shifts: tuple[int, int], seed: int, test: tuple[Floats, Labels]
) -> float:
    """Train an integer network; return its accuracy on ``test``."""
    samples = _samples(data, data.train)
    model = build_model(_config(data, job, shifts, seed), samples)
    simulator = Simulator(model)
    for _ in learn(simulator, model, samples, EPOCHS[job.task], SHUFFLE_SEED):
        pass
    return accuracy(simulator, records(model, _samples(data, test)))


def _config(data: Images, job: DepthJob, shifts: tuple[int, int], seed: int) -> Config:
    """Return the network of :func:`build` in integers; ``shifts`` of the hidden layers and of the output."""
    hidden, output = (tuple(shift + phase for phase in range(PHASES)) for shift in shifts)
    layers = []
    for shape in build(job.kind, job.depth, data.side, data.classes).layers[:-1]:
        layer = LayerConfig(shape.kind, shape.units, hidden, amplitude=0)
        if shape.kind == "conv":
            layer = replace(layer, kernel=shape.kernel, stride=shape.stride, pool=shape.pool, padded=shape.padded)
        layers.append(layer)
    layers.append(LayerConfig("output", 0, output, amplitude=0, init=0.0))
    scale = ScaleConfig("fixed", False, gain=(127.0,))
    return Config("depth", seed, (), Layout(data.side, data.side), scale, TrainingConfig(output), tuple(layers))


def _samples(data: Images, part: tuple[Floats, Labels]) -> Samples:
    """Return images as the samples of a model."""
    x, y = part
    count = len(y)
    classes = tuple(str(i) for i in range(data.classes))
    values = x.reshape(count, data.side, data.side).astype(np.float64)
    return Samples(values, y.astype(np.uint8), classes, tuple(map(str, range(count))), np.arange(count))
