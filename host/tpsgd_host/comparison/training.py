"""Train the networks of a comparison: jobs for several processes, with progress over all planned work."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from types import TracebackType

from tpsgd_host.comparison.cluster import workers
from tpsgd_host.comparison.finished import FOLDER, Finished, key_of
from tpsgd_host.comparison.jobs import Crew
from tpsgd_host.comparison.methods import METHODS, Method
from tpsgd_host.comparison.problem import Part, Problem
from tpsgd_host.comparison.results import Setting, Trained

# What training takes, measured, in microseconds a sample: calls of NumPy, for networks in lockstep together, in all and
# for each step; then for a thousand multiply-accumulates, a network in lockstep and one in C.
CALLS, CALLS_A_STEP, IN_LOCKSTEP, IN_C = 60.0, 25.0, 1.7, 0.7

#: Called with the work done, the total, and what is being done: (done, of, text).
Progress = Callable[[float, float, str], None]


@dataclass(frozen=True)
class Common:
    """What all jobs of a comparison need."""

    problem: Problem
    methods: tuple[Method, ...]


@dataclass(frozen=True)
class Job:
    """Networks to train: some settings of a method on a part of the data."""

    method: int
    part: Part
    settings: tuple[Setting, ...]
    epochs: int


def jobs_for(
    methods: Sequence[Method], wanted: Sequence[tuple[Setting, ...]], parts: Sequence[Part], epochs: int
) -> list[Job]:
    """Return the jobs that train each method's ``wanted`` settings on all parts."""
    return [
        Job(i, part, settings, epochs)
        for i, one in enumerate(methods)
        for settings in _portions(one, wanted[i])
        for part in parts
    ]


class Training:
    """Trains networks and reports overall progress; a context manager.

    Parameters
    ----------
    jobs : int or Crew
        Number of processes, or who works.
    progress : callable
    """

    def __init__(self, problem: Problem, methods: tuple[Method, ...], jobs: int | Crew, progress: Progress) -> None:
        self._problem, self._methods, self._progress = problem, methods, progress
        self._workers = workers(_work, Common(problem, methods), jobs)
        folder = jobs.folder if isinstance(jobs, Crew) else None
        self._finished = Finished(folder / FOLDER) if folder is not None else None
        self._expected = self._done = 0.0

    def __enter__(self) -> Training:
        self._workers.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._workers.__exit__(kind, error, trace)

    def expect(self, jobs: Sequence[Job], times: int = 1) -> None:
        """Plan for more work; if more comes than planned, the end moves away."""
        self._expected += times * sum(map(self._weight, jobs))

    def run(self, jobs: Sequence[Job], text: str) -> list[Trained]:
        """Run jobs, the longest first, and return their results in the given order."""
        weights = [self._weight(job) for job in jobs]
        order = sorted(range(len(jobs)), key=lambda i: -weights[i])
        of = max(self._expected, self._done + sum(weights))

        def report(done: float) -> None:
            self._progress(self._done + done, of, text)

        keys = [self._key(job) for job in jobs]
        found = {i: trained for i, key in enumerate(keys) if (trained := self._load(key)) is not None}
        order = [i for i in order if i not in found]
        self._done += sum(weights[i] for i in found)
        report(0.0)
        keep = self._keep([keys[i] for i in order])
        results = self._workers.run([jobs[i] for i in order], [weights[i] for i in order], report, keep)
        self._done += sum(weights[i] for i in order)
        found.update(zip(order, results, strict=True))
        return [found[i] for i in range(len(jobs))]

    def _key(self, job: Job) -> str:
        """Return the name under which the result of a job is kept; empty where none is."""
        if self._finished is None:
            return ""
        problem, part, one = self._problem, job.part, self._methods[job.method]
        return key_of(
            one.name if one in METHODS else one, problem.config, part.train, part.test, part.seeds, job.settings,
            job.epochs, problem.shuffle_seed,
        )  # fmt: skip

    def _load(self, key: str) -> Trained | None:
        return self._finished.load(key) if self._finished is not None else None

    def _keep(self, keys: Sequence[str]) -> Callable[[int, Trained], None]:
        """Return what keeps the results of jobs with these names."""

        def keep(i: int, trained: Trained) -> None:
            if self._finished is not None:
                self._finished.save(keys[i], trained)

        return keep

    def _weight(self, job: Job) -> float:
        """Estimate how long a job takes."""
        problem = self._problem
        thousands = len(job.settings) * len(job.part.seeds) * problem.multiplies / 1000
        cost = IN_C * thousands
        if not self._methods[job.method].integer:
            steps = problem.train.values.shape[1] if problem.recurrent else 0
            cost = CALLS + CALLS_A_STEP * steps + IN_LOCKSTEP * thousands
        return cost * len(job.part.train) * job.epochs


def _portions(one: Method, settings: tuple[Setting, ...]) -> list[tuple[Setting, ...]]:
    """Divide settings into jobs: integers one by one, floats together, because many in lockstep cost little more."""
    if not settings:
        return []
    return [(setting,) for setting in settings] if one.integer else [settings]


def _work(common: Common, job: Job, report: Callable[[float], None]) -> Trained:
    """Train the networks of a job."""
    problem = common.problem
    since = time.process_time()
    trained = common.methods[job.method].train(
        problem.config, job.part, job.settings, job.epochs, problem.shuffle_seed, report
    )
    return replace(trained, seconds=time.process_time() - since)
