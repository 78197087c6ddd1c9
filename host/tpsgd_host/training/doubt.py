"""A class for what belongs to no other, and the thresholds at which a model answers it (SPEC 1.11, not sure).

Shapes: R samples, T steps, C channels, N classes, n inputs of the output layer without the bias.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from tpsgd.protospec import ANY_MARGIN, ANY_SCORE
from tpsgd_host.data.frontend import LogMel
from tpsgd_host.data.order import epochs as orders
from tpsgd_host.model.modelfile import Model
from tpsgd_host.model.prototypes import Bytes
from tpsgd_host.model.surgery import with_class, with_learning
from tpsgd_host.training.executor import TEST, Records
from tpsgd_host.training.foreign import foreigners
from tpsgd_host.training.practice import distances, readouts, trained_on, with_prototypes
from tpsgd_host.training.simulator import Simulator

NONE = "none"  # the name of the class
SHARE = 1.0  # synthetic samples for each sample of a class
EPOCHS = 20  # of learning them
_FURTHEST = 32767

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Doubt:
    """Thresholds, and what they cost on the recordings that they were chosen on.

    Attributes
    ----------
    score, margin : int
        t1 and t2.
    misses, foreign : float
        Share of the classes' samples that is refused, and of the synthetic ones that is not.
    """

    score: int
    margin: int
    misses: float
    foreign: float


def with_none(model: Model, data: Bytes, labels: Bytes, *, epochs: int = EPOCHS, seed: int = 1) -> Model:
    """Return a network with a class none after its others, trained on synthetic samples among those of the classes.

    All its layers learn for this; its weights are those to go on from.

    Parameters
    ----------
    data, labels : ndarray of uint8, shapes (R, T*C), (R,)
        Labels may name the class none, if the model has it: recordings of what is to be refused.
    """
    frozen = [layer.frozen for layer in model.layers]
    grown = with_learning(model, len(model.layers))
    if NONE not in grown.classes:
        grown = with_class(replace(grown, prototypes=None), NONE)
    none = grown.classes.index(NONE)
    made = synthetic(grown, data, labels, seed)
    everything = np.concatenate([data, made])
    names = np.concatenate([labels, np.full(len(made), none, np.uint8)])
    learned = trained_on(grown, everything, names, list(orders(len(names), epochs, seed)))
    return with_learning(learned, 1) if any(frozen) else learned


def synthetic(model: Model, data: Bytes, labels: Bytes, seed: int) -> Bytes:
    """Return foreign samples made of those of the known classes, shape (F, T*C)."""
    shape = (-1, model.layout.steps, model.layout.channels)
    known = labels != model.classes.index(NONE) if NONE in model.classes else np.ones(len(labels), bool)
    words = isinstance(model.layout.front, LogMel)
    count = max(1, round(SHARE * int(known.sum())))
    return foreigners(data[known].reshape(shape), labels[known], count, words=words, seed=seed).reshape(count, -1)


def with_means(
    model: Model, data: Bytes, labels: Bytes, *, persons: Sequence[str] = (), seed: int = 1, **how: Any
) -> Model:
    """Return a network with a class none and a frozen body with prototypes, those of none made of synthetic samples.

    Parameters
    ----------
    model : Model
        One with a class none (:func:`with_none`).
    persons : sequence of str
        Who made each sample; may be empty.
    how
        Further fields of :class:`~tpsgd_host.model.prototypes.Prototypes`.
    """
    none = model.classes.index(NONE)
    made = synthetic(model, data, labels, seed)
    return with_prototypes(
        with_learning(model, 1), np.concatenate([data, made]),
        np.concatenate([labels, np.full(len(made), none, np.uint8)]),
        [*persons, *[""] * len(made)] if persons else (), none=none, **how,
    )  # fmt: skip


def thresholds(model: Model, validation: tuple[Bytes, Bytes], misses: float, seed: int = 1) -> Doubt:
    """Return the thresholds of a model with prototypes and a class none that refuse a share of the validation samples.

    Both are at equal quantiles, as far out as the misses allow. ``validation`` holds recordings that the network has
    not learned: stored activations (R, T*C) and classes (R,).
    """
    assert model.prototypes is not None and model.prototypes.none is not None
    data, labels = validation
    known = data[labels != model.prototypes.none]
    scores, margins = _measured(model, known)
    best = ANY_SCORE, ANY_MARGIN
    for q in np.linspace(0, misses, 101):
        pair = int(np.quantile(scores, 1 - q, method="higher")), int(np.quantile(margins, q, method="lower"))
        if ((scores > pair[0]) | (margins < pair[1])).mean() > misses:
            break
        best = min(ANY_SCORE, pair[0]), max(ANY_MARGIN, min(_FURTHEST, pair[1]))
    refused = ((scores > best[0]) | (margins < best[1])).mean()
    scores, margins = _measured(model, synthetic(model, *validation, seed + 1))
    taken = ((scores <= best[0]) & (margins >= best[1])).mean()
    return Doubt(*best, float(refused), float(taken))


def _measured(model: Model, data: Bytes) -> tuple[Ints, Ints]:
    """Return score and margin of the class that would be answered for each sample, shapes (R,)."""
    known = model.prototypes
    assert known is not None and known.none is not None
    free = replace(model, prototypes=replace(known, score=ANY_SCORE, margin=ANY_MARGIN))
    unknown = np.full(len(data), 255, np.uint8)
    chosen = Simulator(free).evaluate(Records(np.full(len(data), TEST, np.uint8), unknown, data))[:, 0]
    x = readouts(model, data)
    z = sums(model, x)
    d = distances(x, known.vectors)
    apart = np.where(known.labels[None] == chosen[:, None], d, 1 << 29).min(axis=1)
    scales = np.array(known.scales, np.int64)[chosen]
    rows = np.arange(len(data))
    return np.minimum(ANY_SCORE, 256 * apart // scales), z[rows, chosen] - z[:, known.none]


def sums(model: Model, x: Bytes) -> Ints:
    """Return the output layer's sums for its inputs, (R, n): shape (R, N)."""
    w = model.weights[-1]
    high = (w.astype(np.int64) >> (8 if w.dtype.itemsize == 2 else 0)) - 128
    inputs = np.column_stack([x.astype(np.int64) - 128, np.full(len(x), 127)])
    found: Ints = (inputs @ high.T) >> model.layers[-1].shift
    return found
