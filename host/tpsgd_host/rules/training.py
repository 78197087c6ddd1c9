"""Training of R networks in lockstep, by any rule.

Legend: R networks, S samples, T steps, C channels, L layers, E epochs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from tpsgd_host.rules.architecture import Architecture
from tpsgd_host.rules.bp import Backprop
from tpsgd_host.rules.course import Course
from tpsgd_host.rules.dfa import DirectFeedback
from tpsgd_host.rules.drtp import DirectTargets
from tpsgd_host.rules.fa import FeedbackAlignment
from tpsgd_host.rules.frozen import Frozen
from tpsgd_host.rules.layers import Floats, Indices
from tpsgd_host.rules.losses import LayerLoss
from tpsgd_host.rules.network import Initial, Network, drawn
from tpsgd_host.rules.tpsgd import TargetProjection

#: Learning rules by name; bp is backpropagation through time where there is a recurrent layer.
RULES: tuple[str, ...] = ("tpsgd", "bp", "dfa", "fa", "drtp", "frozen")

_REPORTS = 200  # calls of progress in a run, about


class Rule(Protocol):
    """A learning rule at work on R networks."""

    def step(self, x: Floats, y: Indices) -> Indices:
        """Learn samples x (B, T*C) of classes y (B,); return what was predicted before learning, (R, B)."""
        ...


@dataclass(frozen=True)
class Result:
    """What R networks learned.

    Attributes
    ----------
    accuracies : ndarray, shape (tests, R)
        Share of each test set classified correctly after the last epoch; 0 for a network that diverged.
    right : list of ndarray of bool, one a test set, shape (R, S)
        Whether each of its samples is.
    history : ndarray, shape (E, R)
        Share of the training samples that were classified correctly before they were learned.
    weights : list of ndarray, one a layer, shape (R, m, n + 1)
    diverged : ndarray of bool, shape (R,)
        Whether a weight is not a finite number any more.
    """

    accuracies: npt.NDArray[np.float64]
    right: list[npt.NDArray[np.bool_]]
    history: npt.NDArray[np.float64]
    weights: list[Floats]
    diverged: npt.NDArray[np.bool_]


def make_rule(rule: str, network: Network, seeds: Sequence[int], loss: str | LayerLoss = "l2") -> Rule:
    """Return a rule at work on networks.

    Parameters
    ----------
    seeds : sequence of int, one a network
        Targets, random matrices and drawn steps come from them.
    loss : str or callable
        Layer loss; only tpSGD has one.

    Raises
    ------
    ValueError
        When there is no such rule or loss.
    """
    if rule == "tpsgd":
        return TargetProjection(network, seeds, loss)
    others: dict[str, Callable[[Network, Sequence[int]], Rule]] = {
        "bp": Backprop, "dfa": DirectFeedback, "fa": FeedbackAlignment, "drtp": DirectTargets, "frozen": Frozen,
    }  # fmt: skip
    if rule not in others:
        raise ValueError(f"rule {rule!r}: one of {', '.join(RULES)}")
    return others[rule](network, seeds)


def train(
    rule: str,
    architecture: Architecture,
    course: Course,
    tests: Sequence[tuple[Floats, Indices]],
    *,
    rates: Sequence[float] | Sequence[Sequence[float]],
    seeds: Sequence[int],
    initial: Initial | None = None,
    loss: str | LayerLoss = "l2",
    progress: Callable[[float], None] | None = None,
    batch: int = 1,
    clip: float = math.inf,
) -> Result:
    """Train ``len(rates)`` networks in lockstep, one sample at a time as a board does.

    Parameters
    ----------
    rule : str
        One of :data:`RULES`.
    tests : sequence of (x, y)
        Sets to classify after the last epoch; nothing else is done with them.
    rates : sequence of float, or of one sequence a network with a rate for each layer
        Learning rate of each network in the first phase.
    seeds : sequence of int, one a network
    initial : callable, optional
        ``initial(seed)`` returns the weights of a network, arrays (m, n + 1); by default they are drawn from the seed.
    loss : str or callable
        Layer loss of tpSGD.
    progress : callable, optional
        Called now and then with the share of the run that is done, 1.0 at the end.
    batch : int
        Samples that are learned at once, from their mean error; an epoch's last few that fill no batch are left out.

    clip : float
        Largest norm of a layer's gradient for a sample; by default there is none.

    Raises
    ------
    ValueError
        When rule, loss, layers, rates or samples do not go together.
    """
    per_layer = _rates(rates, len(seeds), len(architecture.layers)) / batch
    x, y = np.asarray(course.x, np.float32), np.asarray(course.y, np.int64)
    _check(architecture, x, y, batch)
    network = drawn(architecture, seeds, initial, batch=batch)
    for layer in network.layers:
        layer.clip = clip * batch
    learner = make_rule(rule, network, seeds, loss)
    history = np.zeros((course.epochs, len(seeds)))
    every = max(1, course.total // batch // _REPORTS)
    phase, done = -1, 0
    with np.errstate(all="ignore"):  # a network that diverges is reported, and does not stop the others
        for epoch in range(course.epochs):
            order = course.order(epoch)
            shown = course.shown(epoch, order)
            right = np.zeros(len(seeds), np.int64)
            for start in range(0, len(order) - batch + 1, batch):
                seen = epoch * len(order) + start
                if course.phase(seen) != phase:
                    phase = course.phase(seen)
                    network.rated((per_layer * 0.5**phase).astype(np.float32))
                picked = order[start : start + batch]
                right += (learner.step(shown[start : start + batch], y[picked]) == y[picked]).sum(axis=1)
                done += 1
                if progress is not None and done % every == 0:
                    progress(min(1.0, (seen + batch) / course.total))
            history[epoch] = right / (len(order) // batch * batch)
        if progress is not None:
            progress(1.0)
        diverged = ~np.all([np.isfinite(w).all(axis=(1, 2)) for w in network.weights], axis=0)
        found = [_right(network, *test) & ~diverged[:, None] for test in tests]
    accuracies = np.array([right.mean(axis=1) for right in found]).reshape(len(tests), len(seeds))
    return Result(accuracies, found, history, network.weights, diverged)


def _right(network: Network, x: Floats, y: Indices) -> npt.NDArray[np.bool_]:
    """Return whether each network classifies each sample rightly, shape (R, S)."""
    right: npt.NDArray[np.bool_] = network.classify(np.asarray(x, np.float32)) == np.asarray(y)
    return right


def _rates(rates: Sequence[float] | Sequence[Sequence[float]], nets: int, layers: int) -> npt.NDArray[np.float64]:
    """Return rates as an array (R, L)."""
    array = np.asarray(rates, np.float64)
    if array.ndim == 1:
        array = np.repeat(array[:, None], layers, axis=1)
    if array.shape != (nets, layers):
        raise ValueError(f"rates of shape {array.shape} for {nets} seeds and {layers} layers")
    return array


def _check(architecture: Architecture, x: Floats, y: Indices, batch: int) -> None:
    """Refuse samples that are not the architecture's."""
    architecture.check()
    size = architecture.steps * architecture.channels
    if x.shape != (len(y), size):
        raise ValueError(f"samples of shape {x.shape} where {(len(y), size)} are wanted")
    if not 1 <= batch <= len(y):
        raise ValueError(f"a batch of {batch} from {len(y)} samples")
    if y.min() < 0 or y.max() >= architecture.classes:
        raise ValueError(f"classes {y.min()} to {y.max()}; there are {architecture.classes}")
