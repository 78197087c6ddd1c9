"""The baseline: hidden layers keep their initial weights; only the output layer learns, by its exact gradient."""

from __future__ import annotations

from collections.abc import Sequence

from tpsgd_host.rules.layers import Floats, Indices
from tpsgd_host.rules.network import Network


class Frozen:
    """One training step of R networks; shapes as in :mod:`tpsgd_host.rules.network`."""

    def __init__(self, network: Network, seeds: Sequence[int]) -> None:  # noqa: ARG002 - it draws nothing
        self.network = network

    def step(self, x: Floats, y: Indices) -> Indices:
        """Learn samples x (B, T*C) of classes y (B,); return what was predicted before learning, (R, B)."""
        self.network.forward(x)
        output = self.network.output
        predicted = output.predicted()
        output.learn(output.error(y), output.x)
        return predicted
