"""R networks of one architecture in lockstep: layers in order, and what passes between them.

Legend: R networks, B samples at once, T steps, C channels, N classes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tpsgd_host.rules.architecture import Architecture
from tpsgd_host.rules.conv import Conv
from tpsgd_host.rules.draws import drawn_weights
from tpsgd_host.rules.layers import Dense, Floats, Layer, Output
from tpsgd_host.rules.recurrent import Recurrent
from tpsgd_host.rules.temporal import Temporal

Initial = Callable[[int], Sequence[npt.NDArray[Any]]]


class Network:
    """R networks.

    Parameters
    ----------
    architecture : Architecture
    weights : sequence of ndarray, one a layer, shape (R, m, n + 1)
        They are used as they are and trained in place.
    batch : int
        B, samples in a pass.

    Raises
    ------
    ValueError
        When layers do not follow from each other, or weights have other shapes.
    """

    def __init__(self, architecture: Architecture, weights: Sequence[Floats], batch: int = 1) -> None:
        architecture.check()
        self.architecture = architecture
        self.batch = batch
        self.weights = list(weights)
        self.layers: list[Layer] = [self._layer(i, w, batch) for i, w in enumerate(weights)]
        output = self.layers[-1]
        assert isinstance(output, Output)
        self.output = output

    @property
    def hidden(self) -> list[Layer]:
        """All layers but the output."""
        return self.layers[:-1]

    @property
    def nets(self) -> int:
        """The R networks."""
        return len(self.weights[0])

    def resized(self, batch: int) -> Network:
        """Return the same networks, the same weights, with room for ``batch`` samples."""
        return Network(self.architecture, self.weights, batch)

    def rated(self, rates: Floats) -> None:
        """Take learning rates of shape (R, L), one for each network and layer."""
        for i, layer in enumerate(self.layers):
            layer.rate[...] = rates[:, i, None, None]

    def sample(self, x: Floats) -> Floats:
        """Return samples of shape (B, T*C) as the first layer takes them."""
        steps, channels = self.architecture.steps, self.architecture.channels
        if isinstance(self.layers[0], Recurrent):
            return x.reshape(len(x), steps, channels).transpose(1, 0, 2)[:, None]
        if isinstance(self.layers[0], Conv):
            return x.reshape(1, len(x), *self.layers[0].image)
        if isinstance(self.layers[0], Temporal):
            return x.reshape(1, len(x), steps, channels)
        return x[None]

    def onward(self, i: int) -> Floats:
        """Return what layer ``i`` has made of its input, as the next layer takes it."""
        layer = self.layers[i]
        if isinstance(layer, Recurrent):
            return layer.h if isinstance(self.layers[i + 1], Recurrent) else layer.side_by_side()
        if isinstance(layer, Conv):
            return layer.out if isinstance(self.layers[i + 1], Conv) else layer.out.reshape(self.nets, self.batch, -1)
        if isinstance(layer, Temporal):
            return layer.out
        assert isinstance(layer, Dense)
        return layer.a

    def forward(self, x: Floats) -> Floats:
        """Return the probabilities (R, B, N) of samples of shape (B, T*C)."""
        signal = self.sample(x)
        for i, layer in enumerate(self.layers):
            run(layer, signal)
            if layer is not self.output:
                signal = self.onward(i)
        return self.output.a

    def classify(self, x: Floats, room: int = 1 << 24) -> npt.NDArray[np.int64]:
        """Return the classes (R, S) of samples (S, T*C), as many at a time as fit in about ``room`` numbers."""
        one = self.resized(1)
        size = max(1, min(len(x), room // max(1, sum(buffered(layer) for layer in one.layers))))
        wide = self.resized(size)
        found = np.zeros((self.nets, len(x)), np.int64)
        for start in range(0, len(x), size):
            part = x[start : start + size]
            network = wide if len(part) == size else self.resized(len(part))
            network.forward(part)
            found[:, start : start + size] = network.output.predicted()
        return found

    def _layer(self, i: int, w: Floats, batch: int) -> Layer:
        architecture = self.architecture
        shape = architecture.layers[i]
        if w.shape[1:] != (shape.units, shape.inputs + 1):
            raise ValueError(f"layer {i}: weights of shape {w.shape[1:]}, not {(shape.units, shape.inputs + 1)}")
        if shape.kind == "recurrent":
            return Recurrent(shape, w, batch, architecture.steps, architecture.marks())
        if shape.kind == "conv":
            return Conv(shape, w, batch, architecture.images()[i], first=i == 0)
        if shape.kind == "temporal":
            return Temporal(shape, w, batch, architecture.steps)
        kind = Output if shape.kind == "output" else Dense
        return kind(shape, w, batch, first=i == 0)


def run(layer: Layer, signal: Floats) -> Floats:
    """Run a layer forward."""
    assert isinstance(layer, Dense | Recurrent | Conv | Temporal)
    return layer.forward(signal)


def buffered(layer: Layer) -> int:
    """Return how many numbers a layer keeps for a pass."""
    return sum(value.size for name, value in vars(layer).items() if name in ("x", "z", "a", "h"))


def drawn(
    architecture: Architecture,
    seeds: Sequence[int],
    initial: Initial | None = None,
    dtype: npt.DTypeLike = np.float32,
    batch: int = 1,
) -> Network:
    """Return networks with weights of their own for each seed.

    Parameters
    ----------
    initial : callable, optional
        ``initial(seed)`` returns the weights of one network, an array (m, n + 1) for each layer; by default they are
        drawn as a new model's are.
    """

    def given(seed: int) -> Sequence[npt.NDArray[Any]]:
        return drawn_weights(architecture, seed) if initial is None else initial(seed)

    known = {seed: [np.asarray(w, dtype) for w in given(seed)] for seed in dict.fromkeys(seeds)}
    stacks = zip(*(known[seed] for seed in seeds), strict=True)
    return Network(architecture, [np.stack(stack) for stack in stacks], batch)
