"""One training step of every rule against its formula, written out unit by unit and step by step."""

from __future__ import annotations

from array import array
from dataclasses import replace
from typing import Any

import architectures
import numpy as np
import pytest
from architectures import ALL, CONV, DENSE, STACKED, STRIDED, Floats

from tpsgd import kernels_plain
from tpsgd.generator import draw, mix
from tpsgd_host.rules import Architecture
from tpsgd_host.rules.network import Network
from tpsgd_host.rules.training import make_rule

SEED = 77
RATE = 0.3


def steps(rule: str, architecture: Architecture, w: list[Floats], x: Floats, y: Any, loss: Any = "l2") -> Any:
    """Return the rule at work after it learned the samples one by one, and its network."""
    network = Network(architecture, [a[None].copy() for a in w])
    network.rated(np.full((1, len(w)), RATE))
    learner: Any = make_rule(rule, network, [SEED], loss)
    for row, label in zip(x, y, strict=True):
        learner.step(row[None], np.array([label]))
    return learner


def assert_learned(learner: Any, expected: list[Floats], before: list[Floats]) -> None:
    """Compare the learner's weights with those expected, all of which have changed."""
    for found, wanted, old in zip(learner.network.weights, expected, before, strict=True):
        assert np.abs(wanted - old).max() > 1e-3
        np.testing.assert_allclose(found[0], wanted, atol=1e-12)


def inside(z: Floats) -> Floats:
    """Return the slope of hard tanh."""
    return ((z > -1) & (z < 1)).astype(float)


def target(index: int, column: int, units: int, amplitude: float) -> Floats:
    """Return a layer's targets as the device draws them: its error of activations that are all 0."""
    a, e = bytearray([128] * units), array("i", [0] * units)
    kernels_plain.error(a, e, array("I", [units, 1, 100, 0, 0, mix(SEED ^ ((index + 1) << 24))]), column)
    return np.array(e) / 100 * amplitude


def output_error(architecture: Architecture, p: Floats, label: int) -> Floats:
    """Return what the output layer learns from."""
    return np.eye(architecture.classes)[label] - p


@pytest.mark.parametrize("name", ALL)
def test_dfa(name: str) -> None:
    architecture = ALL[name]
    before = architectures.weights(architecture)
    x, y = architectures.batch(architecture, 2)
    learner = steps("dfa", architecture, before, x, y)
    w = [a.copy() for a in before]
    for row, label in zip(x, y, strict=True):
        run = architectures.forward(architecture, w, row)
        e = output_error(architecture, run.p, label)
        for i, shape in enumerate(architecture.layers[:-1]):
            w[i] += RATE * projected(architecture, i, shape, run, e @ learner.projections[i][0])
        w[-1] += RATE * np.outer(e, run.inputs[-1])
    assert_learned(learner, w, before)


def projected(architecture: Architecture, i: int, shape: Any, run: Any, g: Floats) -> Floats:
    """Return a hidden layer's change at a rate of 1 for a signal g on what it hands on."""
    if shape.kind == "dense":
        return np.outer(g * inside(run.sums[i]), run.inputs[i])
    change = np.zeros((shape.units, shape.inputs + 1))
    if shape.kind == "recurrent":
        for t, part in zip(architecture.marks(), np.split(g, architecture.readout_steps), strict=True):
            change += np.outer(part * inside(run.sums[i][t]) * 2.0**-shape.leak, run.inputs[i][t])
        return change
    image = g.reshape(run.outputs[i].shape)
    for place, best in run.maxima[i].items():
        u = place[-1]
        change[u] += image[place] * inside(run.sums[i][best])[u] * run.inputs[i][best]
    return change


@pytest.mark.parametrize("name", ["dense", "conv", "strided", "temporal"])
def test_drtp_without_a_sequence(name: str) -> None:
    architecture = ALL[name]
    before = architectures.weights(architecture)
    x, y = architectures.batch(architecture, 2)
    learner = steps("drtp", architecture, before, x, y)
    w = [a.copy() for a in before]
    for row, label in zip(x, y, strict=True):
        run = architectures.forward(architecture, w, row)
        for i, shape in enumerate(architecture.layers[:-1]):
            w[i] += RATE * projected(architecture, i, shape, run, learner.projections[i][0, label])
        w[-1] += RATE * np.outer(output_error(architecture, run.p, label), run.inputs[-1])
    assert_learned(learner, w, before)


