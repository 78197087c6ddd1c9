"""Networks as PyTorch's two exporters and Keras write them; exported/make.py and make_keras.py made the files."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from commands import call

from tpsgd_host.errors import ModelError
from tpsgd_host.quantization.importers.npz import load_npz
from tpsgd_host.quantization.importers.onnx import load_onnx

onnx = pytest.importorskip("onnx", reason="pip install 'tpsgd[onnx]'")

EXPORTED = Path(__file__).parent / "exported"
GRAPHS = [f"{name}-{exporter}" for name in ("mlp", "rnn", "rnn-state") for exporter in ("dynamo", "script")]
ARRAYS = ["mlp-state_dict", "rnn-state_dict", "rnn-state-state_dict", "keras-get_weights", "keras-paths"]


RECURRENT_KERAS = ["keras-loop", "keras-unrolled"]


def outputs(name="outputs"):
    with np.load(EXPORTED / f"{name}.npz") as file:
        return dict(file)


@pytest.mark.parametrize("name", GRAPHS)
def test_a_graph_gives_what_the_network_gave(name):
    expected = outputs()
    network = load_onnx(EXPORTED / f"{name}.onnx")
    assert network.recurrent == name.startswith("rnn")
    assert len(network.layers) == 2
    np.testing.assert_allclose(
        network.logits(expected["x"].astype(float)), expected[name.rpartition("-")[0]], atol=1e-5
    )


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_give_what_the_network_gave(name):
    expected = outputs()
    network = load_npz(EXPORTED / f"{name}.npz")
    np.testing.assert_allclose(
        network.logits(expected["x"].astype(float)), expected[name.rpartition("-")[0]], atol=1e-5
    )


def test_arrays_of_scikit_learn(tmp_path):
    rng = np.random.default_rng(1)
    weights = [rng.normal(size=(4, 5)), rng.normal(size=(5, 3))]
    biases = [rng.normal(size=5), rng.normal(size=3)]
    named = {f"coefs_{i}": w for i, w in enumerate(weights)} | {f"intercepts_{i}": b for i, b in enumerate(biases)}
    np.savez(tmp_path / "m.npz", **named)
    x = rng.normal(size=(7, 4))
    logits = np.tanh(x @ weights[0] + biases[0]) @ weights[1] + biases[1]
    np.testing.assert_allclose(load_npz(tmp_path / "m.npz").logits(x[:, None]), logits, atol=1e-9)


def test_weights_beside_the_file_are_read_from_its_own_folder_only(tmp_path):
    model, data = (EXPORTED / f"mlp-dynamo.onnx{suffix}" for suffix in ("", ".data"))
    (tmp_path / "inside").mkdir()
    here = tmp_path / "inside" / "m.onnx"
    shutil.copy(model, here)
    with pytest.raises(ModelError, match=r"mlp-dynamo\.onnx\.data, which cannot be read") as caught:
        load_onnx(here)
    assert "Put that file beside it" in caught.value.hint
    shutil.copy(data, here.with_name(data.name))
    load_onnx(here)
    here.with_name(data.name).write_bytes(data.read_bytes()[:-4])
    with pytest.raises(ModelError, match=r"which has 380$"):
        load_onnx(here)
    shutil.copy(data, tmp_path / "outside")
    for name in ("../outside", str(tmp_path / "outside"), "link", "a/../../outside", "", "x\0y"):
        graph = onnx.load(model, load_external_data=False)
        for tensor in graph.graph.initializer:
            for entry in tensor.external_data:
                if entry.key == "location":
                    entry.value = name
        here.write_bytes(graph.SerializeToString())
        (here.parent / "link").unlink(missing_ok=True)
        os.symlink(tmp_path / "outside", here.parent / "link")
        with pytest.raises(ModelError, match=r"outside its folder|does not name it"):
            load_onnx(here)


@pytest.mark.parametrize("name", RECURRENT_KERAS)
def test_a_recurrent_keras_graph_gives_what_the_network_gave(name):
    expected = outputs("keras-outputs")
    network = load_onnx(EXPORTED / f"{name}.onnx")
    assert [layer.activation for layer in network.layers] == ["tanh", "linear"]
    np.testing.assert_allclose(network.logits(expected["x"].astype(float)), expected[name], atol=1e-5)


@pytest.mark.parametrize(("name", "op"), [("keras-relu", "Loop"), ("keras-lstm", "LSTM")])
def test_what_a_recurrent_keras_graph_may_not_do_is_refused(name, op):
    with pytest.raises(ModelError, match=rf"\({op}\) cannot be quantized") as caught:
        load_onnx(EXPORTED / f"{name}.onnx")
    assert "numpy.savez(FILE, *model.get_weights())" in caught.value.hint


def _in_body(loop, name):
    """Return the nodes of an operation in a loop's body."""
    body = next(attribute.g for attribute in loop.attribute if attribute.name == "body")
    return [node for node in body.node if node.op_type == name]


