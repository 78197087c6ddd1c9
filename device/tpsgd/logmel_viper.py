"""The kernels of ``logmel`` for firmware with the native emitter (viper). They allocate nothing. Legend as there.

``kernels_viper`` says what shapes such code. A table entry less 32768 is a signed number.
"""

import micropython
from micropython import const

from tpsgd.logmel import HALF_BAND, LOG, NOISE

# As in ``logmel``; the compiler folds these into the code.
_MEAN = const(0)
_EXPONENT = const(1)
_WINDOW = const(2)
_BANDS = const(3)
_OFFSET = const(4)
_MARGIN = const(8)
_LOUD = const(37)  # length of NOISE
_PAIRS = const(6)  # of values of the half-band filter
_MIDDLE = const(11)


@micropython.viper
def take_mean(x: ptr16, p: ptr32):
    n = p[_WINDOW]
    total = 0 - (n << 15)
    high = 0
    low = 65535
    while n:
        v = x[0] ^ 32768  # 32768 added
        total += v
        if v > high:
            high = v
        if v < low:
            low = v
        x = ptr16(int(x) + 2)
        n -= 1
    high -= 32768
    low -= 32768
    n = p[_WINDOW]
    while n > 1:  # n is a power of two
        total >>= 1
        n >>= 1
    p[_MEAN] = total
    high -= total
    low = total - low
    if low > high:
        high = low
    if high < 1:
        high = 1
    n = 29
    while high > 1:
        high >>= 1
        n -= 1
    p[_EXPONENT] = n


@micropython.viper
def load(x: ptr16, z: ptr16, t: ptr16, p: ptr32):
    m = p[_WINDOW] >> 1
    k = p[_EXPONENT] - 16
    base = (p[_MEAN] & 0xFFFF ^ 32768) & 0xFFFF  # the mean with 32768 added
    begin = int(z)
    table = int(t)
    j = 0  # four times i with its bits reversed
    i = 0
    while i < m:
        if i + i == m:  # the second half of the cosine: the first with its sign changed
            t = ptr16(table)
        a = (x[0] ^ 32768) - base
        b = (x[1] ^ 32768) - base
        if k >= 0:
            a <<= k
            b <<= k
        else:
            a >>= 0 - k
            b >>= 0 - k
        z = ptr16(begin + j)
        if i + i < m:
            z[0] = ((a * ((65536 - t[0]) >> 1)) >> 15) + 32768
            z[1] = ((b * ((65536 - t[1]) >> 1)) >> 15) + 32768
        else:
            z[0] = ((a * (t[0] >> 1)) >> 15) + 32768
            z[1] = ((b * (t[1] >> 1)) >> 15) + 32768
        x = ptr16(int(x) + 4)
        t = ptr16(int(t) + 4)
        a = m + m
        while j & a:
            j ^= a
            a >>= 1
        j |= a
        i += 1


@micropython.viper
def fft(z: ptr16, t: ptr16, m: int):
    # In the loop z and t are the two numbers of a butterfly, and m is a part of one: arguments lie in registers.
    size = m
    half = 1
    step = m  # of the table, which is that of 2m
    begin = int(z)
    end = begin + 4 * m
    table = int(t)
    while half < size:
        far = 4 * half
        k = 0
        while k < half:
            t = ptr16(table + 2 * k * step)
            c = t[0] - 32768
            t = ptr16(int(t) + size)
            s = t[0] - 32768
            z = ptr16(begin + 4 * k)
            while int(z) < end:
                t = ptr16(int(z) + far)
                m = t[0] - 32768
                v = t[1] - 32768
                if k:
                    u = (m * c - v * s + 16384) >> 15
                    v = (m * s + v * c + 16384) >> 15
                    m = u
                u = z[0] + 32768
                z[0] = (u + m) >> 1
                t[0] = (u - m) >> 1
                m = z[1] + 32768
                z[1] = (m + v) >> 1
                t[1] = (m - v) >> 1
                z = ptr16(int(t) + far)
            k += 1
        half <<= 1
        step >>= 1


@micropython.viper
def add_bands(z: ptr16, t: ptr16, weights: ptr8, sums: ptr32):
    m = sums[0] & 0xFFFF
    bands = (sums[0] >> 16 & 0xFF) + 1
    k = bands + 1
    while k:
        sums[k] = 0
        k -= 1
    runs = ptr16(int(weights) + m)
    k = runs[0]  # the bins 0 and m belong to no band, because an edge lies above 0 and none above half the rate
    last = int(z) + 4 * (m - k)
    z = ptr16(int(z) + 4 * k)
    t = ptr16(int(t) + 2 * k)
    weights = ptr8(int(weights) + k)
    while bands:
        bands -= 1
        sums = ptr32(int(sums) + 4)
        runs = ptr16(int(runs) + 2)
        k = runs[0]
        while k:
            k -= 1
            far = ptr16(int(t) + m)
            c = t[0] - 32768
            s = far[0] - 32768
            far = ptr16(last)
            vr = z[0]
            er = far[0]
            oi = (er - vr) >> 1
            er = (vr + er - 65536) >> 1
            vi = z[1]
            ei = far[1]
            odd = (vi + ei - 65536) >> 1
            ei = (vi - ei) >> 1
            vr = (er + ((odd * c - oi * s + 16384) >> 15)) >> 1
            vi = (ei + ((odd * s + oi * c + 16384) >> 15)) >> 1
            if vr < 0:
                vr = 0 - vr
            if vi < 0:
                vi = 0 - vi
            if vr < vi:
                er = vr
                vr = vi
                vi = er
            er = (vi >> 1) - (vr >> 3)
            if er > 0:
                vr += er
            er = vr * weights[0]
            sums[1] = sums[1] + er
            sums[0] = sums[0] + (vr << 8) - er
            z = ptr16(int(z) + 4)
            t = ptr16(int(t) + 2)
            weights = ptr8(int(weights) + 1)
            last -= 4


