"""The distance of two vectors of stored activations with NumPy or ulab; see ``distance``."""

try:
    import numpy as np
except ImportError:
    from ulab import numpy as np


def distance(a, b, n):
    """Return the sum of the differences of the first ``n`` bytes of ``a`` and ``b``, without their signs."""
    if not n:
        return 0
    difference = np.frombuffer(a, dtype=np.uint8)[:n] * 1.0 - np.frombuffer(b, dtype=np.uint8)[:n] * 1.0
    both = np.maximum(difference, difference * -1.0)
    return int(np.dot(both, np.ones(n)))
