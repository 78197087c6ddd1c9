"""Choose one layer's integer weights, its shift, and the part of its activation that a hard tanh covers.

Shapes: S samples, n inputs and m units of a layer.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tpsgd_host.errors import ModelError
from tpsgd_host.quantization.floatnet import FloatLayer, Floats

Integers = npt.NDArray[np.int64]

TOP = 127
MAX_SHIFT = 15
MIN_WEIGHT, MAX_WEIGHT = -32640, 32639  # of a trained weight v
SLOPES = np.linspace(0.5, 1.0, 26)  # slopes to try for the hard tanh that replaces a tanh
SMALLEST = 1e-3  # a unit counts as constant below this share of the layer's widest range
FINER = 7  # more shifts to try than the finest at which all weights fit


@dataclass(frozen=True, eq=False)
class Span:
    """A hard tanh in place of an activation: ``mid + half*clip((z - center)/reach, -1, 1)``; each of shape (m,)."""

    center: Floats
    reach: Floats
    mid: Floats
    half: Floats

    def inside(self, z: Floats) -> Floats:
        """Return the clip's argument."""
        return (z - self.center) / self.reach


def choose_span(layer: FloatLayer, z: Floats) -> Span:
    """Return the span for each unit of a layer.

    Parameters
    ----------
    layer : FloatLayer
    z : ndarray, shape (S, m)
        Its sums on the calibration data.
    """
    zero, one = np.zeros(layer.units), np.ones(layer.units)
    if layer.activation == "hardtanh":
        return Span(zero, one, zero, one)
    if layer.activation == "tanh":
        return _span_of_tanh(z)
    high = z.max(axis=0)
    low = np.zeros_like(high) if layer.activation == "relu" else z.min(axis=0)
    half = np.maximum(high - low, 0.0) / 2
    half = np.maximum(half, max(SMALLEST * half.max(), 1e-9))
    mid = low + half
    return Span(mid, half, mid, half)


def _span_of_tanh(z: Floats) -> Span:
    """Fit ``half*clip(slope*z)`` to tanh, for each unit, by least squares on its sums ``z``."""
    zero = np.zeros(z.shape[1])
    best = np.full(z.shape[1], np.inf)
    reach, half = np.ones(z.shape[1]), np.ones(z.shape[1])
    target = np.tanh(z)
    for slope in SLOPES:
        clipped = np.clip(slope * z, -1.0, 1.0)
        power = np.maximum((clipped**2).mean(axis=0), 1e-30)
        scale = (clipped * target).mean(axis=0) / power
        error = ((target - scale * clipped) ** 2).mean(axis=0)
        better = (error < best) & (scale > 0)
        best, reach, half = (np.where(better, a, b) for a, b in ((error, best), (1 / slope, reach), (scale, half)))
    return Span(zero, reach, zero, half)


def widen(span: Span, layer: FloatLayer, weight: Floats, bias: Floats, shift: int) -> Span:
    """Return the span, widened where the activation allows it until each unit's weights and bias fit at ``shift``.

    A ReLU or linear unit may cover more than its range. Without this, a unit that barely changes needs huge weights.

    Parameters
    ----------
    weight : ndarray, shape (m, n)
        Weights before they are divided by the span's reach.
    bias : ndarray, shape (m,)
    """
    if layer.activation not in ("relu", "linear"):
        return span
    limit = (TOP + 0.498) / 2.0**shift
    half = np.maximum(span.half, np.abs(weight).max(axis=1) / limit)
    if limit > 1:  # the center takes 1 of the bias' range
        half = np.maximum(half, np.abs(bias) / (limit - 1))
    center = half if layer.activation == "relu" else span.center
    return Span(center, half, center, half)


def shifts_to_try(weight: Floats) -> list[int]:
    """Return shifts to try: the finest at which all weights fit, two coarser, then finer ones where some saturate."""
    largest = float(np.abs(weight).max(initial=0.0))
    finest = MAX_SHIFT if largest <= 0 else math.floor(math.log2((TOP + 0.498) / largest))
    finest = max(0, min(MAX_SHIFT, finest))
    finer = range(finest + 1, min(finest + FINER, MAX_SHIFT) + 1)
    return [finest, *range(finest - 1, max(finest - 3, -1), -1), *finer]


def to_integers(weight: Floats, bias: Floats, shift: int, correction: Floats | float = 0.0) -> Integers:
    """Return saturated weights v, shape (m, n + 1); 1.0 is ``2**(shift + 8)``; ``correction`` is added to the bias."""
    v = np.rint(np.column_stack([weight, bias + correction]) * 2.0 ** (shift + 8))
    return np.clip(v, MIN_WEIGHT, MAX_WEIGHT).astype(np.int64)


def sums(v: Integers, x: Integers, shift: int) -> Integers:
    """Return z of shape (S, m) for inputs of shape (S, n), as the forward pass computes it (SPEC 1.2)."""
    hi = ((v + 128) >> 8).astype(np.float64)  # in float64 this product is exact, and fast
    total = x.astype(np.float64) @ hi[:, :-1].T + TOP * hi[:, -1]
    return total.astype(np.int64) >> shift


def clamp(z: Integers) -> Integers:
    """Return activations."""
    return np.clip(z, -TOP, TOP)


@dataclass(frozen=True, eq=False)
class Task:
    """The result that a layer should give at one shift.

    Attributes
    ----------
    weight : ndarray, shape (m, n)
    bias : ndarray, shape (m,)
    target : ndarray, shape (S, m)
        The wanted z.
    unit : ndarray, shape (m,)
        The value, in the next layer, of 1.0 in each unit's activation.
    span : Span, optional
        Of hidden layers; z and target are then compared after the clamp.
    """

    weight: Floats
    bias: Floats
    target: Floats
    unit: Floats
    span: Span | None = None

    def seen(self, z: Integers | Floats) -> Floats:
        """Return sums as the next layer sees them."""
        return np.asarray(z, np.float64) if self.span is None else np.clip(z, -TOP, TOP).astype(np.float64)


@dataclass(frozen=True, eq=False)
class Solution:
    """Integer weights v (m, n + 1), the shift, the resulting sums z (S, m), and the chosen span."""

    v: Integers
    shift: int
    z: Integers
    span: Span | None


def solve(task_at: Callable[[int], Task], run: Callable[[Integers, int], Integers], shifts: list[int]) -> Solution:
    """Return the integer weights whose results are nearest to the float ones; the first shift wins a tie.

    The bias absorbs the mean error of each unit; most of that comes from rounding down in the forward pass.

    Parameters
    ----------
    task_at : callable
        Takes a shift.
    run : callable
        Takes weights v and shift, returns z of shape (S, m).
    """
    best: Solution | None = None
    least = math.inf
    for shift in shifts:
        task = task_at(shift)
        wanted = task.seen(task.target)
        v = to_integers(task.weight, task.bias, shift)
        z = run(v, shift)
        corrected = to_integers(task.weight, task.bias, shift, (wanted - task.seen(z)).mean(axis=0) / TOP)
        for candidate, result in ((v, z), (corrected, run(corrected, shift))):
            error = float((((task.seen(result) - wanted) * task.unit) ** 2).mean())
            if error < least:
                best, least = Solution(candidate, shift, result, task.span), error
    if best is None:
        raise ModelError(
            "the network's sums are not finite on the calibration data",
            "Are the data in the units that it was trained on?",
        )
    return best
