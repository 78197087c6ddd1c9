"""Feedback alignment: backpropagation whose errors travel back through fixed random matrices.

Lillicrap, Cownden, Tweed, Akerman, *Random synaptic feedback weights support error backpropagation for deep learning*,
Nature Communications 7, 2016. Through time, the random matrix of a recurrent layer stands for both its transposes: that
of its input and that of its state. The leak is carried back exactly: it is no weight.
"""

from __future__ import annotations

from collections.abc import Sequence

from tpsgd_host.rules.bp import Backprop
from tpsgd_host.rules.draws import feedback, per_network
from tpsgd_host.rules.layers import Floats, Layer
from tpsgd_host.rules.recurrent import Recurrent


class FeedbackAlignment(Backprop):
    """Backpropagation, forward and backward, with other carriers: shape (R, m, n), drawn as initial weights are."""

    def carriers(self, i: int, layer: Layer, seeds: Sequence[int]) -> Floats:
        """Return fixed random matrices."""
        if i == 0 and not isinstance(layer, Recurrent):
            return layer.w[:, :, :-1]  # nothing is carried further
        m, n = layer.shape.units, layer.shape.inputs
        return per_network(seeds, lambda seed: feedback(seed, i, m, n, n), layer.w.dtype)
