"""Layer losses of tpSGD, each as its derivative ``d loss / d a`` for activations a and targets t of one shape."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]
LayerLoss = Callable[[Floats, Floats], Floats]


def l2(a: Floats, t: Floats) -> Floats:
    """(a - t)**2 / 2: the farther from the target, the stronger the push."""
    return a - t


def l1(a: Floats, t: Floats) -> Floats:
    """|a - t|: the push is always the same size."""
    return np.sign(a - t)


def hinge(a: Floats, t: Floats) -> Floats:
    """l2 on the near side of the target alone; a unit beyond the target is not pushed back."""
    short = a - t
    short[(short > 0) == (t > 0)] = 0
    return short


#: The losses that have a name.
LAYER_LOSSES: dict[str, LayerLoss] = {"l2": l2, "l1": l1, "hinge": hinge}


def layer_loss(loss: str | LayerLoss) -> LayerLoss:
    """Return the loss of a name, or the function itself.

    Raises
    ------
    ValueError
        When there is no loss of that name.
    """
    if callable(loss):
        return loss
    if loss not in LAYER_LOSSES:
        raise ValueError(f"layer loss {loss!r}: one of {', '.join(LAYER_LOSSES)}, or a function of (a, t)")
    return LAYER_LOSSES[loss]
