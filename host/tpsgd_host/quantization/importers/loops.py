"""Fold a Loop over the steps of a plain RNN, as Keras exports a SimpleRNN, into one RNN node.

Its body is ``h = tanh(x_t W + b + h U)``, with ``h = 0`` before the first step. A counter from 0 picks x_t from the
outer graph. The loop carries its weights along unchanged, and returns the last state, the states of all steps, or both.

Shapes: C channels, m units.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from tpsgd_host.quantization.importers.tensors import Tensors

#: Maximum steps of a loop: those of a sample.
MAX_STEPS = 4096

#: Maximum nodes that decide whether a loop goes on; Keras needs six.
MAX_LOGIC = 50

#: What an exporter computes from constants to decide whether a loop begins, and in it, whether it goes on.
LOGIC: dict[str, Callable[..., Any]] = {
    "Less": np.less, "LessOrEqual": np.less_equal, "And": np.logical_and, "Add": np.add,
    "Cast": np.array, "Identity": np.array,
}  # fmt: skip


class _Sum(NamedTuple):
    """The sum inside the tanh: x_t times ``weight`` (C, m), the state times ``matrix`` (m, m), and a bias (m)."""

    weight: str = ""
    matrix: str = ""
    bias: Any = 0.0


class _Body:
    """What a loop's body computes, by name of the value."""

    def __init__(self, loop: Any, constants: dict[str, Any], tensors: Tensors) -> None:
        body = next(attribute.g for attribute in loop.attribute if attribute.name == "body")
        self.names = [value.name for value in body.input]
        self.results = [value.name for value in body.output]
        self.constants = dict(constants)
        self.constants.update({tensor.name: tensors.array(tensor) for tensor in body.initializer})
        self.nodes = list(body.node)
        self.same: dict[str, str] = {}  # a carried value that never changes, and what it is in the outer graph
        self.counts = {self.names[0]: 0}  # the step's number and this much more
        self.x: set[str] = set()
        self.sums: dict[str, _Sum] = {}
        self.states: dict[str, _Sum] = {}
        self.source = self.state = ""
        self.logic: dict[str, Any] = {}
        self._carry(loop)

    def _carry(self, loop: Any) -> None:
        """Tell what the loop carries along: weights, counters, one state."""
        for name, result, initial in zip(self.names[2:], self.results[1:], loop.input[2:], strict=False):
            given = self.constants.get(initial)
            if result == name:
                self.same[name] = initial
                if given is not None:
                    self.constants[name] = given
            elif given is not None and np.ndim(given) == 0 and np.asarray(given).dtype.kind == "i":
                self.counts[name] = int(given)
            elif given is not None and not np.any(given) and not self.state:
                self.state = name
            else:
                raise ValueError(f"the loop carries {name}")

    def walk(self) -> None:
        """Follow all nodes; ValueError where one does anything else than a plain RNN needs."""
        steps = {"MatMul": self._matmul, "Add": self._add, "Gather": self._gather, "Tanh": self._tanh}
        for node in self.nodes:
            given = [self.same.get(name, name) if name not in self.constants else name for name in node.input]
            name = node.output[0]
            if node.op_type in ("Identity", "Cast") and given[0] in self.states:
                self.states[name] = self.states[given[0]]
            elif node.op_type in steps and steps[node.op_type](given, name, node):
                pass
            elif node.op_type in LOGIC and len(self.logic) < MAX_LOGIC:
                self.logic[name] = node
            else:
                raise ValueError(f"the loop computes {node.op_type}")

    def _matmul(self, given: list[str], name: str, _node: Any) -> bool:
        data, weight = given
        if weight not in self.constants or np.ndim(self.constants[weight]) != 2 or data not in {*self.x, self.state}:
            return False
        self.sums[name] = _Sum(matrix=weight) if data == self.state else _Sum(weight=weight)
        return True

    def _add(self, given: list[str], name: str, _node: Any) -> bool:
        for data, other in (given, given[::-1]):
            constant = self.constants.get(other)
            if data in self.sums and constant is not None:
                self.sums[name] = self.sums[data]._replace(bias=self.sums[data].bias + _flat(constant))
                return True
            if data in self.counts and constant is not None and np.size(constant) == 1:
                self.counts[name] = self.counts[data] + int(_flat(constant)[0])
                return False  # also decides whether the loop goes on
        if not set(given) <= set(self.sums):
            return False
        left, right = (self.sums[data] for data in given)
        if (left.weight and right.weight) or (left.matrix and right.matrix):
            raise ValueError("the loop adds two inputs or two states")
        self.sums[name] = _Sum(left.weight or right.weight, left.matrix or right.matrix, left.bias + right.bias)
        return True

    def _gather(self, given: list[str], name: str, node: Any) -> bool:
        data, index = given
        whole = all(attribute.name != "axis" or attribute.i == 0 for attribute in node.attribute)
        if self.counts.get(index) != 0 or not whole or self.source not in ("", data):
            return False
        self.source = data
        self.x.add(name)
        return True

    def _tanh(self, given: list[str], name: str, _node: Any) -> bool:
        if given[0] not in self.sums:
            return False
        self.states[name] = self.sums[given[0]]
        return True

    def goes_on(self, step: int) -> bool:
        """Compute whether there is another step after step number ``step``."""
        values: dict[str, Any] = {name: step + more for name, more in self.counts.items() if name not in self.logic}
        values[self.names[1]] = True
        for name, node in self.logic.items():
            given = [values[one] if one in values else _scalar(self.constants[one]) for one in node.input]
            values[name] = LOGIC[node.op_type](*given)
        last = self.results[0]
        return bool(values[last] if last in values else _scalar(self.constants[last]))

    def trips(self, most: int) -> int:
        """Return how many steps the loop makes, at most ``most``."""
        return next((step + 1 for step in range(most) if not self.goes_on(step)), most)

    def counters_count(self) -> bool:
        """Whether every counter grows by one each step."""
        pairs = zip(self.names[2:], self.results[1:], strict=False)
        return all(self.counts.get(result) == self.counts[name] + 1 for name, result in pairs if name in self.counts)


