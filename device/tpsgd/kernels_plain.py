"""The reference engine: plain Python on bytes. The others are tested against it, and it runs everywhere.

Legend. m units, n inputs of a layer. The bias is counted: its input is the last one, always 127.

    w        weights, m rows of n: uint16 u = v + 32896 each, or one byte hi + 128 each in a frozen layer
    x        activations, n bytes x + 128; the last is 255
    z        m int32: the sums of the forward pass, then the errors e in the same place
    h16      m uint16: state of the leaky units + 32768
    p        parameters of the layer, uint32, at the indices that ``parameters`` names
    packed   the same for the hot kernels in one integer, made by ``parameters.pack``

Every engine has these functions and computes the same bits; x, z and h16 are the engine's own kind of buffer. Inline
assembler takes at most four arguments, so no kernel has more: some take two small numbers in one argument.
"""

from tpsgd.buffers import (  # noqa: F401 - an engine has its buffers, too: this one hands them on
    accumulators,
    activations,
    matrix,
    positions,
    states,
    view,
)
from tpsgd.generator import draw, mix, step  # noqa: F401 - draw is a kernel too: this engine hands it on
from tpsgd.parameters import AMPLITUDE, BASE, FEEDBACK, FROZEN, L1, LEAK, NEAREST, SHIFT, M
from tpsgd.softmax import TABLE

NUMBER = 1
NAME = "plain"


def load(source, i, x, packed):
    """Load stored activations, from byte ``i`` of a sample or map: ``packed & 0xFFFF`` to ``x[packed >> 16]`` on."""
    to = packed >> 16
    for j in range(packed & 0xFFFF):
        x[to + j] = source[i + j]


def max_pool(a, target, j, packed):
    """Store ``m = packed & 0xFFFF`` activations at byte ``j`` of a map, where they are larger than those stored there.

    With ``packed >> 16``, the first position of a pooling window, store them all.
    """
    first = packed >> 16
    for i in range(packed & 0xFFFF):
        target[j + i] = a[i] if first else max(a[i], target[j + i])


def track_max(a, top, where, packed):
    """Track the largest of each of ``m = packed & 0x7FF`` activations in ``top``, and its position in ``where``.

    The position at hand is ``packed >> 11``; of equal activations the last one counts.
    """
    for i in range(packed & 0x7FF):
        if a[i] >= top[i]:
            top[i] = a[i]
            where[i] = packed >> 11


def copy(a, x, j, n):
    """Copy the first ``n`` activations of ``a`` into ``x`` at ``j``."""
    for i in range(n):
        x[j + i] = a[i]


def reset_state(h, h16, p):
    """Set the state of leaky units to zero."""
    for i in range(p[M]):
        h[i] = 128
        h16[2 * i] = 0
        h16[2 * i + 1] = 128


def forward(w, x, packed, z):
    """z_i = (sum_j hi_ij * x_j) >> shift."""
    n = packed >> 5 & 0x7FF
    stride = 1 if packed & FROZEN else 2
    at = stride - 1  # the high byte of the first weight
    s = packed & SHIFT
    for i in range(packed >> 16):
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


def update(w, x, packed, e):
    """v_ij = saturate(v_ij + ((e_i*x_j + (1 << (s - 1))) >> s)), s being the shift, 1..15."""
    n = packed >> 5 & 0x7FF
    s = packed & SHIFT
    half = 1 << (s - 1)
    for i in range(packed >> 16):
        if not e[i]:
            continue
        at = 2 * n * i
        for j in range(n):
            u = (w[at] | w[at + 1] << 8) + ((e[i] * (x[j] - 128) + half) >> s)
            u = max(256, min(65535, u))
            w[at] = u & 255
            w[at + 1] = u >> 8
            at += 2


def backward(w, x, packed, e):
    """Do as :func:`update`, and replace ``x`` with the feedback f to the layer before, made with the old weights.

    f_j = clamp((sum_i hi_ij * e_i) >> r), 0 where x_j is 127 or -127; r is the feedback shift. Rounded to nearest where
    ``packed`` says so: the sum begins at 1 << (r - 1).
    """
    m = packed >> 16 & 0x7FF
    n = packed >> 5 & 0x7FF
    s = packed & SHIFT
    half = 1 << (s - 1)
    first = (1 << (packed >> FEEDBACK)) >> 1 if packed & NEAREST else 0
    for j in range(n):
        value = x[j] - 128
        total = first
        for at in range(2 * j, 2 * m * n, 2 * n):
            g = e[at // (2 * n)]
            total += (w[at + 1] - 128) * g
            u = (w[at] | w[at + 1] << 8) + ((g * value + half) >> s)
            u = max(256, min(65535, u))
            w[at] = u & 255
            w[at + 1] = u >> 8
        if j < n - 1:  # the bias stays
            x[j] = 128 if value in (127, -127) else max(-127, min(127, total >> (packed >> FEEDBACK))) + 128


def masked_error(f, z, p, packed):
    """e_i = f_i, from ``f[packed & 0xFFFF]`` on. With ``packed >> 16`` it is 0 where z_i is saturated."""
    at = packed & 0xFFFF
    masked = packed >> 16
    for i in range(p[M]):
        z[i] = 0 if masked and not -127 < z[i] < 127 else f[at + i] - 128


def accumulate(x, ring, j, packed):
    """Add ``packed & 0xFFFF`` activations, from ``x[packed >> 16]`` on, to the stored ones at byte ``j``, clamped."""
    at = packed >> 16
    for i in range(packed & 0xFFFF):
        ring[j + i] = max(-127, min(127, x[at + i] + ring[j + i] - 256)) + 128


def flush(ring, j, target, packed):
    """Move ``m = packed & 0x7FF`` stored activations from byte ``j`` to byte ``packed >> 11`` of a map; leave zeros."""
    at = packed >> 11
    for i in range(packed & 0x7FF):
        target[at + i] = ring[j + i]
        ring[j + i] = 128


def segment_max(z, largest, places, packed):
    """Keep the largest clamp(z_i) of a segment from byte j of ``largest`` on, and the first place that has it.

    packed = place << 22 | j << 11 | m; a segment begins with place 0.
    """
    j = packed >> 11 & 0x7FF
    place = packed >> 22
    for i in range(packed & 0x7FF):
        a = max(-127, min(127, z[i])) + 128
        if not place or a > largest[j + i]:
            largest[j + i] = a
            places[j + i] = place


def segment_error(f, places, z, packed):
    """e_i = f_(j+i) where the filter's place is that of ``packed``, else 0. Return 0 where all e_i are 0."""
    j = packed >> 11 & 0x7FF
    place = packed >> 22
    some = 0
    for i in range(packed & 0x7FF):
        z[i] = f[j + i] - 128 if places[j + i] == place else 0
        some |= z[i]
    return some
