"""Cross-validation: every recording is tested once, by networks that learned from the other folds.

A small test part tells little. Here each fold is a separate problem, with rates chosen without its test part.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean

import numpy as np

from tpsgd_host.comparison.differences import differences
from tpsgd_host.comparison.jobs import Crew
from tpsgd_host.comparison.methods import Method
from tpsgd_host.comparison.problem import Problem
from tpsgd_host.comparison.results import Comparison, Entry
from tpsgd_host.comparison.study import compare
from tpsgd_host.comparison.training import Progress
from tpsgd_host.comparison.verdict import verdict
from tpsgd_host.data.samples import Samples, joined
from tpsgd_host.data.split import folds


def fold_problems(problem: Problem, count: int, seed: int) -> tuple[Problem, ...]:
    """Return ``count`` problems, one for each fold of all recordings; raises what ``split.folds`` raises."""
    everything = replace(_together(problem.train, problem.test), source=problem.name)
    return tuple(replace(problem, train=train, test=test) for train, test in folds(everything, count, seed))


def cross_validate(
    problems: Sequence[Problem],
    methods: Sequence[str | Method],
    *,
    seeds: int = 5,
    jobs: int | Crew = 1,
    progress: Progress = lambda done, of, text: None,
) -> Comparison:
    """Compare methods on every fold.

    Parameters
    ----------
    problems : sequence of Problem
        Of :func:`fold_problems`.
    methods, seeds, jobs, progress
        As for :func:`tpsgd_host.comparison.compare`; each fold trains a network for each seed.

    Returns
    -------
    Comparison
        Accuracies are those of one seed on the recordings of all folds. ``fold_results`` has the results of each fold.
    """
    found: list[Comparison] = []
    for i, problem in enumerate(problems):

        def report(done: float, of: float, text: str, i: int = i) -> None:
            share = done / of if of else 0.0
            progress(i + share, len(problems), f"fold {i + 1} of {len(problems)}, {text}")

        found.append(compare(problem, methods, seeds=seeds, jobs=jobs, progress=report))
    return merged(found)


def merged(fold_results: Sequence[Comparison]) -> Comparison:
    """Combine the results of all folds."""
    first = fold_results[0]
    entries = tuple(_merged([one.entries[i] for one in fold_results], fold_results) for i in range(len(first.entries)))
    samples = sum(one.test_samples for one in fold_results)
    return replace(
        first,
        train_samples=min(one.train_samples for one in fold_results),
        test_samples=samples,
        validation_samples=sum(one.validation_samples for one in fold_results),
        entries=entries,
        differences=differences(entries, samples),
        verdict=verdict(entries, samples),
        notes=_notes(fold_results),
        fold_results=tuple(fold_results),
    )


def _merged(entries: Sequence[Entry], fold_results: Sequence[Comparison]) -> Entry:
    """Return one method's figures over all folds, each weighted by its number of samples."""
    share = np.array([one.test_samples for one in fold_results], float)
    share /= share.sum()
    hidden, output = (", ".join(dict.fromkeys(entry.rates[i] for entry in entries)) for i in (0, 1))
    return replace(
        entries[0],
        rates=(hidden, output),
        tried=(),
        validation=fmean(entry.validation for entry in entries),
        curve=tuple(np.mean([entry.curve for entry in entries], axis=0).tolist()),
        accuracies=tuple((share @ np.array([entry.accuracies for entry in entries])).tolist()),
        bytes=max(entry.bytes for entry in entries),
        seconds=fmean(entry.seconds for entry in entries),
        diverged=sum(entry.diverged for entry in entries),
        by_recording=tuple(share for entry in entries for share in entry.by_recording),
        by_fold=tuple(entry.mean for entry in entries),
    )


def _notes(fold_results: Sequence[Comparison]) -> tuple[str, ...]:
    """Return the notes of all folds; name the folds of a note that not all have."""
    known = dict.fromkeys(note for one in fold_results for note in one.notes)
    said = []
    for note in known:
        having = [str(i + 1) for i, one in enumerate(fold_results) if note in one.notes]
        where = "" if len(having) == len(fold_results) else f" (fold {', '.join(having)})"
        said.append(note + where)
    return tuple(said)


def _together(train: Samples, test: Samples) -> Samples:
    """Return the samples of both parts; they share no recording, even where names are equal."""
    known = set(train.groups)
    names = tuple(f"{group} (test)" if group in known else group for group in test.groups)
    return joined(train, replace(test, groups=names))
