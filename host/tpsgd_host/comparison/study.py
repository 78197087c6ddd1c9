"""The comparison itself: each contestant's learning rate is chosen on validation parts, then all are tested once."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from math import ceil
from statistics import fmean

from tpsgd_host.comparison.contestants import Contestant, contestant
from tpsgd_host.comparison.jobs import Workers
from tpsgd_host.comparison.problem import Part, Problem, final_part, validation_note, validation_parts
from tpsgd_host.comparison.results import Comparison, Entry, Setting, Trained, Tried
from tpsgd_host.comparison.verdict import verdict
from tpsgd_host.config import Config
from tpsgd_host.errors import ConfigError

ROUNDS = 4  # of looking for better settings around the best
SHORT = 4  # these rounds train for a fourth of the epochs,
SHORT_WORK = 2 * 10**9  # or for fewer: forward passes of so many multiply-accumulates, but an epoch at least
FINALISTS = 3  # settings that are then trained in full, and chosen from

#: Told what is done, of how much, and what is being done: (done, of, text).
Progress = Callable[[float, float, str], None]


@dataclass(frozen=True)
class Common:
    """What all jobs of a comparison need."""

    problem: Problem
    contestants: tuple[Contestant, ...]


@dataclass(frozen=True)
class Job:
    """Networks to train: some settings of a contestant on a part of the data."""

    contestant: int
    part: Part
    settings: tuple[Setting, ...]
    epochs: int


@dataclass
class _Search:
    """What one contestant has tried: for each setting the accuracies of its validation networks.

    Attributes
    ----------
    short, full : dict
        After the short runs, and after those of all epochs.
    """

    contestant: Contestant
    short: dict[Setting, list[float]] = field(default_factory=dict)
    full: dict[Setting, list[float]] = field(default_factory=dict)

    def next(self, config: Config) -> tuple[Setting, ...]:
        """Return what to try next, nothing when the best has been tried from all sides."""
        one = self.contestant
        wanted = one.around(self._best_short()[0]) if self.short else one.settings()
        tried = {one.describe(config, s) for s in self.short}
        # Where hidden layers do not learn, settings that differ in their rates alone are one.
        new = {one.describe(config, s): s for s in reversed(wanted) if one.valid(config, s)}
        return tuple(s for s in wanted if s in new.values() and one.describe(config, s) not in tried)

    def finalists(self) -> tuple[Setting, ...]:
        """Return the settings to train in full, the best first."""
        return tuple(self._best_short()[:FINALISTS])

    def best(self) -> Setting:
        """Return the best setting; of several the one that was better in the short runs."""
        return max(self.full, key=lambda setting: fmean(self.full[setting]))

    def _best_short(self) -> list[Setting]:
        return sorted(self.short, key=lambda setting: -fmean(self.short[setting]))


def compare(
    problem: Problem,
    rules: Sequence[str | Contestant] = ("int-tpsgd", "int-frozen", "bp"),
    *,
    seeds: int = 5,
    jobs: int = 1,
    progress: Progress = lambda done, of, text: None,
) -> Comparison:
    """Compare contestants on a problem.

    Parameters
    ----------
    problem : Problem
    rules : sequence of str or Contestant
        Names of ``RULES``, or contestants of one's own (a layer loss given as a function, say).
    seeds : int
        Networks of each contestant on the test part: the problem's own seed and those after it.
    jobs : int
        Processes. The figures are the same for any number; above 1 the program that calls this must be importable.
    progress : callable

    Returns
    -------
    Comparison

    Raises
    ------
    DataError
        When there are too few recordings to choose learning rates by.
    ConfigError
        When no contestant is named, or one that is not known.
    """
    named = tuple(contestant(rule) if isinstance(rule, str) else rule for rule in rules)
    contestants = tuple(one for one in named if one.applies(problem.config))
    if not contestants:
        raise ConfigError("There is no rule to compare.", "Name some with --rules, or leave it out.")
    parts = validation_parts(problem)
    final = final_part(problem, seeds)
    with Workers(_work, Common(problem, contestants), jobs) as workers:
        tracker = _Tracker(problem, contestants, parts, final, progress)
        searches = _choose(problem, contestants, parts, workers, tracker)
        tests = _test(searches, final, problem.epochs, workers, tracker)
    entries = tuple(_entry(problem, search, tested) for search, tested in zip(searches, tests, strict=True))
    notes = [*problem.notes, validation_note(problem, parts), _edge_note(problem, searches)]
    return Comparison(
        problem.name, problem.network, problem.train.classes, len(problem.train), len(problem.test), problem.epochs,
        final.seeds, problem.shuffle_seed, len(parts), sum(len(part.test) for part in parts), problem.data, entries,
        verdict(entries, len(problem.test)), tuple(filter(None, notes)),
    )  # fmt: skip


def short_run(problem: Problem) -> int:
    """Return the epochs of the runs that look for settings."""
    affordable = SHORT_WORK // (len(problem.train) * problem.multiplies)
    return max(1, min(ceil(problem.epochs / SHORT), affordable))


def _choose(
    problem: Problem, contestants: tuple[Contestant, ...], parts: tuple[Part, ...],
    workers: Workers[Common, Job, Trained], tracker: _Tracker,
) -> list[_Search]:  # fmt: skip
    """Look for each contestant's best setting on the validation parts."""
    searches = [_Search(one) for one in contestants]

    def run(text: str, epochs: int, wanted: list[tuple[Setting, ...]], full: bool) -> None:
        jobs = _jobs(contestants, wanted, parts, epochs)
        for job, trained in zip(jobs, tracker.run(workers, jobs, text), strict=True):
            search = searches[job.contestant]
            found = search.full if full else search.short
            for setting, accuracies in zip(job.settings, trained.accuracies.tolist(), strict=True):
                found.setdefault(setting, []).extend(accuracies)

    for number in range(1, ROUNDS + 1):
        wanted = [search.next(problem.config) for search in searches]
        run(f"looking for learning rates, {number} of {ROUNDS}", short_run(problem), wanted, full=False)
    run("choosing learning rates", problem.epochs, [search.finalists() for search in searches], full=True)
    return searches


