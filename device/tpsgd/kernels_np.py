"""The array engine: NumPy on CPython, ulab on a board, in ulab's subset; legend as in ``kernels_plain``.

Here x, z and h16 are float arrays of signed values, exact because every sum stays below 2**24. ulab's traps that shape
this file: ``np.sum`` of floats is not exact (a dot product is), ``frombuffer`` with an offset does not keep its buffer
alive, int16 minus float is wrong, a float becomes an integer by rounding, modulo 2**16.
"""

try:
    import numpy as np
except ImportError:
    from ulab import numpy as np

from tpsgd.generator import draw, mix, step
from tpsgd.kernels_plain import AMPLITUDE, BASE, L1, LEAK, M
from tpsgd.runtime import ARRAY_CELLS, KEEP_TARGETS
from tpsgd.softmax import TABLE

NUMBER = 2
NAME = "np"

#: Columns whose products with 255*127 still sum exactly in float32.
_EXACT = 518

_targets = {}

__all__ = [
    "activations",
    "backward",
    "best",
    "clamp",
    "draw",
    "error",
    "forward",
    "leak",
    "matrix",
    "move",
    "part",
    "places",
    "pool",
    "pull",
    "put",
    "rest",
    "softmax",
    "states",
    "sums",
    "update",
]


def activations(n, over=None):  # noqa: ARG001 - stored bytes cannot serve here
    """Return an array for ``n - 1`` activations (0 at first) and the bias."""
    x = np.zeros(n)
    x[n - 1] = 127
    return x


def sums(m):
    """Return an array for ``m`` sums or errors."""
    return np.zeros(m)


def part(z, m):
    """Return the first ``m`` words of ``z``, as a view."""
    return z[:m]


def states(m):
    """Return an array for the states of ``m`` leaky units."""
    return np.zeros(m)


def matrix(w, m, n, frozen):
    """Return views of the weight bytes and the factors of an update.

    They are the (m, n) high bytes, the (m, n) uint16, n ones, and what makes e_i*x_j*2**-s + 0.5 one product of two
    matrices: (m, 2) with ones in the second column, (2, n) with 0.5 in the second row. A frozen layer has the first
    and the third.
    """
    ones = np.ones(n)
    if frozen:
        return np.frombuffer(w, dtype=np.uint8).reshape((m, n)), None, ones, None, None
    high = np.frombuffer(w, dtype=np.uint8).reshape((m, 2 * n))[:, 1::2]
    left = np.ones((m, 2))
    right = np.ones((2, n))
    right[1] = 0.5
    return high, np.frombuffer(w, dtype=np.uint16).reshape((m, n)), ones, left, right


def places(m):
    """Return an array for ``m`` places in a map."""
    return np.zeros(m)


def put(sample, i, x, n):
    """Copy ``n & 0xFFFF`` stored activations from byte ``i`` of a sample or map into ``x`` at ``n >> 16``."""
    j = n >> 16
    n &= 0xFFFF
    x[j : j + n] = np.frombuffer(sample, dtype=np.uint8)[i : i + n] - 128.0


def pool(a, target, j, m):
    """Keep the largest of ``m & 0xFFFF`` activations and those stored at byte ``j`` of a map; ``a`` if m >> 16."""
    fresh = m >> 16
    m &= 0xFFFF
    stored = np.frombuffer(target, dtype=np.uint8)[j : j + m]
    new = a[:m] + 128.0
    stored[:] = new if fresh else np.maximum(new, stored * 1.0)


def best(a, top, where, how):
    """Where one of ``m = how & 0x7FF`` activations is as large as ``top``, keep it there and its place, how >> 11."""
    m = how & 0x7FF
    larger = (a[:m] >= top[:m]) * 1.0
    old = where[:m]
    where[:m] = old + larger * ((how >> 11) - old)
    top[:m] = np.maximum(a[:m], top[:m])


def move(a, x, j, n):
    """Copy the first ``n`` activations of ``a`` into ``x`` at ``j``."""
    x[j : j + n] = a[:n]


def rest(h, h16, p):
    """Bring ``p[M]`` leaky units to rest."""
    m = p[M]
    h[:m] = 0.0
    h16[:m] = 0.0


def forward(w, x, how, z):
    """z_i = (sum_j hi_ij * x_j) >> s, as sum (hi + 128)*x - 128*sum x."""
    high = w[0]
    n = how >> 5 & 0x7FF
    s = how & 15
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
    chance = -values[y]
    values[y] += 127
    z[:] = values
    return best << 8 | chance


def update(w, x, how, e):
    """v_ij = saturate(v_ij + ((e_i*x_j + (1 << (s - 1))) >> s)), in blocks of rows that bound the temporaries."""
    words, left, right = w[1], w[3], w[4]
    left[:, 0] = e
    right[0] = x * 0.5 ** (how & 15)
    m = how >> 16 & 0x7FF
    rows = max(1, ARRAY_CELLS // (how >> 5 & 0x7FF))
    for i in range(0, m, rows):
        block = words[i : i + rows]
        new = np.floor(np.dot(left[i : i + rows], right))
        new += block
        block[:] = np.minimum(np.maximum(new, 256.0), 65535.0)


def backward(w, x, how, e):
    """Do as :func:`update`, and leave in ``x`` what the errors ask of the layer before, with the weights as they were.

    f_j = clamp((sum_i hi_ij * e_i) >> r), 0 where x_j is 127 or -127; r = how >> 27.
    """
    high = w[0]
    n = how >> 5 & 0x7FF
    total = np.zeros(n)
    for i in range(0, how >> 16 & 0x7FF, _EXACT):
        g = e[i : i + _EXACT]
        m = len(g)
        total += np.dot(g.reshape((1, m)), high[i : i + m])[0] - 128.0 * np.dot(g, np.ones(m))
    update(w, x, how, e)
    inside = ((x > -127.0) * 1.0) * ((x < 127.0) * 1.0)
    x[:] = np.minimum(np.maximum(np.floor(total * 0.5 ** (how >> 27)), -127.0), 127.0) * inside
    x[n - 1] = 127.0


def pull(f, z, p, j):
    """e_i = f_i, ``f`` read from j & 0xFFFF on; with j >> 16 it is 0 where z_i is saturated."""
    at = j & 0xFFFF
    new = f[at : at + p[M]]
    z[:] = new * ((z > -127.0) * 1.0) * ((z < 127.0) * 1.0) if j >> 16 else new
