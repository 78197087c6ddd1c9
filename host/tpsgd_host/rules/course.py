"""The samples that networks train on, and their order.

Shapes: S samples, T steps, C channels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tpsgd_host.data.order import epochs as orders

Floats = npt.NDArray[np.floating[Any]]
Indices = npt.NDArray[np.integer[Any]]


@dataclass(frozen=True)
class Course:
    """One training run, the same for all networks in lockstep.

    Attributes
    ----------
    x : ndarray of float32, shape (S, T*C)
        Samples in [-1, 1]: activations of the integer network divided by 127.
    y : ndarray of int, shape (S,)
    epochs : int
    order : callable
        ``order(epoch)``, epoch from 0, returns a permutation of the S samples.
    phases : int
        The run has so many equal parts; the rate is halved after each.
    vary : callable, optional
        ``vary(x, seen)`` returns samples as they are learned, after ``seen`` others.
    """

    x: Floats
    y: Indices
    epochs: int
    order: Callable[[int], Indices]
    phases: int = 1
    vary: Callable[[Floats, int], Floats] | None = None

    def shown(self, epoch: int, order: Indices) -> Floats:
        """Return the samples of an epoch as they are learned, in this order."""
        x = np.asarray(self.x, np.float32)[order]
        return x if self.vary is None else self.vary(x, epoch * len(order))

    @property
    def total(self) -> int:
        """Training samples of the whole run."""
        return self.epochs * len(self.y)

    def phase(self, seen: int) -> int:
        """Return the phase after ``seen`` samples (SPEC 1.3)."""
        return min(self.phases - 1, seen * self.phases // self.total)


def shuffled(x: Floats, y: Indices, epochs: int, seed: int, phases: int = 1) -> Course:
    """Return a course in the order in which a run with this shuffle seed presents the samples; 0: the file's order."""
    return Course(x, y, epochs, list(orders(len(y), epochs, seed)).__getitem__, phases)
