"""Fixed random matrices from the classes to what a layer hands on, as DFA and DRTP use them.

Legend: R networks, N classes, size: values that a layer hands on, K*m after a recurrent layer.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from tpsgd_host.rules.conv import Conv
from tpsgd_host.rules.draws import feedback, per_network
from tpsgd_host.rules.layers import Dense, Floats, Layer, slope
from tpsgd_host.rules.network import Network
from tpsgd_host.rules.recurrent import Recurrent
from tpsgd_host.rules.temporal import Temporal


def projections(network: Network, seeds: Sequence[int]) -> list[Floats]:
    """Return a matrix (R, N, size) for each hidden layer, drawn as the weights of an output layer on it would be.

    A recurrent layer below another one has K*m values here, too: it learns at the same readout steps.
    """
    architecture = network.architecture
    matrices = []
    for i, (layer, size) in enumerate(zip(network.hidden, architecture.outputs(), strict=False)):
        values = layer.shape.units * architecture.readout_steps if isinstance(layer, Recurrent) else size
        matrices.append(per_network(seeds, partial(_drawn, i, architecture.classes, values), layer.w.dtype))
    return matrices


def learn(layer: Layer, g: Floats) -> None:
    """Update a layer that is not recurrent from what is projected onto its outputs, (R, B, size)."""
    assert isinstance(layer, Dense | Conv | Temporal)
    g = g if isinstance(layer, Dense) else layer.spread(g)
    layer.learn(g * slope(layer.z), layer.x)


def _drawn(i: int, classes: int, values: int, seed: int) -> Floats:
    return feedback(seed, i, classes, values, values)
