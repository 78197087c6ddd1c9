"""The engine for every firmware with the native emitter (viper). It allocates nothing. Legend as in ``kernels_plain``.

Four facts of viper shape this file. Pointers load unsigned: an offset and a mask bring a signed word back (on a 64-bit
machine a word arrives zero-extended). On a Thumb-1 core only the first three variables, arguments first, live in
registers, so the hot ones come first. ``>>`` of an int is arithmetic. A pointer moves by way of int.
"""

from array import array

import micropython
from micropython import const

from tpsgd.buffers import (  # noqa: F401 - an engine has its buffers, too: this one hands them on
    accumulators,
    activations,
    matrix,
    positions,
    states,
    view,
)
from tpsgd.softmax import TABLE

# As in ``parameters``; the compiler folds these into the code.
_M = const(0)
_AMPLITUDE = const(2)
_L1 = const(3)
_LEAK = const(4)
_BASE = const(5)

NUMBER = 4
NAME = "viper"

_state = array("I", [0])


@micropython.viper
def _next(s: ptr32):
    x = s[0]
    s[0] = x ^ (x << 13)
    x = s[0]
    s[0] = x ^ ((x >> 17) & 0x7FFF)
    x = s[0]
    s[0] = x ^ (x << 5)


@micropython.viper
def draw(state: ptr32, n: int) -> int:
    """Advance the generator and return a number in 0..n-1."""
    x = state[0]
    state[0] = x ^ (x << 13)
    x = state[0]
    state[0] = x ^ ((x >> 17) & 0x7FFF)
    x = state[0]
    state[0] = x ^ (x << 5)
    return (((state[0] >> 16) & 0xFFFF) * n) >> 16


@micropython.viper
def load(source: ptr8, i: int, x: ptr8, packed: int):
    """Load stored activations, from byte ``i`` of a sample or map: ``packed & 0xFFFF`` to ``x[packed >> 16]`` on."""
    source = ptr8(int(source) + i)
    x = ptr8(int(x) + (packed >> 16))
    for j in range(packed & 0xFFFF):
        x[j] = source[j]


@micropython.viper
def max_pool(a: ptr8, target: ptr8, j: int, packed: int):
    """Store activations at byte ``j`` of a map where they are larger than those there; all with ``packed >> 16``."""
    target = ptr8(int(target) + j)
    first = packed >> 16
    for i in range(packed & 0xFFFF):
        v = a[i]
        if first or v > target[i]:
            target[i] = v


@micropython.viper
def track_max(a: ptr8, top: ptr8, where: ptr16, packed: int):
    """Track the largest of each of ``m = packed & 0x7FF`` activations in ``top``, and its position in ``where``."""
    at = packed >> 11
    for i in range(packed & 0x7FF):
        v = a[i]
        if v >= top[i]:
            top[i] = v
            where[i] = at


@micropython.viper
def copy(a: ptr8, x: ptr8, j: int, n: int):
    """Copy the first ``n`` activations of ``a`` into ``x`` at ``j``."""
    x = ptr8(int(x) + j)
    for i in range(n):
        x[i] = a[i]


@micropython.viper
def reset_state(h: ptr8, h16: ptr16, p: ptr32):
    """Set the state of leaky units to zero."""
    for i in range(p[_M]):
        h[i] = 128
        h16[i] = 32768


@micropython.viper
def forward(w: ptr8, x: ptr8, s: int, z: ptr32):
    """z_i = (sum_j hi_ij * x_j) >> shift, as sum (hi + 128)*x - 128*sum x: loads are unsigned."""
    shift = s & 15  # s is ``packed`` and becomes the running sum
    m = s >> 16
    n = s >> 5 & 0x7FF
    wide = (s & 16) ^ 16
    begin = int(x)
    correction = 0
    for j in range(n):
        correction -= x[j] - 128
    correction <<= 7
    quads = n >> 2
    singles = n & 3
    i = 0
    while i < m:
        x = ptr8(begin)
        s = correction
        j = quads
        if wide:
            while j:
                s += w[1] * (x[0] - 128) + w[3] * (x[1] - 128) + w[5] * (x[2] - 128) + w[7] * (x[3] - 128)
                w = ptr8(int(w) + 8)
                x = ptr8(int(x) + 4)
                j -= 1
            j = singles
            while j:
                s += w[1] * (x[0] - 128)
                w = ptr8(int(w) + 2)
                x = ptr8(int(x) + 1)
                j -= 1
        else:
            while j:
                s += w[0] * (x[0] - 128) + w[1] * (x[1] - 128) + w[2] * (x[2] - 128) + w[3] * (x[3] - 128)
                w = ptr8(int(w) + 4)
                x = ptr8(int(x) + 4)
                j -= 1
            j = singles
            while j:
                s += w[0] * (x[0] - 128)
                w = ptr8(int(w) + 1)
                x = ptr8(int(x) + 1)
                j -= 1
        z[i] = s >> shift
        i += 1


