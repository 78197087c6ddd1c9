"""The reference engine: plain Python on bytes, the oracle of all others and the last fallback.

Legend. m units, n inputs of a layer, the bias counted (its input is the last one, always 127).

    w   weights, m rows of n: uint16 u = v + 32896 each, or one byte hi + 128 in a frozen layer
    x   activations, n bytes x + 128; the last is 255
    z   m int32: sums of the forward pass, then the errors e, in the same place
    h16 m uint16, state of the leaky units + 32768
    p   parameters of the layer, uint32, at the indices M to BASE below
    how m << 16 | n << 5 | frozen << 4 | shift: what the two functions that matter most need, in one small integer;
        for ``backward`` r << 27 with it

Inline assembler takes four arguments at most, so no function here has more. Every engine has these functions and
computes the same bits. x, z and h16 are the engine's own kind of buffer.
"""

from array import array

from tpsgd.generator import draw, mix, step
from tpsgd.softmax import TABLE

NUMBER = 1
NAME = "plain"

M, N, AMPLITUDE, L1, LEAK, BASE = range(6)

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


def activations(n, over=None):
    """Return a buffer for ``n - 1`` activations (0 at first) and the bias; ``over`` is one that may serve as it is."""
    x = bytearray(n) if over is None else over
    for j in range(n - 1):
        x[j] = 128
    x[n - 1] = 255
    return x


def sums(m):
    """Return a buffer for ``m`` sums or errors."""
    return array("i", bytes(4 * m))


def part(z, m):  # noqa: ARG001 - an array engine needs m
    """Return the first ``m`` words of ``z``."""
    return z


def states(m):
    """Return a buffer for the states of ``m`` leaky units."""
    return bytearray(2 * m)


def matrix(w, m, n, frozen):  # noqa: ARG001 - an array engine needs the shape
    """Return what :func:`forward` and :func:`update` take for the weight bytes ``w``."""
    return w


def places(m):
    """Return a buffer for ``m`` places in a map, 0..65535."""
    return array("H", bytes(2 * m))


def put(sample, i, x, n):
    """Copy ``n & 0xFFFF`` stored activations from byte ``i`` of a sample or map into ``x`` at ``n >> 16``."""
    to = n >> 16
    for j in range(n & 0xFFFF):
        x[to + j] = sample[i + j]


def pool(a, target, j, m):
    """Keep the largest of ``m & 0xFFFF`` activations and those stored at byte ``j`` of a map; ``a`` if m >> 16."""
    for i in range(m & 0xFFFF):
        target[j + i] = a[i] if m >> 16 else max(a[i], target[j + i])


def best(a, top, where, how):
    """Where one of ``m = how & 0x7FF`` activations is as large as ``top``, keep it there and its place, how >> 11."""
    for i in range(how & 0x7FF):
        if a[i] >= top[i]:
            top[i] = a[i]
            where[i] = how >> 11


def move(a, x, j, n):
    """Copy the first ``n`` activations of ``a`` into ``x`` at ``j``."""
    for i in range(n):
        x[j + i] = a[i]


def rest(h, h16, p):
    """Bring ``p[M]`` leaky units to rest."""
    for i in range(p[M]):
        h[i] = 128
        h16[2 * i] = 0
        h16[2 * i + 1] = 128


def forward(w, x, how, z):
    """z_i = (sum_j hi_ij * x_j) >> shift."""
    n = how >> 5 & 0x7FF
    stride = 1 if how & 16 else 2
    at = stride - 1  # the high byte of the first weight
    s = how & 15
    for i in range(how >> 16):
        total = 0
        for j in range(n):
            total += (w[at] - 128) * (x[j] - 128)
            at += stride
        z[i] = total >> s


def clamp(z, a, p):
    """a_i = clamp(z_i)."""
    for i in range(p[M]):
        a[i] = max(-127, min(127, z[i])) + 128


def leak(z, h16, h, p):
    """h16 += (256*clamp(z) - h16) >> k; h = (h16 + 128) >> 8."""
    k = p[LEAK]
    for i in range(p[M]):
        old = (h16[2 * i] | h16[2 * i + 1] << 8) - 32768
        new = old + ((256 * max(-127, min(127, z[i])) - old) >> k) + 32768
        h16[2 * i] = new & 255
        h16[2 * i + 1] = new >> 8
        h[i] = (new + 128) >> 8


def error(a, e, p, column):
    """e_i = loss'(t_i - a_i), the targets of ``column`` regenerated from the layer's seed."""
    amplitude = p[AMPLITUDE]
    constant = p[L1]
    s = mix(p[BASE] + column)
    for i in range(p[M]):
        if i % 32 == 0:
            s = step(s)
        g = (amplitude if s >> (i % 32) & 1 else -amplitude) - (a[i] - 128)
        if constant:
            g = constant if g > 0 else -constant if g < 0 else 0
        e[i] = g


def softmax(z, p, y):
    """Turn sums into errors 127*[i = y] - p_i and return ``predicted << 8 | p_y``.

    With ``y`` 255 (unknown) p_y is that of the predicted class.
    """
    m = p[M]
    best = 0
    for i in range(1, m):
        if z[i] > z[best]:
            best = i
    top = z[best]
    if y == 255:
        y = best
    total = 0
    for i in range(m):
        d = (top - z[i]) >> 1
        q = TABLE[d] if d < 100 else 0
        total += q
        z[i] = q
    for i in range(m):
        z[i] = -((127 * z[i] + (total >> 1)) // total)
    probability = -z[y]
    z[y] += 127
    return best << 8 | probability


def update(w, x, how, e):
    """v_ij = saturate(v_ij + ((e_i*x_j + (1 << (s - 1))) >> s)), s being the shift, 1..15."""
    n = how >> 5 & 0x7FF
    s = how & 15
    half = 1 << (s - 1)
    for i in range(how >> 16):
        if not e[i]:
            continue
        at = 2 * n * i
        for j in range(n):
            u = (w[at] | w[at + 1] << 8) + ((e[i] * (x[j] - 128) + half) >> s)
            u = max(256, min(65535, u))
            w[at] = u & 255
            w[at + 1] = u >> 8
            at += 2


def backward(w, x, how, e):
    """Do as :func:`update`, and leave in ``x`` what the errors ask of the layer before, with the weights as they were.

    f_j = clamp((sum_i hi_ij * e_i) >> r), 0 where x_j is 127 or -127; r = how >> 27.
    """
    m = how >> 16 & 0x7FF
    n = how >> 5 & 0x7FF
    s = how & 15
    half = 1 << (s - 1)
    for j in range(n):
        value = x[j] - 128
        total = 0
        for at in range(2 * j, 2 * m * n, 2 * n):
            g = e[at // (2 * n)]
            total += (w[at + 1] - 128) * g
            u = (w[at] | w[at + 1] << 8) + ((g * value + half) >> s)
            u = max(256, min(65535, u))
            w[at] = u & 255
            w[at + 1] = u >> 8
        if j < n - 1:  # the bias stays
            x[j] = 128 if value in (127, -127) else max(-127, min(127, total >> (how >> 27))) + 128


def pull(f, z, p, j):
    """e_i = f_i, ``f`` read from j & 0xFFFF on; with j >> 16 it is 0 where z_i is saturated."""
    at = j & 0xFFFF
    for i in range(p[M]):
        z[i] = 0 if j >> 16 and not -127 < z[i] < 127 else f[at + i] - 128
