"""Variation of a sample with the native emitter; see ``variation``. It allocates nothing.

Numbers that are read back from an array pass an offset and a mask: on a 64-bit machine a word arrives without its sign.
"""

import micropython


@micropython.viper
def _draw(state: ptr32, n: int) -> int:
    x = state[0]
    state[0] = x ^ (x << 13)
    x = state[0]
    state[0] = x ^ ((x >> 17) & 0x7FFF)
    x = state[0]
    state[0] = x ^ (x << 5)
    return (((state[0] >> 16) & 0xFFFF) * n) >> 16


@micropython.viper
def words(source: ptr8, target: ptr8, p: ptr32, state: ptr32):
    """Write a varied sample of log-mel frames: shifted, warped along the bands, with other levels and noise."""
    steps = p[0]
    channels = p[1]
    d = int(_draw(state, 5)) - 2
    w = int(_draw(state, 321)) - 160
    a = int(_draw(state, 33)) - 16
    q = int(_draw(state, 33)) - 16
    beside = -1
    if w > 0:
        beside = 1
    else:
        w = 0 - w
    for c in range(channels):
        p[2 + c] = int(_draw(state, 25)) - 12 + a + q * (2 * c - channels) // channels
    at = 0
    for t in range(steps):
        row = t - d
        if row < 0:
            row = 0
        elif row >= steps:
            row = steps - 1
        row *= channels
        for c in range(channels):
            u = source[row + c]
            v = c + beside
            if v >= 0 and v < channels:
                u += ((source[row + v] - u) * (w * c // channels)) >> 8
            # the generator, in place: a call costs more than a value
            x = state[0]
            state[0] = x ^ (x << 13)
            x = state[0]
            state[0] = x ^ ((x >> 17) & 0x7FFF)
            x = state[0]
            state[0] = x ^ (x << 5)
            u += ((p[2 + c] + 4096) & 0x1FFF) - 4108 + ((((state[0] >> 16) & 0xFFFF) * 25) >> 16)
            if u < 1:
                u = 1
            elif u > 255:
                u = 255
            target[at] = u
            at += 1


@micropython.viper
def motion(source: ptr8, target: ptr8, p: ptr32, state: ptr32):
    """Write a varied sample of readings: shifted, warped, faster or slower, turned, stronger or weaker, with noise."""
    steps = p[0]
    channels = p[1]
    d = int(_draw(state, 3)) - 1
    w = int(_draw(state, 33)) - 16
    s = int(_draw(state, 33)) - 16
    for i in range(3):
        p[2 + i] = int(_draw(state, 129)) - 64
    a = 192 + int(_draw(state, 129))
    last = steps - 1
    length = last
    bend = last * last // 4
    if bend < 1:
        bend = 1
    if length < 1:
        length = 1
    for t in range(steps):
        at = 16 * (t - d) + ((w * (t * (last - t) * 256 // bend)) >> 8) + s * (2 * t - last) // length
        if at < 0:
            at = 0
        elif at > 16 * last:
            at = 16 * last
        row = (at >> 4) * channels
        f = at & 15
        after = 0
        if f:
            after = channels
        for c in range(channels):
            x = source[row + c]
            p[5 + c] = x + (((source[row + after + c] - x) * f) >> 4) - 128
        i = 5
        while i + 3 <= channels + 5:
            for j in range(3):
                k = ((p[2 + j] + 4096) & 0x1FFF) - 4096
                after = i + (j + 1) % 3
                y = ((p[after] + 4096) & 0x1FFF) - 4096
                x = ((p[i + j] + 4096) & 0x1FFF) - 4096
                x -= (y * k) >> 8
                p[i + j] = x
                p[after] = y + ((x * k) >> 8)
            i += 3
        row = t * channels
        for c in range(channels):
            x = ((((p[5 + c] + 4096) & 0x1FFF) - 4096) * a) >> 8
            x += int(_draw(state, 17)) - 8
            if x < -127:
                x = -127
            elif x > 127:
                x = 127
            target[row + c] = x + 128
