"""The network that an adaptation study saves: trained on everything, and set up to learn in the best way."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from statistics import fmean

from tpsgd_host.adaptation.new_class import GROWTHS
from tpsgd_host.adaptation.results import AdaptationStudy, spoken_of
from tpsgd_host.adaptation.ways import LAST_LAYER, WAYS, Tuning, Way, train_model
from tpsgd_host.comparison.problem import Problem
from tpsgd_host.model.build import build_model
from tpsgd_host.model.modelfile import Model


@dataclass(frozen=True)
class Ready:
    """A network to flash and adapt.

    Attributes
    ----------
    tuning : Tuning
        Its update shift is in the model; its passes are through the new samples.
    old : int
        Old samples per class to show among them.
    """

    model: Model
    tuning: Tuning
    old: int = 0


def ready_model(problem: Problem, one: AdaptationStudy) -> Ready:
    """Return a network trained on all training samples and ready to adapt in the best way.

    For a new subject, ways that need old samples are not considered, so a board needs only the new ones; those with
    prototypes are what ``adapt`` makes. A new class is
    added with the whole output layer learning, as on boards.
    """
    n = spoken_of(one.counts)
    if one.kind == "class":
        growths = {growth.name: growth for growth in GROWTHS if not growth.alone and not growth.answers}
        name, tuning = _best(one, n, set(growths) & {way for way, _, _ in one.ways}, old=True)
        return Ready(_trained(problem, LAST_LAYER, tuning), tuning, growths[name].kept(n))
    ways = {way.name: way for way in WAYS if not way.keeps_known}
    name, tuning = _best(one, n, set(ways) & {way for way, _, _ in one.ways}, old=False)
    return Ready(_trained(problem, ways[name], tuning), tuning)


def _best(one: AdaptationStudy, n: int, names: set[str], old: bool) -> tuple[str, Tuning]:
    """Return the way with the best accuracy in choosing, and its most frequent tuning."""
    found = [a for held in one.held_out for a in held.adapted if a.count == n and a.way in names]

    def score(name: str) -> float:
        return fmean(a.validation[0] + (a.validation[1] if old else 0.0) for a in found if a.way == name)

    name = max(sorted(names), key=score)
    ((text, _),) = Counter(a.tuning for a in found if a.way == name).most_common(1)
    return name, Tuning.of(text)


def _trained(problem: Problem, way: Way, tuning: Tuning) -> Model:
    drawn = build_model(problem.config, problem.train)
    base = train_model(drawn, problem.train, problem.epochs, problem.shuffle_seed)
    start = way.start(drawn, base, problem.train, problem.epochs, problem.shuffle_seed)
    return way.model(start, tuning)
