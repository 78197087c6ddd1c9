"""Compare methods: choose each one's learning rate on validation parts, then test all once."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

import numpy as np

from tpsgd_host.comparison.differences import differences
from tpsgd_host.comparison.jobs import Crew
from tpsgd_host.comparison.methods import Method, method
from tpsgd_host.comparison.problem import Part, Problem, final_part, validation_note, validation_parts
from tpsgd_host.comparison.results import Comparison, Entry, Trained, Tried
from tpsgd_host.comparison.search import FINALISTS, ROUNDS, Search, edge_note, find_settings, short_run
from tpsgd_host.comparison.training import Job, Progress, Training, jobs_for
from tpsgd_host.comparison.verdict import hardly_learned, verdict
from tpsgd_host.errors import ConfigError


def compare(
    problem: Problem,
    methods: Sequence[str | Method] = ("int-tpsgd", "int-frozen", "bp"),
    *,
    seeds: int = 5,
    jobs: int | Crew = 1,
    progress: Progress = lambda done, of, text: None,
) -> Comparison:
    """Compare methods on a problem.

    Parameters
    ----------
    problem : Problem
    methods : sequence of str or Method
        Names from ``METHOD_NAMES``, or your own methods (for example with a layer loss as a function).
    seeds : int
        Number of networks per method on the test part, with the problem's own seed and those after it.
    jobs : int or Crew
        Number of processes, or who works; it does not change the figures. With more than one, the calling program must
        be importable.
    progress : callable

    Returns
    -------
    Comparison

    Raises
    ------
    DataError
        When there are too few recordings to choose learning rates.
    ConfigError
        When no method is named, or one is unknown.
    """
    named = tuple(method(name) if isinstance(name, str) else name for name in methods)
    taking_part = tuple(one for one in named if one.applies(problem.config))
    if not taking_part:
        raise ConfigError("There is no method to compare.", "Name some with --methods, or leave out --methods.")
    parts = validation_parts(problem)
    final = final_part(problem, seeds)
    with Training(problem, taking_part, jobs, progress) as training:
        _expect(problem, taking_part, parts, final, training)
        searches = find_settings(problem, taking_part, parts, training)
        tests = _test(searches, final, problem.epochs, training)
    entries = tuple(_entry(problem, search, tested) for search, tested in zip(searches, tests, strict=True))
    commonest = float(np.bincount(problem.test.labels).max()) / len(problem.test)
    notes = [
        *problem.notes,
        validation_note(problem, parts),
        edge_note(problem, searches),
        *hardly_learned(entries, commonest),
    ]
    return Comparison(
        problem.name, problem.network, problem.train.classes, len(problem.train), len(problem.test), problem.epochs,
        final.seeds, problem.shuffle_seed, len(parts), sum(len(part.test) for part in parts), problem.data, entries,
        differences(entries, len(problem.test)), verdict(entries, len(problem.test)), tuple(filter(None, notes)),
    )  # fmt: skip


def _expect(
    problem: Problem, methods: tuple[Method, ...], parts: tuple[Part, ...], final: Part, training: Training
) -> None:
    """Estimate the amount of work before the first round."""
    first = [tuple(s for s in one.settings() if one.valid(problem.config, s)) for one in methods]
    training.expect(jobs_for(methods, first, parts, short_run(problem)), ROUNDS)
    training.expect(jobs_for(methods, [settings[: FINALISTS + 1] for settings in first], parts, problem.epochs))
    training.expect(jobs_for(methods, [settings[:1] for settings in first], (final,), problem.epochs))


def _test(searches: list[Search], final: Part, epochs: int, training: Training) -> list[Trained]:
    """Train with the chosen settings, and use the test part for the first and only time."""
    jobs = [Job(i, final, (search.best(),), epochs) for i, search in enumerate(searches)]
    return training.run(jobs, "training with the chosen rates")


def _entry(problem: Problem, found: Search, tested: Trained) -> Entry:
    one, setting = found.method, found.best()
    tried = [
        Tried(one.describe(problem.config, s), epochs, fmean(accuracies))
        for epochs, networks in ((short_run(problem), found.short), (problem.epochs, found.full))
        for s, accuracies in sorted(networks.items())
    ]
    return Entry(
        one.name, one.title, one.integer, setting, one.describe(problem.config, setting), tuple(tried),
        fmean(found.full[setting]), tuple(tested.history[:, 0].mean(axis=1).tolist()),
        tuple(tested.accuracies[0].tolist()), one.bytes(problem.config, problem.train),
        tested.seconds / tested.accuracies.size, int(tested.diverged.sum()), _by_recording(problem, tested),
    )  # fmt: skip


def _by_recording(problem: Problem, tested: Trained) -> tuple[float, ...]:
    """Return the accuracy on each test recording, averaged over its samples and the seeds."""
    if tested.right is None:
        return ()
    by_sample = tested.right[0].mean(axis=0)
    place = {group: i for i, group in enumerate(dict.fromkeys(problem.test.groups))}
    of_sample = [place[group] for group in problem.test.groups]
    return tuple((np.bincount(of_sample, by_sample) / np.bincount(of_sample)).tolist())
