"""Direct random target projection: the label, through a fixed random matrix, stands for the error's sign.

Frenkel, Lefebvre, Bol, *Learning Without Feedback: Fixed Random Learning Signals Allow for Feedforward Training of Deep
Neural Networks*, Frontiers in Neuroscience 15, 2021: ``d = (B y*) * slope(z)``, known before the pass, so that every
layer learns right after its own forward step. A unit stops when it saturates. A recurrent layer learns at its
readout steps.

Legend: R networks, B samples at once, m units, K readout steps.
"""

from __future__ import annotations

from collections.abc import Sequence

from tpsgd_host.rules.layers import Floats, Indices, slope
from tpsgd_host.rules.network import Network, run
from tpsgd_host.rules.projections import learn, projections
from tpsgd_host.rules.recurrent import Recurrent


class DirectTargets:
    """One training step of R networks."""

    def __init__(self, network: Network, seeds: Sequence[int]) -> None:
        self.network = network
        self.projections = projections(network, seeds)

    def step(self, x: Floats, y: Indices) -> Indices:
        """Learn samples x (B, T*C) of classes y (B,); return what was predicted before learning, (R, B)."""
        network = self.network
        signal = network.sample(x)
        for i, layer in enumerate(network.hidden):
            g = self.projections[i][:, y]
            if isinstance(layer, Recurrent) and layer.trains:
                self._sequence(layer, signal, g)
            else:
                run(layer, signal)
                if layer.trains:
                    learn(layer, g)
            signal = network.onward(i)
        output = network.output
        output.forward(signal)
        predicted = output.predicted()
        output.learn(output.error(y), output.x)
        return predicted

    @staticmethod
    def _sequence(layer: Recurrent, signal: Floats, g: Floats) -> None:
        """Run a recurrent layer over its steps and update it at each readout step; g is (R, B, K*m)."""
        m, done = layer.shape.units, 0
        for t in layer.steps(signal):
            if t in layer.marks:
                d = g[:, :, done * m : (done + 1) * m] * slope(layer.z[t])
                d *= layer.gain
                layer.learn(d, layer.x[:, t])
                done += 1