def _fewer_steps(graph, loop):
    tensor = next(tensor for tensor in graph.initializer if tensor.name == loop.input[0])
    tensor.CopyFrom(onnx.numpy_helper.from_array(np.array(3, np.int64), tensor.name))


def _ends_early(graph, loop):
    body = next(attribute.g for attribute in loop.attribute if attribute.name == "body")
    for tensor in body.initializer:
        if onnx.numpy_helper.to_array(tensor) == 4:
            tensor.CopyFrom(onnx.numpy_helper.from_array(np.array(2, np.float32), tensor.name))


def _counts_by_two(graph, loop):
    body = next(attribute.g for attribute in loop.attribute if attribute.name == "body")
    for tensor in body.initializer:
        if tensor.data_type == onnx.TensorProto.INT32:
            tensor.CopyFrom(onnx.numpy_helper.from_array(np.array(2, np.int32), tensor.name))


def _begins_with_ones(graph, loop):
    expand = next(node for node in graph.node if node.op_type == "Expand")
    graph.initializer.append(onnx.numpy_helper.from_array(np.array(1, np.float32), "one"))
    expand.input[0] = "one"


def _another_operation(graph, loop):
    _in_body(loop, "Tanh")[0].op_type = "Sigmoid"


def _the_first_state(graph, loop):
    cut = next(node for node in graph.node if node.op_type == "Slice" and node.input[0] in loop.output)
    graph.initializer.append(onnx.numpy_helper.from_array(np.array([0], np.int64), "first"))
    cut.input[1] = "first"


def _never_decided(graph, loop):
    _in_body(loop, "And")[0].input[0] = _in_body(loop, "And")[0].output[0]


CHANGES = [_fewer_steps, _ends_early, _counts_by_two, _begins_with_ones, _another_operation, _the_first_state,
           _never_decided]  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_a_loop_that_is_no_plain_rnn_over_all_steps_is_refused(tmp_path, change):
    model = onnx.load(EXPORTED / "keras-loop.onnx")
    change(model.graph, next(node for node in model.graph.node if node.op_type == "Loop"))
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(ModelError, match=r"\(Loop\) cannot be quantized|other than the last state"):
        load_onnx(tmp_path / "m.onnx")


@pytest.mark.parametrize("name", [*GRAPHS, *RECURRENT_KERAS])
def test_damaged_graphs_are_refused_or_read(tmp_path, name):
    good = (EXPORTED / f"{name}.onnx").read_bytes()
    for beside in EXPORTED.glob("*.data"):
        shutil.copy(beside, tmp_path)
    dice = random.Random(name)
    refused = 0
    for _ in range(300):
        raw = bytearray(good)
        for _ in range(dice.randrange(1, 4)):
            raw[dice.randrange(len(raw))] = dice.randrange(256)
        (tmp_path / "m.onnx").write_bytes(raw)
        try:
            load_onnx(tmp_path / "m.onnx")
        except ModelError:
            refused += 1
    assert refused > 30


