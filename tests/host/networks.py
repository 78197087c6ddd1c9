"""Small models, samples and float networks that several tests use."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt

from tpsgd_host.data.layout import Layout
from tpsgd_host.data.samples import Samples
from tpsgd_host.data.scaling import Scaling
from tpsgd_host.model.modelfile import Layer, Model, initial_weights
from tpsgd_host.quantization.floatnet import FloatLayer, FloatNetwork

CLASSES = ("rest", "wave", "tap")


def samples(count: int = 60, steps: int = 1, channels: int = 4, seed: int = 0) -> Samples:
    """Return samples of three classes that differ in their mean."""
    rng = np.random.default_rng(seed)
    labels = (np.arange(count) % 3).astype(np.uint8)
    values = rng.normal(size=(count, steps, channels)) + rng.normal(size=(3, 1, channels))[labels] * 2
    return Samples(values, labels, CLASSES, tuple(map(str, range(count))), np.arange(count, dtype=np.int64))


def write_csv(path: object, given: Samples) -> None:
    """Write samples of one step as a table."""
    _, _, channels = given.values.shape
    lines = [",".join([*(f"c{i}" for i in range(channels)), "label"])]
    for row, label in zip(given.values[:, 0], given.labels, strict=True):
        lines.append(",".join([*(f"{value:.6f}" for value in row), given.classes[label]]))
    with open(str(path), "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")


def model(recurrent: bool = False, frozen: bool = False, seed: int = 7) -> Model:
    """Return a model of 4 channels and 3 classes."""
    kinds: tuple[tuple[str, int, int], ...] = (("recurrent", 5, 9), ("dense", 6, 10), ("output", 3, 6))
    if not recurrent:
        kinds = (("dense", 5, 8), ("dense", 6, 5), ("output", 3, 6))
    layers = tuple(
        Layer(
            kind,
            units,
            inputs,
            (9, 10),
            frozen=frozen and i == 1,
            leak=int(kind == "recurrent"),
            amplitude=0 if kind == "output" else 90,
        )
        for i, (kind, units, inputs) in enumerate(kinds)
    )
    weights = [initial_weights(seed, i, layer.units, layer.inputs, 20000) for i, layer in enumerate(layers)]
    if frozen:
        weights[1] = (weights[1] >> 8).astype(np.uint8)
    scaling = Scaling(np.zeros(4, np.float32), np.full(4, 20.0, np.float32))
    layout = Layout(2, 4, label="what", group="who", columns=tuple(f"c{i}" for i in range(8)))
    return Model(
        "small", seed, layout, CLASSES, layers, scaling, tuple(weights), 2 if recurrent else 0, "last", 500
    )  # fmt: skip


def _drawn(
    steps: int, channels: int, layers: tuple[Layer, ...], seed: int, checkpoints: int = 0, rule: str = "last"
) -> Model:
    """Return a model of 3 classes with random weights."""
    weights = tuple(initial_weights(seed, i, layer.units, layer.inputs, 20000) for i, layer in enumerate(layers))
    scaling = Scaling(np.zeros(1, np.float32), np.full(1, 20.0, np.float32))
    layout = Layout(steps, channels)
    return Model("drawn", seed, layout, CLASSES, layers, scaling, weights, checkpoints, rule, 500)


def conv_model(seed: int = 7, dense: bool = True, feedback: bool = False) -> Model:
    """Return a CNN of images of 12 x 10 pixels, 2 values each: 10 x 8 positions, 5 x 4 places; 2 x 2 places.

    Its layers have label targets; with ``feedback`` they learn from it, and the last conv layer is padded.
    """
    if feedback:
        learns = {"amplitude": 0, "stride": 1, "rows": 3, "columns": 3}
        return _drawn(
            12, 20,
            (
                Layer("conv", 6, 18, (9, 10), **learns, pool=2),
                Layer("conv", 5, 54, (9, 10), **learns, pool=2, padded=True),
                *((Layer("dense", 7, 20, (9, 10), amplitude=0),) if dense else ()),
                Layer("output", 3, 7 if dense else 20, (9, 10), amplitude=0),
            ),
            seed,
        )  # fmt: skip
    window = {"rows": 3, "columns": 3, "stride": 1, "regions": 3, "loss": "l1", "l1": 64}
    layers = (
        Layer("conv", 6, 18, (9, 10), **window, pool=2),
        Layer("conv", 5, 36, (9, 10), rows=2, columns=3, stride=2, pool=1, regions=2),
        *((Layer("dense", 7, 10, (9, 10)),) if dense else ()),
        Layer("output", 3, 7 if dense else 10, (9, 10), amplitude=0),
    )
    return _drawn(12, 20, layers, seed)


def stacked_model(seed: int = 7, rule: str = "readout") -> Model:
    """Return an RNN of two recurrent layers, 8 steps of 4 channels."""
    layers = (
        Layer("recurrent", 9, 13, (9, 10), leak=1),
        Layer("recurrent", 6, 15, (9, 10), leak=2),
        Layer("output", 3, 12, (9, 10), amplitude=0),
    )
    return _drawn(8, 4, layers, seed, 2, rule)


def recurrent_model(channels, units, classes, steps, checkpoints, amplitude=100):
    """Return an untrained RNN; it learns from feedback with an amplitude of 0."""
    layers = (
        Layer("recurrent", units, channels + units, (8, 9, 10), leak=1, amplitude=amplitude),
        Layer("output", classes, checkpoints * units, (8, 9, 10)),
    )
    weights = tuple(initial_weights(1, i, layer.units, layer.inputs, 900) for i, layer in enumerate(layers))
    scaling = Scaling(np.zeros(1, np.float32), np.ones(1, np.float32))
    names = tuple(str(i) for i in range(classes))
    return Model("memory", 1, Layout(steps, channels), names, layers, scaling, weights, checkpoints, "readout")


def float_network(
    sizes: tuple[int, ...],
    activation: str,
    seed: int = 0,
    gain: float = 1.5,
    mean: npt.NDArray[np.float64] | None = None,
) -> FloatNetwork:
    """Return a random float network of these layer sizes, the inputs first."""
    rng = np.random.default_rng(seed)
    layers = []
    for i, (n, m) in enumerate(pairwise(sizes)):
        last = i == len(sizes) - 2
        weight = rng.normal(size=(m, n)) * gain / np.sqrt(n)
        layers.append(FloatLayer(weight, rng.normal(size=m) * 0.3, "linear" if last else activation))
    return FloatNetwork(tuple(layers), mean, None if mean is None else np.ones_like(mean))
