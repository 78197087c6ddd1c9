"""The array engine: NumPy on CPython, ulab on a board. It uses only what ulab has. Legend as in ``kernels_plain``.

Here x, z and h16 are float arrays of signed values. They are exact, because every sum stays below 2**24. Four traps of
ulab shape this file: ``np.sum`` of floats is not exact (a dot product is); ``frombuffer`` with an offset does not keep
its buffer alive; int16 minus float is wrong; a float becomes an integer by rounding, modulo 2**16.
"""

try:
    import numpy as np
except ImportError:
    from ulab import numpy as np

from tpsgd.generator import draw, mix, step  # noqa: F401 - draw is a kernel too: this engine hands it on
from tpsgd.parameters import AMPLITUDE, BASE, FEEDBACK, L1, LEAK, NEAREST, SHIFT, M
from tpsgd.runtime import ARRAY_CELLS, KEEP_TARGETS
from tpsgd.softmax import TABLE

NUMBER = 2
NAME = "np"

#: Columns whose products with 255*127 still sum exactly in float32.
_EXACT = 518

_targets = {}


def activations(n, over=None):  # noqa: ARG001 - stored bytes are no floats
    """Return an array for ``n - 1`` activations, 0 at first, and the bias."""
    x = np.zeros(n)
    x[n - 1] = 127
    return x


def accumulators(m):
    """Return an array for ``m`` sums or errors."""
    return np.zeros(m)


def view(z, m):
    """Return the first ``m`` words of ``z``, as a view."""
    return z[:m]


def states(m):
    """Return an array for the states of ``m`` leaky units."""
    return np.zeros(m)


def matrix(w, m, n, frozen):
    """Return views of the weight bytes and the factors of an update.

    They are the (m, n) high bytes; the (m, n) uint16; n ones; and two matrices whose product is e_i*x_j*2**-s + 0.5:
    (m, 2) with ones in the second column, (2, n) with 0.5 in the second row. A frozen layer has the first and third.
    """
    ones = np.ones(n)
    if frozen:
        return np.frombuffer(w, dtype=np.uint8).reshape((m, n)), None, ones, None, None
    high = np.frombuffer(w, dtype=np.uint8).reshape((m, 2 * n))[:, 1::2]
    left = np.ones((m, 2))
    right = np.ones((2, n))
    right[1] = 0.5
    return high, np.frombuffer(w, dtype=np.uint16).reshape((m, n)), ones, left, right


def positions(m):
    """Return an array for ``m`` positions in a map."""
    return np.zeros(m)


def load(source, i, x, packed):
    """Load stored activations, from byte ``i`` of a sample or map: ``packed & 0xFFFF`` to ``x[packed >> 16]`` on."""
    j = packed >> 16
    n = packed & 0xFFFF
    x[j : j + n] = np.frombuffer(source, dtype=np.uint8)[i : i + n] - 128.0


def max_pool(a, target, j, packed):
    """Store activations at byte ``j`` of a map where they are larger than those there; all with ``packed >> 16``."""
    m = packed & 0xFFFF
    stored = np.frombuffer(target, dtype=np.uint8)[j : j + m]
    new = a[:m] + 128.0
    stored[:] = new if packed >> 16 else np.maximum(new, stored * 1.0)


def track_max(a, top, where, packed):
    """Track the largest of each of ``m = packed & 0x7FF`` activations in ``top``, and its position in ``where``."""
    m = packed & 0x7FF
    larger = (a[:m] >= top[:m]) * 1.0
    old = where[:m]
    where[:m] = old + larger * ((packed >> 11) - old)
    top[:m] = np.maximum(a[:m], top[:m])


def copy(a, x, j, n):
    """Copy the first ``n`` activations of ``a`` into ``x`` at ``j``."""
    x[j : j + n] = a[:n]


def reset_state(h, h16, p):
    """Set the state of leaky units to zero."""
    m = p[M]
    h[:m] = 0.0
    h16[:m] = 0.0


def forward(w, x, packed, z):
    """z_i = (sum_j hi_ij * x_j) >> s, as sum (hi + 128)*x - 128*sum x."""
    high = w[0]
    n = packed >> 5 & 0x7FF
    s = packed & SHIFT
    if n <= _EXACT:
        total = np.dot(high, x)
    else:  # float32 sums in two exact parts, each corrected before they meet
        head, tail = x[:_EXACT], x[_EXACT:]
        ones = w[2]
        total = np.dot(high[:, :_EXACT], head) - 128.0 * np.dot(head, ones[:_EXACT])
        total = total + (np.dot(high[:, _EXACT:], tail) - 128.0 * np.dot(tail, ones[_EXACT:]))
        z[:] = np.floor(total * 0.5**s)
        return
    z[:] = np.floor((total - 128.0 * np.dot(x, w[2])) * 0.5**s)


def clamp(z, a, p):
    """a_i = clamp(z_i)."""
    a[: p[M]] = np.minimum(np.maximum(z, -127.0), 127.0)


def leak(z, h16, h, p):
    """h16 += (256*clamp(z) - h16) >> k; h = (h16 + 128) >> 8."""
    u = np.minimum(np.maximum(z, -127.0), 127.0)
    new = h16 + np.floor((u * 256.0 - h16) * 0.5 ** p[LEAK])
    h16[:] = new
    h[: p[M]] = np.floor((new + 128.0) * 0.00390625)


