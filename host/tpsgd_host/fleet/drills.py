"""Faults to rehearse in a fleet on one computer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from tpsgd_host.fleet.averaging import Vector
from tpsgd_host.fleet.members import Member


@dataclass
class Drills:
    """Faults to rehearse: boards whose gateways die, never answer or send garbage.

    Attributes
    ----------
    dying : float
        Share of the boards that die in each round, others each time.
    silent, garbage : frozenset of str
        Names of boards that never answer, and that send random weights.
    wait : callable
        Waits until the run is over.
    """

    dying: float = 0.0
    silent: frozenset[str] = frozenset()
    garbage: frozenset[str] = frozenset()
    names: Sequence[str] = ()
    seed: int = 1
    wait: Callable[[], object] = field(default=lambda: None)

    def __call__(self, member: Member, number: int, after: Vector) -> Vector:
        """Return what a board answers in a round, if it does."""
        if member.name in self.silent:
            self.wait()
        if member.name in self.garbage:
            return np.random.default_rng((self.seed, number)).integers(256, 65536, len(after)).astype(np.uint16)
        count = int(self.dying * len(self.names) + 0.5)
        dead = np.random.default_rng((self.seed, number)).permutation(len(self.names))[:count]
        if count and self.names.index(member.name) in dead:
            raise ConnectionError("the gateway died (drill)")
        return after
