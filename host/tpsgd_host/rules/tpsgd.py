"""tpSGD: every layer learns in the forward pass, towards a random projection of the label.

Lomnitz, Daniels, Zhang, Piacentino, *Learning with Local Gradients at the Edge*, arXiv:2208.08503, with the choices of
SPEC 1.3: targets of plus or minus A, hidden layers without the slope of their activation, and the steps at which a
recurrent layer learns. A conv layer's output is cut into regions with targets of their own, and each unit learns at the
pixel where it was the largest in a region. The mean over regions counts, so that one rate suits layers of any size; the
integer network updates region by region, each with the layer's whole rate.

Legend: R networks, B samples at once, m units, N classes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tpsgd_host.rules.conv import Conv
from tpsgd_host.rules.draws import StepDraws, per_network, target_signs
from tpsgd_host.rules.layers import Dense, Floats, Indices, Layer
from tpsgd_host.rules.losses import LAYER_LOSSES, LayerLoss, layer_loss
from tpsgd_host.rules.network import Network, run
from tpsgd_host.rules.recurrent import Recurrent


class TargetProjection:
    """One training step of R networks.

    Parameters
    ----------
    loss : str or callable
        Layer loss: a name, or its derivative ``d loss / d a`` as a function of (a, t).
    """

    def __init__(self, network: Network, seeds: Sequence[int], loss: str | LayerLoss = "l2") -> None:
        if any(layer.shape.kind == "temporal" for layer in network.hidden):
            raise ValueError("tpSGD has no targets for a temporal layer (SPEC 1.3)")
        self.network = network
        self.loss = layer_loss(loss)
        # A named loss never pushes a saturated unit further out: targets lie within the clamp.
        self.guarded = self.loss not in LAYER_LOSSES.values()
        self.targets = [self._targets(i, layer, seeds) for i, layer in enumerate(network.hidden)]
        self.draws = StepDraws(seeds)
        recurrent = any(isinstance(layer, Recurrent) and layer.trains for layer in network.hidden)
        self.random = recurrent and network.architecture.update_at == "random"
        self.chosen: Indices = np.full(network.nets, -1)

    def step(self, x: Floats, y: Indices) -> Indices:
        """Learn samples x (B, T*C) of classes y (B,); return what was predicted before learning, (R, B)."""
        network = self.network
        signal = network.sample(x)
        if self.random:
            self.chosen = self.draws.draw(network.architecture.steps)
        for i, layer in enumerate(network.hidden):
            if isinstance(layer, Recurrent) and layer.trains:
                self._sequence(layer, signal, y, self.targets[i])
            else:
                run(layer, signal)
                if layer.trains:
                    self._learn(layer, y, self.targets[i])
            signal = network.onward(i)
        output = network.output
        output.forward(signal)
        predicted = output.predicted()
        output.learn(output.error(y), output.x)
        return predicted

    def _learn(self, layer: Layer, y: Indices, targets: Floats) -> None:
        """Update a layer that has just run."""
        if isinstance(layer, Conv):
            self._image(layer, y, targets)
        else:
            assert isinstance(layer, Dense)
            layer.learn(self._error(layer.a, targets[:, y]), layer.x)

    def _image(self, layer: Conv, y: Indices, targets: Floats) -> None:
        """Update a conv layer at the largest pixel of each unit and region."""
        parts = regions(layer)
        classes, m = self.network.architecture.classes, layer.shape.units
        out = layer.out.reshape(layer.nets, layer.batch, -1, m)
        if len(parts) == out.shape[2]:  # a region is one value of each unit
            column = y[:, None] + np.arange(len(parts)) * classes
            e = self._error(out, targets[:, column])
            e /= len(parts)
            layer.learn(layer.spread(e), layer.x)
            return
        e = np.zeros_like(out)
        net, sample, unit = np.ogrid[: layer.nets, : layer.batch, :m]
        for c, places in enumerate(parts):
            backwards = places[::-1]  # of several that are largest, the last one counts
            largest = backwards[out[:, :, backwards].argmax(axis=2)]
            a = out[net, sample, largest, unit]
            e[net, sample, largest, unit] = self._error(a, targets[:, y + c * classes])
        e /= len(parts)
        layer.learn(layer.spread(e), layer.x)

    def _sequence(self, layer: Recurrent, signal: Floats, y: Indices, targets: Floats) -> None:
        """Run a recurrent layer over its steps and update it at those that `update_at` names."""
        architecture = self.network.architecture
        update_at, classes, last = architecture.update_at, architecture.classes, architecture.steps - 1
        for t in layer.steps(signal):
            if update_at == "random":
                nets = np.flatnonzero(self.chosen == t)
                if nets.size:
                    e = self._error(layer.h[t][nets], targets[nets][:, y])
                    layer.learn_some(nets, e, layer.x[nets, t])
            elif (
                update_at == "every"
                or (update_at == "last" and t == last)
                or (update_at == "readout" and t in layer.marks)
            ):
                column = y + (layer.marks.index(t) * classes if update_at == "readout" else 0)
                layer.learn(self._error(layer.h[t], targets[:, column]), layer.x[:, t])

    def _error(self, a: Floats, t: Floats) -> Floats:
        """Return the direction for activations a; none further out where they are at the clamp (SPEC 1.3)."""
        e: Floats = -self.loss(a, t)
        if self.guarded:
            e[(np.abs(a) >= 1) & (e * a > 0)] = 0
        return e

    def _targets(self, i: int, layer: Layer, seeds: Sequence[int]) -> Floats:
        """Return a layer's targets (R, columns, m): a column for each class, and for each readout step or region."""
        architecture = self.network.architecture
        per_readout = isinstance(layer, Recurrent) and architecture.update_at == "readout"
        columns = architecture.classes * (architecture.readout_steps if per_readout else 1)
        if isinstance(layer, Conv):
            columns *= len(regions(layer))
        m, amplitude = layer.shape.units, layer.shape.amplitude
        return per_network(seeds, lambda seed: target_signs(seed, i, columns, m) * amplitude, layer.w.dtype)


def regions(layer: Conv) -> list[npt.NDArray[np.int64]]:
    """Return the places of each region in a conv layer's output, row by row, regions row by row (SPEC 1.3)."""
    places = np.arange(math.prod(layer.pooled)).reshape(layer.pooled)
    found = []
    for rows in cuts(layer.pooled[0], layer.shape.regions):
        found += [places[rows, columns].ravel() for columns in cuts(layer.pooled[1], layer.shape.regions)]
    return found


def cuts(size: int, count: int) -> list[slice]:
    """Return ``size`` places cut into ``count`` parts, or into single ones where that is fewer."""
    count = min(count, size)
    return [slice(u * size // count, (u + 1) * size // count) for u in range(count)]
