"""Adapt to a new subject: train on all speakers or wearers but one, and adapt on a few samples of that one.

How to adapt (update shift, passes) is chosen on the training recordings of the known subjects: each is left out in
turn, adapted to as if new, and tested on. Neither the new subject nor the test part influences the choice.

Legend: n samples per class to adapt on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import ceil

import numpy as np
import numpy.typing as npt

from tpsgd_host.adaptation.hold_out import Job, Outcome, hold_out
from tpsgd_host.adaptation.results import AdaptationStudy, spoken_of
from tpsgd_host.adaptation.subjects import Division, draw
from tpsgd_host.adaptation.ways import WAYS, Tuning, Way, few, train_model, trained
from tpsgd_host.comparison.integer import accuracy, records
from tpsgd_host.comparison.jobs import Crew
from tpsgd_host.comparison.problem import Problem
from tpsgd_host.comparison.training import Progress
from tpsgd_host.data.samples import Samples, joined
from tpsgd_host.data.subjects import Subjects
from tpsgd_host.errors import ConfigError, DataError
from tpsgd_host.model.build import build_model
from tpsgd_host.model.modelfile import Model
from tpsgd_host.names import listing, suggestion
from tpsgd_host.training.simulator import Simulator

COUNTS = (1, 2, 3, 5, 10, 20)
CHOOSERS = 3  # maximum known subjects to leave out in turn for choosing
MAX_HELD_OUT = 6  # by default


@dataclass(frozen=True)
class NewSubject:
    """Holds out a subject; see :class:`~tpsgd_host.adaptation.hold_out.Experiment`.

    Attributes
    ----------
    choosing, testing : Division
        The samples for choosing tunings, all from the training part; and those of the final runs.
    """

    problem: Problem
    choosing: Division
    testing: Division
    counts: tuple[int, ...]
    ways: tuple[Way, ...]

    def counts_known(self, way: str) -> bool:
        """Old subjects count as much as the new one if the way keeps what stands for them."""
        return any(one.name == way and one.keeps_known for one in self.ways)

    def usual(self, way: str) -> Tuning:
        """Return a way's first tuning; there are always others to choose with."""
        (one,) = (one for one in self.ways if one.name == way)
        return one.tunings(build_model(self.problem.config, self.problem.train))[0]

    def work(self, job: Job, report: Callable[[float], None]) -> Outcome:
        """Train a network without some subjects, and adapt it to each target in every way."""
        problem = self.problem
        division = self.choosing if job.choices is None else self.testing
        known, tests = division.known(job.without)
        drawn = build_model(replace(problem.config, seed=job.seed), known)
        base = train_model(drawn, known, problem.epochs, problem.shuffle_seed)
        report(0.05)
        persons = division.known_subjects(job.without)
        starts = {}
        for way in self.ways:
            start = way.start(drawn, base, known, problem.epochs, problem.shuffle_seed)
            starts[way.name] = way.with_means(start, known, persons)
        before: dict[tuple[str, str], tuple[float, float]] = {}
        adapted: dict[tuple[str, str, int, Tuning], tuple[float, float]] = {}
        steps, done = len(job.targets) * len(self.ways) * len(self.counts), 0
        for target in job.targets:
            new = division.new(target)
            pool, rest = draw(new, max(self.counts), job.seed)
            for way in self.ways:
                start = starts[way.name]
                before[target, way.name] = _accuracy(start, rest), _accuracy(start, tests)
                for n in self.counts:
                    tunings = way.tunings(start) if job.choices is None else (job.choices[way.name, n].tuning,)
                    for tuning in tunings:
                        model = _adapt(way, start, tuning, new, pool[:, :n].ravel(), known, job.seed)
                        adapted[target, way.name, n, tuning] = _accuracy(model, rest), _accuracy(model, tests)
                    done += 1
                    report(0.1 + 0.9 * done / steps)
        return Outcome(before, adapted)


