"""Read a network from ONNX: a plain chain of layers, each of which an integer network can do too.

Shapes: n inputs and m units of a layer, C channels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from tpsgd_host.errors import DependencyError, ModelError
from tpsgd_host.files import read_file
from tpsgd_host.quantization.floatnet import FloatLayer, FloatNetwork, Floats, check_network
from tpsgd_host.quantization.importers.loops import MAX_STEPS, fold_loops
from tpsgd_host.quantization.importers.sizes import without_sizes
from tpsgd_host.quantization.importers.tensors import MAX_BYTES, Tensors
from tpsgd_host.quantization.importers.unrolled import fold

SHAPES = ("Identity", "Flatten", "Reshape", "Squeeze", "Unsqueeze", "Dropout", "Cast")  # these change no value
ENDS = ("Softmax", "LogSoftmax")
KNOWN = (
    "tpsgd reads Gemm, MatMul and Add, RNN, Tanh, Relu, Clip from -1 to 1, Flatten, Reshape and a final Softmax. "
    "A Keras SimpleRNN in another form can come as .npz: numpy.savez(FILE, *model.get_weights())"
)


@dataclass
class _Chain:
    """The layers found so far, and the output of the last node."""

    source: str
    constants: dict[str, Any]
    current: str
    layers: list[FloatLayer] = field(default_factory=list)
    open_bias: bool = False  # the last layer is a MatMul whose bias may still come
    every_step: str = ""  # the value that holds a recurrent layer's states of all steps
    last_state: str = ""  # the value that holds its last state, where the graph has one
    sequence: bool = False  # the present value is the states of all steps: a Gather of the last must follow
    only_state: bool = False  # the present value is the last state with an axis for layers: a Gather may drop that axis
    ended: bool = False

    def refuse(self, node: Any, why: str) -> NoReturn:
        """Raise ModelError for a node."""
        name = node.name or (node.output[0] if node.output else "")
        raise ModelError(f"{self.source}: node {name!r} ({node.op_type}) {why}", KNOWN)

    def constant(self, node: Any, index: int, needed: bool = True) -> Floats | None:
        """Return an input of a node that must be a constant."""
        name = node.input[index] if index < len(node.input) else ""
        if name in self.constants:
            return np.asarray(self.constants[name], dtype=np.float64)
        if name or needed:
            self.refuse(node, f"has {name or 'nothing'!r} where its weights should be")
        return None


def load_onnx(path: str | Path) -> FloatNetwork:
    """Read a network.

    Raises
    ------
    DependencyError
        Without the package ``onnx``.
    ModelError
        When the file is damaged, or a node cannot be quantized; the message names it.
    """
    try:
        import onnx
    except ImportError:
        raise DependencyError("reading ONNX needs the package onnx", "pip install 'tpsgd[onnx]'") from None
    source = str(path)
    try:
        graph = onnx.load_model_from_string(read_file(path, MAX_BYTES)).graph
    except OSError as error:
        raise ModelError(f"{source} cannot be read: {error.strerror}", "Check the name and the folder.") from None
    except ModelError:
        raise
    except Exception as error:  # protobuf documents no list of what it raises
        raise ModelError(f"{source} is no ONNX file, or a damaged one: {error}", "Export it again.") from None
    try:
        return check_network(FloatNetwork(_walk(graph, source)), source)
    except (ValueError, TypeError, KeyError, IndexError, OverflowError, AttributeError) as error:
        raise ModelError(f"{source} is damaged: {error}", "Export it again.") from None


def _walk(graph: Any, source: str) -> tuple[FloatLayer, ...]:
    """Follow the one value from the graph's input to its output."""
    tensors = Tensors(source)
    constants = {tensor.name: tensors.array(tensor) for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant":
            constants[node.output[0]] = tensors.array(_attributes(node).get("value"))
    starts = [value for value in graph.input if value.name not in constants]
    if len(starts) != 1 or len(graph.output) < 1:
        raise ModelError(f"{source} has {len(starts)} inputs and {len(graph.output)} outputs; it must have one of each")
    nodes = [node for node in graph.node if node.op_type != "Constant"]
    nodes, constants = without_sizes(nodes, constants, tensors)
    shape = starts[0].type.tensor_type.shape.dim
    steps = shape[1].dim_value if len(shape) == 3 else 0
    nodes, constants = fold(*fold_loops(nodes, constants, tensors, steps))
    chain = _Chain(source, constants, starts[0].name)
    for node in nodes:
        _step(chain, node)
    return tuple(chain.layers)


def _step(chain: _Chain, node: Any) -> None:
    """Add one node to the chain."""
    op = node.op_type
    data = 0 if not node.input or node.input[0] == chain.current or op != "Add" else 1
    known = op in _LAYERS or op in _ACTIVATIONS or op in SHAPES or op in ENDS or op in _OTHERS
    if node.domain not in ("", "ai.onnx") or not known:
        chain.refuse(node, "cannot be quantized")
    if node.input and node.input[data] and node.input[data] in (chain.every_step, chain.last_state):
        chain.sequence = node.input[data] == chain.every_step
        chain.only_state = not chain.sequence
        chain.current, chain.every_step, chain.last_state = node.input[data], "", ""  # exactly one of its inputs, once
    if not node.input or node.input[data] != chain.current:
        chain.refuse(node, "is not part of one plain chain of layers")
    if chain.ended:
        chain.refuse(node, "comes after the softmax")
    if op in _LAYERS:
        _LAYERS[op](chain, node)
    elif op in _ACTIVATIONS:
        _activate(chain, node)
    elif op == "Add":
        _add(chain, node, 1 - data)
    elif op in _OTHERS:
        _OTHERS[op](chain, node)
    elif op in ENDS:
        chain.ended = True
    if op not in ("MatMul", *SHAPES):
        chain.open_bias = False
    if op != "RNN":
        chain.current = node.output[0]


def _gemm(chain: _Chain, node: Any) -> None:
    given = _attributes(node)
    if given.get("transA", 0):
        chain.refuse(node, "transposes its input")
    weight = chain.constant(node, 1)
    assert weight is not None
    weight = weight if given.get("transB", 0) else weight.T
    _require(chain, node, weight.ndim == 2, "has weights that are no matrix")
    bias = chain.constant(node, 2, needed=False)
    bias = np.zeros(len(weight)) if bias is None else np.broadcast_to(bias.reshape(-1), len(weight))
    _layer(chain, node, weight * float(given.get("alpha", 1.0)), bias * float(given.get("beta", 1.0)))


def _matmul(chain: _Chain, node: Any) -> None:
    weight = chain.constant(node, 1)
    assert weight is not None
    _require(chain, node, weight.ndim == 2, "has weights that are no matrix")
    _layer(chain, node, weight.T, np.zeros(weight.shape[1]))
    chain.open_bias = True


def _layer(chain: _Chain, node: Any, weight: Floats, bias: Floats) -> None:
    if chain.sequence:
        chain.refuse(node, "reads the states of every step; only the last state can be read")
    chain.layers.append(FloatLayer(weight, np.array(bias, np.float64), name=node.name or node.op_type))


def _add(chain: _Chain, node: Any, index: int) -> None:
    bias = chain.constant(node, index)
    assert bias is not None
    if not chain.open_bias:
        chain.refuse(node, "adds something other than the bias of a MatMul")
    last = chain.layers[-1]
    chain.layers[-1] = replace(last, bias=np.array(np.broadcast_to(bias.reshape(-1), last.units)))


def _activate(chain: _Chain, node: Any) -> None:
    if not chain.layers or chain.layers[-1].activation != "linear":
        chain.refuse(node, "has no layer before it")
    if node.op_type == "Clip":
        given = _attributes(node)
        low, high = (
            float(given.get(name, np.nan)) if bound is None else float(bound.reshape(-1)[0])
            for name, bound in (("min", chain.constant(node, 1, False)), ("max", chain.constant(node, 2, False)))
        )
        _require(
            chain, node, (low, high) == (-1.0, 1.0), f"clips from {low:g} to {high:g}; only -1 to 1 can be quantized"
        )
    chain.layers[-1] = replace(chain.layers[-1], activation=_ACTIVATIONS[node.op_type])


def _rnn(chain: _Chain, node: Any) -> None:
    """Add a plain RNN; go on with its last state, or with the states of all steps if those are used."""
    given = _attributes(node)
    activations = [_word(word) for word in given.get("activations", [])] or ["Tanh"]
    _require(chain, node, not chain.layers, "comes after another layer")
    _require(chain, node, _word(given.get("direction", b"forward")) == "forward", "does not run forward")
    _require(chain, node, activations == ["Tanh"], f"has the activation {activations[0]}; only Tanh can be quantized")
    _require(chain, node, "clip" not in given, "clips its sums")
    _require(chain, node, len(node.input) < 5 or not node.input[4], "has sequences of different lengths")
    start = chain.constant(node, 5, needed=False)
    _require(chain, node, start is None or not start.any(), "starts from a state that is not 0")
    weight, state = chain.constant(node, 1), chain.constant(node, 2)
    assert weight is not None and state is not None
    _require(
        chain,
        node,
        weight.ndim == state.ndim == 3 and len(weight) == len(state) == 1,
        "has weights of unexpected shapes",
    )
    units = weight.shape[1]
    bias = chain.constant(node, 3, needed=False)
    total = np.zeros(units) if bias is None else bias.reshape(2, units).sum(axis=0)
    chain.layers.append(FloatLayer(weight[0], total, "tanh", state[0], node.name or "RNN"))
    outputs = [*node.output, "", ""]
    chain.every_step, chain.last_state = outputs[0], outputs[1]
    chain.current = outputs[1] or outputs[0]


def _transpose(chain: _Chain, node: Any) -> None:
    """Accept a Transpose that swaps batch and time around an RNN."""
    order = list(_attributes(node).get("perm", []))
    _require(chain, node, order in ([1, 0, 2], [1, 0, 2, 3], [0, 2, 1, 3]), "transposes its input")
    _require(chain, node, not chain.layers or chain.sequence, "transposes the values between two layers")


def _gather(chain: _Chain, node: Any) -> None:
    """Accept a Gather that picks an RNN's last state, or the only layer of that state."""
    index = chain.constant(node, 1)
    if chain.only_state and index is not None and index.size == 1 and index.reshape(-1)[0] in (0, -1):
        chain.only_state = False
        return
    _require(chain, node, chain.sequence, "picks some of the values")
    _require(
        chain,
        node,
        index is not None and index.size == 1 and index.reshape(-1)[0] == -1,
        "picks something other than the last state",
    )
    chain.sequence = False


def _slice(chain: _Chain, node: Any) -> None:
    """Accept a Slice that leaves the last of an RNN's states, which stand one step after the other."""
    bounds = [chain.constant(node, index, needed=index < 3) for index in (1, 2, 3, 4)]
    start, end, axis, step = (None if bound is None else bound.reshape(-1).tolist() for bound in bounds)
    assert end is not None
    _require(chain, node, chain.sequence, "cuts the values")
    last = start == [-1] and len(end) == 1 and end[0] >= MAX_STEPS and axis in (None, [0]) and step in (None, [1])
    _require(chain, node, last, "picks something other than the last state")
    chain.sequence = False


def _require(chain: _Chain, node: Any, right: bool, why: str) -> None:
    if not right:
        chain.refuse(node, why)


def _attributes(node: Any) -> dict[str, Any]:
    import onnx

    return {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}


def _word(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


_LAYERS = {"Gemm": _gemm, "MatMul": _matmul, "RNN": _rnn}
_OTHERS: dict[str, Callable[..., None]] = {
    "Add": _add, "Transpose": _transpose, "Gather": _gather, "Slice": _slice,
}  # fmt: skip
_ACTIVATIONS = {"Tanh": "tanh", "Relu": "relu", "Clip": "hardtanh"}
