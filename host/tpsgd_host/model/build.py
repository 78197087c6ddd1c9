"""Build a model with initial weights from its description and calibration data.

Shapes: S samples, T steps, C channels, N classes, n inputs and m units of a layer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from tpsgd_host.data.samples import Samples
from tpsgd_host.data.scaling import Method, Scaling, fit
from tpsgd_host.errors import ConfigError, DataError
from tpsgd_host.model.chain import layer_inputs
from tpsgd_host.model.config import Config, LayerConfig
from tpsgd_host.model.modelfile import Layer, Model, Weights, initial_weights

LARGEST_SPAN = 32639  # R, the largest weight


def build_model(config: Config, samples: Samples) -> Model:
    """Return the model that ``config`` describes, with weights drawn from its seed.

    Parameters
    ----------
    config : Config
    samples : Samples
        Calibration data, which determine the input scaling, and the classes where the configuration names none.

    Raises
    ------
    ConfigError
        When the data do not fit the configuration.
    """
    classes = model_classes(config, samples.classes)
    layers = build_layers(config, classes)
    weights = tuple(_weights(config, index, layers[index]) for index in range(len(layers)))
    return Model(
        name=config.name,
        seed=config.seed,
        layout=config.layout,
        classes=classes,
        layers=layers,
        scaling=build_scaling(config, samples),
        weights=weights,
        readout_steps=config.training.readout_steps,
        update_at=config.training.update_at,
        total=config.training.total,
        variation=config.training.variation,
    )


def build_untrained(config: Config) -> Model:
    """Return the model that ``config`` describes, without any data: for a board that is taught from nothing.

    Raises
    ------
    ConfigError
        When data would be needed: for the input scaling, or to name the classes.
    """
    if config.scale.method != "fixed":
        raise ConfigError(
            "the input scaling follows from data, and there are none", "A [frontend] needs none: see docs/TEACHING.md."
        )
    if not config.classes:
        raise ConfigError(
            "the model names no classes, and there are no data that do", 'Name them: classes = ["on", "off"].'
        )
    names = config.classes
    values = np.zeros((len(names), config.layout.steps, config.layout.channels))
    return build_model(
        config, Samples(values, np.arange(len(names), dtype=np.uint8), names, names, np.arange(len(names)))
    )


def model_classes(config: Config, found: Sequence[str]) -> tuple[str, ...]:
    """Return the classes of the configuration, else those in the data."""
    classes = config.classes or tuple(found)
    if len(classes) < 2:
        count = "1 class" if len(classes) == 1 else f"{len(classes)} classes"
        raise DataError(
            f"the calibration data hold {count}, but a model needs 2 to 255",
            f"Record more than one class, or check that label = {config.layout.label!r} is the right column.",
        )
    units = config.layers[-1].units if config.layers else 0
    if units not in (0, len(classes)):
        raise ConfigError(
            f"the output layer has {units} units, but there are {len(classes)} classes",
            "Leave out units in the output layer.",
        )
    return classes


def build_layers(config: Config, classes: Sequence[str]) -> tuple[Layer, ...]:
    """Return the layers with their numbers of inputs."""
    layout = config.layout
    inputs = layer_inputs(config.layers, layout.steps, layout.channels, config.training.readout_steps)
    return tuple(build_layer(given, n, len(classes)) for given, n in zip(config.layers, inputs, strict=True))


def build_layer(given: LayerConfig, inputs: int, classes: int) -> Layer:
    """Return one layer of ``inputs`` inputs; the output layer has ``classes`` units."""
    return Layer(
        kind=given.kind,
        units=classes if given.kind == "output" else given.units,
        inputs=inputs,
        shifts=given.shifts,
        shift=given.shift,
        leak=given.leak,
        amplitude=given.amplitude,
        loss=given.loss,
        l1=given.l1,
        frozen=given.frozen,
        rows=given.kernel[0],
        columns=given.kernel[1] or int(given.kind == "conv"),
        stride=given.stride,
        pool=given.pool,
        regions=given.regions,
        segments=given.segments,
        padded=given.padded,
    )


def build_scaling(config: Config, samples: Samples) -> Scaling:
    """Return the input scaling: the configuration's numbers, or fitted to the samples."""
    scale = config.scale
    if scale.method == "fixed":
        pairs = max(len(scale.offset), len(scale.gain))
        offset = np.broadcast_to(np.array(scale.offset, np.float32), pairs)
        gain = np.broadcast_to(np.array(scale.gain, np.float32), pairs)
        return Scaling(offset, gain, tuple(int(i) for i in np.flatnonzero(gain == 0)))
    method: Method = "std" if scale.method == "std" else "minmax"
    return fit(samples.values, method, scale.per_channel, scale.sigmas)


def initial_span(layer: Layer, init: float) -> int:
    """Return R, the range of a layer's initial weights: ``init * sqrt(3/n)`` in units of v."""
    return min(LARGEST_SPAN, round(init * math.sqrt(3 / layer.inputs) * 2.0 ** (layer.shift + 8)))


def _weights(config: Config, index: int, layer: Layer) -> Weights:
    span = initial_span(layer, config.layers[index].init)
    weights = initial_weights(config.seed, index, layer.units, layer.inputs, span)
    return freeze(weights) if layer.frozen else weights


def freeze(weights: Weights) -> Weights:
    """Return trained weights (uint16) as a frozen layer stores them: only the high byte."""
    return (weights >> 8).astype(np.uint8)
