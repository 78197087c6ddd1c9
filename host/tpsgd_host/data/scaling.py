"""Convert readings in the sensor's units to int8 activations and back (SPEC 1.5).

Shapes: S samples, T steps, C channels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from tpsgd_host.errors import ConfigError, DataError

Method = Literal["std", "minmax", "none"]

TOP = 127  # the largest activation
ZERO = 128  # the byte that stores activation 0
SIGMAS = 2.0  # standard deviations that fill the range; uses more of it than 3 would, and little is clamped
FAR = 100.0  # a reading more interquartile ranges from the median than this is an outlier of the sensor,
RARE = 0.001  # if at most this share of a channel's readings are,
ENOUGH = 100  # and the channel has at least this many readings
LARGEST = 3.4028234e38  # a larger reading has no float32 offset


@dataclass(frozen=True, eq=False)
class Scaling:
    """Offset and gain of the inputs.

    Attributes
    ----------
    offset, gain : ndarray of float32, shape (1,) or (C,)
        One pair for all channels, or one per channel.
    constant : tuple of int
        Channels (from 0) whose readings never change: their gain is 0, so the network cannot see them.
    """

    offset: npt.NDArray[np.float32]
    gain: npt.NDArray[np.float32]
    constant: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.offset.ndim != 1 or self.offset.shape != self.gain.shape:
            raise ValueError(f"offset {self.offset.shape} and gain {self.gain.shape} must be vectors of equal length")
        object.__setattr__(self, "offset", self.offset.astype(np.float32))
        object.__setattr__(self, "gain", self.gain.astype(np.float32))

    def encode(self, values: npt.NDArray[np.floating]) -> npt.NDArray[np.uint8]:
        """Return stored activations.

        Parameters
        ----------
        values : ndarray of float, shape (S, T, C)
            Finite readings.

        Returns
        -------
        ndarray of uint8, shape (S, T*C)
            ``x + 128``, 1..255.
        """
        offset, gain = self.offset.astype(np.float64), self.gain.astype(np.float64)
        with np.errstate(over="ignore"):  # infinity is clamped like any other large value
            x = np.floor((values.astype(np.float64) - offset) * gain + 0.5)
        stored: npt.NDArray[np.uint8] = (np.clip(x, -TOP, TOP) + ZERO).astype(np.uint8)
        samples, steps, channels = values.shape
        return stored.reshape(samples, steps * channels)

    def decode(self, stored: npt.NDArray[np.uint8], channels: int) -> npt.NDArray[np.float64]:
        """Return the readings that stored activations represent; a constant channel gives its offset.

        Parameters
        ----------
        stored : ndarray of uint8, shape (S, T*C)
        channels : int
            C.

        Returns
        -------
        ndarray of float64, shape (S, T, C)
        """
        gain = self.gain.astype(np.float64)
        unit = np.divide(1.0, gain, out=np.zeros_like(gain), where=gain != 0)
        x = stored.astype(np.float64).reshape(len(stored), stored.shape[1] // channels, channels) - ZERO
        readings: npt.NDArray[np.float64] = x * unit + self.offset.astype(np.float64)
        return readings


def fit(
    values: npt.NDArray[np.floating], method: Method = "std", per_channel: bool = True, sigmas: float = SIGMAS
) -> Scaling:
    """Choose offset and gain for training data.

    Parameters
    ----------
    values : ndarray of float, shape (S, T, C)
        Finite readings of the training samples.
    method : {"std", "minmax", "none"}
        ``std``: the mean becomes 0 and ``sigmas`` standard deviations become 127. ``minmax``: the smallest reading
        becomes -127, the largest 127. ``none``: readings are already activations.
    per_channel : bool
        Whether each channel gets its own pair, rather than one for all.
    sigmas : float
        Standard deviations that fill the range.

    Returns
    -------
    Scaling
        ``constant`` lists the channels without information. ``std`` ignores the sensor's outliers (see :func:`slips`).
    """
    if values.size == 0:
        raise DataError("There are no samples to which to fit the input scaling.")
    if not np.abs(values).max() <= LARGEST:
        raise DataError("A reading is not a finite float32 number: the input scaling cannot be fitted.")
    if not sigmas > 0:
        raise ConfigError(f"sigmas is {sigmas}, but must be above 0.", "2 clamps one reading in 20.")
    channels = values.shape[-1]
    table = values.astype(np.float64, copy=True).reshape(-1, channels if per_channel else 1)
    if method == "none":
        ones = np.ones(table.shape[1], np.float32)
        return Scaling(np.zeros_like(ones), ones)
    low, high = table.min(axis=0), table.max(axis=0)
    if method == "std":
        for c in range(table.shape[1]):
            table[slips(table[:, c]), c] = np.median(table[:, c])
        offset, span = table.mean(axis=0), sigmas * table.std(axis=0)
    else:
        offset, span = low / 2 + high / 2, high / 2 - low / 2
    gain = _gain(span, varies=high > low)
    dead = np.flatnonzero(gain == 0)
    constant = tuple(int(i) for i in dead) if per_channel or not len(dead) else tuple(range(channels))
    return Scaling(offset.astype(np.float32), gain, constant)


def slips(values: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Return the indices of readings, shape (R,), that are far from all others and few enough to be sensor errors.

    NaN is skipped.
    """
    low, middle, high = np.nanpercentile(values, (25, 50, 75))
    none: npt.NDArray[np.int64] = np.empty(0, np.int64)
    if len(values) < ENOUGH or high <= low:
        return none
    with np.errstate(over="ignore"):
        far = np.flatnonzero(np.abs(values - middle) > FAR * (high - low))
    return far if len(far) <= max(2, RARE * len(values)) else none


def _gain(span: npt.NDArray[np.float64], varies: npt.NDArray[np.bool_]) -> npt.NDArray[np.float32]:
    """Return 127/span as float32; 0 where nothing varies, or too little for a float32 gain."""
    with np.errstate(over="ignore", divide="ignore"):
        gain = (TOP / span).astype(np.float32)
    return np.where(varies & np.isfinite(gain), gain, np.float32(0)).astype(np.float32)