def learn_sequences(architecture: Architecture, w: list[Floats], x: Floats, y: Any, error: Any, chosen: Any) -> None:
    """Train recurrent layers on samples, updated inside the sequence by ``error(i, c, label, h, z)``.

    ``chosen(t)`` is None at a step that does not learn, else its checkpoint c.
    """
    for row, label in zip(x, y, strict=True):
        signal: Any = row.reshape(architecture.steps, -1)
        for i, shape in enumerate(architecture.layers):
            if shape.kind != "recurrent":
                break
            h, states = np.zeros(shape.units), []
            for t, values in enumerate(signal):
                inputs = np.concatenate([values, h, [1.0]])
                z = w[i] @ inputs
                h = h + (np.clip(z, -1, 1) - h) * 2.0**-shape.leak
                if chosen(t) is not None:
                    w[i] += RATE * np.outer(error(i, chosen(t), label, h, z), inputs)
                states.append(h)
            signal = states
        value = np.concatenate([signal[t] for t in architecture.marks()])
        for j in range(i, len(architecture.layers)):
            inputs = np.append(value, 1.0)
            z = w[j] @ inputs
            if j == len(architecture.layers) - 1:
                p = np.exp(architectures.BETA * z)
                e = output_error(architecture, p / p.sum(), label)
            else:
                value = np.clip(z, -1, 1)
                e = error(j, None, label, value, z)
            w[j] += RATE * np.outer(e, inputs)


@pytest.mark.parametrize("name", ["recurrent", "no leak", "stacked"])
def test_drtp_in_a_sequence(name: str) -> None:
    architecture = ALL[name]
    before = architectures.weights(architecture)
    x, y = architectures.batch(architecture, 2)
    learner = steps("drtp", architecture, before, x, y)

    def error(i: int, c: int | None, label: int, a: Floats, z: Floats) -> Floats:
        shape = architecture.layers[i]
        row = learner.projections[i][0, label]
        if c is None:
            return row * inside(z)
        return row[c * shape.units : (c + 1) * shape.units] * inside(z) * 2.0**-shape.leak

    w = [a.copy() for a in before]
    marks = architecture.marks()
    learn_sequences(architecture, w, x, y, error, lambda t: marks.index(t) if t in marks else None)
    assert_learned(learner, w, before)


@pytest.mark.parametrize("loss", ["l2", "l1", "cube"])
@pytest.mark.parametrize("rule", ["last", "readout", "random", "every"])
@pytest.mark.parametrize("stacked", [False, True])
def test_tpsgd_in_a_sequence(rule: str, stacked: bool, loss: str) -> None:
    architecture = replace(STACKED, update_at=rule) if stacked else architectures.recurrent(rule)
    before = architectures.weights(architecture)
    x, y = architectures.batch(architecture, 3)
    slopes = {"l2": lambda a, t: a - t, "l1": lambda a, t: np.sign(a - t), "cube": lambda a, t: (a - 1.5 * t) ** 3}
    learner = steps("tpsgd", architecture, before, x, y, slopes["cube"] if loss == "cube" else loss)
    state, marks, count = array("I", [mix(SEED)]), architecture.marks(), architecture.steps
    w = [a.copy() for a in before]

    def error(i: int, c: int | None, label: int, a: Floats, z: Floats) -> Floats:
        shape = architecture.layers[i]
        e = -slopes[loss](a, target(i, (c or 0) * architecture.classes + label, shape.units, shape.amplitude))
        return np.where((np.abs(a) >= 1) & (e * a > 0), 0, e)

    for row, label in zip(x, y, strict=True):
        drawn = draw(state, count) if rule == "random" else -1
        chosen = {
            "last": lambda t: 0 if t == count - 1 else None, "every": lambda t: 0,
            "readout": lambda t: marks.index(t) if t in marks else None,
            "random": lambda t, drawn=drawn: 0 if t == drawn else None,
        }[rule]  # fmt: skip
        learn_sequences(architecture, w, row[None], [label], error, chosen)
    assert_learned(learner, w, before)


def test_tpsgd_of_dense_layers() -> None:
    before = architectures.weights(DENSE)
    x, y = architectures.batch(DENSE, 3)
    learner = steps("tpsgd", DENSE, before, x, y)
    w = [a.copy() for a in before]
    for row, label in zip(x, y, strict=True):
        run = architectures.forward(DENSE, w, row)
        for i, shape in enumerate(DENSE.layers[:-1]):
            e = target(i, label, shape.units, shape.amplitude) - run.outputs[i]
            w[i] += RATE * np.outer(e, run.inputs[i])
        w[-1] += RATE * np.outer(output_error(DENSE, run.p, label), run.inputs[-1])
    assert_learned(learner, w, before)


