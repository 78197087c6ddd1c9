"""Samples of three classes by three persons, which tests make."""

from __future__ import annotations

import numpy as np

NAMES = ("one", "two", "three")
PEOPLE = ("ann", "bob", "cleo")


def recordings(count: int = 8, spread: float = 18.0) -> tuple[np.ndarray, list[str], list[str]]:
    """Return samples of three classes by three persons, each with a voice of his own."""
    dice = np.random.default_rng(2)
    centres = dice.integers(-90, 91, (3, 40))
    rows, labels, who = [], [], []
    for person in PEOPLE:
        voice = dice.normal(0, 25, 40)
        for name, centre in zip(NAMES, centres, strict=True):
            for _ in range(count):
                rows.append(np.clip(np.rint(centre + voice + dice.normal(0, spread, 40)), -127, 127))
                labels.append(name)
                who.append(person)
    return np.stack(rows).astype(int), labels, who