def _column(p, column):
    """Return the (m,) targets of ``column``, regenerated from the layer's seed."""
    key = (p[BASE], p[M], p[AMPLITUDE], column)
    if key in _targets:
        return _targets[key]
    amplitude = p[AMPLITUDE]
    t = np.zeros(p[M])
    s = mix(p[BASE] + column)
    for i in range(p[M]):
        if i % 32 == 0:
            s = step(s)
        t[i] = amplitude if s >> (i % 32) & 1 else -amplitude
    if KEEP_TARGETS:
        _targets[key] = t
    return t


def error(a, e, p, column):
    """e_i = loss'(t_i - a_i)."""
    e[:] = _column(p, column) - a[: p[M]]
    if p[L1]:
        e[:] = np.minimum(np.maximum(e, -1.0), 1.0) * p[L1]


def softmax(z, p, y):  # noqa: ARG001 - an engine on bytes needs p
    """Turn sums into errors 127*[i = y] - p_i and return ``predicted << 8 | p_y``."""
    values = z.tolist()
    top = max(values)
    best = values.index(top)
    if y == 255:
        y = best
    values = [int(top - v) >> 1 for v in values]
    values = [TABLE[d] if d < 100 else 0 for d in values]
    total = sum(values)
    half = total >> 1
    values = [-((127 * q + half) // total) for q in values]
    probability = -values[y]
    values[y] += 127
    z[:] = values
    return best << 8 | probability


def update(w, x, packed, e):
    """v_ij = saturate(v_ij + ((e_i*x_j + (1 << (s - 1))) >> s)), in blocks of rows that bound the temporaries."""
    words, left, right = w[1], w[3], w[4]
    left[:, 0] = e
    right[0] = x * 0.5 ** (packed & SHIFT)
    m = packed >> 16 & 0x7FF
    rows = max(1, ARRAY_CELLS // (packed >> 5 & 0x7FF))
    for i in range(0, m, rows):
        block = words[i : i + rows]
        new = np.floor(np.dot(left[i : i + rows], right))
        new += block
        block[:] = np.minimum(np.maximum(new, 256.0), 65535.0)


def backward(w, x, packed, e):
    """Do as :func:`update`, and replace ``x`` with the feedback f to the layer before, made with the old weights."""
    high = w[0]
    n = packed >> 5 & 0x7FF
    total = np.zeros(n)
    for i in range(0, packed >> 16 & 0x7FF, _EXACT):
        g = e[i : i + _EXACT]
        m = len(g)
        total += np.dot(g.reshape((1, m)), high[i : i + m])[0] - 128.0 * np.dot(g, np.ones(m))
    update(w, x, packed, e)
    inside = ((x > -127.0) * 1.0) * ((x < 127.0) * 1.0)
    half = 0.5 if packed & NEAREST else 0.0
    x[:] = np.minimum(np.maximum(np.floor(total * 0.5 ** (packed >> FEEDBACK) + half), -127.0), 127.0) * inside
    x[n - 1] = 127.0


def masked_error(f, z, p, packed):
    """e_i = f_i, from ``f[packed & 0xFFFF]`` on. With ``packed >> 16`` it is 0 where z_i is saturated."""
    at = packed & 0xFFFF
    new = f[at : at + p[M]]
    z[:] = new * ((z > -127.0) * 1.0) * ((z < 127.0) * 1.0) if packed >> 16 else new


def accumulate(x, ring, j, packed):
    """Add ``packed & 0xFFFF`` activations, from ``x[packed >> 16]`` on, to the stored ones at byte ``j``, clamped."""
    at = packed >> 16
    n = packed & 0xFFFF
    stored = np.frombuffer(ring, dtype=np.uint8)[j : j + n]
    stored[:] = np.minimum(np.maximum(x[at : at + n] + stored * 1.0, 1.0), 255.0)


def flush(ring, j, target, packed):
    """Move ``m = packed & 0x7FF`` stored activations from byte ``j`` to byte ``packed >> 11`` of a map; leave zeros."""
    at = packed >> 11
    m = packed & 0x7FF
    rows = np.frombuffer(ring, dtype=np.uint8)[j : j + m]
    np.frombuffer(target, dtype=np.uint8)[at : at + m] = rows
    rows[:] = 128


def segment_max(z, largest, places, packed):
    """Keep the largest clamp(z_i) of a segment from j of ``largest`` on, and its place; see ``kernels_plain``."""
    j = packed >> 11 & 0x7FF
    m = packed & 0x7FF
    place = packed >> 22
    a = np.minimum(np.maximum(z, -127.0), 127.0)
    stored = np.frombuffer(places, dtype=np.uint8)[j : j + m]
    if not place:
        largest[j : j + m] = a
        stored[:] = 0
        return
    old = largest[j : j + m]
    larger = (a > old) * 1.0
    known = stored * 1.0
    stored[:] = known + larger * (place - known)
    largest[j : j + m] = np.maximum(a, old)


def segment_error(f, places, z, packed):
    """e_i = f_(j+i) where the filter's place is that of ``packed``, else 0. Return 0 where all e_i are 0."""
    j = packed >> 11 & 0x7FF
    m = packed & 0x7FF
    stored = np.frombuffer(places, dtype=np.uint8)[j : j + m] * 1.0
    z[:] = f[j : j + m] * ((stored == packed >> 22) * 1.0)
    return np.dot(z, z)