def _flat(constant: Any) -> Any:
    return np.asarray(constant, np.float64).reshape(-1)


def _scalar(constant: Any) -> float:
    """Return the only number of a constant."""
    (number,) = _flat(constant)
    return float(number)


def fold_loops(
    nodes: Sequence[Any], constants: dict[str, Any], tensors: Tensors, steps: int
) -> tuple[list[Any], dict[str, Any]]:
    """Return nodes and constants with RNN nodes in place of loops that are plain RNNs; other loops stay.

    Parameters
    ----------
    steps : int
        Steps of the graph's input; 0 where it does not say.
    """
    constants, rest = dict(constants), []
    for node in nodes:
        if node.op_type in ("Less", "And") and all(np.size(constants.get(name, ())) == 1 for name in node.input):
            constants[node.output[0]] = LOGIC[node.op_type](*(_flat(constants[name]) for name in node.input))
            continue
        if node.op_type == "Loop":
            node, made = _folded(node, constants, tensors, steps)
            constants.update(made)
        rest.append(node)
    return rest, constants


def _folded(loop: Any, constants: dict[str, Any], tensors: Tensors, steps: int) -> tuple[Any, dict[str, Any]]:
    """Return the RNN node for a loop and its arrays; the loop itself where it is something else."""
    import onnx

    try:
        body = _Body(loop, constants, tensors)
        body.walk()
        most = int(_scalar(constants[loop.input[0]])) if loop.input[0] else MAX_STEPS + 1
        begins = not loop.input[1] or bool(_scalar(constants[loop.input[1]]))
        if not begins or not 0 < most <= MAX_STEPS or not body.counters_count() or body.trips(most) != steps:
            return loop, {}
        at = body.names.index(body.state) - 2
        found = body.states[body.results[1 + at]]
        weight, matrix = (np.asarray(body.constants[name], np.float64) for name in (found.weight, found.matrix))
    except (KeyError, ValueError, IndexError, StopIteration, TypeError, OverflowError):
        return loop, {}
    units = len(matrix)
    bias = np.concatenate([np.broadcast_to(np.asarray(found.bias).reshape(-1), units), np.zeros(units)])
    arrays = {"W": weight.T[None], "R": matrix.T[None], "B": bias[None]}
    made = {f"{loop.output[at]}/folded_{part}": array for part, array in arrays.items()}
    carried = len(body.names) - 2
    every = [
        name for name, result in zip(loop.output[carried:], body.results[1 + carried :], strict=True)
        if body.states.get(result) is found
    ]  # fmt: skip
    outputs = [every[0] if every else "", loop.output[at]]
    return onnx.helper.make_node("RNN", [body.source, *made], outputs, name=f"{loop.name} (loop)"), made
