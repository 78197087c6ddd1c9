"""tpSGD: every layer learns in the forward pass, towards a random projection of the label.

Lomnitz, Daniels, Zhang, Piacentino, *Learning with Local Gradients at the Edge*, arXiv:2208.08503, with the choices of
SPEC 1.3: targets of plus or minus A, hidden layers without the slope of their activation, and the steps at which a
recurrent layer learns.

Legend: R networks, B samples at once, m units, N classes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tpsgd_host.rules.draws import StepDraws, target_signs
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
        self.network = network
        self.loss = layer_loss(loss)
        # A named loss never pushes a saturated unit further out: targets lie within the clamp.
        self.guarded = self.loss not in LAYER_LOSSES.values()
        self.targets = [self._targets(i, layer, seeds) for i, layer in enumerate(network.hidden)]
        self.draws = StepDraws(seeds)

    def step(self, x: Floats, y: Indices) -> Indices:
        """Learn samples x (B, T*C) of classes y (B,); return the classes predicted before, (R, B)."""
        network = self.network
        signal = network.sample(x)
        for i, layer in enumerate(network.hidden):
            if isinstance(layer, Recurrent) and layer.trains:
                self._sequence(layer, signal, y, self.targets[i])
            else:
                run(layer, signal)
                if layer.trains:
                    assert isinstance(layer, Dense)
                    layer.learn(self._error(layer.a, self.targets[i][:, y], layer.z), layer.x)
            signal = network.onward(i)
        output = network.output
        output.forward(signal)
        predicted = output.predicted()
        output.learn(output.error(y), output.x)
        return predicted

    def _sequence(self, layer: Recurrent, signal: Floats, y: Indices, targets: Floats) -> None:
        """Run a recurrent layer over its steps and update it at those that its rule names."""
        architecture = self.network.architecture
        rule, classes, last = architecture.rule, architecture.classes, architecture.steps - 1
        chosen = self.draws.draw(architecture.steps) if rule == "random" else None
        for t in layer.steps(signal):
            if chosen is not None:
                nets = np.flatnonzero(chosen == t)
                if nets.size:
                    e = self._error(layer.h[t][nets], targets[nets][:, y], layer.z[t][nets])
                    layer.learn_some(nets, e, layer.x[nets, t])
            elif rule == "every" or (rule == "last" and t == last) or (rule == "checkpoint" and t in layer.marks):
                column = y + (layer.marks.index(t) * classes if rule == "checkpoint" else 0)
                layer.learn(self._error(layer.h[t], targets[:, column], layer.z[t]), layer.x[:, t])

    def _error(self, a: Floats, t: Floats, z: Floats) -> Floats:
        e: Floats = -self.loss(a, t)
        if self.guarded:
            e[(np.abs(z) >= 1) & (e * z > 0)] = 0
        return e

    def _targets(self, i: int, layer: Layer, seeds: Sequence[int]) -> Floats:
        """Return a layer's targets for each network, shape (R, columns, m): a column a class, and checkpoint."""
        architecture = self.network.architecture
        per_checkpoint = isinstance(layer, Recurrent) and architecture.rule == "checkpoint"
        columns = architecture.classes * (architecture.checkpoints if per_checkpoint else 1)
        shape = layer.shape
        signs = np.stack([target_signs(seed, i, columns, shape.units) for seed in seeds])
        targets: Floats = (signs * shape.amplitude).astype(layer.w.dtype)
        return targets
