"""The comparison itself: each method's learning rate is chosen on validation parts, then all are tested once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import ceil
from statistics import fmean

from tpsgd_host.comparison.methods import Method, method
from tpsgd_host.comparison.problem import Part, Problem, final_part, validation_note, validation_parts
from tpsgd_host.comparison.results import Comparison, Entry, Setting, Trained, Tried
from tpsgd_host.comparison.training import Job, Progress, Training, jobs_for
from tpsgd_host.comparison.verdict import verdict
from tpsgd_host.errors import ConfigError
from tpsgd_host.model.config import Config

ROUNDS = 4  # of looking for better settings around the best
SHORT = 4  # these rounds train for a fourth of the epochs,
SHORT_WORK = 2 * 10**9  # or for fewer: forward passes of so many multiply-accumulates, but an epoch at least
FINALISTS = 3  # settings that are then trained in full, and chosen from


@dataclass
class _Search:
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
        return max(self.full, key=lambda setting: fmean(self.full[setting]))

    def _best_short(self) -> list[Setting]:
        return sorted(self.short, key=lambda setting: -fmean(self.short[setting]))


def compare(
    problem: Problem,
    methods: Sequence[str | Method] = ("int-tpsgd", "int-frozen", "bp"),
    *,
    seeds: int = 5,
    jobs: int = 1,
    progress: Progress = lambda done, of, text: None,
) -> Comparison:
    """Compare methods on a problem.

    Parameters
    ----------
    problem : Problem
    methods : sequence of str or Method
        Names of ``METHOD_NAMES``, or methods of one's own (a layer loss given as a function, say).
    seeds : int
        Networks of each method on the test part: the problem's own seed and those after it.
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
        When no method is named, or one that is not known.
    """
    named = tuple(method(name) if isinstance(name, str) else name for name in methods)
    taking_part = tuple(one for one in named if one.applies(problem.config))
    if not taking_part:
        raise ConfigError("There is no method to compare.", "Name some with --taking_part, or leave it out.")
    parts = validation_parts(problem)
    final = final_part(problem, seeds)
    with Training(problem, taking_part, jobs, progress) as training:
        _expect(problem, taking_part, parts, final, training)
        searches = _choose(problem, taking_part, parts, training)
        tests = _test(searches, final, problem.epochs, training)
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


def _expect(
    problem: Problem, methods: tuple[Method, ...], parts: tuple[Part, ...], final: Part, training: Training
) -> None:
    """Tell how much work there will be, as far as one knows before the first round."""
    first = [tuple(s for s in one.settings() if one.valid(problem.config, s)) for one in methods]
    training.expect(jobs_for(methods, first, parts, short_run(problem)), ROUNDS)
    training.expect(jobs_for(methods, [settings[:FINALISTS] for settings in first], parts, problem.epochs))
    training.expect(jobs_for(methods, [settings[:1] for settings in first], (final,), problem.epochs))


def _choose(
    problem: Problem, methods: tuple[Method, ...], parts: tuple[Part, ...], training: Training
) -> list[_Search]:
    """Look for each method's best setting on the validation parts."""
    searches = [_Search(one) for one in methods]

    def run(text: str, epochs: int, wanted: list[tuple[Setting, ...]], full: bool) -> None:
        jobs = jobs_for(methods, wanted, parts, epochs)
        for job, trained in zip(jobs, training.run(jobs, text), strict=True):
            search = searches[job.method]
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
    titles = [search.method.title for search in searches if search.next(problem.config)]
    return f"better rates than those that were tried may exist for: {'; '.join(titles)}" if titles else ""


def _test(searches: list[_Search], final: Part, epochs: int, training: Training) -> list[Trained]:
    """Train with the settings that were chosen, and look at the test part for the first and only time."""
    jobs = [Job(i, final, (search.best(),), epochs) for i, search in enumerate(searches)]
    return training.run(jobs, "training with the rates chosen")


def _entry(problem: Problem, search: _Search, tested: Trained) -> Entry:
    one, setting = search.method, search.best()
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
