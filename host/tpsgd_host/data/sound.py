"""Log-mel frames and words of whole recordings, in NumPy: bit for bit the device's integers (SPEC 1.9).

Shapes: R samples of a recording, F frames, N samples of a window, m = N/2, C bands, T steps.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from tpsgd import logmel
from tpsgd.segmenter import Segmenter
from tpsgd_host.data.frontend import LogMel, device_spec

Ints = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]
Pcm = npt.NDArray[np.int16]

FRAMES = 2048  # frames to compute at a time


def frames(pcm: Pcm, front: LogMel) -> Bytes:
    """Return the frames of a recording, shape (F, C); one shorter than a window is padded with zeros.

    Parameters
    ----------
    pcm : ndarray of int16, shape (R,)
        At the front end's rate.
    """
    x = np.pad(pcm, (0, max(0, front.window - len(pcm)))).astype(np.int64)
    windows = np.lib.stride_tricks.sliding_window_view(x, front.window)[:: front.hop]
    parts = [_frames(windows[at : at + FRAMES], front) for at in range(0, len(windows), FRAMES)]
    return np.concatenate(parts)


def word(found: Bytes, steps: int, reach: int) -> Bytes:
    """Turn a word's frames, shape (F, C), into a sample: stored activations, shape (T, C)."""
    values = found.astype(np.int64)
    top = values.max()
    values = np.maximum(values, top - reach) - top
    count = len(values)
    first = np.arange(steps) * count // steps
    last = np.maximum(first + 1, np.arange(1, steps + 1) * count // steps)
    sums = np.concatenate([np.zeros((1, values.shape[1]), np.int64), values.cumsum(axis=0)])
    means = (sums[last] - sums[first]) // (last - first)[:, None]
    stored: Bytes = np.maximum(1, 2 * means + 255).astype(np.uint8)
    return stored


@dataclass(frozen=True)
class Word:
    """A word in a stream: its first frame, its number of frames, and its sample, stored activations (T, C)."""

    first: int
    count: int
    sample: Bytes


def words(heard: Iterable[Bytes], front: LogMel, steps: int) -> Iterator[Word]:
    """Find the words in a stream of frames, (C,) each, with the device's own segmenter."""
    spec = device_spec(front)
    c = front.channels
    segmenter = Segmenter(spec, c, logmel.activity, logmel.follow, logmel.shift)
    for t, frame in enumerate(heard):
        segmenter.frames[segmenter.at : segmenter.at + c] = frame.tobytes()
        count = segmenter.feed()
        if count:
            first = t + 1 - segmenter.at // c
            if front.noise:
                logmel.take_noise(segmenter.frames, segmenter.level, c, count)
            found = np.frombuffer(bytes(segmenter.frames[: count * c]), np.uint8).reshape(count, c)
            yield Word(first, count, word(found, steps, front.reach))
            segmenter.restart()


def halved(pcm: Pcm) -> Pcm:
    """Return a recording at half its rate, as a board does for a microphone that is twice too fast."""
    if not len(pcm):
        return pcm
    taps = np.zeros(logmel.TAPS, np.int64)
    middle = logmel.TAPS // 2
    half = np.array(logmel.HALF_BAND, np.int64)
    taps[middle] = half[0]
    for j, value in enumerate(half[1:].tolist(), 1):
        taps[middle - 2 * j + 1] = taps[middle + 2 * j - 1] = value
    x = np.concatenate([np.zeros(logmel.TAPS - 1, np.int64), pcm.astype(np.int64)])
    windows = np.lib.stride_tricks.sliding_window_view(x, logmel.TAPS)[1::2]
    result: Pcm = np.clip((windows @ taps + 16384) >> 15, -32768, 32767).astype(np.int16)
    return result


def _frames(x: Ints, front: LogMel) -> Bytes:
    """Return the frames of windows, shape (F, N)."""
    n = front.window
    c, s = _rotations(n)
    x = x - (x.sum(axis=1, keepdims=True) >> (n.bit_length() - 1))
    k = 13 - (_bit_length(np.maximum(1, np.abs(x).max(axis=1))) - 1)
    y = np.where(k[:, None] >= 0, x << np.maximum(k, 0)[:, None], x >> np.maximum(-k, 0)[:, None])
    y = (y * ((32768 - np.concatenate([c, -c])) >> 1)) >> 15
    re, im = _spectrum(y, c, s)
    re, im = np.abs(re), np.abs(im)
    high, low = np.maximum(re, im), np.minimum(re, im)
    sizes = np.maximum(high, high - (high >> 3) + (low >> 1))
    sums = sizes @ _weights(front)
    logs = _log16(sums) - 128 - 16 * k[:, None] + front.offset
    result: Bytes = np.clip(logs, 0, 255).astype(np.uint8)
    return result


def _spectrum(y: Ints, c: Ints, s: Ints) -> tuple[Ints, Ints]:
    """Return bins 0..m of windows, shape (F, N), from the transform of m complex numbers."""
    m = y.shape[1] // 2
    zr, zi = _fft(y[:, ::2], y[:, 1::2], c, s)
    k = np.arange(m + 1)
    ar, ai, br, bi = zr[:, k % m], zi[:, k % m], zr[:, -k % m], -zi[:, -k % m]
    even_r, even_i, odd_r, odd_i = (ar + br) >> 1, (ai + bi) >> 1, (ai - bi) >> 1, (br - ar) >> 1
    c, s = np.append(c, -32767), np.append(s, 0)
    re = (even_r + ((odd_r * c - odd_i * s + 16384) >> 15)) >> 1
    im = (even_i + ((odd_r * s + odd_i * c + 16384) >> 15)) >> 1
    return re, im


def _fft(re: Ints, im: Ints, c: Ints, s: Ints) -> tuple[Ints, Ints]:
    """Return the transform of complex numbers, shape (F, m), divided by m; every stage rounds as the device does."""
    count, m = re.shape
    bits = m.bit_length() - 1
    order = np.array([int(f"{i:0{bits}b}"[::-1], 2) for i in range(m)])
    re, im = re[:, order], im[:, order]
    half = 1
    while half < m:
        pairs_r, pairs_i = re.reshape(count, -1, 2 * half), im.reshape(count, -1, 2 * half)
        ur, ui, vr, vi = pairs_r[..., :half], pairs_i[..., :half], pairs_r[..., half:], pairs_i[..., half:]
        cos, sin = c[:: m // half], s[:: m // half]
        tr = (vr * cos - vi * sin + 16384) >> 15
        ti = (vr * sin + vi * cos + 16384) >> 15
        tr[..., 0], ti[..., 0] = vr[..., 0], vi[..., 0]
        re = np.concatenate([(ur + tr) >> 1, (ur - tr) >> 1], axis=-1).reshape(count, m)
        im = np.concatenate([(ui + ti) >> 1, (ui - ti) >> 1], axis=-1).reshape(count, m)
        half *= 2
    return re, im


def _log16(v: Ints) -> Ints:
    """Return 16 times the binary logarithm, from a table of the five bits after the leading one; 0 for 0."""
    e = _bit_length(np.maximum(v, 1)) - 1
    bits = np.where(e >= 5, v >> np.maximum(e - 5, 0), v << np.maximum(5 - e, 0)) & 31
    table = np.frombuffer(logmel.LOG, np.uint8).astype(np.int64)
    return np.where(v > 0, 16 * e + table[bits], 0)


def _bit_length(v: Ints) -> Ints:
    return np.frexp(v.astype(np.float64))[1].astype(np.int64)


@lru_cache(maxsize=4)
def _rotations(n: int) -> tuple[Ints, Ints]:
    """Return cos and -sin of ``2 pi k/n``, k < m, in 32767ths."""
    table = np.array(logmel.rotations(n), np.int64) - 32768
    return table[: n // 2], table[n // 4 :]


@lru_cache(maxsize=4)
def _weights(front: LogMel) -> Ints:
    """Return the weight of each bin in each band, shape (m + 1, C)."""
    m = front.window // 2
    table = bytes(logmel.triangles(front.window, front.rate, front.edges))
    runs = np.frombuffer(table, "<u2", offset=m)
    rising = np.repeat(np.arange(len(runs)), runs)
    weights = np.zeros((m + 1, front.channels + 2), np.int64)
    for k in np.flatnonzero(rising):
        weights[k, rising[k]] += table[k]
        weights[k, rising[k] - 1] += 256 - table[k]
    return weights[:, 1:-1]
