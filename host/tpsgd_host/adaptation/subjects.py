"""Divide samples by subject: those of known subjects and of a new one, for learning and for testing.

Shapes: N classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tpsgd_host.comparison.problem import VALIDATION_SHARE
from tpsgd_host.data.order import permutation
from tpsgd_host.data.samples import Samples, joined
from tpsgd_host.data.split import split
from tpsgd_host.data.subjects import Subjects


@dataclass(frozen=True)
class Division:
    """Samples to train and to test on, and the subject of each."""

    train: Samples
    test: Samples
    train_subjects: Subjects
    test_subjects: Subjects

    def known(self, without: Sequence[str]) -> tuple[Samples, Samples]:
        """Return the samples to train and to test on, without some subjects."""
        train = self.train.take(_where(self.train_subjects, without, inside=False))
        return train, self.test.take(_where(self.test_subjects, without, inside=False))

    def known_subjects(self, without: Sequence[str]) -> Subjects:
        """Return the subject of each sample to train on that :meth:`known` returns."""
        return tuple(name for name in self.train_subjects if name not in without)

    def new(self, name: str) -> Samples:
        """Return all samples of one subject, from both parts."""
        train = self.train.take(_where(self.train_subjects, (name,), inside=True))
        return joined(train, self.test.take(_where(self.test_subjects, (name,), inside=True)))

    def choosing(self) -> Division:
        """Return the division for choosing: both parts come from the training part, and share no recording.

        Each subject's samples are divided separately, so no subject affects the division of another.
        """
        subjects = np.array(self.train_subjects, object)
        inside = np.zeros(len(subjects), bool)
        for name in set(self.train_subjects):
            own = np.flatnonzero(subjects == name)
            part = self.train.take(own)
            aside = set(split(part, VALIDATION_SHARE, 1)[1].groups)
            inside[own] = [group in aside for group in part.groups]
        return Division(
            self.train.take(np.flatnonzero(~inside)), self.train.take(np.flatnonzero(inside)),
            tuple(subjects[~inside]), tuple(subjects[inside]),
        )  # fmt: skip


def draw(new: Samples, most: int, seed: int) -> tuple[npt.NDArray[np.int64], Samples]:
    """Draw ``most`` samples per class to adapt on, (N, most); return them and the samples to test on.

    Recordings come in an order drawn by the seed. A recording that gives a sample to adapt on gives none to test on,
    unless it is the only one of its class left.
    """
    groups = list(dict.fromkeys(new.groups))
    place = {groups[g]: i for i, g in enumerate(permutation(len(groups), seed))}
    order = sorted(range(len(new)), key=lambda i: (place[new.groups[i]], i))
    rows = [[i for i in order if new.labels[i] == y][:most] for y in range(len(new.classes))]
    chosen = np.array(rows, np.int64)
    used = {new.groups[i] for i in chosen.ravel()}
    taken = set(chosen.ravel().tolist())
    clean = [i for i in range(len(new)) if new.groups[i] not in used]
    if set(new.labels[clean].tolist()) != set(new.labels.tolist()):
        clean = [i for i in range(len(new)) if i not in taken]
    return chosen, new.take(np.array(clean, np.int64))


def _where(subjects: Subjects, names: Sequence[str], inside: bool) -> npt.NDArray[np.int64]:
    return np.flatnonzero(np.array([(subject in names) == inside for subject in subjects], bool))
