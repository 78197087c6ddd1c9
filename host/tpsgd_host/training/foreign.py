"""Samples of no class, made of the classes' own: what a network learns to refuse, where nobody recorded any.

Shapes: R samples, F foreign ones, T steps, C bands or channels.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
Dice = np.random.Generator


def foreigners(data: Bytes, labels: Bytes, count: int, *, words: bool, seed: int) -> Bytes:
    """Return ``count`` samples of no class, shape (F, T, C), each made of one or two samples of different classes.

    Parameters
    ----------
    data : ndarray of uint8, shape (R, T, C)
        Stored activations.
    labels : ndarray of uint8, shape (R,)
        At least two classes.
    words : bool
        Whether they are log-mel frames: then two may sound at once, and bands may move.
    """
    dice = np.random.default_rng(seed)
    kinds: list[Callable[[Bytes, Bytes, Dice], Bytes]] = [_reversed, _spliced, _alternating, _half, _noise]
    if words:
        kinds += [_together, _moved, _hum]
    made = []
    for i in range(count):
        first = int(dice.integers(len(data)))
        second = int(dice.choice(np.flatnonzero(labels != labels[first])))
        made.append(kinds[i % len(kinds)](data[first], data[second], dice))
    return np.stack(made).astype(np.uint8)


def _reversed(one: Bytes, other: Bytes, dice: Dice) -> Bytes:  # noqa: ARG001 - as the other kinds
    return one[::-1]


def _spliced(one: Bytes, other: Bytes, dice: Dice) -> Bytes:
    """The head of one and the tail of the other."""
    steps = len(one)
    cut = int(dice.integers(steps // 3, 2 * steps // 3 + 1))
    return np.concatenate([one[:cut], other[cut:]])


def _alternating(one: Bytes, other: Bytes, dice: Dice) -> Bytes:  # noqa: ARG001
    """Every second step of the other."""
    made = one.copy()
    made[1::2] = other[1::2]
    return made


def _half(one: Bytes, other: Bytes, dice: Dice) -> Bytes:  # noqa: ARG001
    """One half, each step doubled."""
    steps = len(one)
    begin = int(dice.integers(2)) * (steps // 2)
    return one[np.minimum(begin + np.arange(steps) // 2, steps - 1)]


def _together(one: Bytes, other: Bytes, dice: Dice) -> Bytes:  # noqa: ARG001
    return np.maximum(one, other)


def _moved(one: Bytes, other: Bytes, dice: Dice) -> Bytes:  # noqa: ARG001
    """Bands moved by 3 or 4, the edge repeated."""
    bands = one.shape[1]
    by = int(dice.integers(3, 5)) * int(dice.choice([-1, 1]))
    return one[:, np.clip(np.arange(bands) - by, 0, bands - 1)]


def _noise(one: Bytes, other: Bytes, dice: Dice) -> Bytes:  # noqa: ARG001
    """Noise with the mean and the spread of a sample's bands or channels."""
    values = one.astype(np.float64)
    return _stored(values.mean(axis=0) + dice.normal(0, 1, one.shape) * values.std(axis=0))


def _hum(one: Bytes, other: Bytes, dice: Dice) -> Bytes:  # noqa: ARG001
    """A steady sound of any spectrum, whose level may rise and fall."""
    steps, bands = one.shape
    at = np.linspace(0, bands - 1, 4)
    spectrum = np.interp(np.arange(bands), at, dice.uniform(-90, 0, 4))
    level = np.interp(np.arange(steps), np.linspace(0, steps - 1, 3), dice.uniform(-60, 0, 3) * dice.integers(2))
    values = spectrum[None] + level[:, None]
    return _stored(255 + values - values.max() + dice.normal(0, dice.uniform(4, 20), one.shape))


def _stored(values: npt.NDArray[np.float64]) -> Bytes:
    return np.clip(np.rint(values), 1, 255).astype(np.uint8)
