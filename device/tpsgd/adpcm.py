"""Values of a sensor as bytes of a payload, as they are or compressed to four bits (SPEC 4.2), readable.

``adpcm_viper`` does the same faster.
"""

from array import array

STEP = array(
    "H",
    (
        7, 8, 9, 10, 11, 12, 13, 14, 16, 17, 19, 21, 23, 25, 28, 31, 34, 37, 41, 45, 50, 55, 60, 66, 73, 80, 88, 97,
        107, 118, 130, 143, 157, 173, 190, 209, 230, 253, 279, 307, 337, 371, 408, 449, 494, 544, 598, 658, 724, 796,
        876, 963, 1060, 1166, 1282, 1411, 1552, 1707, 1878, 2066, 2272, 2499, 2749, 3024, 3327, 3660, 4026, 4428,
        4871, 5358, 5894, 6484, 7132, 7845, 8630, 9493, 10442, 11487, 12635, 13899, 15289, 16818, 18500, 20350, 22385,
        24623, 27086, 29794, 32767,
    ),
)  # fmt: skip


def lay(values, target, at, count):
    """Store ``count`` int16 in the bytes of ``target``, from byte ``at`` on."""
    for i in range(count):
        target[at + 2 * i] = values[i] & 255
        target[at + 2 * i + 1] = values[i] >> 8 & 255


def squeeze(values, target, state, count):
    """Store ``count`` int16 as codes of four bits, two a byte.

    Parameters
    ----------
    values : array of int16
    target : bytearray
    state : array of uint16
        The value before modulo 65536, its step's number, the byte of ``target`` to begin with. The first two change.
    count : int
        Even.
    """
    p, index, at = state
    p -= (p & 32768) << 1
    for i in range(count):
        step = STEP[index]
        d = values[i] - p
        code = 0
        if d < 0:
            code = 8
            d = -d
        move = step >> 3
        for bit in (4, 2, 1):
            if d >= step:
                code |= bit
                d -= step
                move += step
            step >>= 1
        p = max(-32768, p - move) if code & 8 else min(32767, p + move)
        index = min(88, index + 2 * (code & 3) + 2) if code & 4 else max(0, index - 1)
        if i & 1:
            target[at] |= code << 4
            at += 1
        else:
            target[at] = code
    state[0] = p & 65535
    state[1] = index
