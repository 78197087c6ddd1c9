"""One network from many, in integers (SPEC 6): the result does not depend on the order of the answers.

Shapes: R answers of W trained weights each.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol, get_args

import numpy as np
import numpy.typing as npt

from tpsgd_host.errors import ModelError
from tpsgd_host.model.modelfile import Model

StrategyName = Literal["fedavg", "fedadam", "trimmed", "krum"]
STRATEGIES: tuple[StrategyName, ...] = get_args(StrategyName)

#: Answers that may be worthless: one in so many, at least one.
SUSPECTS = 5

#: FedAdam's step of a weight in a round, and what keeps the steps of quiet weights small, in units of v.
ETA, TAU = 128, 16

LEAST, MOST = 256, 65535  # a stored weight (SPEC 1.1)

Vector = npt.NDArray[np.uint16]
Wide = npt.NDArray[np.int64]


class Rule(Protocol):
    """Makes the next weights from the present ones and the answers to them."""

    def __call__(self, present: Vector, answers: npt.NDArray[np.uint16], counts: Sequence[int]) -> Vector:
        """Return the next weights, shape (W,), from R answers, shape (R, W), and the number each counts for."""


def trained_vector(model: Model) -> Vector:
    """Return the weights of the layers that learn, as stored, shape (W,): they are all that travels."""
    found = [w.ravel() for w, learns in zip(model.weights, _learning(model), strict=True) if learns]
    return np.concatenate(found).astype(np.uint16) if found else np.empty(0, np.uint16)


def with_vector(model: Model, vector: Vector) -> Model:
    """Return a model with other weights in its layers that learn.

    Raises
    ------
    ModelError
        When their number or a value does not fit the network.
    """
    weights, at = [], 0
    for w, learns in zip(model.weights, _learning(model), strict=True):
        if learns:
            weights.append(vector[at : at + w.size].astype("<u2"))
            at += w.size
        else:
            weights.append(w.ravel())
    if why := unfit(vector, at):
        raise ModelError(why)
    return model.with_weights(b"".join(w.tobytes() for w in weights))


def unfit(vector: npt.NDArray[np.unsignedinteger], size: int) -> str:
    """Return why a vector cannot be the weights of a network of ``size`` trained weights; empty if it can."""
    if vector.shape != (size,):
        return f"{vector.size:,} weights for a network of {size:,}"
    if vector.size and vector.min() < LEAST:
        return f"a weight of {vector.min()}, below {LEAST}"
    return ""


def rule(name: StrategyName) -> Rule:
    """Return a strategy's rule, with a memory of its own where it has one."""
    return _Adam() if name == "fedadam" else {"fedavg": _average, "trimmed": _trimmed, "krum": _krum}[name]


def mean(answers: npt.NDArray[np.uint16], counts: Sequence[int]) -> Vector:
    """Return the mean of the answers, rounded to nearest, halves up.

    Parameters
    ----------
    answers : ndarray of uint16, shape (R, W)
    counts : sequence of int, length R
        What each counts for, at least 1.
    """
    total = sum(counts)
    summed = np.zeros(answers.shape[1], np.int64)
    for answer, count in zip(answers, counts, strict=True):
        summed += answer.astype(np.int64) * count
    return _rounded(summed, total).astype(np.uint16)


def suspects(answers: int) -> int:
    """Return how many of R answers a robust rule distrusts; 0 where too few are left to tell."""
    return min(max(1, answers // SUSPECTS), (answers - 1) // 2) if answers > 2 else 0


def _average(present: Vector, answers: npt.NDArray[np.uint16], counts: Sequence[int]) -> Vector:  # noqa: ARG001
    return mean(answers, counts)


def _trimmed(present: Vector, answers: npt.NDArray[np.uint16], counts: Sequence[int]) -> Vector:  # noqa: ARG001
    """Leave out, for each weight, the largest and the smallest; what an answer claims to count for is not used."""
    cut = suspects(len(answers))
    kept = np.sort(answers, axis=0)[cut : len(answers) - cut]
    return mean(kept, [1] * len(kept))


def _krum(present: Vector, answers: npt.NDArray[np.uint16], counts: Sequence[int]) -> Vector:  # noqa: ARG001
    """Leave out the answers that lie farthest from their neighbours (Multi-Krum)."""
    number = len(answers)
    doubted = suspects(number)
    near = max(1, number - doubted - 2)
    v = answers.astype(np.float64) - 32896  # integers below 2**53 all along, so the products are exact
    lengths = (v * v).sum(axis=1)
    squares = lengths[:, None] + lengths[None, :] - 2 * (v @ v.T)
    np.fill_diagonal(squares, np.inf)
    scores = np.sort(squares, axis=1)[:, :near].sum(axis=1) if number > 1 else np.zeros(1)
    best = sorted(range(number), key=lambda i: (scores[i], answers[i].astype("<u2").tobytes()))[: number - doubted]
    return mean(answers[best], [1] * len(best))


class _Adam:
    """FedAdam in integers: m and s are the means of the step and of its square, in 256ths."""

    def __init__(self) -> None:
        self._m: Wide | None = None
        self._s: Wide | None = None

    def __call__(self, present: Vector, answers: npt.NDArray[np.uint16], counts: Sequence[int]) -> Vector:
        step = mean(answers, counts).astype(np.int64) - present
        m = np.zeros_like(step) if self._m is None else self._m
        s = np.zeros_like(step) if self._s is None else self._s
        self._m = m = (9 * m + 256 * step + 5) // 10
        self._s = s = (99 * s + 256 * step * step + 50) // 100
        root = np.floor(np.sqrt(s)).astype(np.int64)  # exact below 2**52
        moved = present + _rounded(ETA * m, 16 * root + 256 * TAU)
        after: Vector = np.clip(moved, LEAST, MOST).astype(np.uint16)
        return after


def _rounded(number: Wide, by: Wide | int) -> Wide:
    """Return a quotient rounded to nearest, halves up."""
    quotient: Wide = (2 * number + by) // (2 * np.asarray(by, np.int64))
    return quotient


def _learning(model: Model) -> list[bool]:
    return [not layer.frozen and any(layer.shifts) for layer in model.layers]
