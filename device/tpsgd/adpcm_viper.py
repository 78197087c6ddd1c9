"""Values of a sensor as bytes of a payload, compiled."""

import micropython

from tpsgd import adpcm

_STEP = adpcm.STEP


@micropython.viper
def lay(values, target, at: int, count: int):
    """Do as the readable one."""
    x = ptr16(values)
    y = ptr8(target)
    for i in range(count):
        y[at] = x[i]
        y[at + 1] = x[i] >> 8
        at += 2


@micropython.viper
def squeeze(values, target, state, count: int):
    """Do as the readable one."""
    x = ptr16(values)
    y = ptr8(target)
    s = ptr16(state)
    steps = ptr16(_STEP)
    p = int(s[0])
    if p > 32767:
        p -= 65536
    index = int(s[1])
    at = int(s[2])
    for i in range(count):
        step = int(steps[index])
        d = int(x[i])
        if d > 32767:
            d -= 65536
        d -= p
        code = 0
        if d < 0:
            code = 8
            d = 0 - d
        move = step >> 3
        bit = 4
        while bit:
            if d >= step:
                code |= bit
                d -= step
                move += step
            step >>= 1
            bit >>= 1
        if code & 8:
            p -= move
            if p < -32768:
                p = -32768
        else:
            p += move
            if p > 32767:
                p = 32767
        if code & 4:
            index += 2 * (code & 3) + 2
            if index > 88:
                index = 88
        elif index > 0:
            index -= 1
        if i & 1:
            y[at] = y[at] | (code << 4)
            at += 1
        else:
            y[at] = code
    s[0] = p
    s[1] = index