@micropython.viper
def take_logs(sums: ptr32, frames: ptr8, at: int, p: ptr32) -> int:
    less = 16 * (p[_EXPONENT] - 16) - (((p[_OFFSET] & 0xFFFF) ^ 32768) - 32768)
    frames = ptr8(int(frames) + at)
    table = ptr8(LOG)
    n = p[_BANDS]
    largest = 0
    i = 0
    while i < n:
        v = sums[i + 2]
        log = 0
        if v:
            e = 5
            while v > 63:
                v >>= 1
                e += 1
            while v < 32:
                v <<= 1
                e -= 1
            log = 16 * e + table[v - 32]
        log -= less
        if log < 0:
            log = 0
        if log > 255:
            log = 255
        if log > largest:
            largest = log
        frames[i] = log
        i += 1
    return largest


@micropython.viper
def activity(frames: ptr8, at: int, level: ptr16, c: int) -> int:
    frames = ptr8(int(frames) + at)
    a = 0
    i = 0
    while i < c:
        a += frames[i] - (level[i] >> 4)
        i += 1
    return a


@micropython.viper
def follow(frames: ptr8, at: int, level: ptr16, packed: int):
    frames = ptr8(int(frames) + at)
    by = packed >> 11
    c = packed & 0x7FF
    i = 0
    while i < c:
        v = level[i]
        level[i] = v + (16 * frames[i] - v) // by
        i += 1


@micropython.viper
def shift(frames: ptr8, at: int, n: int):
    source = ptr8(int(frames) + at)
    i = 0
    while i < n:
        frames[i] = source[i]
        i += 1


@micropython.viper
def take_noise(frames: ptr8, level: ptr16, c: int, count: int):
    table = ptr8(NOISE)
    while count:
        i = 0
        while i < c:
            v = frames[i]
            d = v - (level[i] >> 4) - _MARGIN
            if d < 0:
                d = 0
            if d < _LOUD:
                v -= table[d]
                if v < 0:
                    v = 0
                frames[i] = v
            i += 1
        frames = ptr8(int(frames) + c)
        count -= 1


@micropython.viper
def word(frames: ptr8, x: ptr8, shape: ptr32):
    r = shape[0]
    steps = shape[1]
    c = shape[2]
    top = 0
    i = r * c
    while i:
        i -= 1
        if frames[i] > top:
            top = frames[i]
    low = top - shape[3]
    t = 0
    while t < steps:
        first = t * r // steps
        last = (t + 1) * r // steps
        if last <= first:
            last = first + 1
        j = 0
        while j < c:
            s = 0
            i = first
            while i < last:
                v = frames[i * c + j]
                if v < low:
                    v = low
                s += v - top
                i += 1
            v = 2 * (s // (last - first)) + 255  # s <= 0, and // floors
            if v < 1:
                v = 1
            x[t * c + j] = v
            j += 1
        t += 1


@micropython.viper
def copy(source: ptr16, target: ptr16, places: int, count: int):
    source = ptr16(int(source) + 2 * (places >> 16))
    target = ptr16(int(target) + 2 * (places & 0xFFFF))
    places = count
    while places > 3:
        target[0] = source[0]
        target[1] = source[1]
        target[2] = source[2]
        target[3] = source[3]
        source = ptr16(int(source) + 8)
        target = ptr16(int(target) + 8)
        places -= 4
    while places:
        target[0] = source[0]
        source = ptr16(int(source) + 2)
        target = ptr16(int(target) + 2)
        places -= 1


@micropython.viper
def halve(source: ptr16, target: ptr16, places: int, count: int):
    taps = ptr16(HALF_BAND)
    source = ptr16(int(source) + 2 * ((places >> 16) + _MIDDLE))
    target = ptr16(int(target) + 2 * (places & 0xFFFF))
    while count:
        v = ((taps[0] ^ 32768) - 32768) * ((source[0] ^ 32768) - 32768) + 16384
        j = 1
        while j <= _PAIRS:
            left = ptr16(int(source) + 2 - 4 * j)
            right = ptr16(int(source) - 2 + 4 * j)
            v += ((taps[j] ^ 32768) - 32768) * (((left[0] ^ 32768) + (right[0] ^ 32768)) - 65536)
            j += 1
        v >>= 15
        if v > 32767:
            v = 32767
        if v < -32768:
            v = -32768
        target[0] = v
        source = ptr16(int(source) + 4)
        target = ptr16(int(target) + 2)
        count -= 1
