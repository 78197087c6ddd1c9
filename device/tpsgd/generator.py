"""The random generator of a run (SPEC 1.4): xorshift32, and a mixer for its seeds."""


def step(s):
    """Return the state after ``s``, both in 1..2**32-1 (Marsaglia 2003, shifts 13, 17, 5)."""
    s ^= (s << 13) & 0xFFFFFFFF
    s ^= s >> 17
    return s ^ ((s << 5) & 0xFFFFFFFF)


def mix(x):
    """Return a state, 1..2**32-1, that every bit of ``x`` influences."""
    x &= 0xFFFFFFFF
    x = ((x >> 16) ^ x) * 0x45D9F3B & 0xFFFFFFFF
    x = ((x >> 16) ^ x) * 0x45D9F3B & 0xFFFFFFFF
    return ((x >> 16) ^ x) or 1


def draw(state, n):
    """Advance ``state`` (one uint32 in an array) and return a number in 0..n-1, n at most 4,096."""
    s = state[0] = step(state[0])
    return ((s >> 16) * n) >> 16
