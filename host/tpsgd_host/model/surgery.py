"""Prepare trained networks to learn more: freeze or unfreeze layers, insert an adaptor, add a class.

Shapes: m units and n inputs of a layer (the bias counted), N classes.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from tpsgd.format import MAX_LAYERS
from tpsgd.protospec import NEW_SHIFT
from tpsgd_host.data.labels import MAX_CLASSES
from tpsgd_host.errors import ConfigError
from tpsgd_host.model.build import build_layer, freeze, initial_span
from tpsgd_host.model.config import SHIFTS, LayerConfig
from tpsgd_host.model.modelfile import OFFSET, Layer, Model, Weights, initial_weights

LARGEST_SHIFT = 15
ADAPTOR_UNITS = 32
PASSED_SHIFT = 6
PASSED = 1 << (PASSED_SHIFT + 8)  # a weight of 1 at this forward shift, which is half of the largest weight
LARGEST_SUM = 4  # of a trained output, in lengths of its weights times 127; few are larger
SLOWER = 3  # the update shifts of layers before the output are larger by this


def with_learning(model: Model, count: int) -> Model:
    """Return a network whose last ``count`` layers learn; the others are frozen, with one byte per weight.

    A frozen layer that becomes able to learn starts from its weights. Prototypes belong to frozen layers: where one
    before the output learns, they are dropped.
    """
    layers: list[Layer] = []
    weights: list[Weights] = []
    for i, (layer, w) in enumerate(zip(model.layers, model.weights, strict=True)):
        frozen = i < len(model.layers) - count
        layers.append(replace(layer, frozen=frozen))
        weights.append(w if frozen == layer.frozen else freeze(w) if frozen else thaw(w))
    prototypes = model.prototypes if count <= 1 else None
    return replace(model, layers=tuple(layers), weights=tuple(weights), prototypes=prototypes)


def thaw(weights: Weights) -> Weights:
    """Return the weights of a frozen layer (uint8) in the form for learning; the forward pass reads the same."""
    return ((weights.astype("<u2") << 8) | 128).astype("<u2")


def own_shift(model: Model) -> int:
    """Return the update shift at which a network's output learned fastest; the default if it never learned."""
    return min((shift for shift in model.layers[-1].shifts if shift), default=SHIFTS[0])


def with_shifts(model: Model, shifts: tuple[int, ...]) -> Model:
    """Return a network with these update shifts for its output, one per phase; layers before it learn more slowly."""
    slower = tuple(min(LARGEST_SHIFT, s + SLOWER) if s else 0 for s in shifts)
    last = len(model.layers) - 1
    layers = (replace(layer, shifts=shifts if i == last else slower) for i, layer in enumerate(model.layers))
    return replace(model, layers=tuple(layers))


def with_adaptor(model: Model, units: int) -> Model:
    """Return a network with one more dense layer before its output, which learns from the output's feedback.

    The predictions hardly change. The first N units have the weights of the present output, with their sums halved
    until they stay below 127; the new output doubles them as often and passes them on. The other units get weights from
    the seed, and do not affect any class yet.

    Raises
    ------
    ConfigError
        When there are fewer units than classes, or no room for another layer.
    """
    output, classes = model.layers[-1], len(model.classes)
    if units < classes:
        raise ConfigError(
            f"an adaptor of {units} units is too narrow for {classes} classes: each class needs a unit",
            f"Give it at least {classes}, such as --adaptor {max(ADAPTOR_UNITS, classes)}.",
        )
    if len(model.layers) == MAX_LAYERS:
        raise ConfigError(
            f"{model.name} has {MAX_LAYERS} layers, the maximum, so there is no room for an adaptor",
            "Train its last layer instead: --train output.",
        )
    old = thaw(model.weights[-1]) if output.frozen else model.weights[-1]
    halvings = _halvings(output, old)
    shift = output.shift + halvings
    adaptor = build_layer(LayerConfig("dense", units, output.shifts, shift=shift, amplitude=0), output.inputs, classes)
    index = len(model.layers) - 1
    drawn = initial_weights(model.seed, index, units, adaptor.inputs, initial_span(adaptor, 1.0))
    drawn[:classes] = old
    passing = np.full((classes, units + 1), OFFSET, "<u2")
    passing[range(classes), range(classes)] += PASSED
    back = replace(output, inputs=units, frozen=False, shift=PASSED_SHIFT - halvings)
    layers = (*model.layers[:-1], adaptor, back)
    return replace(model, layers=layers, weights=(*model.weights[:-1], drawn, passing), prototypes=None)


def _halvings(output: Layer, weights: Weights) -> int:
    """Return how often to halve the sums of an output layer so that hardly any is larger than 127."""
    v = weights.astype(np.float64) - OFFSET
    spread = float(np.sqrt((v**2).sum(axis=1)).mean()) * 127 / 2 ** (output.shift + 8)
    wanted = max(1, math.ceil(math.log2(max(1.0, spread * LARGEST_SUM / 128))))
    return min(wanted, PASSED_SHIFT - 1, LARGEST_SHIFT - output.shift)


def with_class(model: Model, name: str) -> Model:
    """Return a network with one more class (SPEC 1.8), equal to the file that ``Learner.add_class`` writes.

    Raises
    ------
    ConfigError
        When the class is not possible, or the output layer is frozen.
    """
    if name in model.classes:
        raise ConfigError(f"{model.name} already has a class {name!r}", "Choose another name for the new class.")
    if not 0 < len(name.encode()) <= 255:
        raise ConfigError(
            f"the class name has {len(name.encode())} bytes; 1 to 255 are possible", "Choose another name."
        )
    if len(model.classes) == MAX_CLASSES:
        raise ConfigError(f"{model.name} has {MAX_CLASSES} classes, which is the maximum")
    output, w = model.layers[-1], model.weights[-1]
    if output.frozen:
        raise ConfigError(f"the output layer of {model.name} is frozen, so it cannot learn a new class")
    prototypes, shifts = model.prototypes, output.shifts
    if prototypes is not None:
        prototypes = replace(prototypes, scales=(*prototypes.scales, prototypes.mean_scale))
        shifts = tuple(min(shift, NEW_SHIFT) for shift in shifts)
    output = replace(output, units=output.units + 1, shifts=shifts)
    return replace(
        model, classes=(*model.classes, name), layers=(*model.layers[:-1], output), prototypes=prototypes,
        weights=(*model.weights[:-1], np.vstack([w, mean_row(w.astype(np.int64)).astype("<u2")])),
    )  # fmt: skip


def mean_row(weights: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the initial row of a new class, shape (n,), made from the rows of the others, shape (N, n)."""
    mean: npt.NDArray[np.int64] = weights.sum(axis=0) // len(weights)
    return mean


def redrawn(model: Model) -> tuple[str, ...]:
    """Return the layers whose targets change with the number of classes (SPEC 1.8)."""
    return tuple(
        f"{layer.kind} {i}"
        for i, layer in enumerate(model.layers)
        if not layer.frozen
        and layer.amplitude
        and (
            layer.regions > 1
            or (layer.kind == "recurrent" and model.update_at == "readout" and model.readout_steps > 1)
        )
    )
