"""Export networks with PyTorch and Keras, for test_exported.py: python tests/host/exported/make.py

Needs torch, onnx, onnxscript and keras (made with 2.13.0, 1.22, 0.7 and 3.15). What exporters note of the machine that
they ran on is taken out of the files. ``outputs.npz`` holds inputs and what the networks themselves make of them.
"""

from __future__ import annotations

import os
from pathlib import Path

os.environ["KERAS_BACKEND"] = "torch"

import keras
import numpy as np
import onnx
import torch

HERE = Path(__file__).parent
STEPS, CHANNELS, UNITS, CLASSES = 4, 3, 8, 3


class Recurrent(torch.nn.Module):
    """A plain RNN whose last state is read, as the last output or as the state that torch returns."""

    def __init__(self, state):
        super().__init__()
        self.rnn = torch.nn.RNN(CHANNELS, UNITS, batch_first=True)
        self.out = torch.nn.Linear(UNITS, CLASSES)
        self.state = state

    def forward(self, x):
        every, last = self.rnn(x)
        return self.out(last[0] if self.state else every[:, -1])


def dense():
    """Return an MLP."""
    layers = torch.nn.Linear(STEPS * CHANNELS, UNITS), torch.nn.Tanh(), torch.nn.Linear(UNITS, CLASSES)
    return torch.nn.Sequential(torch.nn.Flatten(), *layers)


def export(network, name, dynamo, batch, x):
    """Export a network; ``batch``: for any number of samples."""
    path = HERE / f"{name}.onnx"
    if dynamo:
        shapes = {"dynamic_shapes": ({0: torch.export.Dim("batch")},)} if batch else {}
        torch.onnx.export(network, (x,), path, dynamo=True, **shapes)
    else:
        axes = {"input_names": ["x"], "dynamic_axes": {"x": {0: "batch"}}} if batch else {}
        torch.onnx.export(network, (x,), path, dynamo=False, **axes)
    model = onnx.load(path, load_external_data=False)
    for part in (model, model.graph, *model.graph.node):
        part.doc_string = ""
        del part.metadata_props[:]
    del model.graph.value_info[:]
    path.write_bytes(model.SerializeToString())
    beside = path.with_name(path.name + ".data")
    if beside.exists() and not beside.stat().st_size:
        beside.unlink()


def main():
    """Make all files."""
    torch.manual_seed(1)
    keras.utils.set_random_seed(1)
    x = torch.randn(6, STEPS, CHANNELS)
    outputs = {"x": x.numpy()}
    for name, network in (("mlp", dense()), ("rnn", Recurrent(state=False)), ("rnn-state", Recurrent(state=True))):
        network.eval()
        outputs[name] = network(x).detach().numpy()
        for exporter, dynamo in (("dynamo", True), ("script", False)):
            batch = name != "rnn"  # one of each kind that is for a single sample alone
            export(network, f"{name}-{exporter}", dynamo, batch, x if batch else x[:1])
        np.savez(HERE / f"{name}-state_dict.npz", **{key: value.numpy() for key, value in network.state_dict().items()})
    simple = keras.Sequential([
        keras.layers.Input((STEPS, CHANNELS)), keras.layers.SimpleRNN(UNITS), keras.layers.Dense(CLASSES),
    ])  # fmt: skip
    outputs["keras"] = np.asarray(simple.predict(x.numpy(), verbose=0))
    np.savez(HERE / "keras-get_weights.npz", *simple.get_weights())
    np.savez(HERE / "keras-paths.npz", **{weight.path: weight.numpy() for weight in simple.weights})
    np.savez(HERE / "outputs.npz", **outputs)


if __name__ == "__main__":
    main()
