"""Adapting to somebody new: train on all but one speaker or wearer, adapt on a few samples of that one.

How to adapt (update shift, passes) is chosen among the known ones, on their training recordings: each of them is left
out in turn, adapted to as if new, and counted on. Neither who is really new nor the test part has a say in it.

Legend: n samples a class to adapt on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import ceil
from statistics import fmean

import numpy as np
import numpy.typing as npt

from tpsgd_host.adaptation.domains import Domains
from tpsgd_host.adaptation.results import Adapted, HeldOut, Shift, spoken_of
from tpsgd_host.adaptation.subjects import Sides, draw
from tpsgd_host.adaptation.ways import WAYS, Choices, Tuning, Way, chosen, few, train_model, trained
from tpsgd_host.comparison.integer import accuracy, records
from tpsgd_host.comparison.jobs import Workers
from tpsgd_host.comparison.problem import Problem
from tpsgd_host.comparison.training import Progress
from tpsgd_host.data.samples import Samples, joined
from tpsgd_host.errors import ConfigError, DataError
from tpsgd_host.model.build import build_model
from tpsgd_host.model.modelfile import Model
from tpsgd_host.names import listing, suggestion
from tpsgd_host.training.simulator import Simulator

COUNTS = (1, 2, 3, 5, 10, 20)
CHOOSERS = 3  # known ones that are left out in turn to choose by, at most
MAX_HELD_OUT = 6  # where the user names none


@dataclass(frozen=True)
class Setup:
    """What all jobs of a study need.

    Attributes
    ----------
    choosing, testing : Sides
        The samples that tunings are chosen on, all of the training part; and those of the final runs.
    """

    problem: Problem
    choosing: Sides
    testing: Sides
    counts: tuple[int, ...]
    ways: tuple[Way, ...]


@dataclass(frozen=True)
class Job:
    """A network to train without some, and to adapt to each of ``targets``.

    Attributes
    ----------
    choices : dict, optional
        What was chosen, by way and n; without it all tunings are tried.
    """

    without: tuple[str, ...]
    targets: tuple[str, ...]
    seed: int
    choices: Choices | None = None


@dataclass(frozen=True)
class Outcome:
    """What came of a job: accuracies on new and on old ones.

    Attributes
    ----------
    before : dict
        By (target, way).
    adapted : dict
        By (target, way, n, tuning).
    bytes : dict
        By way.
    """

    before: dict[tuple[str, str], tuple[float, float]]
    adapted: dict[tuple[str, str, int, Tuning], tuple[float, float]]
    bytes: dict[str, int]


def study_shift(
    problem: Problem,
    train_domains: Domains,
    test_domains: Domains,
    column: str,
    *,
    held_out: Sequence[str] = (),
    seeds: int = 5,
    ways: Sequence[Way] = WAYS,
    counts: Sequence[int] = COUNTS,
    jobs: int = 1,
    progress: Progress = lambda done, of, text: None,
) -> Shift:
    """Hold out one domain after the other and adapt to it.

    Parameters
    ----------
    problem : Problem
    train_domains, test_domains : tuple of str
        Whom each sample of the problem's training and test part is from.
    column : str
        What domains are, for people: speaker, wearer.
    held_out : sequence of str
        Whom to hold out, by default everybody, six at most.
    seeds : int
        Networks, and draws of the few samples, for each.
    counts : sequence of int
        n; those that not everybody has enough samples for are left out.
    jobs : int
        Processes; the figures do not depend on it.

    Raises
    ------
    DataError
        When there are fewer than three domains, or too few samples of one.
    ConfigError
        When there is no such domain.
    """
    names = sorted(set(train_domains) & set(test_domains))
    held = _held_out(names, held_out, column)
    testing = Sides(problem.train, problem.test, train_domains, test_domains)
    choosing = testing.choosing()
    setup = Setup(problem, choosing, testing, _counts(problem, choosing, names, counts), tuple(ways))
    first = problem.config.seed
    choosers = {one: _choosers(one, names) for one in held}
    # Where few can be left out, each is with several networks.
    networks = ceil(CHOOSERS / min(CHOOSERS, len(names) - 1))
    looks = _choosing_jobs(choosers, range(first + 1000, first + 1000 + networks))
    weights = [float(len(job.targets)) for job in looks]
    final = len(held) * seeds
    total = sum(weights) + 0.1 * final
    with Workers(_work, setup, jobs) as workers:
        found = workers.run(looks, weights, lambda done: progress(done, total, "choosing how to adapt"))
        choices = {one: _choices(one, choosers[one], looks, found, setup) for one in held}
        tests = [Job((one,), (one,), first + i, choices[one]) for one in held for i in range(seeds)]
        outcomes = workers.run(
            tests, [0.1] * final, lambda done: progress(sum(weights) + done, total, f"adapting to each {column}")
        )
    groups = [outcomes[i * seeds : (i + 1) * seeds] for i in range(len(held))]
    results = tuple(_held(one, choices[one], group, setup) for one, group in zip(held, groups, strict=True))
    return Shift(
        "shift", problem.name, problem.network, column, tuple(names), setup.counts, tuple(range(first, first + seeds)),
        tuple((way.name, way.title, outcomes[0].bytes[way.name]) for way in ways), problem.data, results,
    )  # fmt: skip


def ready_model(problem: Problem, one: Shift) -> tuple[Model, int]:
    """Return a network to flash and adapt: trained on all training samples, then set up as was found best.

    Ways that need old samples are left aside: the samples of the new one are all that a board needs for this.

    Returns
    -------
    model : Model
    passes : int
        Over the samples of the new one.
    """
    ways = {way.name: way for way in WAYS if not way.old}
    n = spoken_of(one.counts)
    found = [
        (a.validation[0], a.way, a.tuning)
        for held in one.held_out
        for a in held.adapted
        if a.count == n and a.way in ways
    ]
    means = {name: fmean(score for score, way, _ in found if way == name) for name in {way for _, way, _ in found}}
    name = max(sorted(means), key=lambda name: means[name])
    tunings = Counter(tuning for _, way, tuning in found if way == name)
    (tuning,) = (t for t in ways[name].tunings() if str(t) == tunings.most_common(1)[0][0])
    drawn = build_model(problem.config, problem.train)
    base = train_model(drawn, problem.train, problem.epochs, problem.shuffle_seed)
    start = ways[name].start(drawn, base, problem.train, problem.epochs, problem.shuffle_seed)
    return ways[name].model(start, tuning), tuning.passes


def _held_out(names: list[str], wanted: Sequence[str], column: str) -> list[str]:
    if len(names) < 3:
        raise DataError(
            f"column {column!r} names {listing(names) or 'nobody'}: three are needed, each with recordings to learn "
            "and to test on: one is held out, and two are needed to choose how to adapt.",
            f"Record one more {column}, or name another column.",
        )
    for name in wanted:
        if name not in names:
            raise ConfigError(
                f"There is no {column} {name!r}.", f"There are {listing(names)}.{suggestion(name, names)}"
            )
    return list(dict.fromkeys(wanted)) or names[:MAX_HELD_OUT]


def _counts(problem: Problem, sides: Sides, names: list[str], wanted: Sequence[int]) -> tuple[int, ...]:
    """Return the numbers of samples a class that everybody has, as many again being left to test on."""
    classes = len(problem.train.classes)
    least = min(int(np.bincount(sides.new(name).labels, minlength=classes).min()) for name in names)
    counts = tuple(n for n in sorted(wanted) if 2 * n <= least)
    if not counts:
        raise DataError(
            f"{problem.name}: somebody has {least} samples of some class in the training part, two are the least.",
            "Record more of each class with each.",
        )
    return counts


def _choosers(one: str, names: list[str]) -> list[str]:
    """Return the known ones to choose by: the next in the list, so that all have their turn."""
    at = names.index(one)
    others = names[at + 1 :] + names[:at]
    return others[:CHOOSERS]


def _choosing_jobs(choosers: dict[str, list[str]], seeds: Sequence[int]) -> list[Job]:
    """Return the networks to train without two: the one held out, and one known one to adapt to instead."""
    targets: dict[tuple[str, ...], set[str]] = {}
    for one, known in choosers.items():
        for other in known:
            targets.setdefault(tuple(sorted((one, other))), set()).add(other)
    return [Job(pair, tuple(sorted(to)), seed) for pair, to in sorted(targets.items()) for seed in seeds]


def _choices(one: str, known: list[str], jobs: list[Job], outcomes: list[Outcome], setup: Setup) -> Choices:
    """Return the tuning of each way and n that did best on the known ones when they were left out instead."""
    scores: dict[tuple[str, int], dict[Tuning, list[tuple[float, float]]]] = {}
    for job, outcome in zip(jobs, outcomes, strict=True):
        if one in job.without:
            for (target, way, n, tuning), pair in outcome.adapted.items():
                if target != one and target in known:
                    scores.setdefault((way, n), {}).setdefault(tuning, []).append(pair)
    keeps = {way.name for way in setup.ways if way.old}
    # Who keeps old samples wants the old ones as much as the new.
    return {key: chosen(found, old=key[0] in keeps) for key, found in scores.items()}


def _held(one: str, choices: Choices, outcomes: list[Outcome], setup: Setup) -> HeldOut:
    adapted = []
    for way in setup.ways:
        adapted.append(Adapted.of(way.name, 0, [outcome.before[one, way.name] for outcome in outcomes]))
        for n in setup.counts:
            choice = choices[way.name, n]
            pairs = [outcome.adapted[one, way.name, n, choice.tuning] for outcome in outcomes]
            adapted.append(Adapted.of(way.name, n, pairs, choice))
    return HeldOut(one, tuple(adapted))


def _work(setup: Setup, job: Job, report: Callable[[float], None]) -> Outcome:
    """Train a network without some, and adapt it to each target in every way."""
    problem = setup.problem
    sides = setup.choosing if job.choices is None else setup.testing
    known, tests = sides.known(job.without)
    drawn = build_model(replace(problem.config, seed=job.seed), known)
    base = train_model(drawn, known, problem.epochs, problem.shuffle_seed)
    report(0.05)
    starts = {way.name: way.start(drawn, base, known, problem.epochs, problem.shuffle_seed) for way in setup.ways}
    before: dict[tuple[str, str], tuple[float, float]] = {}
    adapted: dict[tuple[str, str, int, Tuning], tuple[float, float]] = {}
    steps, done = len(job.targets) * len(setup.ways) * len(setup.counts), 0
    for target in job.targets:
        new = sides.new(target)
        pool, rest = draw(new, max(setup.counts), job.seed)
        for way in setup.ways:
            start = starts[way.name]
            before[target, way.name] = _accuracy(start, rest), _accuracy(start, tests)
            for n in setup.counts:
                tunings = way.tunings() if job.choices is None else (job.choices[way.name, n].tuning,)
                for tuning in tunings:
                    model = _adapt(way, start, tuning, new, pool[:, :n].ravel(), known, job.seed)
                    adapted[target, way.name, n, tuning] = _accuracy(model, rest), _accuracy(model, tests)
                done += 1
                report(0.1 + 0.9 * done / steps)
    return Outcome(before, adapted, {way.name: way.bytes(starts[way.name]) for way in setup.ways})


def _adapt(
    way: Way, start: Model, tuning: Tuning, new: Samples, chosen: npt.NDArray[np.int64], known: Samples, seed: int
) -> Model:
    """Return the network adapted on the chosen samples, and on old ones where the way keeps some."""
    model = way.model(start, tuning)
    samples = new.take(chosen)
    if way.old:
        samples = joined(samples, known.take(few(known, way.old, seed)))
    data = model.scaling.encode(samples.values)
    return model.with_weights(trained(model, data, samples.labels, tuning.passes, seed).weights())


def _accuracy(model: Model, samples: Samples) -> float:
    return accuracy(Simulator(model), records(model, samples))
