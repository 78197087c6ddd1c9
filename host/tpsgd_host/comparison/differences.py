"""The paired difference between two methods, its confidence interval, and what it would take to decide.

- Cross-validation: the differences of the J folds, each the mean over the seeds. Folds share training samples, so their
  differences are not independent; the corrected resampled t-test allows for it (Nadeau and Bengio, *Inference for the
  Generalization Error*, Machine Learning 52, 2003): the variance of the mean is ``(1/J + n_test/n_train)*s**2``, where
  the uncorrected one has 1/J alone, with J - 1 degrees of freedom. Of J folds n_test/n_train is 1/(J - 1).
- One test part: two variances add up: from the seeds, ``s_seed**2/n`` over the n differences of equal seeds; and from
  the recordings, ``s_rec**2/R`` over the R differences of equal recordings. A third, from the choice of training
  recordings, cannot be seen in a single split.

Intervals have 95% confidence (Student's t), and extend at least one test sample to both sides.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from statistics import fmean, stdev

from tpsgd_host.comparison.results import OURS, Difference, Entry

#: Student's t for 95%, two-sided, by degrees of freedom 1 to 30; beyond that 1.96 is near enough.
_T = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120,
    2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
)  # fmt: skip


def differences(entries: Sequence[Entry], test_samples: int, name: str = OURS) -> tuple[Difference, ...]:
    """Return the differences between the named method (by default the first) and each of the others."""
    ours = next((entry for entry in entries if entry.name == name), entries[0])
    return tuple(difference(ours, other, test_samples) for other in entries if other is not ours)


def difference(one: Entry, other: Entry, test_samples: int) -> Difference:
    """Return how far ``one`` is above ``other``; both were compared on the same samples with the same seeds."""
    recordings = len(one.by_recording) or test_samples
    if one.by_fold:
        return _over_folds(one, other, test_samples, recordings)
    pairs = _paired(one.accuracies, other.accuracies)
    if len(pairs) < 2:
        return Difference(one.title, other.title, fmean(pairs), None, recordings)
    noise = _half_width(pairs, 1 / len(pairs))
    if len(one.by_recording) > 1:
        by_recording = _paired(one.by_recording, other.by_recording)
        noise = sqrt(noise**2 + _half_width(by_recording, 1 / len(by_recording)) ** 2)
    return Difference(one.title, other.title, fmean(pairs), max(noise, 100 / test_samples), recordings)


def _over_folds(one: Entry, other: Entry, test_samples: int, recordings: int) -> Difference:
    pairs = _paired(one.by_fold, other.by_fold)
    points = 100 * (one.mean - other.mean)  # each fold is weighted by its number of samples
    noise = _half_width(pairs, 1 / len(pairs) + 1 / (len(pairs) - 1))
    return Difference(one.title, other.title, points, max(noise, 100 / test_samples), recordings)


def _paired(one: Sequence[float], other: Sequence[float]) -> list[float]:
    return [100 * (a - b) for a, b in zip(one, other, strict=True)]


def _half_width(pairs: Sequence[float], share: float) -> float:
    """Return half the width of the interval of a mean whose variance is ``share`` of the pairs'."""
    t = _T[len(pairs) - 2] if len(pairs) - 2 < len(_T) else 1.96
    return t * sqrt(share) * stdev(pairs)
