"""Training and test parts that share no recording."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from tpsgd_host.data.encoded import EncodedSamples
from tpsgd_host.data.layout import Layout
from tpsgd_host.data.order import permutation
from tpsgd_host.data.samples import Samples
from tpsgd_host.data.words import RowNames
from tpsgd_host.errors import ConfigError, DataError
from tpsgd_host.names import listing, suggestion

SomeSamples = TypeVar("SomeSamples", Samples, EncodedSamples)


@dataclass(frozen=True)
class Share:
    """The recordings to hold out: a fraction of each class's, and the seed that selects them; see :func:`split`."""

    fraction: float
    seed: int = 1


def split(samples: SomeSamples, fraction: float, seed: int) -> tuple[SomeSamples, SomeSamples]:
    """Set a fraction of each class aside for testing, in whole recordings.

    A class with at least two recordings is in both parts, a class with one only in training. (Where recordings hold
    several classes that may be impossible; then training comes first.)

    Parameters
    ----------
    samples : Samples
    fraction : float
        Share of each class to test on, 0 (none) to below 1; whole recordings meet it as closely as possible.
    seed : int
        Selects the recordings.

    Returns
    -------
    train, test : Samples
        Each in file order.

    Raises
    ------
    ConfigError
        If the fraction is out of range.
    DataError
        If no recording can be spared for testing.
    """
    if not 0 <= fraction < 1:
        raise ConfigError(f"The test fraction is {fraction}, but must be at least 0 and below 1.", "Try 0.2.")
    groups = _numbered(samples.groups)
    chosen = _choose(samples, groups, fraction, seed) if fraction else set()
    if fraction and not chosen:
        raise DataError(
            f"{samples.source or 'The data'}: no class has a second recording to test on.",
            "Record each class more than once, or test on a separate file.",
        )
    return _part(samples, np.isin(groups, np.fromiter(chosen, np.int64, len(chosen))))


def rows_alone_note(layout: Layout) -> str:
    """Return a warning where rows without a group are split, which may divide a recording; else nothing."""
    if layout.group or layout.windows != "row":
        return ""
    return (
        "there is no group column, so every row counts as its own recording: if the rows come from a few "
        "recordings or persons, name the column that tells them apart (--group); else all accuracies are too high"
    )


def folds(samples: Samples, count: int, seed: int) -> tuple[tuple[Samples, Samples], ...]:
    """Divide recordings into ``count`` folds, as evenly as possible in each class; test on each, train on the others.

    A class with only one recording is in every training part and in no test part.

    Parameters
    ----------
    samples : Samples
    count : int
        At least 2.
    seed : int
        Selects the recordings of each fold.

    Returns
    -------
    tuple of (train, test)
        Each in file order.

    Raises
    ------
    DataError
        If there are more folds than recordings to test on, or training loses a class.
    """
    groups = _numbered(samples.groups)
    sizes = _sizes(samples, groups)
    members = _members(sizes, seed)
    fold: dict[int, int] = {}
    filled = np.zeros((count, len(samples.classes)), np.int64)
    for label in sorted(members, key=lambda label: (len(members[label]), label)):
        for group in members[label] if len(members[label]) > 1 else ():
            if group not in fold:
                fold[group] = min(range(count), key=lambda i: (filled[i, label], filled[i].sum()))
                for other, size in sizes[group].items():
                    filled[fold[group], other] += size
    place = np.array([fold.get(group, -1) for group in range(len(sizes))])[groups]
    parts = tuple(_part(samples, place == i) for i in range(count))
    source = samples.source or "The data"
    if not all(len(test) for _, test in parts):
        raise DataError(
            f"{source}: {count} folds, but only {len(fold)} recordings have a second one of their class to learn from.",
            f"Use at most {len(fold)} folds.",
        )
    for train, test in parts:
        lost = [samples.classes[i] for i in np.setdiff1d(test.labels, train.labels)]
        if lost:
            raise DataError(
                f"{source}: with {count} folds, one of them leaves nothing to learn {listing(lost)} from.",
                "Record each class in more recordings.",
            )
    return parts


