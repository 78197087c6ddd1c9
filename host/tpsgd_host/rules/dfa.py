"""Direct feedback alignment: the output's error goes to every hidden layer at once, through a fixed random matrix.

Nokland, *Direct Feedback Alignment Provides Learning in Deep Neural Networks*, NeurIPS 2016. A recurrent layer learns
at its readout steps, from the inputs of that step alone; nothing travels back through time.

Legend: R networks, B samples at once, m units, K readout steps.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tpsgd_host.rules.layers import Floats, Indices, slope
from tpsgd_host.rules.network import Network
from tpsgd_host.rules.projections import learn, projections
from tpsgd_host.rules.recurrent import Recurrent


class DirectFeedback:
    """One training step of R networks."""

    def __init__(self, network: Network, seeds: Sequence[int]) -> None:
        self.network = network
        self.projections = projections(network, seeds)

    def step(self, x: Floats, y: Indices) -> Indices:
        """Learn samples x (B, T*C) of classes y (B,); return what was predicted before learning, (R, B)."""
        network = self.network
        network.forward(x)
        output = network.output
        predicted = output.predicted()
        error = output.error(y)
        for layer, projection in zip(network.hidden, self.projections, strict=True):
            if not layer.trains:
                continue
            g = np.matmul(error, projection)
            if isinstance(layer, Recurrent):
                self._readout_steps(layer, g)
            else:
                learn(layer, g)
        output.learn(error, output.x)
        return predicted

    @staticmethod
    def _readout_steps(layer: Recurrent, g: Floats) -> None:
        """Update a recurrent layer at all its readout steps together; g is (R, B, K*m)."""
        nets, batch, _ = g.shape
        marks, m = list(layer.marks), layer.shape.units
        d = g.reshape(nets, batch, len(marks), m).transpose(2, 0, 1, 3) * slope(layer.z[marks]) * layer.gain
        rows = d.transpose(1, 0, 2, 3).reshape(nets, len(marks) * batch, m)
        layer.learn(rows.astype(g.dtype), layer.x[:, marks].reshape(nets, len(marks) * batch, -1))
