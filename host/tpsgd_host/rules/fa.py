"""Feedback alignment: backpropagation whose errors travel back through fixed random matrices.

Lillicrap, Cownden, Tweed, Akerman, *Random synaptic feedback weights support error backpropagation for deep learning*,
Nature Communications 7, 2016. Through time, the random matrix of a recurrent layer stands for both its transposes: that
of its input and that of its state. The leak is carried back exactly: it is no weight.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tpsgd_host.rules.bp import Backprop
from tpsgd_host.rules.draws import feedback
from tpsgd_host.rules.layers import Floats, Layer


class FeedbackAlignment(Backprop):
    """Backpropagation, forward and backward, with other carriers: shape (R, m, n), drawn as initial weights are."""

    def carriers(self, i: int, layer: Layer, seeds: Sequence[int]) -> Floats:
        """Return fixed random matrices."""
        shape = layer.shape
        drawn = [feedback(seed, i, shape.units, shape.inputs, shape.inputs) for seed in seeds]
        return np.stack(drawn).astype(layer.w.dtype)
