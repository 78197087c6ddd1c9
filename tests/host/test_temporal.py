"""The temporal layer: SPEC 1.2 and 1.3 written out once more, what it can learn, and what a description may not say."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from zlib import crc32

import numpy as np
import numpy.typing as npt
import pytest

from tpsgd_host.data.layout import Layout
from tpsgd_host.data.scaling import Scaling
from tpsgd_host.errors import ConfigError, ModelError
from tpsgd_host.model.modelfile import OFFSET, Layer, Model, initial_weights, memory, parse_model, stored
from tpsgd_host.model.parsing import parse_config
from tpsgd_host.native.binding import library
from tpsgd_host.training.executor import Records
from tpsgd_host.training.simulator import Engine, Simulator

Integers = npt.NDArray[np.integer[Any]]

ENGINES: list[Engine] = ["plain", "np", *(["c"] if library() else [])]  # type: ignore[list-item]

TOML = """\
[data]
steps = 12
channels = 3
windows = "recording"
{more}
[[layer]]
kind = "temporal"
units = 8
{settings}
[[layer]]
kind = "output"
"""


def temporal_model(
    steps: int, channels: int, taps: int, segments: int, units: int = 7, classes: int = 3, frozen: bool = False
) -> Model:
    """Return a model of a temporal layer and an output."""
    layers = (
        Layer("temporal", units, taps * channels, (8, 9), amplitude=0, rows=taps, segments=segments, frozen=frozen),
        Layer("output", classes, segments * units, (6, 7), amplitude=0),
    )
    span = round((3 / layers[0].inputs) ** 0.5 * 2**13)
    weights = [initial_weights(3, i, w.units, w.inputs, span * (1 - i)) for i, w in enumerate(layers)]
    if frozen:
        weights[0] = (weights[0] >> 8).astype(np.uint8)
    names = tuple("abcdefghi"[:classes])
    scaling = Scaling(np.zeros(1, np.float32), np.ones(1, np.float32))
    return Model("t", 3, Layout(steps, channels), names, layers, scaling, tuple(weights), total=0)


class Written:
    """The same network written out in plain integers, as SPEC has it: shapes (T, C), weights v (m, n + 1)."""

    SOFTMAX = np.array([int(255 * np.exp(-d / 16) + 0.5) if d < 100 else 0 for d in range(256)])

    def __init__(self, model: Model) -> None:
        first = model.layers[0]
        self.steps, self.taps, self.segments, self.m = model.layout.steps, first.rows, first.segments, first.units
        self.v, self.u = (w.astype(np.int64) - OFFSET for w in model.weights)
        self.shifts = first.shifts[0], model.layers[1].shifts[0]

    def train(self, x: Integers, y: int) -> None:
        """Learn one sample."""
        padded = np.vstack([np.zeros((self.taps - 1, x.shape[1]), np.int64), x])
        patches = [np.append(padded[t : t + self.taps].ravel(), 127) for t in range(self.steps)]
        a = np.array([np.clip((self.high(self.v) @ patch) >> 5, -127, 127) for patch in patches])
        place = {}
        f = np.zeros(self.segments * self.m + 1, np.int64)
        f[-1] = 127
        for c in range(self.segments):
            begin, end = c * self.steps // self.segments, (c + 1) * self.steps // self.segments
            for i in range(self.m):
                at = max(range(begin, end), key=lambda t: a[t, i])  # the first of several
                place[c, i], f[c * self.m + i] = at, a[at, i]
        z = (self.high(self.u) @ f) >> 5
        q = self.SOFTMAX[np.minimum((z.max() - z) >> 1, 255)]
        e = -((127 * q + (q.sum() >> 1)) // q.sum())
        e[y] += 127
        if e[y] == 0:
            return
        back = np.clip((e @ self.high(self.u)) >> 4, -127, 127)
        back[np.abs(f) == 127] = 0
        self.u = self.updated(self.u, np.outer(e, f), self.shifts[1])
        for (c, i), at in place.items():
            self.v[i] = self.updated(self.v[i], back[c * self.m + i] * patches[at], self.shifts[0])

    @staticmethod
    def high(v: Integers) -> Integers:
        """Return the weights as the forward pass reads them."""
        return (v + 128) >> 8

    @staticmethod
    def updated(v: Integers, change: Integers, shift: int) -> Integers:
        """Return weights after an update."""
        return np.clip(v + ((change + (1 << (shift - 1))) >> shift), -32640, 32639)


def noise(model: Model, count: int) -> tuple[Integers, Integers]:
    """Return random samples (S, T, C) and classes."""
    rng = np.random.default_rng(5)
    x = rng.integers(-127, 128, (count, model.layout.steps, model.layout.channels))
    return x, rng.integers(0, len(model.classes), count)


def applied(model: Model, engine: Engine, x: Integers, y: Integers, op: int = 0) -> tuple[Simulator, Integers]:
    """Train on samples, or test; return the simulator and the results."""
    simulator = Simulator(model, engine)
    simulator.start(1, 0, True)
    data = (x.reshape(len(x), -1) + 128).astype(np.uint8)
    records = Records(np.full(len(x), op, np.uint8), y.astype(np.uint8), data)
    return simulator, np.concatenate(list(simulator.stream(records)))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("steps", "taps", "segments"), [(11, 5, 4), (5, 5, 5), (4, 1, 3), (9, 3, 1), (600, 2, 3)])
def test_engines_compute_what_the_specification_says(engine: Engine, steps: int, taps: int, segments: int) -> None:
    """Weights after training equal those of the page's arithmetic, written out here a second time."""
    model = temporal_model(steps, 3, taps, segments)
    x, y = noise(model, 60 if steps < 100 else 8)
    written = Written(model)
    for sample, label in zip(x, y, strict=True):
        written.train(sample, int(label))
    expected = b"".join(stored((v + OFFSET).astype("<u2")) for v in (written.v, written.u))
    assert expected != b"".join(stored(w) for w in model.weights)
    simulator, _ = applied(model, engine, x, y)
    assert simulator.weights() == expected