def _edge_note(problem: Problem, searches: list[_Search]) -> str:
    """Say whose best rates were not tried from all sides when the rounds were over, or nothing."""
    titles = [search.contestant.title for search in searches if search.next(problem.config)]
    return f"better rates than those that were tried may exist for: {'; '.join(titles)}" if titles else ""


def _test(
    searches: list[_Search], final: Part, epochs: int, workers: Workers[Common, Job, Trained], tracker: _Tracker
) -> list[Trained]:
    """Train with the settings that were chosen, and look at the test part for the first and only time."""
    jobs = [Job(i, final, (search.best(),), epochs) for i, search in enumerate(searches)]
    return tracker.run(workers, jobs, "training with the rates chosen")


def _jobs(
    contestants: tuple[Contestant, ...], wanted: list[tuple[Setting, ...]], parts: tuple[Part, ...], epochs: int
) -> list[Job]:
    """Return the jobs that train what each contestant wants on all parts."""
    return [
        Job(i, part, settings, epochs)
        for i, one in enumerate(contestants)
        for settings in _portions(one, wanted[i])
        for part in parts
    ]


def _portions(one: Contestant, settings: tuple[Setting, ...]) -> list[tuple[Setting, ...]]:
    """Divide settings into jobs: integers one by one, floats together, for in lockstep many cost little more."""
    if not settings:
        return []
    return [(setting,) for setting in settings] if one.integer else [settings]


def _entry(problem: Problem, search: _Search, tested: Trained) -> Entry:
    one, setting = search.contestant, search.best()
    tried = [
        Tried(one.describe(problem.config, s), epochs, fmean(accuracies))
        for epochs, found in ((short_run(problem), search.short), (problem.epochs, search.full))
        for s, accuracies in sorted(found.items())
    ]
    return Entry(
        one.name, one.title, one.integer, setting, one.describe(problem.config, setting), tuple(tried),
        fmean(search.full[setting]), tuple(tested.history[:, 0].mean(axis=1).tolist()),
        tuple(tested.accuracies[0].tolist()), one.bytes(problem.config, problem.train),
        tested.seconds / tested.accuracies.size, int(tested.diverged.sum()),
    )  # fmt: skip


class _Tracker:
    """Runs jobs and tells how far all of it is, the rounds that are still to come among it, as far as one knows."""

    # Measured in microseconds, a sample: what lockstep spends on calls, in all and for each step; then, for a
    # thousand multiply-accumulates, a network in lockstep and one in C.
    CALLS, CALLS_A_STEP, IN_LOCKSTEP, IN_C = 60.0, 25.0, 1.7, 0.7

    def __init__(
        self, problem: Problem, contestants: tuple[Contestant, ...], parts: tuple[Part, ...], final: Part,
        progress: Progress,
    ) -> None:  # fmt: skip
        self._problem, self._contestants, self._progress = problem, contestants, progress
        short = short_run(problem)
        first = [tuple(s for s in one.settings() if one.valid(problem.config, s)) for one in contestants]
        finalists = [settings[:FINALISTS] for settings in first]
        last = [Job(i, final, ((0.0,),), problem.epochs) for i in range(len(contestants))]
        self._last = sum(map(self._weight, last)) + sum(
            map(self._weight, _jobs(contestants, finalists, parts, problem.epochs))
        )
        self._searching = ROUNDS * sum(map(self._weight, _jobs(contestants, first, parts, short)))
        self._done = 0.0

    def run(self, workers: Workers[Common, Job, Trained], jobs: list[Job], text: str) -> list[Trained]:
        """Run jobs, the longest first, and return what came of them, in their order."""
        weights = [self._weight(job) for job in jobs]
        order = sorted(range(len(jobs)), key=lambda i: -weights[i])
        of = max(self._searching + self._last, self._done + sum(weights))

        def report(done: float) -> None:
            self._progress(self._done + done, of, text)

        report(0.0)
        results = workers.run([jobs[i] for i in order], [weights[i] for i in order], report)
        self._done += sum(weights)
        by_place = dict(zip(order, results, strict=True))
        return [by_place[i] for i in range(len(jobs))]

    def _weight(self, job: Job) -> float:
        problem = self._problem
        thousands = len(job.settings) * len(job.part.seeds) * problem.multiplies / 1000
        cost = self.IN_C * thousands
        if not self._contestants[job.contestant].integer:
            steps = problem.train.values.shape[1] if problem.recurrent else 0
            cost = self.CALLS + self.CALLS_A_STEP * steps + self.IN_LOCKSTEP * thousands
        return cost * len(job.part.train) * job.epochs


def _work(common: Common, job: Job, report: Callable[[float], None]) -> Trained:
    """Train the networks of a job."""
    problem = common.problem
    since = time.process_time()
    trained = common.contestants[job.contestant].train(
        problem.config, job.part, job.settings, job.epochs, problem.shuffle_seed, report
    )
    return replace(trained, seconds=time.process_time() - since)
