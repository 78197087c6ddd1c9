"""Variation of a sample, so that a few teach more than themselves (SPEC 1.12): words, motion.

Legend: T steps of C channels; u a stored byte, state the run's generator.
"""

from array import array

from tpsgd.generator import draw
from tpsgd.protospec import WORDS


def parameters(steps, channels):
    """Return what the kernels take for a sample's shape: T, C, and room for a number a channel and ten more."""
    return array("i", (steps, channels) + (0,) * (channels + 10))


def places(n):
    """Return an array for ``n`` places of a pass."""
    return array("H", bytes(2 * n))


def kernel(kind, name):
    """Return the kernel of a kind of variation that suits the engine ``name``."""
    if name in ("native", "viper", "thumb"):
        try:
            from tpsgd import variation_viper

            return variation_viper.words if kind == WORDS else variation_viper.motion
        except (ImportError, SyntaxError, ValueError):  # not copied to the board: slower, and the same bits
            pass
    return words if kind == WORDS else motion


def words(source, target, p, state):
    """Write a varied sample of log-mel frames: shifted, warped along the bands, with other levels and noise."""
    steps, channels = p[0], p[1]
    d = draw(state, 5) - 2
    w = draw(state, 321) - 160
    a = draw(state, 33) - 16
    q = draw(state, 33) - 16
    beside = 1 if w > 0 else -1
    w = abs(w)
    for c in range(channels):
        p[2 + c] = draw(state, 25) - 12 + a + q * (2 * c - channels) // channels
    at = 0
    for t in range(steps):
        row = min(max(t - d, 0), steps - 1) * channels
        for c in range(channels):
            u = source[row + c]
            if 0 <= c + beside < channels:
                u += ((source[row + c + beside] - u) * (w * c // channels)) >> 8
            u += p[2 + c] + draw(state, 25) - 12
            target[at] = min(max(u, 1), 255)
            at += 1


def motion(source, target, p, state):
    """Write a varied sample of readings: shifted, warped, faster or slower, turned, stronger or weaker, with noise."""
    steps, channels = p[0], p[1]
    d = draw(state, 3) - 1
    w = draw(state, 33) - 16
    s = draw(state, 33) - 16
    for i in range(3):
        p[2 + i] = draw(state, 129) - 64
    a = 192 + draw(state, 129)
    last = steps - 1
    bend = max(1, last * last // 4)
    for t in range(steps):
        at = 16 * (t - d) + ((w * (t * (last - t) * 256 // bend)) >> 8) + s * (2 * t - last) // max(1, last)
        at = min(max(at, 0), 16 * last)
        row = (at >> 4) * channels
        f = at & 15
        after = channels if f else 0
        for c in range(channels):
            x = source[row + c]
            p[5 + c] = x + (((source[row + after + c] - x) * f) >> 4) - 128
        _turn(p, channels)
        row = t * channels
        for c in range(channels):
            x = ((p[5 + c] * a) >> 8) + draw(state, 17) - 8
            target[row + c] = min(max(x, -127), 127) + 128


def _turn(p, channels):
    """Turn each three channels, from p[5] on, about their axes by the shears p[2], p[3], p[4]."""
    at = 5
    while at + 3 <= channels + 5:
        for i in range(3):
            j = at + (i + 1) % 3
            p[at + i] -= (p[j] * p[2 + i]) >> 8
            p[j] += (p[at + i] * p[2 + i]) >> 8
        at += 3
