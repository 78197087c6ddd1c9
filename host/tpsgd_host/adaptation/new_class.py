"""Add a class to a trained network: its output layer gets a row, which learns from a few samples.

Each class is held out in turn. How to learn (update shift, passes) is chosen on the training part, with other classes
held out instead.

Legend: n samples of the new class, R old samples of each old class.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tpsgd.protospec import NEW_SHIFT
from tpsgd_host.adaptation.hold_out import Job, Outcome, hold_out
from tpsgd_host.adaptation.readout import Integers, Readout, features
from tpsgd_host.adaptation.results import AdaptationStudy, spoken_of
from tpsgd_host.adaptation.ways import PASSES, Tuning, few, shifts_to_try, taught_bytes, train_model
from tpsgd_host.comparison.integer import accuracy, records
from tpsgd_host.comparison.jobs import Crew
from tpsgd_host.comparison.problem import Part, Problem, validation_parts
from tpsgd_host.comparison.training import Progress
from tpsgd_host.data.samples import Samples
from tpsgd_host.errors import ConfigError, DataError
from tpsgd_host.model.build import build_model
from tpsgd_host.model.modelfile import Model, memory
from tpsgd_host.model.surgery import with_class, with_learning, with_shifts
from tpsgd_host.names import listing, suggestion
from tpsgd_host.training.executor import TEST, Records
from tpsgd_host.training.practice import taught, variation_of, with_prototypes
from tpsgd_host.training.simulator import Simulator

COUNTS = (1, 2, 3, 5, 10, 20)
SLOWER = 1  # a new row may need a smaller one
NEW = "new class"  # its name
PASSES_WITH_MEANS = (30, 60)
CHOOSERS = 2  # other classes to hold out for choosing


@dataclass(frozen=True)
class Growth:
    """A way to learn a new class.

    Attributes
    ----------
    alone : bool
        Whether only its own row learns.
    old : int
        R old samples, learned again among the new ones; -1 for as many as new ones.
    answers : str
        How a network with prototypes answers, see :class:`~tpsgd_host.model.prototypes.Prototypes`; empty: without.
    """

    name: str
    title: str
    alone: bool
    old: int
    answers: str = ""

    def kept(self, n: int) -> int:
        """Return R for n new samples."""
        return n if self.old < 0 else self.old


GROWTHS = (
    Growth("row", "its row", True, 0),
    Growth("row-5", "its row, 5 old per class", True, 5),
    Growth("row-n", "its row, n old per class", True, -1),
    Growth("all", "all rows", False, 0),
    Growth("all-5", "all rows, 5 old per class", False, 5),
    Growth("all-n", "all rows, n old per class", False, -1),
    Growth("prototypes", "prototypes, nothing learns", False, 0, "prototypes"),
    Growth("practice", "all rows, varied, with means", False, 0, "network"),
    Growth("both", "that and prototypes", False, 0, "both"),
)


@dataclass(frozen=True)
class NewClass:
    """Holds out a class; see :class:`~tpsgd_host.adaptation.hold_out.Experiment`.

    Attributes
    ----------
    choosing : Part
        The training part, divided for choosing.
    """

    problem: Problem
    choosing: Part
    counts: tuple[int, ...]
    ways: tuple[Growth, ...]

    def counts_known(self, way: str) -> bool:  # noqa: ARG002 - of no way
        """Old classes always count, because a network that forgets them is useless."""
        return True

    def usual(self, way: str) -> Tuning:
        """Return the tuning of a way where there is no other class to choose one with."""
        (growth,) = (one for one in self.ways if one.name == way)
        return _practices(growth)[-1] if growth.answers else Tuning(NEW_SHIFT, PASSES[0])

    def work(self, job: Job, report: Callable[[float], None]) -> Outcome:
        """Train a network without some classes, and add each target in every way."""
        problem, names = self.problem, self.problem.train.classes
        train, test = problem.train, problem.test
        if job.choices is None:
            train, test = self.choosing.train, self.choosing.test
        away = [names.index(name) for name in job.without]
        known, tests = without(train, away), without(test, away)
        output = replace(problem.config.layers[-1], units=0)  # as many as classes
        layers = (*problem.config.layers[:-1], output)
        config = replace(problem.config, seed=job.seed, classes=known.classes, layers=layers)
        model = train_model(build_model(config, known), known, problem.epochs, problem.shuffle_seed)
        report(0.2)
        x_known, x_tests = features(model, known), features(model, tests)
        base = Readout.of(model)
        right = float((base.classify(x_tests) == tests.labels).mean())
        report(0.3)
        before = {(target, way.name): (0.0, right) for target in job.targets for way in self.ways}
        adapted: dict[tuple[str, str, int, Tuning], tuple[float, float]] = {}
        old = few(known, max(5, *self.counts), job.seed)
        meant = with_prototypes(with_learning(model, 1), model.scaling.encode(known.values), known.labels)
        for target in job.targets:
            of_target = [np.flatnonzero(part.labels == names.index(target)) for part in (train, test)]
            x_new, x_rest = (features(model, part.take(i)) for part, i in zip((train, test), of_target, strict=True))
            order = np.random.default_rng(job.seed).permutation(len(x_new))
            new, rest = (part.take(i) for part, i in zip((train, test), of_target, strict=True))
            for done, n in enumerate(self.counts, 1):
                for way in self.ways:
                    if way.answers:
                        choice = job.choices and job.choices[way.name, n].tuning
                        for tuning in (choice,) if choice else _practices(way):
                            grown = _grown(meant, way, tuning, new.take(order[:n]))
                            adapted[target, way.name, n, tuning] = _answers(grown, rest, tests)
                        continue
                    kept = _first_of_each(known, old, way.kept(n))
                    x = np.concatenate([x_new[order[:n]], x_known[kept]])
                    y = np.concatenate([np.full(n, len(base.v)), known.labels[kept].astype(np.int64)])
                    for tuning in _tunings(model) if job.choices is None else (job.choices[way.name, n].tuning,):
                        readout = base.with_row()
                        rows = (len(base.v),) if way.alone else None
                        readout.learn(x, y, tuning.shift, tuning.passes, job.seed, rows)
                        adapted[target, way.name, n, tuning] = _accuracies(readout, x_rest, x_tests, tests)
                report(0.3 + 0.7 * done / len(self.counts))
        return Outcome(before, adapted)


def study_new_class(
    problem: Problem,
    *,
    held_out: Sequence[str] = (),
    seeds: int = 5,
    ways: Sequence[Growth] = GROWTHS,
    counts: Sequence[int] = COUNTS,
    jobs: int | Crew = 1,
    progress: Progress = lambda done, of, text: None,
) -> AdaptationStudy:
    """Hold out one class after the other and add it; parameters as for :func:`~.new_subject.study_new_subject`.

    Raises
    ------
    DataError
        When there are fewer than three classes: one to add, and two that are known. With three there is none to choose
        a tuning with, so every way has its usual one.
    ConfigError
        When there is no such class.
    """
    names = problem.train.classes
    if len(names) < 3:
        raise DataError(
            f"{problem.name} has {len(names)} classes, but needs three: one to add and two known ones.",
            "Record one more class.",
        )
    for name in held_out:
        if name not in names:
            raise ConfigError(f"There is no class {name!r}.", f"There are {listing(names)}.{suggestion(name, names)}")
    choosers = CHOOSERS if len(names) > 3 else 0  # without two of three classes there is nothing to learn
    choosing = validation_parts(problem)[0]
    having = np.bincount(choosing.train.labels, minlength=len(names))
    least, label = int(having.min()), names[int(having.argmin())]
    experiment = NewClass(problem, choosing, tuple(n for n in sorted(counts) if n <= least), tuple(ways))
    if not experiment.counts:
        raise DataError(
            f"{problem.name}: {label!r} has {least} training samples, too few to add a class.",
            "Record more samples of it.",
        )
    note = (
        f"the curves end at {experiment.counts[-1]} samples: there are {least} of {label!r} for choosing how to learn"
    )
    notes: tuple[str, ...] = (note,) if least < max(counts) else ()
    if choosers == 0:
        notes += ("three classes leave none to choose update shift and passes with: each way has its usual ones",)
    first = problem.config.seed
    results = hold_out(
        experiment, list(dict.fromkeys(held_out)) or names, names, choosers=choosers, networks=1, first_seed=first,
        seeds=seeds, jobs=jobs, progress=progress, kind="class",
    )  # fmt: skip
    return AdaptationStudy(
        "class", problem.name, problem.network, "class", names, experiment.counts, tuple(range(first, first + seeds)),
        _sizes(experiment), problem.data, results, notes,
    )  # fmt: skip


def _sizes(experiment: NewClass) -> tuple[tuple[str, str, int], ...]:
    """Return each way with the RAM that it needs, with a frozen body and the old samples on the board."""
    problem, count = experiment.problem, spoken_of(experiment.counts)
    config = problem.config
    frozen = tuple(replace(layer, frozen=True) for layer in config.layers[:-1])
    model = build_model(replace(config, layers=(*frozen, config.layers[-1])), problem.train)
    sample = model.layout.steps * model.layout.channels + 1
    total = memory(model).total
    known = len(model.classes) - 1
    sizes = []
    for way in experiment.ways:
        kept = way.kept(count) * known * sample
        if way.answers:
            kept = taught_bytes(model, way.answers, count)
        sizes.append((way.name, way.title, total + kept))
    return tuple(sizes)


def _tunings(model: Model) -> tuple[Tuning, ...]:
    return tuple(Tuning(shift, passes) for passes in (5, *PASSES[:1]) for shift in shifts_to_try(model, SLOWER))


def _practices(way: Growth) -> tuple[Tuning, ...]:
    """Return how a network with prototypes may practise a new class."""
    if way.answers == "prototypes":
        return (Tuning(NEW_SHIFT, 0),)
    return tuple(Tuning(NEW_SHIFT, passes) for passes in PASSES_WITH_MEANS)


def _grown(model: Model, way: Growth, tuning: Tuning, new: Samples) -> Model:
    """Return a network with prototypes that was taught samples of a new class as a board is (SPEC 1.12)."""
    assert model.prototypes is not None
    known = replace(model.prototypes, way=way.answers, variation=variation_of(model))
    grown = with_class(replace(with_shifts(model, (tuning.shift,)), prototypes=known), NEW)
    labels = np.full(len(new), len(model.classes), np.uint8)
    return taught(grown, model.scaling.encode(new.values), labels, tuning.passes)


def _answers(model: Model, new: Samples, old: Samples) -> tuple[float, float]:
    """Return the accuracy on samples of the new class, whatever their labels, and on the old ones."""
    simulator = Simulator(model)
    y = len(model.classes) - 1
    data = model.scaling.encode(new.values)
    found = simulator.evaluate(Records(np.full(len(new), TEST, np.uint8), np.full(len(new), y, np.uint8), data))
    return float((found[:, 0] == y).mean()), accuracy(simulator, records(model, old))


def _accuracies(readout: Readout, x_new: Integers, x_old: Integers, old: Samples) -> tuple[float, float]:
    """Return the accuracy on the new class and on the old ones."""
    new = readout.classify(x_new) == len(readout.v) - 1
    return float(new.mean()), float((readout.classify(x_old) == old.labels).mean())


def without(samples: Samples, classes: Sequence[int]) -> Samples:
    """Return the samples of all other classes, renumbered."""
    kept = [y for y in range(len(samples.classes)) if y not in classes]
    part = samples.take(np.flatnonzero(np.isin(samples.labels, kept)))
    labels = np.searchsorted(kept, part.labels).astype(np.uint8)
    return replace(part, labels=labels, classes=tuple(samples.classes[y] for y in kept))


def _first_of_each(samples: Samples, chosen: Integers, count: int) -> Integers:
    """Return the first ``count`` of the chosen samples of each class."""
    labels = samples.labels[chosen]
    kept = [chosen[labels == y][:count] for y in range(len(samples.classes))]
    return np.concatenate(kept) if count else np.zeros(0, np.int64)
