"""Random numbers of a run, from its seed: initial weights, targets, fixed feedback, the step that learns (SPEC 1.4).

Shapes: m units, n inputs of a layer; N classes, K readout steps, R networks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tpsgd.generator import mix, step
from tpsgd_host.model.modelfile import OFFSET, Model, initial_weights
from tpsgd_host.rules.architecture import Architecture

Floats = npt.NDArray[np.floating[Any]]

_SPAN = 32639
_FEEDBACK = 0x000F00F0  # feedback draws from a stream of its own, apart from weights, targets and orders


def model_weights(model: Model) -> list[Floats]:
    """Return an integer network's weights as real numbers, ``v / 2**(S + 8)``, one array (m, n + 1) a layer."""
    weights: list[Floats] = []
    for layer, w in zip(model.layers, model.weights, strict=True):
        v = w.astype(np.float64) - OFFSET if w.dtype.itemsize == 2 else (w.astype(np.float64) - 128) * 256
        weights.append(v / 2.0 ** (layer.shift + 8))
    return weights


def drawn_weights(architecture: Architecture, seed: int) -> list[Floats]:
    """Return weights as a new model gets them: uniform, of variance 1/n; zero for the output layer and the biases."""
    weights: list[Floats] = []
    for i, layer in enumerate(architecture.layers):
        if layer.kind == "output":
            weights.append(np.zeros((layer.units, layer.inputs + 1)))
        else:
            unit = initial_weights(seed, i, layer.units, layer.inputs, _SPAN).astype(np.float64) - OFFSET
            weights.append(unit / _SPAN * math.sqrt(3 / layer.inputs))
    return weights


def feedback(seed: int, index: int, rows: int, columns: int, fan_in: int) -> Floats:
    """Return a fixed random matrix (rows, columns) as initial weights are drawn: uniform, of variance 1/fan_in."""
    unit = initial_weights(seed ^ _FEEDBACK, index, rows, columns, _SPAN)[:, :-1].astype(np.float64) - OFFSET
    scaled: Floats = unit / _SPAN * math.sqrt(3 / fan_in)
    return scaled


def target_signs(seed: int, index: int, columns: int, units: int) -> Floats:
    """Return the signs of a layer's targets, shape (columns, units): the integer network's own."""
    base = mix(seed ^ ((index + 1) << 24))
    words = []
    for column in range(columns):
        s = mix(base + column)
        row = []
        for _ in range(0, units, 32):
            s = step(s)
            row.append(s)
        words.append(row)
    bits = np.array(words, np.uint32)[:, :, None] >> np.arange(32, dtype=np.uint32) & 1
    return bits.reshape(columns, -1)[:, :units] * 2.0 - 1.0


def per_network(seeds: Sequence[int], draw: Callable[[int], Floats], dtype: npt.DTypeLike) -> Floats:
    """Return what ``draw(seed)`` gives for each network, stacked; a seed that several networks share is drawn once."""
    known = {seed: draw(seed).astype(dtype) for seed in dict.fromkeys(seeds)}
    return np.stack([known[seed] for seed in seeds])


class StepDraws:
    """The generators of R runs, which draw the step that learns under the rule ``random``."""

    def __init__(self, seeds: Sequence[int]) -> None:
        self._state = np.array([mix(seed) for seed in seeds], np.uint32)

    def draw(self, n: int) -> npt.NDArray[np.int64]:
        """Return a number in 0..n-1 for each network, shape (R,)."""
        s = self._state
        s ^= s << np.uint32(13)
        s ^= s >> np.uint32(17)
        s ^= s << np.uint32(5)
        return ((s >> np.uint32(16)).astype(np.int64) * n) >> 16
