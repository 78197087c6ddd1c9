"""Log-mel frames in integers (SPEC 1.9): tables, and the readable kernels that hold for all others.

Legend: N samples of a window, m = N/2, C bands. Complex numbers are pairs of uint16, the real part first, each stored
with 32768 added. ``p`` are a front end's parameters, an array of int32 with the indices below.
"""

from array import array

#: Floor of the window's mean; k, its exponent, with 16 added; N; C; what is added to each logarithm.
MEAN, EXPONENT, WINDOW, BANDS, OFFSET = 0, 1, 2, 3, 4

#: Number of parameters.
COUNT = 5

#: ``round(16*log2(1 + i/32))``, i < 32.
LOG = (
    b"\x00\x01\x01\x02\x03\x03\x04\x05\x05\x06\x06\x07\x07\x08\x08\t"
    b"\t\n\n\x0b\x0b\x0c\x0c\r\r\r\x0e\x0e\x0f\x0f\x0f\x10"
)

#: What noise adds to a band that is d units louder: ``round(-8*log2(1 - 2**(-d/8)))``, 40 for d = 0; later ones are 0.
NOISE = (
    b"(\x1d\x15\x11\x0e\x0c\n\t\x08\x07\x06\x06\x05\x05\x04\x04\x03\x03\x03\x02\x02\x02\x02\x02\x02"
    b"\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01"
)

#: Units that are added to the quiet level before it is taken off.
MARGIN = 8

#: The half-band filter in 32768ths, its middle first: the others stand at odd distances from it.
HALF_BAND = array("h", (16384, 10238, -2936, 1285, -547, 188, -35))

#: Samples that the half-band filter sees.
TAPS = 23

_Q = 48
_COS, _SIN = 281469678023765, 1727097988720  # of 2 pi/1024, times 2**48


