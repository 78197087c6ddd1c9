"""Turn a network in floating point into one in integers.

The integer network's activation is a hard tanh, ``clamp(z)``. Shifting and scaling its input and output gives a clip
between any two bounds, and the weights before and after it absorb that. So ReLU, clipped at its largest value on the
calibration data, loses nothing but rounding; tanh becomes the hard tanh that fits it best.

Shapes: S samples, T steps, C channels, n inputs and m units of a layer, K readout steps, N classes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import numpy as np

from tpsgd_host.data.samples import Samples
from tpsgd_host.data.scaling import Scaling
from tpsgd_host.errors import ConfigError, ModelError
from tpsgd_host.model.build import build_layer, build_scaling, freeze, model_classes
from tpsgd_host.model.config import Config, LayerConfig
from tpsgd_host.model.modelfile import OFFSET, Layer, Model, Weights
from tpsgd_host.quantization import fixedpoint
from tpsgd_host.quantization.fixedpoint import TOP, Integers, Solution, Task
from tpsgd_host.quantization.floatnet import FloatLayer, FloatNetwork, Floats, recurrent_sums, side_by_side

Inputs = Literal["raw", "std", "unit"]

#: The softmax falls by a factor e for every 16 of z/2, so a logit of 1 is 32 in z, or 32/127 of an activation (SPEC
#: 1.2).
LOGIT = 32 / TOP
USUAL_SHIFT = 5  # a configuration's update shifts are meant for this forward shift
MAX_SAMPLES = 4096  # calibration samples used to choose the scales


@dataclass(frozen=True, eq=False)
class Signal:
    """What one layer passes to the next, on the calibration data.

    Attributes
    ----------
    floats : ndarray, shape (S, n)
        Activations of the float network.
    integers : ndarray of int, shape (S, n)
        Those of the integer network: ``floats`` is about ``slope*integers/127 + base``.
    slope, base : ndarray, shape (n,)
    """

    floats: Floats
    integers: Integers
    slope: Floats
    base: Floats


def quantize_network(network: FloatNetwork, config: Config, samples: Samples, inputs: Inputs = "raw") -> Model:
    """Return the integer network that comes nearest to the float network on ``samples``.

    Parameters
    ----------
    network : FloatNetwork
        From an importer.
    config : Config
        Data layout and training settings; its layers, if any, say how the network's layers train. Without them the
        output layer learns and the hidden layers are frozen.
    samples : Samples
        Calibration data, from which the scales are chosen.
    inputs : {"raw", "std", "unit"}
        What the float network was trained on: readings, standardized readings, or readings as ``config`` scales them,
        divided by 127.

    Raises
    ------
    ConfigError, ModelError
        When network, configuration and data do not fit together.
    """
    classes = model_classes(replace(config, layers=()), samples.classes)
    _check(network, config, len(classes))
    scaling = build_scaling(config, samples)
    signal = _input_signal(network, samples, scaling, inputs)
    layers: list[Layer] = []
    weights: list[Weights] = []
    for index, layer in enumerate(network.layers):
        if layer.recurrent is not None:
            found, signal = _recurrent(layer, signal, config.layout.steps, network.readout_steps)
        elif index < len(network.layers) - 1:
            found, signal = _dense(layer, network.layers[index + 1], signal)
        else:
            found = _output(layer, signal)
        given = _settings(network, config, index, found.shift)
        layers.append(build_layer(given, found.v.shape[1] - 1, len(classes)))
        stored = np.ascontiguousarray(found.v + OFFSET, dtype="<u2")  # engines read the bytes in this order
        weights.append(freeze(stored) if given.frozen else stored)
    return Model(
        name=config.name, seed=config.seed, layout=config.layout, classes=classes, layers=tuple(layers),
        scaling=scaling, weights=tuple(weights), readout_steps=network.readout_steps, total=config.training.total,
        update_at=config.training.update_at if network.recurrent else "last",
    )  # fmt: skip


def network_inputs(network: FloatNetwork, samples: Samples, scaling: Scaling, inputs: Inputs) -> Floats:
    """Return the float network's inputs for samples, shape (S, T, C); ``inputs`` as in :func:`quantize_network`."""
    mean, deviation = _normalization(network, samples, scaling, inputs)
    flat = samples.values.reshape(len(samples), -1)
    seen: Floats = ((flat - mean) / deviation).reshape(samples.values.shape)
    return seen


