"""From floating point to integers: exact where it can be, near where it cannot."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import CLASSES, float_network, samples

from tpsgd_host.errors import ConfigError, ModelError
from tpsgd_host.model.config import Config
from tpsgd_host.model.modelfile import OFFSET, Model
from tpsgd_host.model.parsing import parse_config
from tpsgd_host.quantization.floatnet import FloatLayer, FloatNetwork
from tpsgd_host.quantization.quantizer import LOGIT, network_inputs, quantize_network
from tpsgd_host.training.executor import TEST, Records
from tpsgd_host.training.simulator import Simulator

ROWS = parse_config("[data]\nchannels = 4\n", "x", layers=False)
FIXED = parse_config('[data]\nchannels = 4\nscale = "fixed"\n', "x", layers=False)
STEPS = parse_config("[data]\nchannels = 4\nsteps = 6\n", "x", layers=False)


def high(model: Model, index: int) -> np.ndarray:
    """Return a layer's weights as the forward pass reads them."""
    w = model.weights[index].astype(np.int64)
    return w - 128 if model.layers[index].frozen else (w - OFFSET + 128) >> 8


def predictions(model: Model, given_: object) -> np.ndarray:
    """Return predicted class and p_y."""
    stored = model.scaling.encode(given_.values)  # type: ignore[attr-defined]
    labels = given_.labels  # type: ignore[attr-defined]
    return Simulator(model, "np").evaluate(Records(np.full(len(labels), TEST, np.uint8), labels, stored))


@settings(max_examples=30)
@given(st.integers(0, 10**6), st.integers(3, 6), st.integers(3, 6))
def test_weights_that_integers_can_say_are_kept_exactly(seed: int, first: int, second: int) -> None:
    """Weights that integers can say are kept exactly."""
    rng = np.random.default_rng(seed)
    wanted = [rng.integers(-127, 128, (5, 5)), rng.integers(-127, 128, (3, 6))]
    for weights in wanted:
        weights[0, 0] = 127  # the shift is the one at which this fits, and no finer one
        weights[:, -1] = rng.integers(-60, 61, len(weights))
    hidden, out = wanted[0] / 2.0**first, wanted[1] / 2.0**second / LOGIT
    network = FloatNetwork(
        (FloatLayer(hidden[:, :-1], hidden[:, -1], "hardtanh"), FloatLayer(out[:, :-1], out[:, -1]))
    )  # fmt: skip
    given_ = samples(200)
    exact = replace(given_, values=rng.integers(-127, 128, given_.values.shape).astype(np.float64))
    model = quantize_network(network, FIXED, exact, "unit")
    assert [layer.shift for layer in model.layers] == [first, second]
    assert (high(model, 0) == wanted[0]).all()
    assert (high(model, 1)[:, :-1] == wanted[1][:, :-1]).all()
    # the output's bias makes up for the floor in the layer before: half a step of each input
    assert np.abs(high(model, 1)[:, -1] - wanted[1][:, -1]).max() <= 0.5 + 0.5 * 5 * 127 / 127


@pytest.mark.parametrize("activation", ["tanh", "relu", "hardtanh", "linear"])
@pytest.mark.parametrize("inputs", ["raw", "std", "unit"])
def test_the_integer_network_says_what_the_float_network_says(activation: str, inputs: str) -> None:
    """The integer network says what the float network says."""
    network = float_network((4, 12, 8, 3), activation, seed=3)
    given_, fresh = samples(300, seed=1), samples(300, seed=1)
    model = quantize_network(network, ROWS, given_, inputs)  # type: ignore[arg-type]
    logits = network.logits(network_inputs(network, fresh, model.scaling, inputs))  # type: ignore[arg-type]
    found = predictions(model, fresh)
    assert (found[:, 0] == logits.argmax(axis=1)).mean() > 0.93
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    p = (p / p.sum(axis=1, keepdims=True))[np.arange(300), fresh.labels]
    assert np.abs(p - found[:, 1] / 127).mean() < 0.06


def test_readings_far_from_zero_and_of_any_unit() -> None:
    """Readings far from zero and of any unit."""
    mean, unit = np.array([1000.0, -5.0, 0.01, 7e5]), np.array([300.0, 0.2, 1e-3, 5e4])
    plain = float_network((4, 12, 3), "tanh", seed=5)
    network = replace(plain, mean=mean, deviation=unit)
    given_ = samples(300)
    moved = replace(given_, values=given_.values * unit + mean)
    model = quantize_network(network, ROWS, moved)
    agree = predictions(model, moved)[:, 0] == plain.logits(given_.values).argmax(axis=1)
    assert agree.mean() > 0.95