def test_a_network_from_the_file_to_the_board(place, interpreter):
    shutil.copy(EXPORTED / "rnn-dynamo.onnx", "net.onnx")
    rng = np.random.default_rng(2)
    with open("data.csv", "w") as file:
        file.write("recording,label,a,b,c\n")
        for i in range(30):
            file.writelines(f"r{i},{'uvw'[i % 3]},{','.join(map(str, row))}\n" for row in rng.normal(size=(4, 3)))
    call("new", "net", "--data", "data.csv", "--network", "rnn", "--steps", "4", "--hidden", "8")
    report = json.loads(call("quantize", "net.onnx", "--data", "data.csv", "--config", "net.toml", "--json"))
    assert report["agreement"] >= 0.8
    flashed = json.loads(call("flash", "net.tpsgd", "--json"))
    assert flashed["model_crc"] == int(report["crc_hex"], 16)


def test_inputs_that_were_standardized_are_noticed(place):
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 2, 200)
    values = np.where(labels[:, None], 300.0, 420.0) + rng.normal(size=(200, 2)) * [9, 30]
    standard = (values - values.mean(0)) / values.std(0)
    w0 = np.array([[-1.0, -0.5], [1.0, 0.5]]).T
    assert ((standard @ w0).argmax(1) == labels).mean() < 0.1
    np.savez("net.npz", W0=-w0.T, b0=np.zeros(2))
    with open("data.csv", "w") as file:
        file.write("label,a,b\n")
        file.writelines(
            f"{'no' if not y else 'yes'},{a:.3f},{b:.3f}\n" for y, (a, b) in zip(labels, values, strict=True)
        )
    text = " ".join(call("quantize", "net.npz", "--data", "data.csv").split())
    assert "With --inputs std the network's float accuracy would be" in text
    assert "standardized readings" in text
    report = json.loads(call("quantize", "net.npz", "--data", "data.csv", "--inputs", "std", "--json"))
    assert report["better_inputs"] is None
    assert report["float_accuracy"] > 0.95


def test_todays_exporters_still_write_what_is_read(tmp_path):
    command = [sys.executable, "-c", "import torch, onnxscript, keras"]
    backend = {**os.environ, "KERAS_BACKEND": "torch"}
    if subprocess.run(command, capture_output=True, check=False, env=backend).returncode:
        pytest.skip("pip install torch onnxscript keras exports the networks anew with what is installed")
    made = tmp_path / "make.py"
    shutil.copy(EXPORTED / "make.py", made)
    subprocess.run([sys.executable, str(made)], check=True, capture_output=True, timeout=300)
    with np.load(tmp_path / "outputs.npz") as file:
        expected = dict(file)
    for name in GRAPHS:
        logits = load_onnx(tmp_path / f"{name}.onnx").logits(expected["x"].astype(float))
        np.testing.assert_allclose(logits, expected[name.rpartition("-")[0]], atol=1e-5)


def test_todays_keras_still_writes_what_is_read(tmp_path):
    if subprocess.run(
        [sys.executable, "-c", "import tensorflow, tf2onnx"], capture_output=True, check=False
    ).returncode:
        pytest.skip("pip install tensorflow tf2onnx exports the networks anew with what is installed")
    made = tmp_path / "make_keras.py"
    shutil.copy(EXPORTED / "make_keras.py", made)
    subprocess.run([sys.executable, str(made)], check=True, capture_output=True, timeout=300)
    with np.load(tmp_path / "keras-outputs.npz") as file:
        expected = dict(file)
    for name in RECURRENT_KERAS:
        logits = load_onnx(tmp_path / f"{name}.onnx").logits(expected["x"].astype(float))
        np.testing.assert_allclose(logits, expected[name], atol=1e-5)
