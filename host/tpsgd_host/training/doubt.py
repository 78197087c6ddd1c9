"""A class for what belongs to no other, and the thresholds at which a model answers it (SPEC 1.11, not sure).

Shapes: R samples, T steps, C channels, N classes, n inputs of the output layer without the bias.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tpsgd.protospec import ANY_MARGIN, ANY_SCORE
from tpsgd_host.data.frontend import LogMel
from tpsgd_host.data.load import load_samples
from tpsgd_host.data.order import epochs as orders
from tpsgd_host.data.overheard import whole_or_words
from tpsgd_host.data.samples import Samples, joined
from tpsgd_host.data.split import split
from tpsgd_host.data.wav import is_sound
from tpsgd_host.errors import DataError
from tpsgd_host.model.build import initial_span
from tpsgd_host.model.modelfile import Model, initial_weights
from tpsgd_host.model.prototypes import Bytes
from tpsgd_host.model.surgery import with_class, with_learning, with_shifts
from tpsgd_host.training.executor import TEST, Records
from tpsgd_host.training.foreign import foreigners
from tpsgd_host.training.practice import SHIFT, distances, readouts, trained_on, with_prototypes
from tpsgd_host.training.simulator import Simulator

NONE = "none"  # the name of the class
SHARE = 1.0  # synthetic samples for each sample of a class
EPOCHS = 20  # of learning them
VALIDATION = 0.2  # of the recordings, for thresholds
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


def doubt_line(doubt: Doubt) -> str:
    """Return what thresholds cost, in words."""
    return (
        f"not sure: refuses {100 * doubt.misses:.1f} % of the known, and takes {100 * doubt.foreign:.1f} % of "
        "synthetic foreign ones"
    )


def with_background(model: Model, samples: Samples, path: Path) -> Samples:
    """Return samples, and with them recordings of what belongs to none of the model's classes, whatever their labels.

    They are of the class none, or where there is none yet of the one after the last. Long sounds count with each word
    that is heard in them.
    """
    layout, classes = model.layout, model.classes
    none = classes.index(NONE) if NONE in classes else len(classes)
    if isinstance(layout.front, LogMel) and is_sound(path):
        values = whole_or_words(path, layout.front, layout.steps).astype(np.float64) - 128
        values = values.reshape(-1, layout.steps, layout.channels)
    else:
        values = load_samples(path, layout, None, require_labels=False).values
    if not len(values):
        raise DataError(f"{path}: nothing is heard in it.", "Name recordings that are louder, or leave it out.")
    count = len(values)
    groups = tuple(f"{path} {i}" for i in range(count))
    lines = np.arange(count) + int(samples.lines.max(initial=0)) + 1
    return joined(
        samples, replace(samples, values=values, labels=np.full(count, none, np.uint8), groups=groups, lines=lines)
    )


def with_doubt(
    model: Model, samples: Samples, persons: Sequence[str] = (), *, misses: float, epochs: int = EPOCHS,
    begun: bool = False, **how: Any,
) -> tuple[Model, Doubt]:  # fmt: skip
    """Return a network with a class none, prototypes, and thresholds; and what these cost.

    Parameters
    ----------
    model : Model
    samples : Samples
        Of its classes, and possibly of what belongs to none, with a class more.
    persons : sequence of str
        Who made each sample; may be empty.
    misses : float
        The share of the known samples that may be refused.
    epochs : int
        Passes through the samples.
    begun : bool
        Whether the network has its initial weights still. Then it does not learn the recordings that its thresholds are
        set on. One that was trained before may have learned them: its thresholds are those of another network, which
        has not, made larger or smaller as the two differ on what both have learned.
    how
        Further fields of :class:`~tpsgd_host.model.prototypes.Prototypes`.
    """
    fit, check = split(samples, VALIDATION, 1)
    who = dict(zip(samples.lines.tolist(), persons, strict=True)) if persons else {}
    theirs = [who[n] for n in fit.lines.tolist()] if who else ()
    data = model.scaling.encode(fit.values)
    fresh = model
    if not begun:
        named = np.flatnonzero(fit.labels < len(model.classes))
        fresh = trained_on(anew(model), data, fit.labels, [named[order] for order in orders(len(named), epochs, 1)])
    grown = with_shifts(with_none(fresh, data, fit.labels, epochs=epochs), (SHIFT,))
    ready = with_means(grown, data, fit.labels, persons=theirs, **how)
    doubt = thresholds(ready, (model.scaling.encode(check.values), check.labels), misses)
    if not begun:
        everything = model.scaling.encode(samples.values)
        grown = with_shifts(with_none(model, everything, samples.labels), (SHIFT,))
        tried, ready = ready, with_means(grown, everything, samples.labels, persons=persons, **how)
        doubt = _moved(doubt, tried, ready, data[fit.labels != ready.classes.index(NONE)])
    assert ready.prototypes is not None
    sure = replace(ready.prototypes, score=doubt.score, margin=doubt.margin)
    return replace(ready, prototypes=sure), doubt


def _moved(doubt: Doubt, tried: Model, ready: Model, data: Bytes) -> Doubt:
    """Return the thresholds of one network for another, by the medians of what both have learned, ``data``."""
    score, margin = doubt.score, doubt.margin
    (before, wide), (after, now) = (map(np.median, _measured(model, data)) for model in (tried, ready))
    if score != ANY_SCORE and before > 0:
        score = int(min(ANY_SCORE - 1, max(0, score * after / before)))
    if margin != ANY_MARGIN and wide > 0:
        margin = int(max(ANY_MARGIN + 1, min(_FURTHEST, margin * now / wide)))
    return replace(doubt, score=score, margin=margin)


def anew(model: Model) -> Model:
    """Return a network with initial weights, all of whose layers learn."""
    model = with_learning(replace(model, prototypes=None), len(model.layers))
    weights = []
    for i, layer in enumerate(model.layers):
        span = 0 if layer.kind == "output" else initial_span(layer, 1.0)
        weights.append(initial_weights(model.seed, i, layer.units, layer.inputs, span))
    return replace(model, weights=tuple(weights))


def with_none(model: Model, data: Bytes, labels: Bytes, *, epochs: int = EPOCHS, seed: int = 1) -> Model:
    """Return a network with a class none after its others, trained on synthetic samples among those of the classes.

    Each pass has synthetic samples of its own. All layers learn for this; the weights are those to go on from.

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
    made = [synthetic(grown, data, labels, seed + i) for i in range(epochs)]
    count, each = len(data), len(made[0])
    passes = []
    for i, order in enumerate(orders(count + each, epochs, seed)):
        passes.append(np.where(order < count, order, order + i * each))
    names = np.concatenate([labels, np.full(epochs * each, none, np.uint8)])
    learned = trained_on(grown, np.concatenate([data, *made]), names, passes)
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
