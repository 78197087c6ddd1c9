"""Does variation while training help? Networks learn few recordings of each class, or none of those made last.

python tests/campaigns/varied.py FOLDER --task wand
python tests/campaigns/varied.py FOLDER --task wand --in-a-row
python tests/campaigns/varied.py FOLDER --task wand --samples
python tests/campaigns/varied.py FOLDER --task fsdd --variation words --folds

FOLDER holds the tasks' data. Networks learn some recordings of each class and are tested on all others: the accuracy is
the mean of the classes'. With --in-a-row a fifth of each class's recordings is left out, as they follow each other in
the data, and not as chance has it: who holds a wand for an hour does not hold it alike at its end. With
--samples networks then adapt to 1 to 5 recordings of each class of that fifth (new, known). With --folds each
recording is tested once, as with compare --folds 5, but at the rates of the task's TOML.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

import base  # noqa: F401  (finds the helpers)
import numpy as np
import numpy.typing as npt

from tpsgd_host.adaptation.new_subject import study_new_subject
from tpsgd_host.adaptation.ways import LAST_LAYER, WAYS
from tpsgd_host.comparison import fold_problems, task_problem
from tpsgd_host.comparison.integer import classified, learn, records
from tpsgd_host.comparison.problem import Problem
from tpsgd_host.data.samples import Samples, joined
from tpsgd_host.model.build import build_model
from tpsgd_host.training.simulator import Simulator

PARTS = 5
COUNTS = ("3", "5", "10", "20")


def recordings(problem: Problem) -> tuple[Samples, npt.NDArray[np.object_]]:
    """Return all samples, and the name of the recording of each; both parts may use the same names."""
    known = set(problem.train.groups)
    names = tuple(f"{name} (test)" if name in known else name for name in problem.test.groups)
    everything = joined(problem.train, replace(problem.test, groups=names))
    return everything, np.array(everything.groups, object)


def drawn(samples: Samples, names: npt.NDArray[np.object_], count: int, seed: int) -> npt.NDArray[np.bool_]:
    """Return which samples to learn: those of ``count`` recordings of each class, at most half of them."""
    dice, found = np.random.default_rng(seed), np.zeros(len(samples), bool)
    for y in range(len(samples.classes)):
        own = sorted(set(names[samples.labels == y]))
        for place in dice.permutation(len(own))[: min(count, max(1, len(own) // 2))]:
            found |= (names == own[place]) & (samples.labels == y)
    return found


def fifths(samples: Samples) -> npt.NDArray[np.int64]:
    """Return the fifth of each sample, 0 to 4: recordings of a class in the order of their names, few dealt out."""
    names, found = np.array(samples.groups, object), np.zeros(len(samples), np.int64)
    for y in range(len(samples.classes)):
        own = sorted(set(names[samples.labels == y]))
        for place, name in enumerate(own):
            fifth = place * PARTS // len(own) if len(own) >= 2 * PARTS else place % PARTS
            found[(names == name) & (samples.labels == y)] = fifth
    return found


def accuracy(problem: Problem, train: Samples, test: Samples, kind: str, seed: int) -> float:
    """Return the mean accuracy of the classes on the samples that a network has not learned, in percent."""
    config = replace(problem.config, seed=seed, training=replace(problem.config.training, variation=kind))
    model = build_model(config, train)
    simulator = Simulator(model)
    for _ in learn(simulator, model, train, problem.epochs, problem.shuffle_seed):
        pass
    right = classified(simulator, records(model, test))
    return float(100 * np.mean([right[test.labels == y].mean() for y in np.unique(test.labels)]))


def parts(problem: Problem, how: str, seed: int) -> list[tuple[Samples, Samples]]:
    """Return what to learn and what to test; ``how`` is a number of recordings, ``row`` or ``folds``."""
    if how == "folds":
        return [(one.train, one.test) for one in fold_problems(problem, PARTS, 1)]
    samples, names = recordings(problem)
    learned = [fifths(samples) != k for k in range(PARTS)] if how == "row" else [drawn(samples, names, int(how), seed)]
    return [(samples.take(np.flatnonzero(part)), samples.take(np.flatnonzero(~part))) for part in learned]


def measured(problem: Problem, kind: str, seeds: int, how: str) -> list[float]:
    """Return the accuracy of each seed."""
    return [
        float(np.mean([accuracy(problem, *part, kind, seed) for part in parts(problem, how, seed)]))
        for seed in range(1, seeds + 1)
    ]


def adapted(problem: Problem, kind: str, seeds: int) -> list[str]:
    """Return a line for each way to adapt to the fifth that is left out: on it and on the others, by samples."""
    samples, names = recordings(problem)
    fifth = dict(zip(names, fifths(samples).tolist(), strict=True))
    test = replace(problem.test, groups=tuple(names[len(problem.train) :]))
    config = replace(problem.config, training=replace(problem.config.training, variation=kind))
    whom = [tuple(f"fifth {fifth[name]}" for name in part.groups) for part in (problem.train, test)]
    ways = [way for way in WAYS if way is LAST_LAYER or way.answers]
    study = study_new_subject(
        replace(problem, config=config, test=test), *whom, "fifth", seeds=seeds, ways=ways, counts=(1, 2, 3, 5)
    )
    return [
        f"{title}: " + " ".join(f"{100 * study.mean(way, n):.1f}/{100 * study.mean(way, n, True):.1f}" for n in counts)
        for way, title, _ in study.ways
        for counts in [(0, *study.counts)]
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--task", default="wand")
    parser.add_argument("--variation", default="motion")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--in-a-row", action="store_const", dest="how", const="row")
    parser.add_argument("--folds", action="store_const", dest="how", const="folds")
    parser.add_argument("--samples", action="store_true")
    options = parser.parse_args()
    problem = task_problem(options.task, options.folder)
    for kind in ("none", options.variation) if options.samples else ():
        for line in adapted(problem, kind, options.seeds):
            print(f"{options.task}, {kind}, {line}", flush=True)
    if options.samples:
        return 0
    for how in (options.how,) if options.how else COUNTS:
        for kind in ("none", options.variation):
            found = measured(problem, kind, options.seeds, how)
            print(f"{options.task}, {how}, {kind}: {np.mean(found):.1f} +- {np.std(found, ddof=1):.1f}", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
