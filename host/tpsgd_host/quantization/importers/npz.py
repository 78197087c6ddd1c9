"""Read a network from NumPy's .npz: its arrays have known names, or are in the order of the layers.

Shapes: n inputs and m units of a layer, C channels.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tpsgd_host.data.arrays import TooLargeError, load_arrays
from tpsgd_host.errors import ModelError
from tpsgd_host.names import listing
from tpsgd_host.quantization.floatnet import ACTIVATIONS, FloatLayer, FloatNetwork, Floats, check_network

MAX_BYTES = 64 << 20
MEAN, DEVIATION, ACTIVATION = ("mean", "mean_"), ("std", "scale", "scale_"), ("activation", "activations")

_NATURAL = re.compile(r"(\d+)")
_TRANSPOSED = re.compile(r"coef|kernel|arr_", re.IGNORECASE)  # scikit-learn and Keras keep (n, m)
_INPUT = re.compile(r"w(eight)?_ih", re.IGNORECASE)
_STATE = re.compile(r"w(eight)?_hh", re.IGNORECASE)
_RECURRENT_BIAS = re.compile(r"b(ias)?(_ih|_hh).*|b", re.IGNORECASE)

HINT = "Save it as numpy.savez(file, W0=..., b0=..., W1=..., b1=...); for an RNN, W_ih, W_hh and b come first."


@dataclass(frozen=True, eq=False)
class _Pair:
    """A weight matrix as stored, and its bias."""

    name: str
    weight: Floats
    bias: Floats | None


def load_npz(path: str | Path, activation: str = "tanh", inputs: int = 0) -> FloatNetwork:
    """Read a network.

    Parameters
    ----------
    path : str or Path
        Weights W0, b0, W1, b1 and so on, PyTorch's ``weight`` and ``bias``, scikit-learn's ``coefs_`` and
        ``intercepts_``, or Keras' arrays in order; for a recurrent first layer W_ih, W_hh and b (or b_ih and b_hh), or
        the kernels and bias of a SimpleRNN. The chain of layers tells which axis is the input.
        ``mean`` and ``std`` are those that standardized the inputs; ``activation`` names the hidden layers' activation.
    activation : str
        The hidden layers' activation, where the file does not name it.
    inputs : int
        Inputs of the first layer, if known.

    Raises
    ------
    ModelError
        When the file is damaged or holds no such network.
    """
    source = str(path)
    arrays = _load(path)
    mean, deviation = (_vector(arrays, names, source) for names in (MEAN, DEVIATION))
    if deviation is not None and (deviation == 0).any():
        deviation = np.where(deviation == 0, 1.0, deviation)
    if mean is not None and deviation is not None and mean.shape != deviation.shape:
        raise ModelError(f"{source}: mean has {len(mean)} values, but std has {len(deviation)}", HINT)
    named = _activations(arrays, activation, source)
    layers: list[FloatLayer] = []
    recurrent = _recurrent(arrays, source)
    if recurrent is not None:
        layers.append(recurrent)
        inputs = 0
    pairs = _pairs(arrays, source)
    for pair, weight in zip(pairs, _oriented(pairs, inputs, recurrent, source), strict=True):
        bias = np.zeros(len(weight)) if pair.bias is None else pair.bias
        layers.append(FloatLayer(weight, bias, name=pair.name))
    if len(named) not in (1, len(layers) - 1):
        raise ModelError(f"{source} names {len(named)} activations for {len(layers) - 1} hidden layers", HINT)
    hidden = [named[index if len(named) > 1 else 0] for index in range(len(layers) - 1)]
    given = [*hidden, "linear"][: len(layers)]
    chained = tuple(
        FloatLayer(layer.weight, layer.bias, act, layer.recurrent, layer.name)
        for layer, act in zip(layers, given, strict=True)
    )
    if mean is None or deviation is None:
        mean = deviation = None
    return check_network(FloatNetwork(chained, mean, deviation), source)


def _load(path: str | Path) -> dict[str, Any]:
    """Return the arrays; never unpickle any, and unpack none that is too large."""
    try:
        return load_arrays(path, MAX_BYTES)
    except TooLargeError as error:
        raise ModelError(f"{path}: {error}: this is larger than any network that tpsgd can use") from None
    except FileNotFoundError:
        raise ModelError(f"There is no file {str(path)!r}.", "Check the name and the folder.") from None
    except (
        OSError, ValueError, TypeError, KeyError, EOFError, SyntaxError, NotImplementedError, RuntimeError,
        OverflowError, MemoryError, IndexError, AttributeError, zipfile.BadZipFile, zlib.error,
    ) as error:  # fmt: skip
        raise ModelError(f"{path} cannot be read as .npz: {error}", HINT) from None


def _numbers(array: Any, name: str, source: str) -> Floats:
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiu":
        raise ModelError(f"{source}: {name} holds no numbers", HINT)
    return array.astype(np.float64)


def _vector(arrays: dict[str, Any], names: tuple[str, ...], source: str) -> Floats | None:
    """Remove a vector from ``arrays`` and return it."""
    for name in names:
        if name in arrays:
            vector = _numbers(arrays.pop(name), name, source).reshape(-1)
            if not len(vector) or not np.isfinite(vector).all():
                raise ModelError(f"{source}: {name} is empty, or holds a number that is not finite", HINT)
            return vector
    return None


def _activations(arrays: dict[str, Any], activation: str, source: str) -> list[str]:
    """Remove the names of the hidden layers' activations from ``arrays`` and return them."""
    found = [arrays.pop(name) for name in ACTIVATION if name in arrays]
    named = [str(name) for name in np.asarray(found[0]).reshape(-1)[:16]] if found else [activation]
    for name in named:
        if name not in ACTIVATIONS:
            raise ModelError(f"{source}: the activation {name[:20]!r} is not known", f"Known: {listing(ACTIVATIONS)}.")
    return named or [activation]


