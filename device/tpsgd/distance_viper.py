"""The distance of two vectors of stored activations with the native emitter; see ``distance``."""

import micropython


@micropython.viper
def distance(a: ptr8, b: ptr8, n: int) -> int:
    """Return the sum of the differences of the first ``n`` bytes of ``a`` and ``b``, without their signs."""
    total = 0
    for j in range(n):
        d = a[j] - b[j]
        if d < 0:
            d = 0 - d
        total += d
    return total