@micropython.viper
def clamp(z: ptr32, a: ptr8, p: ptr32):
    """a_i = clamp(z_i)."""
    for i in range(p[_M]):
        v = ((z[i] + 0x1000000) & 0x1FFFFFF) - 0x1000000
        if v > 127:
            v = 127
        elif v < -127:
            v = -127
        a[i] = v + 128


@micropython.viper
def leak(z: ptr32, h16: ptr16, h: ptr8, p: ptr32):
    """h16 += (256*clamp(z) - h16) >> k; h = (h16 + 128) >> 8."""
    k = p[_LEAK]
    for i in range(p[_M]):
        v = ((z[i] + 0x1000000) & 0x1FFFFFF) - 0x1000000
        if v > 127:
            v = 127
        elif v < -127:
            v = -127
        state = h16[i]
        state += ((v << 8) - (state - 32768)) >> k
        h16[i] = state
        h[i] = (state + 128) >> 8


@micropython.viper
def error(a: ptr8, e: ptr32, p: ptr32, column: int):
    """e_i = loss'(t_i - a_i), the targets of ``column`` regenerated from the layer's seed."""
    s = ptr32(_state)
    s[0] = p[_BASE] + column
    for _ in range(2):
        x = s[0]
        s[0] = (((x >> 16) & 0xFFFF) ^ x) * 0x45D9F3B
    x = s[0]
    s[0] = ((x >> 16) & 0xFFFF) ^ x
    if s[0] == 0:
        s[0] = 1
    amplitude = p[_AMPLITUDE]
    constant = p[_L1]
    for i in range(p[_M]):
        if i & 31 == 0:
            x = s[0]
            s[0] = x ^ (x << 13)
            x = s[0]
            s[0] = x ^ ((x >> 17) & 0x7FFF)
            x = s[0]
            s[0] = x ^ (x << 5)
            x = s[0]
        g = 128 - a[i]
        if x & 1:
            g += amplitude
        else:
            g -= amplitude
        x >>= 1
        if constant:
            if g > 0:
                g = constant
            elif g < 0:
                g = 0 - constant
        e[i] = g


@micropython.viper
def softmax(z: ptr32, p: ptr32, y: int) -> int:
    """Turn sums into errors 127*[i = y] - p_i and return ``predicted << 8 | p_y``."""
    table = ptr8(TABLE)
    m = p[_M]
    best = 0
    top = -0x2000000
    for i in range(m):
        v = ((z[i] + 0x1000000) & 0x1FFFFFF) - 0x1000000
        if v > top:
            top = v
            best = i
    if y == 255:
        y = best
    total = 0
    for i in range(m):
        d = (top - (((z[i] + 0x1000000) & 0x1FFFFFF) - 0x1000000)) >> 1
        v = 0
        if d < 100:
            v = table[d]
        total += v
        z[i] = v
    half = total >> 1
    probability = 0
    for i in range(m):
        v = (127 * z[i] + half) // total
        if i == y:
            probability = v
            z[i] = 127 - v
        else:
            z[i] = 0 - v
    return best << 8 | probability


@micropython.viper
def update(w: ptr16, x: ptr8, s: int, e: ptr32):
    """v_ij = saturate(v_ij + ((e_i*x_j + (1 << (s - 1))) >> s)). A row without an error stays as it is."""
    shift = s & 15  # s is ``packed`` and becomes the weight at hand
    half = 1 << (shift - 1)
    m = s >> 16
    n = s >> 5 & 0x7FF
    begin = int(x)
    i = 0
    while i < m:
        g = ((e[i] + 256) & 511) - 256
        i += 1
        if g == 0:
            w = ptr16(int(w) + n + n)
            continue
        constant = half - (g << 7)  # g*x + half, x being stored as x + 128
        x = ptr8(begin)
        j = n >> 2
        while j:
            s = w[0] + ((g * x[0] + constant) >> shift)
            if s < 256:
                s = 256
            elif s > 65535:
                s = 65535
            w[0] = s
            s = w[1] + ((g * x[1] + constant) >> shift)
            if s < 256:
                s = 256
            elif s > 65535:
                s = 65535
            w[1] = s
            s = w[2] + ((g * x[2] + constant) >> shift)
            if s < 256:
                s = 256
            elif s > 65535:
                s = 65535
            w[2] = s
            s = w[3] + ((g * x[3] + constant) >> shift)
            if s < 256:
                s = 256
            elif s > 65535:
                s = 65535
            w[3] = s
            w = ptr16(int(w) + 8)
            x = ptr8(int(x) + 4)
            j -= 1
        j = n & 3
        while j:
            s = w[0] + ((g * x[0] + constant) >> shift)
            if s < 256:
                s = 256
            elif s > 65535:
                s = 65535
            w[0] = s
            w = ptr16(int(w) + 2)
            x = ptr8(int(x) + 1)
            j -= 1