def _recurrent(arrays: dict[str, Any], source: str) -> FloatLayer | None:
    """Remove a recurrent layer from ``arrays``, PyTorch's W_ih (m, C) and W_hh (m, m) or Keras' kernels; return it."""
    keras = _keras_names(arrays)
    if keras:
        kernel, state, bias = (_numbers(arrays.pop(name), name, source) for name in keras)
        if kernel.ndim != 2 or state.shape != (kernel.shape[1],) * 2 or bias.shape != (kernel.shape[1],):
            raise ModelError(
                f"{source}: kernels of shape {kernel.shape} and {state.shape}; a plain RNN has (C, m), (m, m)",
                "Of Keras' recurrent layers only SimpleRNN can be quantized; LSTM and GRU have gates.",
            )
        return FloatLayer(kernel.T, bias, "tanh", state.T, keras[0])
    driven = [name for name in arrays if _INPUT.search(name)]
    looped = [name for name in arrays if _STATE.search(name)]
    if not driven and not looped:
        return None
    if len(driven) != 1 or len(looped) != 1:
        raise ModelError(f"{source} has {len(driven)} W_ih and {len(looped)} W_hh; a layer has one of each", HINT)
    weight, state = (_numbers(arrays.pop(name), name, source) for name in (driven[0], looped[0]))
    if state.ndim != 2 or state.shape[0] != state.shape[1] or weight.ndim != 2 or weight.shape[0] != len(state):
        raise ModelError(
            f"{source}: W_ih has shape {weight.shape}, W_hh {state.shape}; a plain RNN has (m, C), (m, m)", HINT
        )
    bias = np.zeros(len(state))
    for name in [name for name in arrays if _RECURRENT_BIAS.fullmatch(name.rpartition(".")[2])]:
        part = _numbers(arrays.pop(name), name, source)
        if part.shape != bias.shape:
            raise ModelError(f"{source}: {name} has shape {part.shape}, but the layer has {len(bias)} units", HINT)
        bias += part
    return FloatLayer(weight, bias, "tanh", state, driven[0])


def _keras_names(arrays: dict[str, Any]) -> tuple[str, str, str] | None:
    """Return the names of a SimpleRNN's kernels and bias, found by path or by the order of ``get_weights()``."""
    for name in arrays:
        if name.endswith("recurrent_kernel"):
            front = name.removesuffix("recurrent_kernel")
            names = (f"{front}kernel", name, f"{front}bias")
            return names if all(part in arrays for part in names) else None
    first = tuple(f"arr_{i}" for i in range(3))
    ranks = [np.ndim(array) for array in arrays.values()]
    if all(name in arrays for name in first) and ranks.count(2) == ranks.count(1) + 1:
        return first[0], first[1], first[2]
    return None


def _pairs(arrays: dict[str, Any], source: str) -> list[_Pair]:
    """Pair each matrix with its vector: by the number in their names, else in the file's order."""
    names = list(arrays)
    if all(_NATURAL.search(name) for name in names):  # the numbers in W0, b0, W1 or fc1.weight give the order
        names.sort(key=lambda name: [int(number) for number in _NATURAL.findall(name)])
    for name in names:
        if arrays[name].ndim in (3, 4):
            raise ModelError(
                f"{source}: {name} of shape {arrays[name].shape} looks like a conv layer's weights",
                "Conv layers cannot be imported: describe them in a TOML and train them from scratch.",
            )
    matrices = [name for name in names if _numbers(arrays[name], name, source).ndim == 2]
    vectors = [name for name in names if arrays[name].ndim == 1]
    if not matrices or len(vectors) not in (0, len(matrices)) or len(matrices) + len(vectors) != len(names):
        raise ModelError(f"{source} holds {listing(list(arrays)) or 'nothing'}: no layers that tpsgd knows", HINT)
    biases: list[Floats | None] = [_numbers(arrays[name], name, source) for name in vectors]
    biases = biases or [None] * len(matrices)
    return [
        _Pair(name, _numbers(arrays[name], name, source), bias) for name, bias in zip(matrices, biases, strict=True)
    ]


def _oriented(pairs: list[_Pair], inputs: int, recurrent: FloatLayer | None, source: str) -> list[Floats]:
    """Return the matrices as (m, n): all as stored, or all transposed, whichever makes a chain."""
    usual = bool(pairs and _TRANSPOSED.search(pairs[0].name))
    for turned in (usual, not usual):
        matrices = [pair.weight.T if turned else pair.weight for pair in pairs]
        before = recurrent.units if recurrent else inputs
        whole = True
        for index, (pair, matrix) in enumerate(zip(pairs, matrices, strict=True)):
            units, taken = matrix.shape
            many = recurrent is not None and index == 0  # reads one state or more
            whole &= not before or (taken % before == 0 if many else taken == before)
            whole &= pair.bias is None or pair.bias.shape == (units,)
            before = units
        if whole:
            return matrices
    shapes = ", ".join(f"{pair.name} {pair.weight.shape}" for pair in pairs)
    raise ModelError(
        f"{source}: the layers do not follow each other: {shapes}; {inputs or 'any number of'} inputs", HINT
    )
