"""Fold a plain RNN that an exporter has unrolled, as PyTorch's does by default, into one RNN node.

The steps of such a graph are ``h_t = tanh(x_t W + b + (h_{t-1} U + c))`` with ``h_{-1} = 0``: one MatMul for all x_t, a
Slice of it for each step, and a MatMul, Adds and a Tanh for each state. Keras (``unroll=True``) splits x instead, and
has a MatMul for each x_t.

Shapes: C channels, m units.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class _Sum:
    """The sum inside a step's tanh: the step's input, the previous state times a matrix, and a bias."""

    step: int = -1
    state: int = -1
    matrix: str = ""
    bias: Any = 0.0


class _Unrolled:
    """What the nodes of an unrolled RNN compute, by output name; each method returns whether its node fits."""

    def __init__(self, nodes: Sequence[Any], constants: dict[str, Any]) -> None:
        self.constants = constants
        self.pieces: dict[str, int] = {}  # the step of each piece of x
        self.input = self.weight = self.every = ""
        self.projected: dict[str, Floats] = {}  # the bias of each x W + b over all steps
        self.sums: dict[str, _Sum] = {}
        self.states: dict[str, int] = {}
        self.matrix, self.bias = "", np.zeros(0)
        known: dict[str, Callable[[Any], bool]] = {
            "MatMul": self._matmul, "Add": self._add, "Slice": self._slice, "Squeeze": self._squeeze,
            "Tanh": self._tanh, "Concat": self._concat, "Split": self._split,
        }  # fmt: skip
        fitting = [
            index for index, node in enumerate(nodes)
            if node.op_type in known and node.input and known[node.op_type](node)
        ]  # fmt: skip
        self.used = self._needed(nodes, fitting)

    def _needed(self, nodes: Sequence[Any], fitting: Sequence[int]) -> list[int]:
        """Return those of the fitting nodes from which the states are computed."""
        needed, used = {*self.states, self.every}, []
        for index in reversed(fitting):
            if needed.intersection(nodes[index].output):
                needed.update(nodes[index].input)
                used.append(index)
        return used[::-1]

    def _matmul(self, node: Any) -> bool:
        data, weight = node.input
        if weight not in self.constants or np.ndim(self.constants[weight]) != 2:
            return False
        if data in self.states or self._is_zero(data):
            self.sums[node.output[0]] = _Sum(state=self.states.get(data, -1), matrix=weight)
            return True
        if data in self.pieces and self.weight in ("", weight):
            self.weight = weight
            self.sums[node.output[0]] = _Sum(step=self.pieces[data])
            return True
        if self.weight or self.pieces:
            return False
        self.input, self.weight = data, weight
        self.projected[node.output[0]] = np.zeros(1)
        return True

    def _is_zero(self, name: str) -> bool:
        """Whether a value is the state before the first step."""
        return name in self.constants and not np.any(self.constants[name])

    def _add(self, node: Any) -> bool:
        left, right = node.input
        for data, other in ((left, right), (right, left)):
            if other in self.constants:
                bias = np.asarray(self.constants[other], np.float64).reshape(-1)
                if data in self.projected:
                    self.projected[node.output[0]] = self.projected[data] + bias
                    return True
                if data in self.sums:
                    self.sums[node.output[0]] = _plus(self.sums[data], _Sum(bias=bias))
                    return True
        if left in self.sums and right in self.sums:
            self.sums[node.output[0]] = _plus(self.sums[left], self.sums[right])
            return True
        return False

    def _slice(self, node: Any) -> bool:
        """Accept a Slice that takes one step's input from those of all steps."""
        if node.input[0] not in self.projected or len(node.input) < 4:
            return False
        start, end, axis = (np.asarray(self.constants.get(name, ())).reshape(-1).tolist() for name in node.input[1:4])
        if len(start) != 1 or end != [start[0] + 1] or axis != [0]:
            return False
        self.sums[node.output[0]] = _Sum(step=start[0], bias=self.projected[node.input[0]])
        return True

    def _split(self, node: Any) -> bool:
        """Accept a Split of x into its steps; what follows shows that each piece is one step."""
        if self.input or any(attribute.name == "axis" and attribute.i for attribute in node.attribute):
            return False
        self.input = node.input[0]
        self.pieces = {name: step for step, name in enumerate(node.output)}
        return True

    def _squeeze(self, node: Any) -> bool:
        if node.input[0] in self.pieces:
            self.pieces[node.output[0]] = self.pieces[node.input[0]]
            return True
        if node.input[0] not in self.sums:
            return False
        self.sums[node.output[0]] = self.sums[node.input[0]]
        return True

    def _tanh(self, node: Any) -> bool:
        given = self.sums.get(node.input[0])
        if given is None or given.step != given.state + 1 or given.step != len(self.states):
            return False
        if given.step == 0:
            self.bias = np.asarray(given.bias)
        self.matrix = self.matrix or given.matrix
        if given.matrix != self.matrix:
            return False
        if np.shape(given.bias) != np.shape(self.bias) or not np.allclose(given.bias, self.bias, rtol=1e-5, atol=1e-6):
            return False
        self.states[node.output[0]] = given.step
        return True

    def _concat(self, node: Any) -> bool:
        """Accept the states of all steps, in order."""
        if list(node.input) != list(self.states) or self.every:
            return False
        self.every = node.output[0]
        return True


def _plus(left: _Sum, right: _Sum) -> _Sum:
    return _Sum(
        max(left.step, right.step), max(left.state, right.state), left.matrix or right.matrix, left.bias + right.bias
    )


def fold(nodes: Sequence[Any], constants: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    """Return nodes and constants with one RNN node in place of an unrolled RNN; unchanged where there is none."""
    import onnx

    found = _Unrolled(nodes, constants)
    if len(found.states) < 2:
        return list(nodes), constants
    units = len(constants[found.matrix])
    names = [f"{found.weight}/folded_{part}" for part in ("W", "R", "B")]
    arrays = [
        np.asarray(constants[found.weight], np.float64).T[None],
        np.asarray(constants[found.matrix], np.float64).T[None],
        np.concatenate([np.broadcast_to(np.asarray(found.bias), units), np.zeros(units)])[None],
    ]
    last = list(found.states)[-1]
    rnn = onnx.helper.make_node("RNN", [found.input, *names], [found.every, last], name=f"{found.weight} (unrolled)")
    before = [node for index, node in enumerate(nodes) if index < found.used[0]]
    after = [node for index, node in enumerate(nodes) if index > found.used[0] and index not in set(found.used)]
    return [*before, rnn, *after], {**constants, **dict(zip(names, arrays, strict=True))}
