"""Compute log-mel frames of speech, with NumPy only.

Shapes: R samples of a recording, F frames, W samples of a window, B bands.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

BANDS = 16
FRAME_SECONDS = 0.01  # from one frame to the next
WINDOW = 256
LOWEST_HZ = 100.0
FLOOR = 1e-4  # relative to the recording's mean power; anything fainter is silence
DECIMALS = 3  # of the features, which keeps their CSV short

Floats = npt.NDArray[np.float64]


def features(audio: npt.NDArray[Any], rate: int) -> Floats:
    """Return the log-mel spectrum of a recording, relative to its mean power.

    Parameters
    ----------
    audio : ndarray, shape (R,)
    rate : int
        Samples per second.

    Returns
    -------
    ndarray of float64, shape (F, B)
        Natural logarithms, rounded to ``DECIMALS``.
    """
    hop = round(rate * FRAME_SECONDS)
    padded = np.pad(audio.astype(np.float64), (0, max(0, WINDOW - len(audio))))
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::hop]
    power = np.abs(np.fft.rfft(frames * np.hanning(WINDOW), axis=1)) ** 2
    mel = power @ _filters(rate).T
    mean = mel.mean() or 1.0
    logarithms: Floats = np.log(mel / mean + FLOOR).astype(np.float64)
    return logarithms.round(DECIMALS)


@lru_cache(maxsize=4)
def _filters(rate: int) -> Floats:
    """Return triangular filters of equal width on the mel scale, shape (B, W//2 + 1)."""
    ends = 2595 * np.log10(1 + np.array([LOWEST_HZ, rate / 2]) / 700)
    edges = 700 * (10 ** (np.linspace(ends[0], ends[1], BANDS + 2) / 2595) - 1)
    low, centre, high = (edges[i : i + BANDS, None] for i in range(3))
    hertz = np.fft.rfftfreq(WINDOW, 1 / rate)
    rise, fall = (hertz - low) / (centre - low), (high - hertz) / (high - centre)
    result: Floats = np.clip(np.minimum(rise, fall), 0, None)
    return result
