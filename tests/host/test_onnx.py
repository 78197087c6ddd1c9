"""Networks from ONNX: supported ones are read, and unsupported nodes are named."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tpsgd_host.errors import DependencyError, ModelError, TpsgdError
from tpsgd_host.quantization.importers.onnx import load_onnx

onnx = pytest.importorskip("onnx", reason="pip install 'tpsgd[onnx]'")
reference = pytest.importorskip("onnx.reference")
helper, numpy_helper = onnx.helper, onnx.numpy_helper

RNG = np.random.default_rng(0)
W0, B0 = RNG.normal(size=(5, 4)).astype(np.float32), RNG.normal(size=5).astype(np.float32)
W1, B1 = RNG.normal(size=(3, 5)).astype(np.float32), RNG.normal(size=3).astype(np.float32)
ARRAYS = {"W0": W0, "B0": B0, "W1": W1, "B1": B1, "V0": W0.T.copy(), "lo": np.float32(-1), "hi": np.float32(1)}


def save(path: Path, nodes: list[Any], arrays: dict[str, Any] | None = None, shape: tuple[Any, ...] = ("S", 4)) -> Path:
    """Write a graph from x to y."""
    value = helper.make_tensor_value_info
    constants = [
        numpy_helper.from_array(np.asarray(a), name) for name, a in (ARRAYS if arrays is None else arrays).items()
    ]
    ends = value("x", 1, shape), value("y", 1, None)
    graph = helper.make_graph(nodes, "g", [ends[0]], [ends[1]], constants)
    path.write_bytes(helper.make_model(graph).SerializeToString())
    return path


def mlp(activation: list[Any]) -> list[Any]:
    """Return a network whose hidden activation goes from ``h`` to ``a``."""
    return [
        helper.make_node("Flatten", ["x"], ["f"]),
        helper.make_node("Gemm", ["f", "W0", "B0"], ["h"], transB=1, name="first"),
        *activation,
        helper.make_node("Gemm", ["a", "W1", "B1"], ["z"], transB=1, name="second"),
        helper.make_node("Softmax", ["z"], ["y"]),
    ]


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        (helper.make_node("Tanh", ["h"], ["a"]), "tanh"),
        (helper.make_node("Relu", ["h"], ["a"]), "relu"),
        (helper.make_node("Clip", ["h", "lo", "hi"], ["a"]), "hardtanh"),
        (helper.make_node("Clip", ["h"], ["a"], min=-1.0, max=1.0), "hardtanh"),
        (helper.make_node("Identity", ["h"], ["a"]), "linear"),
    ],
)
def test_the_numbers_are_those_that_onnx_computes(tmp_path: Path, node: Any, expected: str) -> None:
    """The numbers are those that onnx computes."""
    path = save(tmp_path / "m.onnx", mlp([node]))
    network = load_onnx(path)
    assert [layer.activation for layer in network.layers] == [expected, "linear"]
    if not node.attribute:  # the form with attributes is of older operator sets
        x = RNG.normal(size=(20, 4)).astype(np.float32)
        (p,) = reference.ReferenceEvaluator(str(path)).run(None, {"x": x})
        logits = network.logits(x[:, None].astype(np.float64))
        mine = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        assert np.abs(mine - p).max() < 1e-5


def test_matmul_and_add(tmp_path: Path) -> None:
    """Matmul and add."""
    nodes = [
        helper.make_node("MatMul", ["x", "V0"], ["m"]),
        helper.make_node("Add", ["B0", "m"], ["h"]),
        helper.make_node("Tanh", ["h"], ["a"]),
        helper.make_node("Gemm", ["a", "W1", "B1"], ["y"], transB=1, alpha=2.0, beta=0.5),
    ]
    network = load_onnx(save(tmp_path / "m.onnx", nodes))
    assert np.allclose(network.layers[0].weight, W0)
    assert np.allclose(network.layers[0].bias, B0)
    assert np.allclose(network.layers[1].weight, 2 * W1)
    assert np.allclose(network.layers[1].bias, B1 / 2)


@pytest.mark.parametrize("every_step", [False, True])
def test_a_recurrent_network(tmp_path: Path, every_step: bool) -> None:
    """A recurrent network."""
    arrays = {
        "W": RNG.normal(size=(1, 5, 4)).astype(np.float32), "R": RNG.normal(size=(1, 5, 5)).astype(np.float32) / 3,
        "B": RNG.normal(size=(1, 10)).astype(np.float32), "W1": W1,
        "B1": B1, "axis": np.array([0 if not every_step else 1]),
        "last": np.array(-1),
    }  # fmt: skip
    head = helper.make_node("Transpose", ["x"], ["t"], perm=[1, 0, 2])
    if every_step:
        middle = [
            helper.make_node("RNN", ["t", "W", "R", "B"], ["states"], hidden_size=5),
            helper.make_node("Squeeze", ["states", "axis"], ["s"]),
            helper.make_node("Transpose", ["s"], ["u"], perm=[1, 0, 2]),
            helper.make_node("Gather", ["u", "last"], ["l"], axis=1),
        ]
    else:
        middle = [
            helper.make_node("RNN", ["t", "W", "R", "B"], ["", "state"], hidden_size=5),
            helper.make_node("Squeeze", ["state", "axis"], ["l"]),
        ]
    tail = helper.make_node("Gemm", ["l", "W1", "B1"], ["y"], transB=1)
    path = save(tmp_path / "m.onnx", [head, *middle, tail], arrays, ("S", 6, 4))
    x = RNG.normal(size=(7, 6, 4)).astype(np.float32)
    (logits,) = reference.ReferenceEvaluator(str(path)).run(None, {"x": x})
    assert np.abs(load_onnx(path).logits(x.astype(np.float64)) - logits).max() < 1e-5


@pytest.mark.parametrize(
    ("nodes", "said"),
    [
        (
            mlp([helper.make_node("Sigmoid", ["h"], ["a"], name="squash")]),
            "node 'squash' (Sigmoid) cannot be quantized",
        ),
        (mlp([helper.make_node("Clip", ["h", "lo"], ["a"], name="half")]), "node 'half' (Clip) clips from -1 to nan"),
        (mlp([helper.make_node("Tanh", ["x"], ["a"], name="odd")]), "node 'odd' (Tanh) is not part of one plain chain"),
        (mlp([helper.make_node("Add", ["h", "B0"], ["a"], name="more")]), "node 'more' (Add) adds something other"),
        (mlp([helper.make_node("Transpose", ["h"], ["a"], name="t", perm=[1, 0])]), "node 't' (Transpose) transposes"),
        (mlp([helper.make_node("Gather", ["h", "B0"], ["a"], name="g")]), "node 'g' (Gather) picks some"),
        ([helper.make_node("Gemm", ["x", "x"], ["y"], name="both")], "has 'x' where its weights should be"),
    ],
)
def test_what_is_not_known_is_named(tmp_path: Path, nodes: list[Any], said: str) -> None:
    """Unsupported nodes are named."""
    with pytest.raises(ModelError) as caught:
        load_onnx(save(tmp_path / "m.onnx", nodes))
    assert said in caught.value.message


def test_weights_outside_of_the_file_are_never_opened(tmp_path: Path) -> None:
    """Weights outside of the file are never opened."""
    path = save(tmp_path / "m.onnx", mlp([helper.make_node("Tanh", ["h"], ["a"])]))
    model = onnx.load(str(path))
    model.graph.initializer[0].data_location = onnx.TensorProto.EXTERNAL
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ModelError, match="does not name it"):
        load_onnx(path)


def test_without_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the package."""
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(DependencyError) as caught:
        load_onnx(tmp_path / "m.onnx")
    assert caught.value.hint == "pip install 'tpsgd[onnx]'"


@settings(max_examples=300)
@given(st.lists(st.tuples(st.integers(0, 10**5), st.integers(0, 255)), min_size=1, max_size=5), st.integers(0, 10**5))
def test_a_damaged_file_is_refused_in_our_words(tmp_path: Path, changes: list[tuple[int, int]], length: int) -> None:
    """A damaged file is refused in our words."""
    path = save(tmp_path / "m.onnx", mlp([helper.make_node("Tanh", ["h"], ["a"])]))
    raw = bytearray(path.read_bytes())
    for at, value in changes:
        raw[at % len(raw)] = value
    for data in (raw, raw[: length % len(raw)]):
        path.write_bytes(data)
        try:
            network = load_onnx(path)
        except TpsgdError as error:
            assert "m.onnx" in error.message
        else:
            assert np.isfinite(network.logits(np.zeros((1, 1, network.layers[0].inputs)))).all()
