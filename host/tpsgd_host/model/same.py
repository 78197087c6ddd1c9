"""Whether two models are the same network: then weights of one fit the other (SPEC 4.3)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tpsgd_host.errors import MismatchError
from tpsgd_host.model.modelfile import Layer, Model, stored
from tpsgd_host.names import listing

HINT = "To put the whole model on the board, which forgets what it has learned: tpsgd-host flash {}"


def learns(layer: Layer) -> bool:
    """Whether a layer learns in some phase."""
    return not layer.frozen and any(layer.shifts)


def learning_weights(model: Model) -> bytes:
    """Return the weights of the layers that learn, as stored: those of a checkpoint."""
    pairs = zip(model.layers, model.weights, strict=True)
    return b"".join(stored(w) for layer, w in pairs if learns(layer))


def require_same(board: Model, model: Model, source: str) -> None:
    """Raise if weights of ``model`` do not fit the network of ``board``.

    Parameters
    ----------
    source : str
        Names ``model`` in the message.

    Raises
    ------
    MismatchError
        With the first thing that differs.
    """
    difference = _difference(board, model)
    if difference:
        raise MismatchError(
            f"{source} is another network than the board's {board.name}: {difference}", HINT.format(source)
        )


def _difference(a: Model, b: Model) -> str:
    """Return what differs first between the board's model and another; empty where nothing does."""
    if a.shape != b.shape:
        return f"{b.shape}, the board has {a.shape}"
    if a.classes != b.classes:
        return f"classes {listing(list(b.classes), 8)}; the board has {listing(list(a.classes), 8)}"
    for i, (one, other) in enumerate(zip(a.layers, b.layers, strict=True), 1):
        if one != other:
            return f"layer {i} {_field(other, one)}"
    if a.seed != b.seed:
        return f"seed {b.seed}, the board has {a.seed}"
    for i, (layer, w, v) in enumerate(zip(a.layers, a.weights, b.weights, strict=True), 1):
        if not learns(layer) and stored(w) != stored(v):
            return f"layer {i} does not learn, and its weights are not the board's"
    if _anonymous(a) != _anonymous(b):
        return "readings are scaled, cut or prepared in another way, or its prototypes are others"
    return ""


def _field(one: Layer, other: Layer) -> str:
    """Return the first field in which two layers differ, with both values."""
    values, others = vars(one), vars(other)
    name = next(name for name in values if values[name] != others[name])
    return f"has {name} {values[name]}, the board's has {others[name]}"


def _anonymous(model: Model) -> bytes:
    """Return a model file without what may differ: names of the model and of columns, the total, the weights."""
    layout = replace(model.layout, label="", group="", columns=())
    weights = tuple(np.ones_like(w) for w in model.weights)
    return replace(model, name="", layout=layout, total=0, weights=weights).to_bytes()