def _normalization(network: FloatNetwork, samples: Samples, scaling: Scaling, inputs: Inputs) -> tuple[Floats, Floats]:
    """Return mean and deviation, both of shape (T*C,): the network's input is ``(reading - mean)/deviation``."""
    _, steps, channels = samples.values.shape
    if network.mean is not None and network.deviation is not None:
        mean, deviation = network.mean, network.deviation
    elif inputs == "std":
        table = samples.values.reshape(-1, channels)
        mean, deviation = table.mean(axis=0), table.std(axis=0)
        deviation = np.where(deviation > 0, deviation, 1.0)
    elif inputs == "unit":
        gain = scaling.gain.astype(np.float64)
        mean = scaling.offset.astype(np.float64)
        deviation = np.divide(TOP, gain, out=np.full_like(gain, np.inf), where=gain != 0)
    else:
        mean, deviation = np.zeros(1), np.ones(1)
    if len(mean) == steps * channels:
        return mean, deviation
    if len(mean) not in (1, channels):
        raise ModelError(
            f"the network's file normalizes {len(mean)} inputs, but the data have {steps * channels}",
            "Its mean and std must have one value per channel, or one per input.",
        )
    return tuple(np.broadcast_to(a, (steps, channels)).reshape(-1) for a in (mean, deviation))  # type: ignore[return-value]


def _input_signal(network: FloatNetwork, samples: Samples, scaling: Scaling, inputs: Inputs) -> Signal:
    mean, deviation = _normalization(network, samples, scaling, inputs)
    _, steps, channels = samples.values.shape
    offset, gain = (
        np.broadcast_to(a.astype(np.float64), (steps, channels)).reshape(-1) for a in (scaling.offset, scaling.gain)
    )
    reach = np.divide(TOP, gain, out=np.zeros_like(gain), where=gain != 0)
    few = (
        samples
        if len(samples) <= MAX_SAMPLES
        else samples.take(np.linspace(0, len(samples) - 1, MAX_SAMPLES).astype(np.int64))
    )
    seen = (few.values.reshape(len(few), -1) - mean) / deviation
    integers = scaling.encode(few.values).astype(np.int64) - 128
    return Signal(seen, integers, reach / deviation, (offset - mean) / deviation)


def _dense(layer: FloatLayer, after: FloatLayer, signal: Signal) -> tuple[Solution, Signal]:
    """Return weights and shift of a hidden layer, and what it passes on."""
    z = layer.preactivation(signal.floats)
    span = fixedpoint.choose_span(layer, z)
    weight, bias = layer.weight * signal.slope, layer.bias + layer.weight @ signal.base
    if layer.activation == "relu":  # a unit that never fires gets no weights, and a bias that keeps it off
        fires = z.max(axis=0) > 0
        weight, bias = weight * fires[:, None], bias * fires
    worth = np.linalg.norm(after.weight, axis=0)

    def task(shift: int) -> Task:
        wide = fixedpoint.widen(span, layer, weight, bias, shift)
        scaled = weight / wide.reach[:, None]
        return Task(scaled, wide.inside(bias), TOP * wide.inside(z), wide.half * worth, wide)

    shifts = fixedpoint.shifts_to_try(weight / span.reach[:, None])
    found = fixedpoint.solve(task, partial(_sums, signal.integers), shifts)
    chosen = found.span or span
    return found, Signal(layer.activate(z), fixedpoint.clamp(found.z), chosen.half, chosen.mid)


def _output(layer: FloatLayer, signal: Signal) -> Solution:
    """Return weights and shift of the output layer."""
    weight = LOGIT * layer.weight * signal.slope
    bias = LOGIT * (layer.bias + layer.weight @ signal.base)
    task = Task(weight, bias, TOP * LOGIT * layer.preactivation(signal.floats), np.ones(layer.units))
    run = partial(_sums, signal.integers)
    return fixedpoint.solve(lambda _: task, run, fixedpoint.shifts_to_try(weight))


def _sums(x: Integers, v: Integers, shift: int) -> Integers:
    return fixedpoint.sums(v, x, shift)