@pytest.mark.parametrize("engine", ENGINES)
def test_a_frozen_layer_keeps_its_weights(engine: Engine) -> None:
    """Its weights take a byte each and stay; the output learns, and all engines agree."""
    model = temporal_model(9, 2, 3, 3, frozen=True)
    x, y = noise(model, 40)
    simulator, _ = applied(model, engine, x, y)
    kept = model.weights[0].tobytes()
    assert simulator.weights()[: len(kept)] == kept
    assert simulator.weights()[len(kept) :] != model.weights[1].tobytes()
    assert crc32(simulator.weights()) == crc32(applied(model, "plain", x, y)[0].weights())


def test_it_learns_a_pattern_wherever_it_is() -> None:
    """Two patterns that differ in the order of their steps, at any place in noise, are told apart."""
    rng = np.random.default_rng(8)
    rise = np.array([[-90, 0], [0, 60], [90, 0]])
    count = 600
    x = rng.integers(-25, 26, (count, 20, 2))
    y = rng.integers(0, 2, count)
    for sample, label in zip(x, y, strict=True):
        at = rng.integers(0, 18)
        sample[at : at + 3] += rise if label else rise[::-1]
    model = temporal_model(20, 2, 3, 2, units=12, classes=2)
    simulator, results = applied(model, "auto", x[:500], y[:500])
    assert (results[-100:, 0] == y[400:500]).mean() > 0.9
    frozen, _ = applied(temporal_model(20, 2, 3, 2, units=12, classes=2, frozen=True), "auto", x[:500], y[:500])

    def known(one: Simulator) -> float:
        data = (x[500:].reshape(100, -1) + 128).astype(np.uint8)
        found = one.evaluate(Records(np.ones(100, np.uint8), y[500:].astype(np.uint8), data))
        return float((found[:, 0] == y[500:]).mean())

    assert known(simulator) > 0.93
    assert known(simulator) >= known(frozen)


def test_its_memory() -> None:
    """Besides weights, sample, inputs and sums it takes a byte a place, and a step of silence."""
    planned = dict(memory(temporal_model(12, 3, 5, 4, units=8)).buffers)
    assert (planned["weights 0"], planned["weights 1"]) == (2 * 8 * 16, 2 * 3 * 33)
    assert (planned["inputs 0"], planned["inputs 1"], planned["places"], planned["silence"]) == (16, 33, 32, 3)


