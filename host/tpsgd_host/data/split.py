"""Training and test parts that share no recording."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tpsgd_host.data.names import listing, suggestion
from tpsgd_host.data.order import permutation
from tpsgd_host.data.samples import Samples
from tpsgd_host.errors import ConfigError, DataError


def split(samples: Samples, fraction: float, seed: int) -> tuple[Samples, Samples]:
    """Put a fraction of each class aside for testing, whole recordings at a time.

    A class with at least two recordings is on both sides, a class with one in training only. (Where recordings hold
    several classes that may be impossible; then training comes first.)

    Parameters
    ----------
    samples : Samples
    fraction : float
        Part of each class to test on, 0 (none) to below 1; met as nearly as whole recordings allow.
    seed : int
        Selects the recordings.

    Returns
    -------
    train, test : Samples
        Each in the file's order.

    Raises
    ------
    ConfigError
        If the fraction is out of range.
    DataError
        If no recording can be spared for testing.
    """
    if not 0 <= fraction < 1:
        raise ConfigError(f"The test fraction is {fraction}, it must be at least 0 and below 1.", "Try 0.2.")
    chosen = _choose(samples, fraction, seed) if fraction else set()
    if fraction and not chosen:
        raise DataError(
            f"{samples.source or 'The data'}: no class has a second recording to test on.",
            "Record each class more than once, or test on a file of its own.",
        )
    return _part(samples, chosen)


def split_by_group(samples: Samples, held_out: Sequence[str]) -> tuple[Samples, Samples]:
    """Test on the recordings named, train on the others.

    Parameters
    ----------
    samples : Samples
    held_out : sequence of str
        Groups to test on.

    Returns
    -------
    train, test : Samples
        Each in the file's order.

    Raises
    ------
    DataError
        If there is no such group, or none is left to train on.
    """
    known = list(dict.fromkeys(samples.groups))
    for name in held_out:
        if name not in known:
            raise DataError(
                f"{samples.source or 'The data'} has no group {name!r}.",
                f"Its groups: {listing(known)}.{suggestion(name, known)}",
            )
    if known and set(held_out) >= set(known):
        raise DataError("Every group is held out for testing: none is left to train on.", "Hold out fewer.")
    return _part(samples, set(held_out))


def _part(samples: Samples, test: set[str]) -> tuple[Samples, Samples]:
    """Return the samples outside and inside the groups ``test``."""
    inside = np.array([group in test for group in samples.groups], bool)
    return samples.take(np.flatnonzero(~inside)), samples.take(np.flatnonzero(inside))


def _choose(samples: Samples, fraction: float, seed: int) -> set[str]:
    """Return the groups to test on."""
    sizes: dict[str, dict[int, int]] = {}  # samples of each class in each group
    for group, label in zip(samples.groups, samples.labels.tolist(), strict=True):
        inside = sizes.setdefault(group, {})
        inside[label] = inside.get(label, 0) + 1
    groups = list(sizes)
    shuffled = [groups[i] for i in permutation(len(groups), seed)]
    members: dict[int, list[str]] = {}
    for group in shuffled:
        for label in sizes[group]:
            members.setdefault(label, []).append(group)
    left = {label: len(having) for label, having in members.items()}
    chosen: set[str] = set()

    def spare(group: str) -> bool:
        return group not in chosen and all(left[label] > 1 for label in sizes[group])

    def choose(group: str) -> None:
        chosen.add(group)
        for label in sizes[group]:
            left[label] -= 1

    # The classes with the fewest recordings have the least choice, so they choose first.
    for label in sorted(members, key=lambda label: (left[label], label)):
        wanted = fraction * sum(sizes[group][label] for group in members[label])
        taken = sum(sizes[group][label] for group in members[label] if group in chosen)
        for group in members[label]:
            if taken + sizes[group][label] / 2 <= wanted and spare(group):
                choose(group)
                taken += sizes[group][label]
        candidates = [group for group in members[label] if spare(group)]
        if not taken and candidates:
            choose(min(candidates, key=lambda group: sizes[group][label]))
    return chosen
