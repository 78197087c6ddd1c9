"""A class that the network was not trained on: a row is added to its output layer, and learns from a few samples.

Each class is held out in turn. How to learn (update shift, passes) is chosen on the training part, with other classes
held out instead.

Legend: n samples of the new class, R old samples of each old class.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tpsgd_host.adaptation.readout import Integers, Readout, features
from tpsgd_host.adaptation.results import Adapted, HeldOut, Shift, spoken_of
from tpsgd_host.adaptation.ways import PASSES, Choices, Tuning, chosen, few, train_model
from tpsgd_host.comparison.jobs import Workers
from tpsgd_host.comparison.problem import Part, Problem, validation_parts
from tpsgd_host.comparison.training import Progress
from tpsgd_host.data.samples import Samples
from tpsgd_host.errors import ConfigError, DataError
from tpsgd_host.model.build import build_model
from tpsgd_host.model.modelfile import memory
from tpsgd_host.names import listing, suggestion

COUNTS = (1, 3, 5, 10, 20)
SHIFTS = (5, 6, 7, 8)
CHOOSERS = 2  # other classes that are held out to choose by


@dataclass(frozen=True)
class Growth:
    """A way to learn a new class.

    Attributes
    ----------
    alone : bool
        Whether its own row alone learns.
    old : int
        R, learned again among the new ones; -1: as many as there are new ones.
    """

    name: str
    title: str
    alone: bool
    old: int

    def kept(self, n: int) -> int:
        """Return R for n new samples."""
        return n if self.old < 0 else self.old


GROWTHS = (
    Growth("row", "its row", True, 0),
    Growth("row-5", "its row, 5 old a class", True, 5),
    Growth("row-n", "its row, n old a class", True, -1),
    Growth("all", "all rows", False, 0),
    Growth("all-5", "all rows, 5 old a class", False, 5),
    Growth("all-n", "all rows, n old a class", False, -1),
)


@dataclass(frozen=True)
class Setup:
    """What all jobs need; ``choosing`` is the training part divided, to choose on."""

    problem: Problem
    choosing: Part
    counts: tuple[int, ...]
    ways: tuple[Growth, ...]


@dataclass(frozen=True)
class Job:
    """A network to train without some classes, and each of ``targets`` to add; ``choices`` as in a shift."""

    without: tuple[int, ...]
    targets: tuple[int, ...]
    seed: int
    choices: Choices | None = None


@dataclass(frozen=True)
class Outcome:
    """Accuracy on the old classes before, and (new, old) of every (target, way, n, tuning)."""

    known: float
    added: dict[tuple[int, str, int, Tuning], tuple[float, float]]


def study_new_class(
    problem: Problem,
    *,
    held_out: Sequence[str] = (),
    seeds: int = 5,
    ways: Sequence[Growth] = GROWTHS,
    counts: Sequence[int] = COUNTS,
    jobs: int = 1,
    progress: Progress = lambda done, of, text: None,
) -> Shift:
    """Hold out one class after the other and add it; parameters as of :func:`~.shift.study_shift`.

    Raises
    ------
    DataError
        When there are fewer than four classes: one to add, one to choose by, and two to know.
    ConfigError
        When there is no such class.
    """
    names = problem.train.classes
    if len(names) < 4:
        raise DataError(
            f"{problem.name} has {len(names)} classes, four are needed: one to add, one to choose by, two to know.",
            "Record one class more.",
        )
    for name in held_out:
        if name not in names:
            raise ConfigError(f"There is no class {name!r}.", f"There are {listing(names)}.{suggestion(name, names)}")
    held = [names.index(name) for name in dict.fromkeys(held_out)] or list(range(len(names)))
    choosing = validation_parts(problem)[0]
    least = int(np.bincount(choosing.train.labels, minlength=len(names)).min())
    setup = Setup(problem, choosing, tuple(n for n in sorted(counts) if n <= least), tuple(ways))
    first = problem.config.seed
    choosers = {y: [(y + i) % len(names) for i in range(1, CHOOSERS + 1)] for y in held}
    looks = [Job(tuple(sorted((y, c))), (c,), first + 1000) for y in held for c in choosers[y]]
    tests = len(held) * seeds
    total = len(looks) + 0.3 * tests
    with Workers(_work, setup, jobs) as workers:
        found = workers.run(
            looks, [1.0] * len(looks), lambda done: progress(done, total, "choosing how to learn a class")
        )
        choices = {y: _choices(y, choosers[y], looks, found) for y in held}
        added = [Job((y,), (y,), first + i, choices[y]) for y in held for i in range(seeds)]
        outcomes = workers.run(
            added, [0.3] * tests, lambda done: progress(len(looks) + done, total, "adding each class")
        )
    results = tuple(
        _held(names[y], y, choices[y], outcomes[i * seeds : (i + 1) * seeds], setup) for i, y in enumerate(held)
    )
    return Shift(
        "class", problem.name, problem.network, "class", names, setup.counts, tuple(range(first, first + seeds)),
        _sizes(setup), problem.data, results,
    )  # fmt: skip


def _sizes(setup: Setup) -> tuple[tuple[str, str, int], ...]:
    """Return each way with the RAM that it takes: the body frozen, the old samples on the board."""
    problem, count = setup.problem, spoken_of(setup.counts)
    config = problem.config
    frozen = tuple(replace(layer, frozen=True) for layer in config.layers[:-1])
    model = build_model(replace(config, layers=(*frozen, config.layers[-1])), problem.train)
    sample = model.layout.steps * model.layout.channels + 1
    total = memory(model).total
    return tuple((g.name, g.title, total + g.kept(count) * (len(model.classes) - 1) * sample) for g in setup.ways)


def _choices(y: int, choosers: list[int], jobs: list[Job], outcomes: list[Outcome]) -> Choices:
    """Return the tuning of each way and n that did best, new and old counted alike, with other classes held out."""
    scores: dict[tuple[str, int], dict[Tuning, list[tuple[float, float]]]] = {}
    for job, outcome in zip(jobs, outcomes, strict=True):
        if y in job.without and job.targets[0] in choosers:
            for (_, way, n, tuning), pair in outcome.added.items():
                scores.setdefault((way, n), {}).setdefault(tuning, []).append(pair)
    return {key: chosen(found, old=True) for key, found in scores.items()}


def _held(name: str, y: int, choices: Choices, outcomes: list[Outcome], setup: Setup) -> HeldOut:
    adapted = []
    for way in setup.ways:
        adapted.append(Adapted.of(way.name, 0, [(0.0, outcome.known) for outcome in outcomes]))
        for n in setup.counts:
            choice = choices[way.name, n]
            pairs = [outcome.added[y, way.name, n, choice.tuning] for outcome in outcomes]
            adapted.append(Adapted.of(way.name, n, pairs, choice))
    return HeldOut(name, tuple(adapted))


def _work(setup: Setup, job: Job, report: Callable[[float], None]) -> Outcome:
    """Train a network without some classes, and add each target in every way."""
    problem = setup.problem
    train, test = problem.train, problem.test
    if job.choices is None:
        train, test = setup.choosing.train, setup.choosing.test
    known, tests = _without(train, job.without), _without(test, job.without)
    layers = (*problem.config.layers[:-1], replace(problem.config.layers[-1], units=0))  # as many as there are classes
    config = replace(problem.config, seed=job.seed, classes=known.classes, layers=layers)
    model = train_model(build_model(config, known), known, problem.epochs, problem.shuffle_seed)
    report(0.2)
    x_known, x_tests = features(model, known), features(model, tests)
    base = Readout.of(model)
    before = float((base.classify(x_tests) == tests.labels).mean())
    report(0.3)
    added: dict[tuple[int, str, int, Tuning], tuple[float, float]] = {}
    old = few(known, max(5, *setup.counts), job.seed)
    for target in job.targets:
        x_new, x_rest = (features(model, part.take(np.flatnonzero(part.labels == target))) for part in (train, test))
        order = np.random.default_rng(job.seed).permutation(len(x_new))
        for done, n in enumerate(setup.counts, 1):
            for way in setup.ways:
                kept = _first_of_each(known, old, way.kept(n))
                x = np.concatenate([x_new[order[:n]], x_known[kept]])
                y = np.concatenate([np.full(n, len(base.v)), known.labels[kept].astype(np.int64)])
                for tuning in _tunings() if job.choices is None else (job.choices[way.name, n].tuning,):
                    readout = base.with_row()
                    readout.learn(x, y, tuning.shift, tuning.passes, job.seed, (len(base.v),) if way.alone else None)
                    added[target, way.name, n, tuning] = _accuracies(readout, x_rest, x_tests, tests)
            report(0.3 + 0.7 * done / len(setup.counts))
    return Outcome(before, added)


def _tunings() -> tuple[Tuning, ...]:
    return tuple(Tuning(shift, passes) for passes in (5, *PASSES[:1]) for shift in SHIFTS)


def _accuracies(readout: Readout, x_new: Integers, x_old: Integers, old: Samples) -> tuple[float, float]:
    """Return the accuracy on the new class and on the old ones."""
    new = readout.classify(x_new) == len(readout.v) - 1
    return float(new.mean()), float((readout.classify(x_old) == old.labels).mean())


def _without(samples: Samples, classes: Sequence[int]) -> Samples:
    """Return the samples of all other classes, numbered anew."""
    kept = [y for y in range(len(samples.classes)) if y not in classes]
    part = samples.take(np.flatnonzero(np.isin(samples.labels, kept)))
    labels = np.searchsorted(kept, part.labels).astype(np.uint8)
    return replace(part, labels=labels, classes=tuple(samples.classes[y] for y in kept))


def _first_of_each(samples: Samples, chosen: Integers, count: int) -> Integers:
    """Return the first ``count`` of the chosen samples of each class."""
    labels = samples.labels[chosen]
    kept = [chosen[labels == y][:count] for y in range(len(samples.classes))]
    return np.concatenate(kept) if count else np.zeros(0, np.int64)