def rotations(n):
    """Return cos of ``2 pi k/n``, k < 3n/4: ``floor(32767*x + 1/2)`` with 32768 added.

    The -sin that belongs to the cos at k stands n/4 later. By rotation in large integers: 32-bit floats would be one
    off now and then.
    """
    one = 1 << _Q
    c, s = _COS, _SIN
    step = n
    while step < 1024:
        c, s = (c * c - s * s) >> _Q, (2 * c * s) >> _Q
        step *= 2
    table = array("H", bytes(n + n // 2))
    x, y = one, 0
    for k in range(n // 2):
        table[k] = 32768 + ((65534 * x + one) >> (_Q + 1))
        table[k + n // 4] = 32768 - ((65534 * y + one) >> (_Q + 1))
        x, y = (x * c - y * s) >> _Q, (x * s + y * c) >> _Q
    return table


def triangles(n, rate, edges):
    """Return the weight of each of the bins 0..n/2 - 1 in the triangle that rises there, one byte each, and runs.

    Run u, two bytes, is the number of bins after those of run u - 1 that rise in triangle u - 1. The bins of run 0, and
    those after the last run, C + 1, belong to no triangle.

    Parameters
    ----------
    edges : array of uint32, length C + 2
        Where the triangles begin and end, rising, in 1024ths of 1 Hz. Triangle c rises from edge c to edge c + 1.
    """
    m = n // 2
    count = len(edges)
    table = bytearray(m + 2 * count)
    u = 0
    for k in range(m):
        f = 1024 * rate * k // n
        while u < count and f >= edges[u]:
            u += 1
        if u == count:
            break
        if u:
            width = edges[u] - edges[u - 1]
            table[k] = min(255, (512 * (f - edges[u - 1]) + width) // (2 * width))
        at = m + 2 * u
        run = table[at] + 1
        table[at] = run & 255
        table[at + 1] += run >> 8
    return table


def take_mean(x, p):
    """Find mean and exponent of the N samples in ``x``, int16."""
    n = p[WINDOW]
    mean = sum(x[:n]) // n
    top = max(1, max(x[:n]) - mean, mean - min(x[:n]))
    k = 13 + 16
    while top > 1:
        top >>= 1
        k -= 1
    p[MEAN] = mean
    p[EXPONENT] = k


def load(x, z, t, p):
    """Store the samples as m complex numbers in bit-reversed order: less their mean, scaled by ``2**k``, windowed."""
    n = p[WINDOW]
    m = n // 2
    k = p[EXPONENT] - 16
    j = 0  # i with its bits reversed
    for i in range(m):
        for part in (0, 1):
            at = 2 * i + part
            c = t[at] - 32768 if at < m else 32768 - t[at - m]
            y = x[at] - p[MEAN]
            y = y << k if k >= 0 else y >> -k
            z[2 * j + part] = (y * ((32768 - c) >> 1) >> 15) + 32768
        bit = m >> 1
        while j & bit:
            j ^= bit
            bit >>= 1
        j |= bit


def fft(z, t, m):
    """Transform m complex numbers in place; every stage halves them."""
    half = 1
    while half < m:
        step = m // half  # of the table, which is that of 2m
        for k in range(half):
            c = t[k * step] - 32768
            s = t[k * step + m // 2] - 32768
            for i in range(k, m, 2 * half):
                j = i + half
                vr = z[2 * j] - 32768
                vi = z[2 * j + 1] - 32768
                if k:
                    vr, vi = (vr * c - vi * s + 16384) >> 15, (vr * s + vi * c + 16384) >> 15
                ur = z[2 * i] - 32768
                ui = z[2 * i + 1] - 32768
                z[2 * i] = ((ur + vr) >> 1) + 32768
                z[2 * i + 1] = ((ui + vi) >> 1) + 32768
                z[2 * j] = ((ur - vr) >> 1) + 32768
                z[2 * j + 1] = ((ui - vi) >> 1) + 32768
        half *= 2


def add_bands(z, t, weights, sums):
    """Add up the magnitudes of the bins into C + 2 ``sums``, of which the second to the last but one are bands.

    ``sums`` has ``C << 16 | m`` as its first value; the sums come after it.
    """
    m = sums[0] & 0xFFFF
    for i in range(1, len(sums)):
        sums[i] = 0
    u = 0
    left = _run(weights, m, 0)
    for k in range(m):
        while not left:
            u += 1
            if u == len(sums) - 1:
                return
            left = _run(weights, m, u)
        left -= 1
        if not u:
            continue
        a = 2 * k
        b = 2 * (m - k)
        ar, ai = z[a] - 32768, z[a + 1] - 32768
        br, bi = z[b] - 32768, 32768 - z[b + 1]
        even_r, even_i = (ar + br) >> 1, (ai + bi) >> 1
        odd_r, odd_i = (ai - bi) >> 1, (br - ar) >> 1
        c, s = t[k] - 32768, t[k + m // 2] - 32768
        re = abs((even_r + ((odd_r * c - odd_i * s + 16384) >> 15)) >> 1)
        im = abs((even_i + ((odd_r * s + odd_i * c + 16384) >> 15)) >> 1)
        high, low = max(re, im), min(re, im)
        size = max(high, high - (high >> 3) + (low >> 1))
        part = size * weights[k]
        sums[u + 1] += part
        sums[u] += 256 * size - part


def _run(weights, m, u):
    """Return run ``u`` of ``triangles``."""
    return weights[m + 2 * u] | weights[m + 2 * u + 1] << 8


def take_logs(sums, frames, at, p):
    """Store C logarithms from byte ``at`` of ``frames`` on; return the largest."""
    less = 16 * (p[EXPONENT] - 16) - p[OFFSET]
    largest = 0
    for c in range(p[BANDS]):
        v = sums[c + 2]
        log = 0
        if v:
            e = 5
            while v > 63:
                v >>= 1
                e += 1
            while v < 32:
                v <<= 1
                e -= 1
            log = 16 * e + LOG[v - 32]
        log = max(0, min(255, log - less))
        frames[at + c] = log
        largest = max(largest, log)
    return largest


def activity(frames, at, level, c):
    """Return how far the frame at byte ``at`` lies above the quiet ``level``, C uint16 in 16ths, in all."""
    return sum([frames[at + i] - (level[i] >> 4) for i in range(c)])


def follow(frames, at, level, packed):
    """Move the quiet level towards the frame at byte ``at``, by 1/(packed >> 11) of the way. C = packed & 0x7FF."""
    for i in range(packed & 0x7FF):
        level[i] += (16 * frames[at + i] - level[i]) // (packed >> 11)


def shift(frames, at, n):
    """Move the ``n`` bytes from byte ``at`` on to the beginning."""
    for i in range(n):
        frames[i] = frames[at + i]


def take_noise(frames, level, c, count):
    """Take the power of the noise, whose level is ``level``, off the first ``count`` frames."""
    for i in range(c * count):
        v = frames[i]
        d = max(0, v - (level[i % c] >> 4) - MARGIN)
        if d < len(NOISE):
            frames[i] = max(0, v - NOISE[d])


def word(frames, x, shape):
    """Make a sample of a word: T steps of C stored activations, relative to the word's loudest value.

    Parameters
    ----------
    frames : bytes
        From byte 0 on.
    x : bytearray
        The sample.
    shape : array of int32
        Frames R of the word, T, C and the reach: what is more than so many units below the loudest counts as this.
    """
    r, steps, c, reach = shape
    top = max(frames[: r * c])
    for t in range(steps):
        first = t * r // steps
        count = max(1, (t + 1) * r // steps - first)
        for j in range(c):
            s = sum([max(frames[i * c + j], top - reach) - top for i in range(first, first + count)])
            x[t * c + j] = max(1, 2 * (s // count) + 255)


def copy(source, target, places, count):
    """Copy ``count`` int16 from place ``places >> 16`` of ``source`` to place ``places & 0xFFFF`` of ``target``."""
    for i in range(count):
        target[(places & 0xFFFF) + i] = source[(places >> 16) + i]


def halve(source, target, places, count):
    """Do as :func:`copy`, at half the rate: each value is made of TAPS of ``source``, two later than the one before."""
    middle = TAPS // 2
    for i in range(count):
        at = (places >> 16) + 2 * i + middle
        v = HALF_BAND[0] * source[at] + 16384
        for j in range(1, len(HALF_BAND)):
            v += HALF_BAND[j] * (source[at - 2 * j + 1] + source[at + 2 * j - 1])
        target[(places & 0xFFFF) + i] = max(-32768, min(32767, v >> 15))
