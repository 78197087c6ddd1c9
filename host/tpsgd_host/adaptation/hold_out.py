"""The scheme of all adaptation studies: hold out each item in turn, choose how to adapt without it, adapt to it.

How to adapt (update shift, passes) is chosen only on training samples: a second item is left out too, adapted to as if
it were new, and tested on. Neither the item that is really new nor the test part influences the choice.

Legend: n samples per class to adapt on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from tpsgd_host.adaptation.results import Adapted, HeldOut
from tpsgd_host.adaptation.ways import Choice, Choices, Tuning, chosen
from tpsgd_host.comparison.cluster import workers
from tpsgd_host.comparison.jobs import Crew
from tpsgd_host.comparison.training import Progress

_TEST = 0.2  # of the work of a job that chooses, because it tries one tuning


@dataclass(frozen=True)
class Job:
    """A network to train without some items, and to adapt to each of ``targets``.

    Attributes
    ----------
    choices : dict, optional
        The chosen tunings by way and n; by default all tunings are tried.
    """

    without: tuple[str, ...]
    targets: tuple[str, ...]
    seed: int
    choices: Choices | None = None


@dataclass(frozen=True)
class Outcome:
    """The result of a job: accuracies on new and on known items.

    Attributes
    ----------
    before : dict
        By (target, way).
    adapted : dict
        By (target, way, n, tuning).
    """

    before: dict[tuple[str, str], tuple[float, float]]
    adapted: dict[tuple[str, str, int, Tuning], tuple[float, float]]


class Named(Protocol):
    """A way to adapt."""

    @property
    def name(self) -> str:
        """Its name."""


class Experiment(Protocol):
    """What is held out, and how networks adapt to it; processes get a copy."""

    @property
    def ways(self) -> Sequence[Named]:
        """Ways to adapt."""

    @property
    def counts(self) -> tuple[int, ...]:
        """Each n."""

    def counts_known(self, way: str) -> bool:
        """Whether known items count as much as new ones in choosing a way's tuning."""

    def usual(self, way: str) -> Tuning:
        """Return the tuning of a way where no other item can be left out to choose one."""

    def work(self, job: Job, report: Callable[[float], None]) -> Outcome:
        """Train the network of a job, and adapt it in every way."""


def hold_out(
    experiment: Experiment,
    held: Sequence[str],
    names: Sequence[str],
    *,
    choosers: int,
    networks: int,
    first_seed: int,
    seeds: int,
    jobs: int | Crew,
    progress: Progress,
    kind: str,
) -> tuple[HeldOut, ...]:
    """Hold out one item after the other, and adapt to it.

    Parameters
    ----------
    held : sequence of str
        The items to hold out, of all ``names``.
    choosers : int
        Maximum number of others to leave out for choosing; 0: every way has its usual tuning.
    networks : int
        Number of networks for each of these.
    first_seed : int
        The final networks have this seed and the ``seeds - 1`` after it; those for choosing have others.
    jobs : int or Crew
        Number of processes, or who works; it does not change the figures.
    kind : str
        What the items are called, for readers.
    """
    others = {one: _next(one, names, choosers) for one in held}
    looks = _choosing_jobs(others, range(first_seed + 1000, first_seed + 1000 + networks))
    weights = [float(len(job.targets)) for job in looks]
    chosen_by, tests = sum(weights), len(held) * seeds
    total = chosen_by + _TEST * tests
    with workers(_work, experiment, jobs) as crew:
        found = crew.run(looks, weights, lambda done: progress(done, total, "choosing how to adapt"))
        choices = {one: _choices(one, others[one], looks, found, experiment) for one in held}
        final = [Job((one,), (one,), first_seed + i, choices[one]) for one in held for i in range(seeds)]
        outcomes = crew.run(
            final, [_TEST] * tests, lambda done: progress(chosen_by + done, total, f"adapting to each {kind}")
        )
    groups = [outcomes[i * seeds : (i + 1) * seeds] for i in range(len(held))]
    return tuple(_held(one, choices[one], group, experiment) for one, group in zip(held, groups, strict=True))


def _work(experiment: Experiment, job: Job, report: Callable[[float], None]) -> Outcome:
    return experiment.work(job, report)


def _next(one: str, names: Sequence[str], count: int) -> list[str]:
    """Return the next items in the list, so that all get their turn."""
    at = names.index(one)
    return [*names[at + 1 :], *names[:at]][:count]


def _choosing_jobs(others: dict[str, list[str]], seeds: Sequence[int]) -> list[Job]:
    """Return the networks to train without two items: the held-out one, and a known one to adapt to instead."""
    targets: dict[tuple[str, ...], set[str]] = {}
    for one, known in others.items():
        for other in known:
            targets.setdefault(tuple(sorted((one, other))), set()).add(other)
    return [Job(pair, tuple(sorted(to)), seed) for pair, to in sorted(targets.items()) for seed in seeds]


def _choices(one: str, known: list[str], jobs: list[Job], outcomes: list[Outcome], experiment: Experiment) -> Choices:
    """Return the tuning for each way and n that was best on known items when they were left out."""
    scores: dict[tuple[str, int], dict[Tuning, list[tuple[float, float]]]] = {}
    for job, outcome in zip(jobs, outcomes, strict=True):
        if one in job.without:
            for (target, way, n, tuning), pair in outcome.adapted.items():
                if target != one and target in known:
                    scores.setdefault((way, n), {}).setdefault(tuning, []).append(pair)
    found = {key: chosen(pairs, old=experiment.counts_known(key[0])) for key, pairs in scores.items()}
    for name in [one.name for one in experiment.ways]:
        for n in experiment.counts:
            found.setdefault((name, n), Choice(experiment.usual(name), 0.0, 0.0))
    return found


def _held(one: str, choices: Choices, outcomes: list[Outcome], experiment: Experiment) -> HeldOut:
    adapted = []
    for way in experiment.ways:
        adapted.append(Adapted.of(way.name, 0, [outcome.before[one, way.name] for outcome in outcomes]))
        for n in experiment.counts:
            choice = choices[way.name, n]
            pairs = [outcome.adapted[one, way.name, n, choice.tuning] for outcome in outcomes]
            adapted.append(Adapted.of(way.name, n, pairs, choice))
    return HeldOut(one, tuple(adapted))
