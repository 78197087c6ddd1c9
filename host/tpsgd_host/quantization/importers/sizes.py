"""Fold what a graph computes from the size of its input: the initial state of an RNN, one for each sample.

Such a state repeats one number, most often 0, so it is a constant in the chain of layers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tpsgd_host.quantization.importers.tensors import Tensors

#: Operations on a size, and on the state that is made from it.
WITH_SIZES = ("Gather", "Unsqueeze", "Squeeze", "Concat", "Cast", "Slice")
WITH_STATES = ("Unsqueeze", "Squeeze", "Slice", "Identity", "Reshape", "Cast")


def without_sizes(
    nodes: Sequence[Any], constants: dict[str, Any], tensors: Tensors
) -> tuple[list[Any], dict[str, Any]]:
    """Return the nodes that do not work on sizes, and the constants, with the states made from sizes among them."""
    sizes: set[str] = set()
    states: dict[str, Any] = {}
    rest = []
    for node in nodes:
        given = [name for name in node.input if name]
        if node.op_type == "Shape" or (
            node.op_type in WITH_SIZES and sizes.intersection(given) and set(given) <= sizes | set(constants)
        ):
            sizes.update(node.output)
        elif node.op_type == "Expand" and given[0] in constants and given[1] in sizes:
            states[node.output[0]] = constants[given[0]]
        elif node.op_type == "ConstantOfShape" and given[0] in sizes:
            states[node.output[0]] = tensors.array(node.attribute[0].t) if node.attribute else np.zeros(1)
        elif node.op_type in WITH_STATES and given and given[0] in states:
            states[node.output[0]] = states[given[0]]
        else:
            rest.append(node)
    return rest, {**constants, **states}
