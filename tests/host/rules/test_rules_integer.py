"""tpSGD in floats follows the integer network: the same weights to begin with, targets, order and rates."""

from __future__ import annotations

import re
from dataclasses import replace
from importlib import resources

import numpy as np
import pytest

from tpsgd_host.data.layout import Layout
from tpsgd_host.data.samples import Samples
from tpsgd_host.data.scaling import fit
from tpsgd_host.model.build import build_model, initial_span
from tpsgd_host.model.config import AMPLITUDES
from tpsgd_host.model.modelfile import UPDATE_AT, Layer, Model, Weights, initial_weights
from tpsgd_host.model.parsing import parse_config
from tpsgd_host.rules import Architecture, model_weights, shuffled, train
from tpsgd_host.rules.network import Network
from tpsgd_host.training.executor import TEST, TRAIN, Records
from tpsgd_host.training.simulator import Simulator

EPOCHS, SHUFFLE = 6, 4
FEEDBACK = "feedback"


def samples(classes: int, steps: int, channels: int, count: int, seed: int, noise: float = 2.0) -> Samples:
    """Return noisy samples around a template a class, which overlap a little."""
    rng = np.random.default_rng(99)
    templates = rng.normal(size=(classes, steps, channels))
    rng = np.random.default_rng(seed)
    labels = (np.arange(count) % classes).astype(np.uint8)
    values = templates[labels] + rng.normal(size=(count, steps, channels)) * noise
    names = tuple(f"class {i}" for i in range(classes))
    return Samples(values, labels, names, tuple(map(str, range(count))), np.arange(count, dtype=np.int64))


def images(given: Samples) -> Model:
    """Return a network of two conv layers and an output for samples of 8 x 8."""
    layers = (
        Layer("conv", 8, 9, (9, 10), rows=3, columns=3, stride=1, pool=2, regions=2),
        Layer("conv", 6, 32, (9, 10), amplitude=90, rows=2, columns=2, stride=1, pool=1, regions=1),
        Layer("output", 10, 24, (7, 8), amplitude=0),
    )
    return drawn(layers, Layout(8, 8, label="what", group="who"), given, 0, "last")


def stacked(rule: str, given: Samples) -> Model:
    """Return a network of two recurrent layers and an output for samples of 20 x 16."""
    layers = (
        Layer("recurrent", 20, 36, (9, 10), leak=2, amplitude=90),
        Layer("recurrent", 16, 36, (9, 10), leak=1, amplitude=80),
        Layer("output", 10, 64, (7, 8), amplitude=0),
    )
    return drawn(layers, Layout(20, 16, label="what", group="who"), given, 4, rule)


def drawn(layers: tuple[Layer, ...], layout: Layout, given: Samples, checkpoints: int, rule: str) -> Model:
    """Return a model with initial weights."""
    weights = [
        initial_weights(3, i, s.units, s.inputs, 0 if s.kind == "output" else initial_span(s, 1.0))
        for i, s in enumerate(layers)
    ]
    scaling = fit(given.values, "std", False, 3.0)
    return Model("drawn", 3, layout, given.classes, layers, scaling, tuple(weights), checkpoints, rule)


READINGS = 'channels = 16\nwindows = "recording"\nresample = "mean"\nsigmas = 2.0'


def model(task: str, rule: str, given: Samples) -> Model:
    """Return a shipped task's network for other data, or one of conv layers or of two recurrent ones."""
    if task == "images":
        return images(given)
    if task == "stacked":
        return stacked(rule, given)
    text = (resources.files("tpsgd_host.tasks") / f"{task}.toml").read_text()
    # The data are made up: they are scaled as readings are, without the task's front end.
    text = re.sub(r"\[frontend\](\n\S.*)+", READINGS, text)
    config = parse_config(text, f"{task}.toml")
    if rule != FEEDBACK:  # targets of their own
        hidden = [
            replace(layer, amplitude=AMPLITUDES[layer.kind], shifts=tuple(s + 3 for s in layer.shifts))
            for layer in config.layers[:-1]
        ]
        config = replace(
            config, layers=(*hidden, config.layers[-1]), training=replace(config.training, update_at=rule)
        )  # fmt: skip
    return build_model(config, given)


@pytest.mark.parametrize(
    ("task", "rule", "steps", "channels"),
    [
        ("digits", "last", 8, 8),
        ("images", "last", 8, 8),
        ("stacked", "readout", 20, 16),
        *(("fsdd-rnn", rule, 20, 16) for rule in UPDATE_AT),
    ],
)
def test_predictions_follow_the_integer_network(task: str, rule: str, steps: int, channels: int) -> None:
    noise = {"images": 0.5, "stacked": 1.0}.get(task, 2.0)  # few units, or more to follow
    given, held_out = (samples(10, steps, channels, 300, seed, noise) for seed in (1, 2))
    integer = model(task, rule, given)
    architecture = Architecture.from_model(integer)
    records, tests = (
        Records(np.full(len(part), op, np.uint8), part.labels, integer.scaling.encode(part.values))
        for part, op in ((given, TRAIN), (held_out, TEST))
    )
    x, test_x = ((r.data.astype(np.float32) - 128) / 127 for r in (records, tests))
    phases = len(integer.layers[0].shifts)
    course = shuffled(x, given.labels.astype(np.int64), EPOCHS, SHUFFLE, phases)
    # v += e*x >> s in units of 127*127 and 2**-(S + 8)
    rates = [127**2 / 2.0 ** (layer.shifts[0] + layer.shift + 8) for layer in integer.layers]
    if task == "images":
        rates[0] *= 4  # the rate of the mean over four regions, each of which has the integers' whole rate
    start = model_weights(integer)
    # The second network has another seed's targets: what the first one has in common with the integers is no chance.
    seeds = [integer.seed, integer.seed + 1]
    result = train("tpsgd", architecture, course, [], rates=[rates] * 2, seeds=seeds, initial=lambda seed: start)

    simulator = Simulator(integer)
    simulator.start(1, course.total, True)
    for epoch in range(EPOCHS):
        order = course.order(epoch)
        list(simulator.stream(Records(records.ops[order], records.labels[order], records.data[order])))
    found = simulator.evaluate(tests)
    trained: tuple[Weights, ...] = integer.with_weights(simulator.weights()).weights
    network = Network(architecture, result.weights, len(test_x))
    p = network.forward(test_x)[0]
    predicted = p.argmax(axis=1)
    assert (predicted == held_out.labels).mean() > 0.6
    assert (predicted == found[:, 0]).mean() > 0.9
    p_y = p[np.arange(len(p)), held_out.labels]
    assert np.corrcoef(p_y, found[:, 1])[0, 1] > 0.95
    for layer, a, b, old in zip(integer.layers, trained, result.weights, start, strict=True):
        learned = (a.astype(float) - 32896) / 2.0 ** (layer.shift + 8) - old
        alike, other = (np.corrcoef(learned.ravel(), (w - old).ravel())[0, 1] for w in b)
        assert alike > 0.95
        assert layer.kind == "output" or other < 0.8
