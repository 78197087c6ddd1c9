"""The order in which samples are presented. A seed gives the same order on every machine and NumPy version."""

from __future__ import annotations

from array import array
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from tpsgd.generator import mix, step

# Orders draw from a separate stream, so that they do not correlate with the draws of a run with the same seed.
_STREAM = 0x000F0000


class Generator:
    """The device's own generator (SPEC 1.4)."""

    def __init__(self, seed: int) -> None:
        self.state: int = mix(seed)

    def next(self) -> int:
        """Return the next state, 1..2**32 - 1."""
        self.state = int(step(self.state))
        return self.state

    def draw(self, n: int) -> int:
        """Return a number in 0..n-1; above 65536, where SPEC's 16 bits would leave gaps, use all 32 bits."""
        s = self.next()
        return ((s >> 16) * n) >> 16 if n <= 1 << 16 else (s * n) >> 32


def permutation(n: int, seed: int) -> npt.NDArray[np.int64]:
    """Return 0..n-1 shuffled, shape (n,), as the first of :func:`epochs`; unshuffled for seed 0."""
    return next(epochs(n, 1, seed))


def epochs(n: int, epochs: int, seed: int) -> Iterator[npt.NDArray[np.int64]]:
    """Yield the order of n samples in each epoch.

    Parameters
    ----------
    n : int
        Samples.
    epochs : int
        Number of orders to yield.
    seed : int
        Selects the orders; 0 keeps file order in every epoch.

    Yields
    ------
    ndarray of int64, shape (n,)
        Each of 0..n-1 once.
    """
    generator = Generator(seed ^ _STREAM)
    for _ in range(epochs):
        order = array("q", range(n))
        if seed:
            for i in range(n - 1, 0, -1):
                j = generator.draw(i + 1)
                order[i], order[j] = order[j], order[i]
        yield np.frombuffer(order, np.int64)
