"""Training of many networks in lockstep: the same as one by one, the same again, its rates, tests and refusals."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import architectures
import numpy as np
import pytest
from architectures import ALL, CONV, DENSE

from tpsgd_host.rules import LAYER_LOSSES, RULES, Architecture, Course, LayerShape, shuffled, train, training_bytes
from tpsgd_host.rules.network import Network


def course(architecture: Architecture, epochs: int = 2, phases: int = 1, size: int = 30) -> Course:
    """Return a course of samples that can be learned: classes differ in their mean."""
    x, y = architectures.batch(architecture, size)
    means = np.random.default_rng(9).uniform(-0.6, 0.6, (architecture.classes, x.shape[1]))
    return shuffled((0.4 * x + means[y]).astype(np.float32), y, epochs, 3, phases)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("name", ALL)
def test_lockstep_is_one_by_one(name: str, rule: str) -> None:
    architecture = ALL[name]
    given = course(architecture)
    tests = [(given.x[:9], given.y[:9]), (given.x, given.y)]
    rates, seeds = [0.05, 0.01, 0.05], [1, 1, 2]
    if (name, rule) == ("temporal", "tpsgd"):
        with pytest.raises(ValueError, match="no targets for a temporal layer"):
            train(rule, architecture, given, tests, rates=rates, seeds=seeds)
        return
    together = train(rule, architecture, given, tests, rates=rates, seeds=seeds)
    again = train(rule, architecture, given, tests, rates=rates, seeds=seeds)
    assert together.accuracies.shape == (2, 3)
    assert together.history.shape == (2, 3)
    assert not together.diverged.any()
    for r in range(3):
        alone = train(rule, architecture, given, tests, rates=rates[r : r + 1], seeds=seeds[r : r + 1])
        for a, b, c in zip(together.weights, alone.weights, again.weights, strict=True):
            assert a.dtype == np.float32
            np.testing.assert_allclose(a[r], b[0], atol=1e-6)
            assert np.array_equal(a, c)
        np.testing.assert_allclose(together.history[:, r], alone.history[:, 0])
        np.testing.assert_allclose(together.accuracies[:, r], alone.accuracies[:, 0])
    assert not np.allclose(together.weights[-1][0], together.weights[-1][1])
    assert not np.allclose(together.weights[-1][0], together.weights[-1][2])


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("name", ["dense", "recurrent", "conv"])
def test_every_rule_learns(name: str, rule: str) -> None:
    architecture = ALL[name]
    given = course(architecture, 8)
    # DRTP pushes units until they saturate; in so small a network few are left unless hidden layers learn slowly.
    slow = 0.03 if rule == "drtp" else 1.0
    rates = [[rate * slow] * (len(architecture.layers) - 1) + [rate] for rate in (0.3, 0.1, 0.03, 0.01)]
    result = train(rule, architecture, given, [(given.x, given.y)], rates=rates, seeds=[1] * 4)
    assert result.accuracies.max() > 0.8
    assert result.history[-1].max() > result.history[0].min()


@pytest.mark.parametrize("rule", RULES)
def test_frozen_layers_stay(rule: str) -> None:
    layers = DENSE.layers
    architecture = replace(DENSE, layers=(layers[0], replace(layers[1], frozen=True), layers[2]))
    start = architectures.weights(architecture)
    result = train(rule, architecture, course(architecture), [], rates=[0.05], seeds=[1], initial=lambda seed: start)
    moved = [not np.array_equal(a[0], b.astype(np.float32)) for a, b in zip(result.weights, start, strict=True)]
    assert moved == [rule != "frozen", False, True]
    still = replace(DENSE, layers=tuple(replace(s, frozen=True) for s in layers))
    result = train(rule, still, course(still), [], rates=[0.05], seeds=[1], initial=lambda seed: start)
    assert all(np.array_equal(a[0], b.astype(np.float32)) for a, b in zip(result.weights, start, strict=True))


def test_rate_of_each_layer_and_phase() -> None:
    """A rate of 0 leaves a layer alone; the last phase of two has half the rate."""
    given = course(DENSE, 1, size=2)
    results = [
        train("frozen", DENSE, replace(given, phases=phases), [], rates=[[0.0, 0.0, rate]], seeds=[4])
        for phases, rate in ((1, 0.1), (2, 0.1), (1, 0.05))
    ]
    assert np.array_equal(results[0].weights[0], results[1].weights[0])
    first, halved, low = (result.weights[2] for result in results)
    assert np.abs(first - halved).max() > 1e-3
    one = replace(given, x=given.x[:1], y=given.y[:1], order=lambda epoch: np.array([0]))
    # The first sample of two at the full rate, the second at half of it.
    begun = train("frozen", DENSE, replace(one, **_only(given, 0)), [], rates=[[0.0, 0.0, 0.1]], seeds=[4])
    ended = train(
        "frozen", DENSE, replace(one, **_only(given, 1)), [], rates=[[0.0, 0.0, 0.05]], seeds=[4],
        initial=lambda seed: [w[0] for w in begun.weights],
    )  # fmt: skip
    np.testing.assert_allclose(halved, ended.weights[2], atol=1e-7)
    assert not np.allclose(low, halved)


def _only(given: Course, place: int) -> dict[str, Any]:
    picked = given.order(0)[place : place + 1]
    return {"x": given.x[picked], "y": given.y[picked]}


def test_a_batch_learns_the_mean() -> None:
    given = course(DENSE, 1, size=3)
    start = architectures.weights(DENSE)
    parts = [
        train("bp", DENSE, replace(given, order=lambda epoch, i=i: np.array([i])), [], rates=[0.3], seeds=[1],
              initial=lambda seed: start).weights
        for i in range(3)
    ]  # fmt: skip
    whole = train("bp", DENSE, given, [], rates=[0.3], seeds=[1], initial=lambda seed: start, batch=3).weights
    for i, a in enumerate(whole):
        np.testing.assert_allclose(a, np.mean([part[i] for part in parts], axis=0), atol=1e-6)


def test_progress_and_divergence() -> None:
    """A network whose rate is absurd is reported, and does not disturb its neighbour."""
    shares: list[float] = []
    given = course(DENSE, 20)
    explode = lambda a, t: np.where(np.abs(a) < 2, 1e30 * np.sign(t + a), a)  # noqa: E731 - a loss is a function
    result = train(
        "tpsgd", DENSE, given, [(given.x, given.y)], rates=[0.01, 1e30], seeds=[1, 1], loss=explode,
        progress=shares.append,
    )  # fmt: skip
    assert result.diverged[1]
    assert result.accuracies[0, 1] == 0
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert len(shares) > 50


def test_classification_in_pieces() -> None:
    """Many samples are classified as one by one, whatever fits at a time."""
    x, _ = architectures.batch(CONV, 11)
    network = Network(CONV, [np.stack([a, -a]) for a in architectures.weights(CONV)])
    whole = network.classify(x)
    pieces = network.classify(x, room=3000)
    assert whole.shape == (2, 11)
    assert np.array_equal(whole, pieces)
    expected = [architectures.forward(CONV, architectures.weights(CONV), row).p.argmax() for row in x]
    assert np.array_equal(whole[0], expected)
    assert network.classify(x[:0]).shape == (2, 0)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"rule": "sgd"}, "one of tpsgd, bp"),
        ({"loss": "l3"}, "l2, l1"),
        ({"rates": [0.1, 0.2]}, "2"),
        ({"rates": [[0.1, 0.2]]}, "layers"),
        ({"batch": 31}, "31"),
        ({"initial": lambda seed: [np.zeros((2, 2))] * 3}, "shape"),
    ],
)
def test_refusals(change: dict[str, Any], words: str) -> None:
    given: dict[str, Any] = {"rule": "tpsgd", "rates": [0.1], "seeds": [1], **change}
    with pytest.raises(ValueError, match=words):
        train(given.pop("rule"), DENSE, course(DENSE), [], **given)


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        ((LayerShape("dense", 5, 8),), "output"),
        ((LayerShape("dense", 5, 8), LayerShape("output", 3, 6)), "6 inputs where 5"),
        ((LayerShape("output", 4, 8),), "4 output units"),
        ((LayerShape("dense", 5, 8), LayerShape("recurrent", 5, 9), LayerShape("output", 3, 6)), "then dense"),
        ((LayerShape("recurrent", 5, 9), LayerShape("output", 3, 5)), "0 readout steps"),
        ((LayerShape("conv", 5, 9, kernel=(3, 3)), LayerShape("output", 3, 5)), "2 x 4 pixels"),
        ((LayerShape("conv", 5, 9, kernel=(2, 2)), LayerShape("output", 3, 15)), "9 inputs"),
    ],
)
def test_layers_that_do_not_fit(layers: tuple[LayerShape, ...], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        replace(DENSE, layers=layers).check()


def test_bytes() -> None:
    """The order that the rules' structures imply, and one figure worked out by hand."""
    architecture = Architecture(
        20, 16, 10, 4, "readout", (LayerShape("recurrent", 32, 48, 2), LayerShape("output", 10, 128))
    )
    size = {rule: training_bytes(rule, architecture) for rule in RULES}
    weights = 32 * 49 + 10 * 129
    passing = 320 + 3 * 32 + 128 + 10
    assert size["tpsgd"] == size["frozen"] == 4 * (weights + passing)
    assert size["bp"] == 4 * (weights + passing + 20 * (48 + 32) + 32 * 49)
    assert size["fa"] == size["bp"] + 4 * (10 * 128 + 32 * 32)
    assert size["drtp"] == size["tpsgd"] + 4 * 10 * 128
    assert size["dfa"] == size["drtp"] + 4 * 4 * (48 + 32)
    assert training_bytes("bp", architecture, 8) == 2 * size["bp"]
    for name, other in ALL.items():
        tp, bp = training_bytes("tpsgd", other), training_bytes("bp", other)
        assert tp < training_bytes("dfa", other), name
        assert tp < bp < training_bytes("fa", other), name
    with pytest.raises(ValueError, match="sgd"):
        training_bytes("sgd", architecture)


