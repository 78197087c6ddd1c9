"""Hours of sound or readings, as a board hears them: each word, gesture or window in them, whatever it is.

Shapes: R samples or readings, W words, gestures or windows, T steps, C channels.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tpsgd import logmel, motion
from tpsgd.segmenter import Segmenter
from tpsgd_host.data.frontend import LogMel, Motion, device_spec
from tpsgd_host.data.layout import Layout
from tpsgd_host.data.load import load_samples
from tpsgd_host.data.motion import as_read, means, stored
from tpsgd_host.data.rejects import Rejects
from tpsgd_host.data.scaling import Scaling
from tpsgd_host.data.sound import FRAMES, Bytes, Pcm, frames, word, words
from tpsgd_host.data.table import read_table
from tpsgd_host.data.wav import find_recordings, is_sound, read_wav
from tpsgd_host.errors import DataError

HOURS = 12  # of sound that are read of a file


@dataclass(frozen=True)
class Overheard:
    """What was heard.

    Attributes
    ----------
    seconds : float
        How long it was.
    at : ndarray of float64, shape (W,)
        Where each word, gesture or window begins, in seconds.
    samples : ndarray of uint8, shape (W, T*C)
        Stored activations.
    """

    seconds: float
    at: npt.NDArray[np.float64]
    samples: Bytes

    def __len__(self) -> int:
        return len(self.at)


def overhear(path: Path, layout: Layout, scaling: Scaling) -> Overheard:
    """Return what a board hears in a file, or in a folder of WAV files one after the other.

    Raises
    ------
    DataError
        When it is not for this model, or the model does not say how long its samples are.
    """
    front = layout.front
    if is_sound(path) != layout.hears:
        wanted = "WAV files" if layout.hears else "a table of readings"
        raise DataError(f"{path} is no stream for this model, which takes {wanted}.", "Name another file or folder.")
    if isinstance(front, LogMel):
        found = list(_sounds(path, front, layout.steps))
    elif front is not None:
        found = [_gestures(path, layout, front)]
    else:
        found = [_windows(path, layout, scaling)]
    before, at = 0.0, []
    for one in found:
        at.append(one.at + before)
        before += one.seconds
    return Overheard(before, np.concatenate(at), np.concatenate([one.samples for one in found]))


def _sounds(path: Path, front: LogMel, steps: int) -> Iterator[Overheard]:
    for recording in find_recordings(path):
        pcm = read_wav(recording.path, front.rate, HOURS * 3600)
        heard = list(words(_frames(pcm, front), front, steps))
        at = np.array([one.first * front.hop / front.rate for one in heard], np.float64)
        yield Overheard(len(pcm) / front.rate, at, _stack([one.sample for one in heard], steps * front.channels))


def _frames(pcm: Pcm, front: LogMel) -> Iterator[Bytes]:
    """Yield the frames of a long recording, piece by piece: shape (C,) each."""
    step = FRAMES * front.hop
    for begin in range(0, max(1, len(pcm) - front.window + 1), step):
        yield from frames(pcm[begin : begin + step - front.hop + front.window], front)


def whole_or_words(path: Path, front: LogMel, steps: int) -> Bytes:
    """Return samples of sounds that are no word: short recordings whole, and what is heard in long ones, (W, T*C)."""
    found = []
    for recording in find_recordings(path):
        pcm = read_wav(recording.path, front.rate, HOURS * 3600)
        if len(pcm) <= front.segmenting.longest * front.hop:
            found.append(word(frames(pcm, front), steps, front.reach))
        else:
            found += [one.sample for one in words(_frames(pcm, front), front, steps)]
    return _stack(found, steps * front.channels)


def _gestures(path: Path, layout: Layout, front: Motion) -> Overheard:
    table = read_table(path, layout, Rejects(str(path)), require_labels=False)
    readings = stored(as_read(table.values, front), front)
    c = layout.channels
    segmenter = Segmenter(device_spec(front), c, motion.activity, motion.follow, logmel.shift)
    at, samples = [], []
    for t, reading in enumerate(readings):
        segmenter.frames[segmenter.at : segmenter.at + c] = reading.tobytes()
        count = segmenter.feed()
        if count:
            at.append((t + 1 - segmenter.at // c) / front.rate)
            found = np.frombuffer(bytes(segmenter.frames[: count * c]), np.uint8).reshape(count, c)
            samples.append(means(found, layout.steps))
            segmenter.restart()
    return Overheard(len(readings) / front.rate, np.array(at, np.float64), _stack(samples, layout.steps * c))


def _windows(path: Path, layout: Layout, scaling: Scaling) -> Overheard:
    if layout.windows == "row" or not layout.window or not layout.rate:
        raise DataError(
            f"how long is {path}? The model takes whole rows or recordings, or does not say its rate.",
            "Its TOML needs windows: window and rate in [data]; or a [frontend].",
        )
    samples = load_samples(path, layout, None, require_labels=False)
    hop = (layout.hop or layout.window) / layout.rate
    at = np.array([i * hop for i in range(len(samples))], np.float64)
    seconds = len(samples) * hop + max(0.0, layout.window / layout.rate - hop)
    return Overheard(seconds, at, scaling.encode(samples.values))


def _stack(samples: list[Bytes], size: int) -> Bytes:
    return np.array([sample.ravel() for sample in samples], np.uint8).reshape(-1, size)