@micropython.viper
def backward(w: ptr16, x: ptr8, s: int, e: ptr32):
    """Do as :func:`update`, and replace ``x`` with the feedback to the layer before; see ``kernels_plain``."""
    shift = s & 15  # s is ``packed`` and becomes the weight at hand
    half = 1 << (shift - 1)
    n = s >> 5 & 0x7FF
    m = s >> 16 & 0x7FF
    r = s >> 27
    first = 0
    if s & 16:  # rounded to nearest
        first = (1 << r) >> 1
    begin = int(w)
    j = 0
    while j < n:
        v = x[j] - 128
        total = first
        w = ptr16(begin + j + j)
        i = 0
        while i < m:
            g = ((e[i] + 256) & 511) - 256
            if g:
                s = w[0]
                total += ((s >> 8) - 128) * g
                s += (g * v + half) >> shift
                if s < 256:
                    s = 256
                elif s > 65535:
                    s = 65535
                w[0] = s
            w = ptr16(int(w) + n + n)
            i += 1
        total >>= r
        if total > 127:
            total = 127
        elif total < -127:
            total = -127
        if v == 127 or v == -127:
            total = 0
        j += 1
        if j < n:  # the bias stays
            x[j - 1] = total + 128


@micropython.viper
def masked_error(f: ptr8, z: ptr32, p: ptr32, packed: int):
    """e_i = f_i, from ``f[packed & 0xFFFF]`` on. With ``packed >> 16`` it is 0 where z_i is saturated."""
    f = ptr8(int(f) + (packed & 0xFFFF))
    masked = packed >> 16
    for i in range(p[_M]):
        v = ((z[i] + 0x1000000) & 0x1FFFFFF) - 0x1000000
        g = f[i] - 128
        if masked and (v > 126 or v < -126):
            g = 0
        z[i] = g


@micropython.viper
def accumulate(x: ptr8, ring: ptr8, j: int, packed: int):
    """Add ``packed & 0xFFFF`` activations, from ``x[packed >> 16]`` on, to the stored ones at byte ``j``, clamped."""
    ring = ptr8(int(ring) + j)
    x = ptr8(int(x) + (packed >> 16))
    for i in range(packed & 0xFFFF):
        v = x[i] + ring[i] - 128
        if v < 1:
            v = 1
        elif v > 255:
            v = 255
        ring[i] = v


@micropython.viper
def flush(ring: ptr8, j: int, target: ptr8, packed: int):
    """Move ``m = packed & 0x7FF`` stored activations from byte ``j`` to byte ``packed >> 11`` of a map; leave zeros."""
    ring = ptr8(int(ring) + j)
    target = ptr8(int(target) + (packed >> 11))
    for i in range(packed & 0x7FF):
        target[i] = ring[i]
        ring[i] = 128


@micropython.viper
def segment_max(z: ptr32, largest: ptr8, places: ptr8, packed: int):
    """Keep the largest clamp(z_i) of a segment from byte j of ``largest`` on, and its place; see ``kernels_plain``."""
    j = packed >> 11 & 0x7FF
    largest = ptr8(int(largest) + j)
    places = ptr8(int(places) + j)
    place = packed >> 22
    for i in range(packed & 0x7FF):
        v = ((z[i] + 0x1000000) & 0x1FFFFFF) - 0x1000000
        if v > 127:
            v = 127
        elif v < -127:
            v = -127
        v += 128
        if place == 0 or v > largest[i]:
            largest[i] = v
            places[i] = place


@micropython.viper
def segment_error(f: ptr8, places: ptr8, z: ptr32, packed: int) -> int:
    """e_i = f_(j+i) where the filter's place is that of ``packed``, else 0. Return 0 where all e_i are 0."""
    j = packed >> 11 & 0x7FF
    f = ptr8(int(f) + j)
    places = ptr8(int(places) + j)
    place = packed >> 22
    some = 0
    for i in range(packed & 0x7FF):
        g = 0
        if places[i] == place:
            g = f[i] - 128
        z[i] = g
        some |= g
    return some