def _recurrent(layer: FloatLayer, signal: Signal, steps: int, readout_steps: int) -> tuple[Solution, Signal]:
    """Return weights and shift of a recurrent layer without leak, and its states at the readout steps."""
    assert layer.recurrent is not None
    samples, channels, units = len(signal.floats), layer.inputs, layer.units
    slope, base = signal.slope.reshape(steps, channels), signal.base.reshape(steps, channels)
    if (slope != slope[0]).any() or (base != base[0]).any():
        raise ModelError(
            "the recurrent network's inputs are normalized differently at each step",
            "Its mean and std must have one value per channel.",
        )
    sums = recurrent_sums(layer, signal.floats.reshape(samples, steps, channels))
    flat = sums.reshape(-1, units)
    span = fixedpoint.choose_span(layer, flat)
    weight = np.hstack([layer.weight * slope[0], layer.recurrent * span.half]) / span.reach[:, None]
    bias = span.inside(layer.bias + layer.weight @ base[0])
    x = signal.integers.reshape(samples, steps, channels)

    def run(v: Integers, shift: int) -> Integers:
        z = np.empty((samples, steps, units), np.int64)
        state = np.zeros((samples, units), np.int64)
        for t in range(steps):
            z[:, t] = fixedpoint.sums(v, np.hstack([x[:, t], state]), shift)
            state = fixedpoint.clamp(z[:, t])
        return z.reshape(-1, units)

    task = Task(weight, bias, TOP * span.inside(flat), span.half, span)
    found = fixedpoint.solve(lambda _: task, run, fixedpoint.shifts_to_try(weight))
    states = fixedpoint.clamp(found.z).reshape(samples, steps, units)
    return found, Signal(
        side_by_side(layer.activate(sums), readout_steps), side_by_side(states, readout_steps),
        np.tile(span.half, readout_steps), np.tile(span.mid, readout_steps),
    )  # fmt: skip


def _settings(network: FloatNetwork, config: Config, index: int, shift: int) -> LayerConfig:
    """Return how a layer trains.

    Unless the configuration describes the layer, its update shifts are adapted to its forward shift, so that an update
    changes the real weights by the same amount.
    """
    if config.layers:
        return replace(config.layers[index], shift=shift, leak=0)
    layer, output = network.layers[index], index == len(network.layers) - 1
    kind = "output" if output else "dense" if layer.recurrent is None else "recurrent"
    shifts = tuple(s and min(15, max(1, s + USUAL_SHIFT - shift)) for s in config.training.shifts)
    return LayerConfig(kind, layer.units, shifts, shift=shift, frozen=not output)


def _check(network: FloatNetwork, config: Config, classes: int) -> None:
    """Raise where a network does not fit the data, or is not the one that the configuration describes."""
    layers, layout = network.layers, config.layout
    wanted = layout.channels if network.recurrent else layout.steps * layout.channels
    if layers[0].inputs != wanted:
        each = " per step" if network.recurrent else ""
        raise ModelError(
            f"the network takes {layers[0].inputs} inputs{each}, but the data have {wanted}",
            "Set steps, channels and columns in a TOML, and name it with --config.",
        )
    if layers[-1].units != classes:
        raise ModelError(
            f"the network has {layers[-1].units} outputs, but there are {classes} classes",
            "Give them in the order of its outputs, with --classes or classes = [...] in the TOML.",
        )
    if len(layers) > 8:
        raise ModelError(f"the network has {len(layers)} layers; the maximum is 8")
    if network.recurrent and not 1 <= network.readout_steps <= min(16, layout.steps):
        raise ModelError(
            f"its second layer reads {network.readout_steps} states; 1 to {min(16, layout.steps)} are possible"
        )
    if config.layers:
        found = [layer.units for layer in layers]
        described = [layer.units or classes for layer in config.layers]
        kinds = ["dense" if layer.recurrent is None else "recurrent" for layer in layers[:-1]] + ["output"]
        strange = {layer.kind for layer in config.layers} - set(kinds)
        for kind in sorted(strange & {"conv", "temporal"}):
            raise ConfigError(
                f"{config.source} describes {kind} layers, but a trained network may only have dense layers "
                "after at most one recurrent layer",
                f"Train {kind} layers from scratch: tpsgd-host quantize the TOML itself.",
            )
        if found != described or kinds != [layer.kind for layer in config.layers]:
            raise ConfigError(
                f"{config.source} describes layers of {described} units, but the network has {found}",
                "Correct the [[layer]] tables, or leave them out: the layers come from the network.",
            )