def test_multiply_accumulates() -> None:
    """Weights by how often a sample meets them: once, at every step, or at every pixel before pooling."""
    assert DENSE.multiplies() == 6 * 9 + 5 * 7 + 3 * 6
    assert ALL["recurrent"].multiplies() == 7 * 5 * 10 + 6 * 16 + 3 * 7
    assert ALL["conv"].multiplies() == 9 * 7 * 4 * 19 + 3 * 2 * 3 * 17 + 5 * 19 + 3 * 6
    assert ALL["strided"].multiplies() == 5 * 5 * 10 + 4 * 11
    assert ALL["temporal"].multiplies() == 9 * 6 * 13 + 5 * 13 + 4 * 6


def test_losses() -> None:
    a, t = np.array([[-0.5, 0.9, 0.2, -0.9]]), np.array([[0.7, 0.7, -0.7, -0.7]])
    np.testing.assert_allclose(LAYER_LOSSES["l2"](a, t), [[-1.2, 0.2, 0.9, -0.2]])
    np.testing.assert_allclose(LAYER_LOSSES["l1"](a, t), [[-1, 1, 1, -1]])
    np.testing.assert_allclose(LAYER_LOSSES["hinge"](a, t), [[-1.2, 0, 0.9, 0]])


@pytest.mark.parametrize("name", ["dense", "recurrent", "conv"])
@pytest.mark.parametrize("batch", [1, 4])
def test_a_clipped_gradient_is_no_longer_than_the_clip(name: str, batch: int) -> None:
    """No step of rate 1 moves a layer's weights by more than the clip."""
    architecture = ALL[name]
    x, y = architectures.batch(architecture, batch)
    one = Course(x, y, 1, lambda epoch: np.arange(len(y)), 1)
    before = train("bp", architecture, one, [], rates=[0.0], seeds=[3], batch=batch).weights
    free, bound = (
        train("bp", architecture, one, [], rates=[1.0], seeds=[3], batch=batch, clip=clip).weights
        for clip in (np.inf, 0.1 / batch)
    )
    moves = [[np.linalg.norm(after - w) for after, w in zip(weights, before, strict=True)] for weights in (free, bound)]
    assert max(moves[0]) > 0.3, "there must be something to clip"
    assert max(moves[1]) == pytest.approx(0.1 / batch, rel=1e-4)
    for longer, shorter, free_w, bound_w, w in zip(*moves, free, bound, before, strict=True):
        if longer > 0.1 / batch:  # shortened, its direction kept
            np.testing.assert_allclose((bound_w - w) / shorter, (free_w - w) / longer, atol=2e-4)