def test_a_recurrent_network() -> None:
    """A recurrent network."""
    rng = np.random.default_rng(2)
    rnn = FloatLayer(rng.normal(size=(10, 4)) * 0.5, rng.normal(size=10) * 0.1, "tanh", rng.normal(size=(10, 10)) * 0.3)
    for checkpoints in (1, 2):
        out = FloatLayer(rng.normal(size=(3, 10 * checkpoints)), np.zeros(3))
        given_ = samples(200, steps=6)
        network = FloatNetwork((rnn, out))
        model = quantize_network(network, STEPS, given_)
        assert (model.readout_steps, model.layers[0].inputs) == (checkpoints, 14)
        agree = predictions(model, given_)[:, 0] == network.logits(given_.values).argmax(axis=1)
        assert agree.mean() > 0.93


def test_hidden_layers_are_frozen_unless_the_configuration_describes_them() -> None:
    """Hidden layers are frozen unless the configuration describes them."""
    network = float_network((4, 6, 3), "tanh")
    model = quantize_network(network, ROWS, samples())
    assert [layer.frozen for layer in model.layers] == [True, False]
    text = '[data]\nchannels = 4\n[[layer]]\nkind = "dense"\nunits = 6\nshifts = [11]\n[[layer]]\nkind = "output"\n'
    described = parse_config(text + "[training]\nshifts = [9]\n", "x", layers=False)
    model = quantize_network(network, described, samples())
    assert [(layer.frozen, layer.shifts) for layer in model.layers] == [(False, (11,)), (False, (9,))]
    other = parse_config(text.replace("units = 6", "units = 7") + "[training]\nshifts = [9]\n", "x", layers=False)
    with pytest.raises(ConfigError, match=r"\[7, 3\] units, but the network has \[6, 3\]"):
        quantize_network(network, other, samples())


@pytest.mark.parametrize("kind", ["conv", "temporal"])
def test_other_layers_are_not_imported(kind: str) -> None:
    """A description of conv or temporal layers does not go with a trained network."""
    text = (
        '[data]\nsteps = 2\nchannels = 2\n[[layer]]\nkind = "KIND"\nunits = 6\nkernel = 2\n[[layer]]\nkind = "output"\n'
    )
    with pytest.raises(ConfigError, match=f"{kind} layers"):
        quantize_network(
            float_network((4, 6, 3), "tanh"),
            parse_config(text.replace("KIND", kind), "x", layers=False),
            samples(steps=2, channels=2),
        )


def test_update_shifts_follow_the_forward_shift() -> None:
    """Update shifts follow the forward shift."""
    shifts = []
    for scale in (1.0, 16.0):
        network = FloatNetwork((FloatLayer(np.eye(3, 4) * scale, np.zeros(3)),))
        layer = quantize_network(network, ROWS, samples(), "unit").layers[0]
        assert layer.shifts == tuple(s + 5 - layer.shift for s in ROWS.training.shifts)
        shifts.append(layer.shift)
    assert shifts[0] > shifts[1]


@pytest.mark.parametrize(
    ("sizes", "said"), [((5, 3), "takes 5 inputs, but the data have 4"), ((4, 2), "2 outputs, but there are 3 classes")]
)
def test_a_network_for_other_data_is_refused(sizes: tuple[int, ...], said: str) -> None:
    """A network for other data is refused."""
    with pytest.raises(ModelError, match=said):
        quantize_network(float_network(sizes, "tanh"), ROWS, samples())


def test_a_dead_unit_does_not_take_the_range_of_the_others() -> None:
    """A dead unit does not take the range of the others."""
    network = float_network((4, 12, 3), "relu", seed=4)
    first = network.layers[0]
    bias = first.bias.copy()
    bias[0] = -1e3  # never positive
    dead = replace(network, layers=(replace(first, bias=bias), network.layers[1]))
    given_ = samples(300)
    model = quantize_network(dead, ROWS, given_)
    agree = predictions(model, given_)[:, 0] == dead.logits(given_.values).argmax(axis=1)
    assert agree.mean() > 0.95


def test_the_name_and_the_classes_are_the_configurations() -> None:
    """The name and the classes are the configurations."""
    config: Config = replace(ROWS, name="mine", classes=CLASSES)
    model = quantize_network(float_network((4, 3), "tanh"), config, samples())
    assert (model.name, model.classes) == ("mine", CLASSES)
