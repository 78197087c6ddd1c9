"""Small architectures of every kind, and a forward pass written out sample by sample, apart from the package's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from tpsgd_host.rules import Architecture, LayerShape

Floats = npt.NDArray[np.floating[Any]]
BETA = 127 / 32

DENSE = Architecture(
    2,
    4,
    3,
    0,
    "last",
    (LayerShape("dense", 6, 8, amplitude=0.9), LayerShape("dense", 5, 6), LayerShape("output", 3, 5)),
)


def recurrent(rule: str = "readout", leak: int = 2, steps: int = 7) -> Architecture:
    """Return a recurrent layer of 5 units, 3 checkpoints, a dense layer, 3 classes."""
    layers = (
        LayerShape("recurrent", 5, 9, leak, 0.7), LayerShape("dense", 6, 15), LayerShape("output", 3, 6),
    )  # fmt: skip
    return Architecture(steps, 4, 3, 3, rule, layers)


STACKED = Architecture(
    6, 3, 4, 2, "readout",
    (LayerShape("recurrent", 5, 8, 1, 0.7), LayerShape("recurrent", 4, 9, 2, 0.8), LayerShape("output", 4, 8)),
)  # fmt: skip
CONV = Architecture(
    9, 14, 3, 0, "last",
    (
        LayerShape("conv", 4, 18, kernel=(3, 3), pool=2, depth=2, padded=True),  # 9 x 7 x 2 to 4 x 3 x 4
        LayerShape("conv", 3, 16, kernel=(2, 2), depth=4, amplitude=0.8),  # to 3 x 2 x 3
        LayerShape("dense", 5, 18),
        LayerShape("output", 3, 5),
    ),
)  # fmt: skip
STRIDED = Architecture(  # in one dimension
    11, 3, 4, 0, "last",
    (
        LayerShape("conv", 5, 9, kernel=(3, 1), stride=2, pool=2, depth=3),  # 11 x 1 x 3 to 2 x 1 x 5
        LayerShape("output", 4, 10),
    ),
)  # fmt: skip

TEMPORAL = Architecture(
    9, 3, 4, 0, "last",
    (
        LayerShape("temporal", 6, 12, kernel=(4, 1), depth=3, segments=2),
        LayerShape("dense", 5, 12),
        LayerShape("output", 4, 5),
    ),
)  # fmt: skip

ALL = {
    "dense": DENSE, "recurrent": recurrent(), "no leak": recurrent(leak=0), "stacked": STACKED, "conv": CONV,
    "strided": STRIDED, "temporal": TEMPORAL,
}  # fmt: skip


def weights(architecture: Architecture, seed: int = 0, scale: float = 1.2) -> list[Floats]:
    """Return random weights, some of whose units saturate."""
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(s.units, s.inputs + 1)) * scale / np.sqrt(s.inputs) for s in architecture.layers]


def batch(architecture: Architecture, size: int, seed: int = 1) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Return random samples and classes."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1, 1, (size, architecture.steps * architecture.channels))
    return x, rng.integers(0, architecture.classes, size)


@dataclass
class Pass:
    """What one sample gave: inputs (bias last), sums and outputs of each layer.

    A recurrent or temporal layer has a list of steps in each, a conv layer one of pixels. ``maxima`` says where the
    maxima of a conv or temporal layer were.
    """

    inputs: list[Any] = field(default_factory=list)
    sums: list[Any] = field(default_factory=list)
    outputs: list[Any] = field(default_factory=list)
    maxima: list[Any] = field(default_factory=list)
    p: Floats = field(default_factory=lambda: np.zeros(0))


def forward(architecture: Architecture, w: Sequence[Floats], x: Floats) -> Pass:
    """Run one sample of shape (T*C,)."""
    done = Pass()
    signal: Any = x
    for i, shape in enumerate(architecture.layers):
        maxima = None
        if shape.kind == "recurrent":
            sequence = x.reshape(architecture.steps, -1) if i == 0 else signal
            inputs, sums, out = sequence_pass(shape, w[i], sequence)
            signal = out
            if architecture.layers[i + 1].kind != "recurrent":
                marks = [(c + 1) * architecture.steps // architecture.readout_steps - 1
                         for c in range(architecture.readout_steps)]  # fmt: skip
                signal = np.concatenate([out[t] for t in marks])
        elif shape.kind == "conv":
            image = x.reshape(architecture.steps, -1, shape.depth) if i == 0 else signal
            inputs, sums, signal, maxima = image_pass(shape, w[i], image)
            out = signal
        elif shape.kind == "temporal":
            inputs, sums, out, maxima = segments_pass(shape, w[i], x.reshape(architecture.steps, -1))
            signal = out
        else:
            inputs = np.append(np.ravel(signal), 1.0)
            sums = w[i] @ inputs
            out = signal = np.clip(sums, -1, 1)
        done.inputs.append(inputs)
        done.sums.append(sums)
        done.outputs.append(out)
        done.maxima.append(maxima)
    z = done.sums[-1]
    done.p = np.exp(BETA * z) / np.exp(BETA * z).sum()
    return done


def sequence_pass(shape: LayerShape, w: Floats, sequence: Any) -> tuple[list[Floats], list[Floats], list[Floats]]:
    """Run a recurrent layer."""
    h = np.zeros(shape.units)
    inputs, sums, states = [], [], []
    for row in sequence:
        inputs.append(np.concatenate([row, h, [1.0]]))
        sums.append(w @ inputs[-1])
        h = h + (np.clip(sums[-1], -1, 1) - h) * 2.0**-shape.leak
        states.append(h)
    return inputs, sums, states


def image_pass(shape: LayerShape, w: Floats, image: Floats) -> tuple[Any, Any, Floats, dict[tuple[int, ...], Any]]:
    """Run a conv layer; inputs and sums are found under (row, column)."""
    (above, beside), (tall, wide), side = shape.border, shape.kernel, shape.pool
    image = np.pad(image, ((above, above), (beside, beside), (0, 0)))
    rows = (image.shape[0] - tall) // shape.stride + 1
    columns = (image.shape[1] - wide) // shape.stride + 1
    inputs, sums = {}, {}
    for r in range(rows):
        for c in range(columns):
            top, left = r * shape.stride, c * shape.stride
            inputs[r, c] = np.append(image[top : top + tall, left : left + wide].ravel(), 1.0)
            sums[r, c] = w @ inputs[r, c]
    across = side if columns > 1 else 1
    out = np.zeros((rows // side, columns // across, shape.units))
    maxima = {}
    for r, c, u in np.ndindex(*out.shape):
        window = [(r * side + i, c * across + j) for i in range(side) for j in range(across)]
        best = max(window, key=lambda at: np.clip(sums[at][u], -1, 1))
        maxima[r, c, u] = best
        out[r, c, u] = np.clip(sums[best][u], -1, 1)
    return inputs, sums, out, maxima


def segments_pass(shape: LayerShape, w: Floats, sample: Floats) -> tuple[Any, Any, Floats, dict[tuple[int, ...], Any]]:
    """Run a temporal layer; its maxima are found under (segment, unit)."""
    taps, steps = shape.kernel[0], len(sample)
    silent = np.concatenate([np.zeros((taps - 1, sample.shape[1])), sample])
    inputs = [np.append(silent[t : t + taps].ravel(), 1.0) for t in range(steps)]
    sums = [w @ patch for patch in inputs]
    out = np.zeros((shape.segments, shape.units))
    maxima = {}
    for c, u in np.ndindex(*out.shape):
        segment = range(c * steps // shape.segments, (c + 1) * steps // shape.segments)
        maxima[c, u] = max(segment, key=lambda t: np.clip(sums[t][u], -1, 1))
        out[c, u] = np.clip(sums[maxima[c, u]][u], -1, 1)
    return inputs, sums, out, maxima


def loss(architecture: Architecture, w: Sequence[Floats], x: Floats, y: npt.NDArray[np.int64]) -> float:
    """Return the sum of the samples' cross-entropies, divided by the softmax's sharpness."""
    return sum(
        -float(np.log(forward(architecture, w, row).p[label])) for row, label in zip(x, y, strict=True)
    ) / BETA  # fmt: skip
