"""What microphones give as int16, compiled."""

import micropython


@micropython.viper
def narrow(source, target, count: int, shift: int):
    """Do as the readable one; ``shift`` is at most 16. In halves: a machine of 64 bits would lose the sign of 32."""
    x = ptr16(source)
    y = ptr16(target)
    for i in range(count):
        v = x[2 * i + 1]
        if v > 32767:
            v -= 65536
        v = (v << (16 - shift)) + (x[2 * i] >> shift)
        if v > 32767:
            v = 32767
        elif v < -32768:
            v = -32768
        y[i] = v


@micropython.viper
def centre(source, target, at: int, count: int):
    """Do as the readable one."""
    x = ptr16(source)
    y = ptr16(target)
    for i in range(count):
        y[i] = (x[at + i] << 4) - 32768