@pytest.mark.parametrize("regions", [1, 2, 9])
@pytest.mark.parametrize("architecture", [CONV, STRIDED], ids=["plane", "line"])
def test_tpsgd_of_conv_layers(architecture: Architecture, regions: int) -> None:
    """Each unit learns at its largest value of a region, there from the patch that gave it."""
    layers = tuple(replace(s, regions=regions) if s.kind == "conv" else s for s in architecture.layers)
    architecture = replace(architecture, layers=layers)
    before = architectures.weights(architecture)
    x, y = architectures.batch(architecture, 2)
    learner = steps("tpsgd", architecture, before, x, y)
    w = [a.copy() for a in before]
    for row, label in zip(x, y, strict=True):
        run = architectures.forward(architecture, w, row)
        for i, shape in enumerate(architecture.layers[:-1]):
            out, change = run.outputs[i], np.zeros_like(w[i])
            if shape.kind == "dense":
                change = np.outer(target(i, label, shape.units, shape.amplitude) - out, run.inputs[i])
            else:
                down, across = (min(regions, size) for size in out.shape[:2])
                for region, (a, b) in enumerate(np.ndindex(down, across)):
                    t = target(i, region * architecture.classes + label, shape.units, shape.amplitude)
                    places = [
                        (r, c) for r, c in np.ndindex(*out.shape[:2])
                        if a * out.shape[0] // down <= r < (a + 1) * out.shape[0] // down
                        and b * out.shape[1] // across <= c < (b + 1) * out.shape[1] // across
                    ]  # fmt: skip
                    for u in range(shape.units):
                        best = sorted(places, key=lambda at, u=u, out=out: out[at][u])[-1]
                        patch = run.inputs[i][latest(run, i, best, u, shape)]
                        change[u] += (t[u] - out[best][u]) * patch / (down * across)
            w[i] += RATE * change
        w[-1] += RATE * np.outer(output_error(architecture, run.p, label), run.inputs[-1])
    assert_learned(learner, w, before)


def latest(run: Any, i: int, place: tuple[int, int], unit: int, shape: Any) -> tuple[int, int]:
    """Return the last of the positions that give a place of the map its value."""
    wide = shape.pool if max(c for _, c in run.sums[i]) else 1
    window = [(place[0] * shape.pool + r, place[1] * wide + c) for r, c in np.ndindex(shape.pool, wide)]
    return [at for at in window if np.clip(run.sums[i][at][unit], -1, 1) == run.outputs[i][place][unit]][-1]


def test_feedback_alignment_of_dense_layers() -> None:
    before = architectures.weights(DENSE)
    x, y = architectures.batch(DENSE, 2)
    learner = steps("fa", DENSE, before, x, y)
    w = [a.copy() for a in before]
    for row, label in zip(x, y, strict=True):
        run = architectures.forward(DENSE, w, row)
        d = output_error(DENSE, run.p, label)
        changes = [np.outer(d, run.inputs[2])]
        for i in (1, 0):
            d = (learner.back[i + 1][0].T @ d) * inside(run.sums[i])
            changes.insert(0, np.outer(d, run.inputs[i]))
        w = [a + RATE * change for a, change in zip(w, changes, strict=True)]
    assert not np.allclose(learner.back[1][0], before[1][:, :-1])
    assert_learned(learner, w, before)


def test_feedback_alignment_through_time() -> None:
    """Both layers of a stack, the errors of every step followed one by one."""
    architecture = STACKED
    before = architectures.weights(architecture)
    x, y = architectures.batch(architecture, 1)
    learner = steps("fa", architecture, before, x, y)
    run = architectures.forward(architecture, before, x[0])
    d = output_error(architecture, run.p, y[0])
    count, marks = architecture.steps, architecture.marks()
    from_above = np.zeros((count, 4))
    from_above[list(marks)] = (learner.back[2][0].T @ d).reshape(len(marks), 4)
    w = [*before[:2], before[2] + RATE * np.outer(d, run.inputs[2])]
    for i in (1, 0):
        shape, back = architecture.layers[i], learner.back[i][0]
        below, gain = shape.inputs - shape.units, 2.0**-shape.leak
        g, change, next_above = np.zeros(shape.units), np.zeros_like(w[i]), np.zeros((count, below))
        for t in reversed(range(count)):
            g = g + from_above[t]
            dz = gain * inside(run.sums[i][t]) * g
            change += np.outer(dz, run.inputs[i][t])
            next_above[t] = back[:, :below].T @ dz
            g = (1 - gain) * g + back[:, below:].T @ dz
        w[i] = w[i] + RATE * change
        from_above = next_above
    assert_learned(learner, w, before)


@pytest.mark.parametrize("rule", ["fa", "dfa", "drtp"])
def test_random_matrices_are_fixed_and_a_seeds_own(rule: str) -> None:
    architecture = architectures.recurrent()
    w = architectures.weights(architecture)
    network = Network(architecture, [np.stack([a] * 3) for a in w])
    network.rated(np.full((3, len(w)), RATE))
    learner: Any = make_rule(rule, network, [1, 2, 1])
    matrices = learner.back if rule == "fa" else learner.projections
    before = [a.copy() for a in matrices]
    learner.step(*architectures.batch(architecture, 1))
    for a, b in zip(matrices, before, strict=True):
        assert np.array_equal(a, b)
        assert np.array_equal(a[0], a[2])
        assert not np.array_equal(a[0], a[1])
    fan_in = [9, 15, 6] if rule == "fa" else [15, 6]
    for a, n in zip(matrices, fan_in, strict=True):
        assert np.std(a) == pytest.approx(n**-0.5, rel=0.25)
