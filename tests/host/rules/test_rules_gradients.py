"""Backpropagation against finite differences and against torch, for every kind of layer."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import architectures
import numpy as np
import pytest
from architectures import ALL, BETA, Floats

from tpsgd_host.rules import Architecture
from tpsgd_host.rules.network import Network
from tpsgd_host.rules.training import make_rule


def changes(rule: str, architecture: Architecture, w: list[Floats], x: Floats, y: Any) -> list[Floats]:
    """Return what one step at a rate of 1 adds to the weights."""
    network = Network(architecture, [a[None].copy() for a in w], len(y))
    network.rated(np.ones((1, len(w))))
    make_rule(rule, network, [5]).step(x, y)
    return [after[0] - before for after, before in zip(network.weights, w, strict=True)]


@pytest.mark.parametrize("name", ALL)
def test_gradient_against_finite_differences(name: str) -> None:
    architecture = ALL[name]
    w = architectures.weights(architecture)
    x, y = architectures.batch(architecture, 3)
    found = changes("bp", architecture, w, x, y)
    rng = np.random.default_rng(2)
    step, moved = 1e-6, 0
    for i, a in enumerate(w):
        for _ in range(12):
            at = tuple(rng.integers(0, a.shape))
            sides = []
            for sign in (1, -1):
                other = [b.copy() for b in w]
                other[i][at] += sign * step
                sides.append(architectures.loss(architecture, other, x, y))
            slope = (sides[0] - sides[1]) / (2 * step)
            assert found[i][at] == pytest.approx(-slope, abs=1e-7), (i, at)
            moved += abs(slope) > 1e-4
    assert moved > 5 * len(w)


@pytest.mark.parametrize("name", ALL)
def test_gradient_against_torch(name: str) -> None:
    torch = pytest.importorskip("torch", reason="torch is not there: pip install torch (any build for CPUs will do)")
    architecture = ALL[name]
    w = architectures.weights(architecture, 3)
    x, y = architectures.batch(architecture, 6, 4)
    parameters = [torch.tensor(a, dtype=torch.float64, requires_grad=True) for a in w]
    logits = torch_logits(torch, architecture, parameters, torch.tensor(x, dtype=torch.float64))
    (torch.nn.functional.cross_entropy(BETA * logits, torch.tensor(y), reduction="sum") / BETA).backward()
    for found, parameter in zip(changes("bp", architecture, w, x, y), parameters, strict=True):
        assert np.abs(found).max() > 1e-3
        np.testing.assert_allclose(found, -parameter.grad.numpy(), atol=1e-12)


def torch_logits(torch: Any, architecture: Architecture, parameters: list[Any], x: Any) -> Any:
    """Run samples (B, T*C) through torch's own operations."""
    functional = torch.nn.functional
    signal = x
    for i, (shape, w) in enumerate(zip(architecture.layers, parameters, strict=True)):
        weight, bias = w[:, :-1], w[:, -1]
        if shape.kind == "conv":
            if i == 0:
                signal = x.reshape(len(x), architecture.steps, -1, shape.depth).permute(0, 3, 1, 2)
            kernel = weight.reshape(shape.units, *shape.kernel, shape.depth).permute(0, 3, 1, 2)
            z = functional.conv2d(signal, kernel, bias, stride=shape.stride, padding=shape.border)
            signal = functional.max_pool2d(functional.hardtanh(z), (shape.pool, shape.pool if z.shape[3] > 1 else 1))
        elif shape.kind == "temporal":
            taps, steps = shape.kernel[0], architecture.steps
            sequence = functional.pad(x.reshape(len(x), steps, -1).permute(0, 2, 1), (taps - 1, 0))
            kernel = weight.reshape(shape.units, taps, -1).permute(0, 2, 1)
            a = functional.hardtanh(functional.conv1d(sequence, kernel, bias))
            bounds = [c * steps // shape.segments for c in range(shape.segments + 1)]
            signal = torch.cat([a[:, :, b:e].amax(2) for b, e in pairwise(bounds)], 1)
        elif shape.kind == "recurrent":
            sequence = x.reshape(len(x), architecture.steps, -1).unbind(1) if i == 0 else signal
            h, states = torch.zeros(len(x), shape.units, dtype=x.dtype), []
            for row in sequence:
                u = functional.hardtanh(functional.linear(torch.cat([row, h], 1), weight, bias))
                h = torch.lerp(h, u, 2.0**-shape.leak)
                states.append(h)
            signal = states
            if architecture.layers[i + 1].kind != "recurrent":
                signal = torch.cat([states[t] for t in architecture.marks()], 1)
        else:
            if signal.ndim == 4:
                signal = signal.permute(0, 2, 3, 1).flatten(1)
            z = functional.linear(signal, weight, bias)
            signal = z if shape.kind == "output" else functional.hardtanh(z)
    return signal


def test_mlp_against_scikit_learn() -> None:
    """Where no unit saturates hard tanh is the identity, which scikit-learn has: the same weights, sample by sample."""
    neural = pytest.importorskip("sklearn.neural_network", reason="no scikit-learn: pip install 'tpsgd[demo]'")
    architecture = architectures.DENSE
    w = architectures.weights(architecture, scale=0.2)
    x, y = architectures.batch(architecture, 40)
    rate = 0.02
    theirs = neural.MLPClassifier(
        (6, 5), "identity", solver="sgd", alpha=0, batch_size=1, learning_rate_init=rate, momentum=0, shuffle=False
    )
    theirs.partial_fit(x[:1], y[:1], classes=[0, 1, 2])
    sharp = [1.0, 1.0, BETA]  # its softmax has no sharpness of its own: its output weights have it
    theirs.coefs_ = [(s * a[:, :-1]).T.copy() for s, a in zip(sharp, w, strict=True)]
    theirs.intercepts_ = [s * a[:, -1] for s, a in zip(sharp, w, strict=True)]
    theirs._optimizer = type(theirs._optimizer)(theirs.coefs_ + theirs.intercepts_, rate, momentum=0, nesterov=False)
    network = Network(architecture, [a[None].copy() for a in w])
    network.rated(np.array([[rate * BETA, rate * BETA, rate / BETA]]))
    ours = make_rule("bp", network, [1])
    for row, label in zip(x, y, strict=True):
        theirs.partial_fit(row[None], [label])
        ours.step(row[None], np.array([label]))
        assert max(np.abs(layer.z).max() for layer in network.hidden) < 1
    for i, a in enumerate(network.weights):
        assert np.abs(a[0] - w[i]).max() > 1e-3
        np.testing.assert_allclose(sharp[i] * a[0, :, :-1].T, theirs.coefs_[i], atol=1e-12)
        np.testing.assert_allclose(sharp[i] * a[0, :, -1], theirs.intercepts_[i], atol=1e-12)
