"""Find recordings, cut them into windows, and resample a window's readings to the steps of a sample (SPEC 1.6).

Shapes: M readings in all, C channels, S samples, R readings in a window, T steps.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tpsgd_host.data.frontend import Motion
from tpsgd_host.data.layout import Layout, Resampling
from tpsgd_host.data.motion import as_read, gesture
from tpsgd_host.errors import DataError

#: Maximum bytes of all samples together, as float64.
MAX_BYTES = 4 << 30

Readings = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Recording:
    """The readings from ``start`` to ``stop`` (exclusive)."""

    start: int
    stop: int
    name: str
    label: str

    def __len__(self) -> int:
        return self.stop - self.start


def find_recordings(
    labels: Sequence[str], groups: Sequence[str] = (), breaks: Collection[int] = (), first: int = 1
) -> list[Recording]:
    """Cut a table into recordings: runs of one group and one label.

    Parameters
    ----------
    labels : sequence of str
        Label of each of the M readings.
    groups : sequence of str
        Group of each reading; empty where the table has no groups, so that recordings are numbered.
    breaks : collection of int
        Readings that always begin a new recording.
    first : int
        Number of the first recording.

    Returns
    -------
    list of Recording
        In order, without gaps.
    """
    keys = list(zip(groups, labels, strict=True)) if groups else [("", label) for label in labels]
    starts = [i for i in range(len(keys)) if i == 0 or keys[i] != keys[i - 1] or i in breaks]
    stops = [*starts[1:], len(keys)] if starts else []
    return [
        Recording(start, stop, groups[start] if groups else f"recording {number}", labels[start])
        for number, (start, stop) in enumerate(zip(starts, stops, strict=True), first)
    ]


def window_starts(length: int, window: int, hop: int) -> range:
    """Return where the windows of a recording begin; an incomplete one at its end is dropped.

    Parameters
    ----------
    length : int
        Readings in the recording.
    window : int
        Readings in a window; 0 for the whole recording.
    hop : int
        Readings from one start to the next; 0 for the length of a window.
    """
    if window == 0:
        return range(1 if length else 0)
    return range(0, length - window + 1, hop or window)


def resample(
    readings: Readings, starts: npt.NDArray[np.int64], length: int, steps: int, method: Resampling
) -> Readings:
    """Turn windows of ``length`` readings into samples of ``steps`` steps.

    Parameters
    ----------
    readings : ndarray of float64, shape (M, C)
    starts : ndarray of int64, shape (S,)
        First reading of each window.
    length : int
        R, at least 1.
    steps : int
        T.
    method : {"linear", "mean"}
        Interpolate between neighbouring readings, or average those in a step.

    Returns
    -------
    ndarray of float64, shape (S, T, C)
    """
    return (_linear if method == "linear" else _mean)(readings, starts, length, steps)


def _linear(readings: Readings, starts: npt.NDArray[np.int64], length: int, steps: int) -> Readings:
    # Positions are fractions of integers, because a float quotient could fall just below a whole reading.
    divisor = steps - 1 if steps > 1 else 2
    position = np.arange(steps) * (length - 1) if steps > 1 else np.array([length - 1])
    left, part = position // divisor, position % divisor / divisor
    right = np.minimum(left + 1, length - 1)
    a = readings[starts[:, None] + left]
    b = readings[starts[:, None] + right]
    result: Readings = a + (b - a) * part[:, None]
    return result


def _mean(readings: Readings, starts: npt.NDArray[np.int64], length: int, steps: int) -> Readings:
    result = np.empty((len(starts), steps, readings.shape[1]))
    for t in range(steps):
        first = t * length // steps
        last = max(first + 1, (t + 1) * length // steps)
        # Added one by one, so that a sample does not depend on how many are cut with it.
        total = readings[starts + first]
        for k in range(first + 1, last):
            total = total + readings[starts + k]
        result[:, t] = total / (last - first)
    return result


@dataclass(frozen=True)
class Windows:
    """Samples cut from recordings.

    Attributes
    ----------
    values : ndarray of float64, shape (S, T, C)
    starts : ndarray of int64, shape (S,)
        First reading of each sample.
    recordings : tuple of Recording
        The recording of each of the S samples.
    short : tuple of Recording
        Recordings shorter than a window, which gave no sample.
    """

    values: Readings
    starts: npt.NDArray[np.int64]
    recordings: tuple[Recording, ...]
    short: tuple[Recording, ...]


def cut(readings: Readings, recordings: Sequence[Recording], layout: Layout) -> Windows:
    """Cut recordings into windows and resample them.

    Parameters
    ----------
    readings : ndarray of float64, shape (M, C)
    recordings : sequence of Recording
        See :func:`find_recordings`.
    layout : Layout
        Its ``window``, ``hop``, ``steps`` and ``resampling`` are used.

    Returns
    -------
    Windows

    Raises
    ------
    DataError
        When the samples take more than ``MAX_BYTES``.
    """
    origin: list[Recording] = []
    first: list[int] = []
    for recording in recordings:
        for offset in window_starts(len(recording), layout.window, layout.hop):
            origin.append(recording)
            first.append(recording.start + offset)
    starts = np.array(first, np.int64)
    size = len(starts) * layout.steps * readings.shape[1]
    if 8 * size > MAX_BYTES:
        raise DataError(
            f"{len(starts)} windows of {layout.steps} steps and {readings.shape[1]} channels take {8 * size} bytes; "
            f"the maximum is {MAX_BYTES}.",
            f"A hop larger than {layout.hop or layout.window} makes fewer windows.",
        )
    if layout.window and len(starts):
        values = resample(readings, starts, layout.window, layout.steps, layout.resampling)
    else:
        values = np.empty((len(starts), layout.steps, readings.shape[1]))
        for i, recording in enumerate(origin):
            if isinstance(layout.front, Motion):
                counts = as_read(readings[recording.start : recording.stop], layout.front)
                values[i] = gesture(counts, layout.front, layout.steps).astype(np.float64) - 128
                continue
            values[i] = resample(readings, starts[i : i + 1], len(recording), layout.steps, layout.resampling)[0]
    short = tuple(recording for recording in recordings if len(recording) < layout.window)
    return Windows(values, starts, tuple(origin), short)