def test_a_model_file_keeps_it() -> None:
    """A file is read back as it was written."""
    model = temporal_model(12, 3, 5, 4)
    again = parse_model(model.to_bytes(), "t")
    assert again.layers == model.layers
    assert again.shape == "TDNN 3-7@5-3 K=4"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rows": 13, "inputs": 39}, "kernel of layer"),
        ({"rows": 4}, "inputs of layer"),
        ({"segments": 13}, "segments of layer"),
        ({"segments": 17}, "kernel"),
        ({"segments": 0}, "kernel"),
        ({"rows": 0}, "kernel"),
        ({"columns": 1}, "kernel"),
        ({"stride": 1}, "kernel"),
        ({"pool": 1}, "kernel"),
        ({"amplitude": 100}, "target amplitude"),
        ({"leak": 1}, "leak"),
    ],
)
def test_a_reader_refuses(change: dict[str, int], said: str) -> None:
    """A board's parser refuses each field that is out of its range."""
    model = temporal_model(12, 3, 5, 4)
    with pytest.raises(ModelError, match=said):
        replace(model, layers=(replace(model.layers[0], **change), model.layers[1])).to_bytes()  # type: ignore[arg-type]


def test_a_reader_refuses_long_segments_and_other_layers_before_it() -> None:
    """A place takes a byte, and the sample is what the layer reads."""
    with pytest.raises(ModelError, match="segments of layer"):
        temporal_model(600, 1, 5, 2).to_bytes()
    model = temporal_model(12, 3, 5, 4)
    first = Layer("dense", 36, 36, (8, 9))
    weights = (initial_weights(1, 0, 36, 36, 0), *model.weights)
    with pytest.raises(ModelError, match="after another"):
        replace(model, layers=(first, *model.layers), weights=weights).to_bytes()


def test_what_a_description_says() -> None:
    """Kernel and segments have defaults; the next layer reads the maxima."""
    layer = parse_config(TOML.format(settings="", more=""), "t.toml").layers[0]
    assert (layer.kernel, layer.segments, layer.amplitude, layer.shift) == ((5, 0), 4, 0, 5)
    layer = parse_config(TOML.format(settings="kernel = 2\nsegments = 3\nfrozen = true", more=""), "t.toml").layers[0]
    assert (layer.kernel, layer.segments, layer.frozen) == ((2, 0), 3, True)


@pytest.mark.parametrize(
    ("settings", "said", "hint"),
    [
        ("kernel = 13", "a kernel of 13 steps, but a sample has only 12", "smaller"),
        ("segments = 13", "12 steps into 13 segments", "at least one step"),
        ("segments = 17", "from 1 to 16", ""),
        ("kernel = [3, 3]", "kernel", ""),
        ('target = "label"', "learns from feedback", "recurrent"),
        ("amplitude = 90", "amplitude", ""),
        ("leak = 2", "recurrent layers", ""),
        ("pool = 2", "conv layers", ""),
    ],
)
def test_what_a_description_may_not_say(settings: str, said: str, hint: str) -> None:
    """Each mistake is told with the line, and what to do."""
    with pytest.raises(ConfigError, match=said) as caught:
        parse_config(TOML.format(settings=settings, more=""), "t.toml")
    assert hint in caught.value.hint


def test_only_the_first_layer_is_temporal() -> None:
    """A second one has no steps to look at; segments and kernels are settings of no dense layer."""
    text = TOML.format(settings="", more="")
    second = '[[layer]]\nkind = "temporal"\nunits = 4\n[[layer]]\nkind = "output"\n'
    with pytest.raises(ConfigError, match="only the first layer can be"):
        parse_config(text.replace('[[layer]]\nkind = "output"\n', second), "t.toml")
    for setting, said in (("segments = 2", "temporal layers"), ("kernel = 2", "conv and temporal layers")):
        with pytest.raises(ConfigError, match=said):
            parse_config(text.replace('kind = "output"', f'kind = "output"\n{setting}'), "t.toml")
