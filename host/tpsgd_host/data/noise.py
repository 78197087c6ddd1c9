"""Words in a stream of noise, as a microphone hears them: to train on, and to see what a front end finds.

Shapes: R samples of a stream, W words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tpsgd_host.data.frontend import LogMel
from tpsgd_host.data.sound import Bytes, Pcm, frames, words

BLOCK = 1 << 16  # samples of noise that are made at once
PINK_FROM = 40  # bins of a block: below it the noise does not grow any further
GAPS = (0.5, 1.1)  # seconds between two words

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Stream:
    """Sound, shape (R,), and where each of its W words begins and ends (exclusive)."""

    pcm: Pcm
    starts: Ints
    stops: Ints


@dataclass(frozen=True)
class Heard:
    """What a front end made of a stream.

    Attributes
    ----------
    samples : ndarray of uint8, shape (W, T*C)
        Stored activations; those of a word that was missed are of no use.
    found : ndarray of bool, shape (W,)
    false : int
        Words that were found where there was none.
    """

    samples: Bytes
    found: npt.NDArray[np.bool_]
    false: int


def pink(count: int, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Return noise whose power falls with 1/f, of deviation 1, shape (count,)."""
    blocks = rng.standard_normal((max(1, -(-count // BLOCK)), BLOCK))
    spectrum = np.fft.rfft(blocks)
    spectrum /= np.sqrt(np.maximum(np.arange(spectrum.shape[1]), PINK_FROM))
    noise: npt.NDArray[np.float64] = np.fft.irfft(spectrum).ravel()[:count]
    noise /= noise.std()
    return noise


def stream(recordings: Sequence[Pcm], decibels: float, rate: int, seed: int) -> Stream:
    """Return words with gaps in one pink noise, so many decibels below the median of their mean powers."""
    rng = np.random.default_rng(seed)
    parts: list[npt.NDArray[np.float64]] = []
    starts, at = [], 0
    for recording in recordings:
        gap = int(rate * rng.uniform(*GAPS))
        parts += [np.zeros(gap), recording.astype(np.float64)]
        starts.append(at + gap)
        at += gap + len(recording)
    sound = np.concatenate([*parts, np.zeros(rate)])
    power = np.median([(recording.astype(np.float64) ** 2).mean() for recording in recordings])
    sound += pink(len(sound), rng) * np.sqrt(power / 10 ** (decibels / 10))
    lengths = np.array([len(recording) for recording in recordings], np.int64)
    pcm = np.clip(np.round(sound), -32768, 32767).astype(np.int16)
    return Stream(pcm, np.array(starts, np.int64), np.array(starts, np.int64) + lengths)


def listen(heard: Stream, front: LogMel, steps: int) -> Heard:
    """Find the words of a stream as a board does; a word is found by what overlaps it most."""
    count = len(heard.starts)
    samples = np.full((count, steps * front.channels), 128, np.uint8)
    most = np.zeros(count, np.int64)
    false = 0
    for one in words(frames(heard.pcm, front), front, steps):
        begin, end = one.first * front.hop, (one.first + one.count - 1) * front.hop + front.window
        overlap = np.minimum(end, heard.stops) - np.maximum(begin, heard.starts)
        i = int(overlap.argmax()) if count else 0
        if not count or overlap[i] <= 0:
            false += 1
        elif overlap[i] > most[i]:
            false += int(most[i] > 0)
            most[i] = overlap[i]
            samples[i] = one.sample.ravel()
        else:
            false += 1
    return Heard(samples, most > 0, false)
