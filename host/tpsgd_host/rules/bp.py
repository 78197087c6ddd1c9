"""Backpropagation, through time in a recurrent layer: the exact gradient of cross-entropy.

Legend: R networks, B samples at once, T steps, m units, n inputs. ``g`` is the negative gradient with respect to what a
layer hands on, ``d`` with respect to its sums z.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tpsgd_host.rules.conv import Conv
from tpsgd_host.rules.layers import Dense, Floats, Indices, Layer, slope
from tpsgd_host.rules.network import Network
from tpsgd_host.rules.recurrent import Recurrent
from tpsgd_host.rules.temporal import Temporal


class Backprop:
    """One training step of R networks.

    Attributes
    ----------
    back : list of ndarray, one a layer, shape (R, m, n)
        What carries an error from a layer's sums to its inputs: here its own weights.
    """

    def __init__(self, network: Network, seeds: Sequence[int]) -> None:
        self.network = network
        self.back = [self.carriers(i, layer, seeds) for i, layer in enumerate(network.layers)]

    def carriers(self, i: int, layer: Layer, seeds: Sequence[int]) -> Floats:  # noqa: ARG002 - other rules draw theirs
        """Return ``back`` of a layer."""
        return layer.w[:, :, :-1]

    def step(self, x: Floats, y: Indices) -> Indices:
        """Learn samples x (B, T*C) of classes y (B,); return what was predicted before learning, (R, B)."""
        network = self.network
        network.forward(x)
        output = network.output
        predicted = output.predicted()
        d = output.error(y)
        training = [i for i, layer in enumerate(network.hidden) if layer.trains]
        g = np.matmul(d, self.back[-1]) if training else d
        output.learn(d, output.x)
        for i in range(len(network.hidden) - 1, min(training, default=len(network.layers)) - 1, -1):
            g = self.backward(i, g, i > min(training))
        return predicted

    def backward(self, i: int, g: Floats, onward: bool) -> Floats:
        """Update hidden layer ``i``; return the g of the layer before it where ``onward``."""
        layer, back = self.network.layers[i], self.back[i]
        if isinstance(layer, Recurrent):
            # g comes side by side from a dense layer, and step by step from a recurrent one.
            return through_time(layer, back, g if g.ndim == 4 else layer.apart(g), onward)
        assert isinstance(layer, Dense | Conv | Temporal)
        d = (g if isinstance(layer, Dense) else layer.spread(g)) * slope(layer.z)
        g = np.matmul(d, back) if onward else d
        layer.learn(d, layer.x)
        return layer.images(g) if onward and isinstance(layer, Conv) else g


def through_time(layer: Recurrent, back: Floats, g: Floats, onward: bool) -> Floats:
    """Go back through the T steps, then update; g of the states is (T, R, B, m), as is that returned for the inputs."""
    steps, nets, batch, m = layer.h.shape
    d = slope(layer.z).astype(g.dtype)
    recurrent = back[:, :, layer.below :]
    keep = 1 - layer.gain
    dh = np.zeros_like(g[0])
    through = np.empty_like(dh)
    for t in range(steps - 1, -1, -1):
        dh += g[t]
        d[t] *= dh
        d[t] *= layer.gain
        if t:
            np.matmul(d[t], recurrent, out=through)
            dh *= keep
            dh += through
    g = np.matmul(d, back[:, :, : layer.below]) if onward else g
    rows = d.transpose(1, 0, 2, 3).reshape(nets, steps * batch, m)
    layer.learn(rows, layer.x.reshape(nets, steps * batch, -1))
    return g
