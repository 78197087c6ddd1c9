"""Search for learning rates: short runs around the best so far, then a few settings in full.

A setting's score is the mean accuracy of its validation networks minus their deviation, so rates that sometimes ruin a
network are not the best, even if their mean is.

The best setting replaces the one that the search began with only if its gain is larger than the gain's standard error
(Breiman, Friedman, Olshen, Stone, *Classification and Regression Trees*, 1984): on few recordings the best of thirty
settings is the luckiest. The error is the corrected one of :mod:`~tpsgd_host.comparison.differences`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import ceil, sqrt
from statistics import fmean, stdev

from tpsgd_host.comparison.methods import Method
from tpsgd_host.comparison.problem import Part, Problem
from tpsgd_host.comparison.results import Setting
from tpsgd_host.comparison.training import Training, jobs_for
from tpsgd_host.model.config import Config

ROUNDS = 4  # of search for better settings around the best
SHORT = 4  # these rounds train for a fourth of the epochs,
SHORT_WORK = 2 * 10**9  # or fewer: at most this many multiply-accumulates, but at least one epoch
FINALISTS = 3  # settings to train in full, from which the best is chosen


@dataclass
class Search:
    """What was tried for one method: for each setting, the accuracies of its validation networks.

    Attributes
    ----------
    ratio : float
        Held-out samples per training sample.
    short, full : dict
        Accuracies after the short runs, and after the full ones.
    """

    method: Method
    ratio: float
    short: dict[Setting, list[float]] = field(default_factory=dict)
    full: dict[Setting, list[float]] = field(default_factory=dict)

    def next(self, config: Config) -> tuple[Setting, ...]:
        """Return what to try next; empty when all neighbours of the best were tried."""
        one = self.method
        wanted = one.around(self._best_short()[0]) if self.short else one.settings()
        tried = {one.describe(config, s) for s in self.short}
        # If hidden layers do not learn, settings that differ only in their rates are the same.
        new = {one.describe(config, s): s for s in reversed(wanted) if one.valid(config, s)}
        return tuple(s for s in wanted if s in new.values() and one.describe(config, s) not in tried)

    @property
    def start(self) -> Setting:
        """The setting that the search begins with: an integer network's own, or the usual rates."""
        return self.method.settings()[0]

    def finalists(self) -> tuple[Setting, ...]:
        """Return the settings to train in full, best first, and the first one in any case."""
        return tuple(dict.fromkeys((*self._best_short()[:FINALISTS], self.start)))

    def best(self) -> Setting:
        """Return the best setting (the short runs decide a tie), or the first one if the gain may be luck."""
        best = max(self.full, key=lambda setting: reliable(self.full[setting]))
        return best if clear_gain(self.full[self.start], self.full[best], self.ratio) else self.start

    def _best_short(self) -> list[Setting]:
        return sorted(self.short, key=lambda setting: -reliable(self.short[setting]))


def clear_gain(before: Sequence[float], after: Sequence[float], ratio: float) -> bool:
    """Return whether networks gain more than the gain's standard error; ``ratio`` as in :class:`Search`."""
    gains = [new - old for new, old in zip(after, before, strict=True)]
    error = sqrt(1 / len(gains) + ratio) * stdev(gains) if len(gains) > 1 else 0.0
    return fmean(gains) > error


def reliable(accuracies: Sequence[float]) -> float:
    """Return the score of a setting: the mean of its networks minus their standard deviation."""
    return fmean(accuracies) - (stdev(accuracies) if len(accuracies) > 1 else 0.0)


def short_run(problem: Problem) -> int:
    """Return the epochs of the short runs."""
    affordable = SHORT_WORK // (len(problem.train) * problem.multiplies)
    return max(1, min(ceil(problem.epochs / SHORT), affordable))


def find_settings(
    problem: Problem,
    methods: tuple[Method, ...],
    parts: tuple[Part, ...],
    training: Training,
) -> list[Search]:
    """Search for each method's best setting on the validation parts; :meth:`Search.best` returns it."""
    searches = [Search(one, len(parts[0].test) / len(parts[0].train)) for one in methods]

    def run(text: str, epochs: int, wanted: list[tuple[Setting, ...]], full: bool) -> None:
        jobs = jobs_for(methods, wanted, parts, epochs)
        for job, trained in zip(jobs, training.run(jobs, text), strict=True):
            of_method = searches[job.method]
            found = of_method.full if full else of_method.short
            for setting, accuracies in zip(job.settings, trained.accuracies.tolist(), strict=True):
                found.setdefault(setting, []).extend(accuracies)

    for number in range(1, ROUNDS + 1):
        wanted = [search.next(problem.config) for search in searches]
        run(f"searching for learning rates, {number} of {ROUNDS}", short_run(problem), wanted, full=False)
    run("choosing learning rates", problem.epochs, [search.finalists() for search in searches], full=True)
    return searches


def edge_note(problem: Problem, searches: Sequence[Search]) -> str:
    """Return a note on methods whose best rates have untried neighbours, or nothing."""
    titles = [search.method.title for search in searches if search.next(problem.config)]
    return f"better rates than those tried may exist for: {'; '.join(titles)}" if titles else ""