def study_new_subject(
    problem: Problem,
    train_subjects: Subjects,
    test_subjects: Subjects,
    column: str,
    *,
    held_out: Sequence[str] = (),
    seeds: int = 5,
    ways: Sequence[Way] = WAYS,
    counts: Sequence[int] = COUNTS,
    jobs: int | Crew = 1,
    progress: Progress = lambda done, of, text: None,
) -> AdaptationStudy:
    """Hold out one subject after the other, and adapt to it.

    Parameters
    ----------
    problem : Problem
    train_subjects, test_subjects : tuple of str
        The subject of each sample in the problem's training and test parts.
    column : str
        What subjects are called, for readers: speaker, wearer.
    held_out : sequence of str
        The subjects to hold out; by default all, at most six.
    seeds : int
        Number of networks, and of draws of the few samples, for each subject.
    counts : sequence of int
        The values of n; those for which some subject has too few samples are left out.
    jobs : int or Crew
        Processes, or who works; the figures do not depend on it.

    Raises
    ------
    DataError
        When there are fewer than three subjects, or one has too few samples.
    ConfigError
        When there is no such subject.
    """
    names = sorted(set(train_subjects) & set(test_subjects))
    held = _held_out(names, held_out, column)
    testing = Division(problem.train, problem.test, train_subjects, test_subjects)
    choosing = testing.choosing()
    enough, note = _counts(problem, choosing, names, counts)
    experiment = NewSubject(problem, choosing, testing, enough, tuple(ways))
    first = problem.config.seed
    results = hold_out(
        experiment, held, names, choosers=CHOOSERS, networks=ceil(CHOOSERS / min(CHOOSERS, len(names) - 1)),
        first_seed=first, seeds=seeds, jobs=jobs, progress=progress, kind=column,
    )  # fmt: skip
    sizes = _sizes(problem, ways, enough)
    return AdaptationStudy(
        "subject", problem.name, problem.network, column, tuple(names), experiment.counts,
        tuple(range(first, first + seeds)), sizes, problem.data, results, (note,) if note else (),
    )  # fmt: skip


def _sizes(problem: Problem, ways: Sequence[Way], counts: tuple[int, ...]) -> tuple[tuple[str, str, int], ...]:
    """Return each way with the RAM that it needs."""
    drawn = build_model(problem.config, problem.train)
    return tuple((way.name, way.title, way.bytes(way.shaped(drawn), spoken_of(counts))) for way in ways)


def _held_out(names: list[str], wanted: Sequence[str], column: str) -> list[str]:
    if len(names) < 3:
        raise DataError(
            f"column {column!r} names {listing(names) or 'nobody'}; three are needed, each with recordings to learn "
            "from and to test on: one to hold out, and two for choosing how to adapt.",
            f"Record one more {column}; or test on one of them: tpsgd-host simulate DATA --leave-out {column}=NAME",
        )
    for name in wanted:
        if name not in names:
            raise ConfigError(
                f"There is no {column} {name!r}.", f"There are {listing(names)}.{suggestion(name, names)}"
            )
    return list(dict.fromkeys(wanted)) or names[:MAX_HELD_OUT]


def _counts(
    problem: Problem, division: Division, names: list[str], wanted: Sequence[int]
) -> tuple[tuple[int, ...], str]:
    """Return the numbers of samples per class that every subject has twice, to adapt and to test on; and a note."""
    classes = problem.train.classes
    having = {name: np.bincount(division.new(name).labels, minlength=len(classes)) for name in names}
    fewest = min(names, key=lambda name: int(having[name].min()))
    least, label = int(having[fewest].min()), classes[int(having[fewest].argmin())]
    counts = tuple(n for n in sorted(wanted) if 2 * n <= least)
    if not counts:
        raise DataError(
            f"{problem.name}: {fewest!r} has {least} samples of {label!r} in the training part, but needs two: one "
            "to adapt on, one to test on.",
            "Record more of each class with each of them.",
        )
    if counts == tuple(sorted(wanted)):
        return counts, ""
    return counts, (
        f"the curves end at {counts[-1]} samples per class: {fewest!r} has {least} of {label!r} in the training part, "
        "and half of them are for testing"
    )


def _adapt(
    way: Way, start: Model, tuning: Tuning, new: Samples, chosen: npt.NDArray[np.int64], known: Samples, seed: int
) -> Model:
    """Return the network adapted on the chosen samples, and on old ones if the way keeps some."""
    samples = new.take(chosen)
    if way.answers:
        return way.taught(start, tuning, samples)
    model = way.model(start, tuning)
    if way.old:
        samples = joined(samples, known.take(few(known, way.old, seed)))
    data = model.scaling.encode(samples.values)
    return model.with_weights(trained(model, data, samples.labels, tuning.passes, seed).weights())


def _accuracy(model: Model, samples: Samples) -> float:
    return accuracy(Simulator(model), records(model, samples))
