"""The search for learning rates: short runs around the best so far, then a few settings in full.

A setting is as good as the mean accuracy of its validation networks, less the deviation over them: rates that now and
then ruin a network are not the best, even where they are so on average.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import ceil
from statistics import fmean, stdev

from tpsgd_host.comparison.methods import Method
from tpsgd_host.comparison.problem import Part, Problem
from tpsgd_host.comparison.results import Setting
from tpsgd_host.comparison.training import Training, jobs_for
from tpsgd_host.model.config import Config

ROUNDS = 4  # of looking for better settings around the best
SHORT = 4  # these rounds train for a fourth of the epochs,
SHORT_WORK = 2 * 10**9  # or for fewer: forward passes of so many multiply-accumulates, but an epoch at least
FINALISTS = 3  # settings that are then trained in full, and chosen from


@dataclass
class Search:
    """What one method has tried: for each setting the accuracies of its validation networks.

    Attributes
    ----------
    short, full : dict
        After the short runs, and after those of all epochs.
    """

    method: Method
    short: dict[Setting, list[float]] = field(default_factory=dict)
    full: dict[Setting, list[float]] = field(default_factory=dict)

    def next(self, config: Config) -> tuple[Setting, ...]:
        """Return what to try next, nothing when the best has been tried from all sides."""
        one = self.method
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
        return max(self.full, key=lambda setting: reliable(self.full[setting]))

    def _best_short(self) -> list[Setting]:
        return sorted(self.short, key=lambda setting: -reliable(self.short[setting]))


def reliable(accuracies: Sequence[float]) -> float:
    """Return what may be expected of a network: the mean of several, less their standard deviation."""
    return fmean(accuracies) - (stdev(accuracies) if len(accuracies) > 1 else 0.0)


def short_run(problem: Problem) -> int:
    """Return the epochs of the runs that look for settings."""
    affordable = SHORT_WORK // (len(problem.train) * problem.multiplies)
    return max(1, min(ceil(problem.epochs / SHORT), affordable))


def find_settings(
    problem: Problem,
    methods: tuple[Method, ...],
    parts: tuple[Part, ...],
    training: Training,
    always: tuple[Setting, ...] = (),
) -> list[Search]:
    """Look for each method's best setting on the validation parts, for :meth:`Search.best` to name.

    Parameters
    ----------
    always : tuple of Setting
        Trained in full whatever the short runs say.
    """
    searches = [Search(one) for one in methods]

    def run(text: str, epochs: int, wanted: list[tuple[Setting, ...]], full: bool) -> None:
        jobs = jobs_for(methods, wanted, parts, epochs)
        for job, trained in zip(jobs, training.run(jobs, text), strict=True):
            of_method = searches[job.method]
            found = of_method.full if full else of_method.short
            for setting, accuracies in zip(job.settings, trained.accuracies.tolist(), strict=True):
                found.setdefault(setting, []).extend(accuracies)

    for number in range(1, ROUNDS + 1):
        wanted = [search.next(problem.config) for search in searches]
        run(f"looking for learning rates, {number} of {ROUNDS}", short_run(problem), wanted, full=False)
    finalists = [tuple(dict.fromkeys((*search.finalists(), *always))) for search in searches]
    run("choosing learning rates", problem.epochs, finalists, full=True)
    return searches


def edge_note(problem: Problem, searches: Sequence[Search]) -> str:
    """Say whose best rates were not tried from all sides when the rounds were over, or nothing."""
    titles = [search.method.title for search in searches if search.next(problem.config)]
    return f"better rates than those that were tried may exist for: {'; '.join(titles)}" if titles else ""
