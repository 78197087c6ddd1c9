"""Gestures of a motion sensor on a fixed scale: the device's integers (SPEC 1.9) in NumPy.

Shapes: R readings of a gesture, C channels, T steps.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tpsgd_host.data.frontend import Motion


def as_read(values: npt.NDArray[np.float64], front: Motion) -> npt.NDArray[np.int16]:
    """Return the readings, 16-bit integers, that a board's sensor would give for the numbers of a data file."""
    counts: npt.NDArray[np.int16] = np.clip(np.floor(values * front.counts + 0.5), -32768, 32767).astype(np.int16)
    return counts


def stored(readings: npt.NDArray[np.int16], front: Motion) -> npt.NDArray[np.uint8]:
    """Return readings, shape (R, C), as stored activations."""
    x = (readings.astype(np.int64) * np.array(front.multipliers, np.int64) + 32768) >> 16
    activations: npt.NDArray[np.uint8] = (np.clip(x, -127, 127) + 128).astype(np.uint8)
    return activations


def gesture(readings: npt.NDArray[np.int16], front: Motion, steps: int) -> npt.NDArray[np.uint8]:
    """Return the sample of a gesture's readings, shape (R, C): stored activations, shape (T, C)."""
    return means(stored(readings, front), steps)


def means(found: npt.NDArray[np.uint8], steps: int) -> npt.NDArray[np.uint8]:
    """Return the floored means of T parts of a gesture's stored activations, shape (R, C): shape (T, C)."""
    x = found.astype(np.int64)
    count = len(x)
    first = np.arange(steps) * count // steps
    last = np.maximum(first + 1, np.arange(1, steps + 1) * count // steps)
    sums = np.concatenate([np.zeros((1, x.shape[1]), np.int64), x.cumsum(axis=0)])
    sample: npt.NDArray[np.uint8] = ((sums[last] - sums[first]) // (last - first)[:, None]).astype(np.uint8)
    return sample


def readings_of(sample: npt.NDArray[np.uint8], front: Motion) -> npt.NDArray[np.int16]:
    """Return readings, shape (T, C), of which :func:`stored` makes the stored activations of ``sample``, (T, C)."""
    x = sample.astype(np.int64) - 128
    multipliers = np.array(front.multipliers, np.int64)
    readings: npt.NDArray[np.int16] = np.clip((x * 65536 + multipliers // 2) // multipliers, -32768, 32767).astype(
        np.int16
    )
    return readings