def split_by_group(samples: Samples, held_out: Sequence[str]) -> tuple[Samples, Samples]:
    """Test on the named groups, train on the others.

    Parameters
    ----------
    samples : Samples
    held_out : sequence of str
        Groups to test on.

    Returns
    -------
    train, test : Samples
        Each in file order.

    Raises
    ------
    DataError
        If a group does not exist, or none is left to train on.
    """
    known = list(dict.fromkeys(samples.groups))
    for name in held_out:
        if name not in known:
            raise DataError(
                f"{samples.source or 'The data'} has no group {name!r}.",
                f"Its groups: {listing(known)}.{suggestion(name, known)}",
            )
    if known and set(held_out) >= set(known):
        raise DataError("Every group is held out for testing: none is left to train on.", "Hold out fewer groups.")
    return _part(samples, np.array([group in held_out for group in samples.groups], bool))


def _part(samples: SomeSamples, inside: npt.NDArray[np.bool_]) -> tuple[SomeSamples, SomeSamples]:
    """Return the samples outside and inside a part, shape (S,)."""
    return samples.take(np.flatnonzero(~inside)), samples.take(np.flatnonzero(inside))


def _numbered(groups: Sequence[str]) -> npt.NDArray[np.int64]:
    """Return the number of each sample's group, shape (S,), counted from 0 in order of appearance."""
    if isinstance(groups, RowNames):  # each is its own group
        return np.arange(len(groups))
    numbers: dict[str, int] = {}
    return np.fromiter((numbers.setdefault(group, len(numbers)) for group in groups), np.int64, len(groups))


def _choose(samples: Samples | EncodedSamples, groups: npt.NDArray[np.int64], fraction: float, seed: int) -> set[int]:
    """Return the groups to test on."""
    sizes = _sizes(samples, groups)
    members = _members(sizes, seed)
    left = {label: len(having) for label, having in members.items()}
    chosen: set[int] = set()

    def spare(group: int) -> bool:
        return group not in chosen and all(left[label] > 1 for label in sizes[group])

    def choose(group: int) -> None:
        chosen.add(group)
        for label in sizes[group]:
            left[label] -= 1

    # Classes with the fewest recordings have the least choice, so they choose first.
    for label in sorted(members, key=lambda label: (left[label], label)):
        wanted = fraction * sum(sizes[group][label] for group in members[label])
        taken = sum(sizes[group][label] for group in members[label] if group in chosen)
        for group in members[label]:
            if taken + sizes[group][label] / 2 <= wanted and spare(group):
                choose(group)
                taken += sizes[group][label]
        candidates = [] if taken else [group for group in members[label] if spare(group)]
        if candidates:
            choose(min(candidates, key=lambda group: sizes[group][label]))
    return chosen


def _sizes(samples: Samples | EncodedSamples, groups: npt.NDArray[np.int64]) -> list[dict[int, int]]:
    """Return how many samples of each class are in each group; groups of one sample share their counter."""
    single: dict[int, dict[int, int]] = {}
    sizes: list[dict[int, int]] = []
    for group, label in zip(groups.data, samples.labels.data, strict=True):
        if group == len(sizes):
            sizes.append(single.setdefault(label, {label: 1}))
            continue
        inside = sizes[group]
        if sum(inside.values()) == 1:
            inside = sizes[group] = dict(inside)
        inside[label] = inside.get(label, 0) + 1
    return sizes


def _members(sizes: Sequence[dict[int, int]], seed: int) -> dict[int, array[int]]:
    """Return the groups of each class, shuffled."""
    members: dict[int, array[int]] = {}
    for group in permutation(len(sizes), seed).data:
        for label in sizes[group]:
            members.setdefault(label, array("q")).append(group)
    return members
