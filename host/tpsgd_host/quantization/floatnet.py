"""A network in floating point, as an importer returns it.

Shapes: S samples, T steps, C channels, n inputs and m units of a layer, K readout steps, N classes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from tpsgd_host.errors import ModelError

Floats = npt.NDArray[np.float64]
Kind = Literal["dense", "recurrent"]

ACTIVATIONS = ("tanh", "relu", "hardtanh", "linear")


@dataclass(frozen=True, eq=False)
class FloatLayer:
    """One layer: ``activation(x @ weight.T + bias)``.

    Attributes
    ----------
    weight : ndarray, shape (m, n)
        For a recurrent layer, the weights of the input; n = C.
    bias : ndarray, shape (m,)
    activation : {"tanh", "relu", "hardtanh", "linear"}
        The last layer of a network is linear: its outputs are logits.
    recurrent : ndarray, shape (m, m), optional
        Weights of the layer's own state at the previous step.
    name : str
        Its name in the file, for messages.
    """

    weight: Floats
    bias: Floats
    activation: str = "linear"
    recurrent: Floats | None = None
    name: str = ""

    @property
    def units(self) -> int:
        """The m units."""
        return int(self.weight.shape[0])

    @property
    def inputs(self) -> int:
        """The n inputs; for a recurrent layer, the C channels."""
        return int(self.weight.shape[1])

    def preactivation(self, x: Floats) -> Floats:
        """Return the sums before the activation, x of shape (..., n)."""
        return np.asarray(x @ self.weight.T + self.bias, dtype=np.float64)

    def activate(self, z: Floats) -> Floats:
        """Return the activation of sums."""
        if self.activation == "tanh":
            return np.tanh(z)
        if self.activation == "relu":
            return np.maximum(z, 0.0)
        return np.clip(z, -1.0, 1.0) if self.activation == "hardtanh" else z


@dataclass(frozen=True, eq=False)
class FloatNetwork:
    """The layers in order; the first may be recurrent, and the last gives logits.

    Attributes
    ----------
    mean, deviation : ndarray, shape (T*C,) or (C,), optional
        The network was trained on ``(reading - mean)/deviation``; None where its file does not say so.
    """

    layers: tuple[FloatLayer, ...]
    mean: Floats | None = None
    deviation: Floats | None = None

    @property
    def recurrent(self) -> bool:
        """Whether the first layer is recurrent."""
        return self.layers[0].recurrent is not None

    @property
    def readout_steps(self) -> int:
        """K, the number of states that the layer after a recurrent one reads; 0 without a recurrent layer."""
        return self.layers[1].inputs // self.layers[0].units if self.recurrent else 0

    def logits(self, x: Floats) -> Floats:
        """Return the outputs, shape (S, N), for inputs of shape (S, T, C) that are normalized as in training."""
        layers = self.layers
        if self.recurrent:
            sums = recurrent_sums(layers[0], x)
            signal = side_by_side(layers[0].activate(sums), self.readout_steps)
            layers = layers[1:]
        else:
            signal = x.reshape(len(x), -1)
        for layer in layers:
            signal = layer.activate(layer.preactivation(signal))
        return signal


def recurrent_sums(layer: FloatLayer, x: Floats) -> Floats:
    """Return the sums of a recurrent layer at every step, shape (S, T, m), for inputs of shape (S, T, C)."""
    assert layer.recurrent is not None
    driven = layer.preactivation(x)
    state = np.zeros((len(x), layer.units))
    for t in range(x.shape[1]):
        driven[:, t] += state @ layer.recurrent.T
        state = layer.activate(driven[:, t])
    return driven


def side_by_side(states: npt.NDArray[Any], readout_steps: int) -> npt.NDArray[Any]:
    """Pick the states after the K readout steps, shape (S, K*m), from those after all steps, shape (S, T, m)."""
    steps = states.shape[1]
    marks = [(c + 1) * steps // readout_steps - 1 for c in range(readout_steps)]
    return states[:, marks].reshape(len(states), -1)


def check_network(network: FloatNetwork, source: str) -> FloatNetwork:
    """Return a network of layers that fit together; a single sigmoid output becomes two classes.

    Raises
    ------
    ModelError
        Names the layer that does not fit.
    """
    if not network.layers:
        raise ModelError(f"{source} holds no layers", "A network needs at least an output layer.")
    if network.recurrent and len(network.layers) < 2:
        raise ModelError(
            f"{source}: nothing follows the recurrent layer", "It needs a dense layer that gives the classes."
        )
    before: int | None = None
    for index, layer in enumerate(network.layers):
        where = f"{source}, layer {index}{f' ({layer.name})' if layer.name else ''}"
        _check_shapes(layer, where)
        if layer.recurrent is not None and index:
            raise ModelError(f"{where} is recurrent after another layer", "Only the first layer can be.")
        fits = before is None or (
            layer.inputs == before if index > 1 or not network.recurrent else not layer.inputs % before
        )
        if not fits:
            raise ModelError(f"{where} has {layer.inputs} inputs, but the layer before it has {before} outputs")
        before = layer.units
    last = network.layers[-1]
    if last.activation != "linear":
        raise ModelError(
            f"{source} ends in {last.activation}", "It must end in logits, one for each class, or in a softmax."
        )
    if last.units == 1:  # the only logit is that of the second class
        pair = replace(last, weight=np.vstack([0 * last.weight, last.weight]), bias=np.append(0.0, last.bias))
        network = replace(network, layers=(*network.layers[:-1], pair))
    return network


def _check_shapes(layer: FloatLayer, where: str) -> None:
    arrays = [layer.weight, layer.bias] + ([] if layer.recurrent is None else [layer.recurrent])
    if layer.weight.ndim != 2 or layer.bias.shape != (layer.units,) or not layer.weight.size:
        raise ModelError(f"{where}: weights of shape {layer.weight.shape} and a bias of shape {layer.bias.shape}")
    if layer.recurrent is not None and layer.recurrent.shape != (layer.units, layer.units):
        raise ModelError(f"{where}: recurrent weights of shape {layer.recurrent.shape} for {layer.units} units")
    if layer.recurrent is not None and layer.activation not in ("tanh", "hardtanh"):
        raise ModelError(
            f"{where}: a recurrent layer with {layer.activation} cannot be quantized", "Train it with tanh."
        )
    if layer.units > 1024:
        raise ModelError(f"{where} has {layer.units} units; the maximum is 1024")
    inputs = layer.inputs + (layer.units if layer.recurrent is not None else 0)
    if inputs > 1039:
        raise ModelError(f"{where} has {inputs} inputs; the maximum is 1039", "Use fewer steps, channels or units.")
    if not all(np.isfinite(array).all() and np.abs(array).max(initial=0.0) < 1e30 for array in arrays):
        raise ModelError(
            f"{where} has weights that are not finite, or too large to be useful", "Did its training diverge?"
        )
