"""Export recurrent Keras networks as ONNX, for test_exported.py: python tests/host/exported/make_keras.py

Needs tensorflow, keras, onnx and tf2onnx (made with 2.21.0, 3.15.1, 1.23.2 and 1.17.0). ``keras-outputs.npz`` holds
inputs and what the networks themselves make of them.
"""

from __future__ import annotations

import os
from pathlib import Path

os.environ["KERAS_BACKEND"] = "tensorflow"

import keras
import numpy as np
import onnx

HERE = Path(__file__).parent
STEPS, CHANNELS, UNITS, CLASSES = 4, 3, 8, 3

RECURRENT = {
    "keras-loop": lambda: keras.layers.SimpleRNN(UNITS),
    "keras-unrolled": lambda: keras.layers.SimpleRNN(UNITS, unroll=True),
    "keras-relu": lambda: keras.layers.SimpleRNN(UNITS, activation="relu"),
    "keras-lstm": lambda: keras.layers.LSTM(UNITS),
}


def main():
    """Make all files."""
    rng = np.random.default_rng(1)
    outputs = {"x": rng.normal(size=(6, STEPS, CHANNELS)).astype(np.float32)}
    for name, layer in RECURRENT.items():
        network = keras.Sequential([keras.layers.Input((STEPS, CHANNELS)), layer(), keras.layers.Dense(CLASSES)])
        network.set_weights([rng.normal(size=array.shape).astype(np.float32) / 2 for array in network.get_weights()])
        outputs[name] = np.asarray(network.predict(outputs["x"], verbose=0))
        path = HERE / f"{name}.onnx"
        network.export(path, format="onnx", verbose=False)
        model = onnx.load(path)
        for part in (model, model.graph, *model.graph.node):
            part.doc_string = ""
            del part.metadata_props[:]
        path.write_bytes(model.SerializeToString())
    np.savez(HERE / "keras-outputs.npz", **outputs)


if __name__ == "__main__":
    main()
