"""Does variation while training help? Networks learn few recordings of each class, or none of those made last.

python tests/campaigns/varied.py FOLDER --task wand
python tests/campaigns/varied.py FOLDER --task wand --in-a-row

FOLDER holds the tasks' data. Networks learn some recordings of each class and are tested on all others: the accuracy is
the mean of the classes'. With --in-a-row a fifth of each class's recordings is left out, as they follow each other in
the data, and not as chance has it: who holds a wand for an hour does not hold it alike at its end.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace

import base  # noqa: F401  (finds the helpers)
import numpy as np
import numpy.typing as npt

from tpsgd_host.comparison import task_problem
from tpsgd_host.comparison.integer import classified, learn, records
from tpsgd_host.comparison.problem import Problem
from tpsgd_host.data.samples import Samples, joined
from tpsgd_host.model.build import build_model
from tpsgd_host.training.simulator import Simulator

PARTS = 5
COUNTS = (3, 5, 10, 20)


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


def in_a_row(samples: Samples, names: npt.NDArray[np.object_]) -> Iterator[npt.NDArray[np.bool_]]:
    """Yield which samples to learn: all but a fifth of each class's recordings, in the order of their names."""
    part = np.zeros(len(samples), int)
    for y in range(len(samples.classes)):
        own = sorted(set(names[samples.labels == y]))
        for place, name in enumerate(own):
            part[(names == name) & (samples.labels == y)] = place * PARTS // len(own)
    for k in range(PARTS):
        yield part != k


def accuracy(problem: Problem, samples: Samples, learned: npt.NDArray[np.bool_], kind: str, seed: int) -> float:
    """Return the mean accuracy of the classes on the samples that a network has not learned, in percent."""
    train, test = samples.take(np.flatnonzero(learned)), samples.take(np.flatnonzero(~learned))
    config = replace(problem.config, seed=seed, training=replace(problem.config.training, variation=kind))
    model = build_model(config, train)
    simulator = Simulator(model)
    for _ in learn(simulator, model, train, problem.epochs, problem.shuffle_seed):
        pass
    right = classified(simulator, records(model, test))
    return float(100 * np.mean([right[test.labels == y].mean() for y in np.unique(test.labels)]))


def measured(problem: Problem, kind: str, seeds: int, count: int) -> list[float]:
    """Return the accuracy of each seed; ``count`` 0 leaves recordings in a row out."""
    samples, names = recordings(problem)
    found = []
    for seed in range(1, seeds + 1):
        parts = in_a_row(samples, names) if not count else [drawn(samples, names, count, seed)]
        found.append(float(np.mean([accuracy(problem, samples, part, kind, seed) for part in parts])))
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--task", default="wand")
    parser.add_argument("--variation", default="motion")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--in-a-row", action="store_true")
    options = parser.parse_args()
    problem = task_problem(options.task, options.folder)
    for count in (0,) if options.in_a_row else COUNTS:
        for kind in ("none", options.variation):
            found = measured(problem, kind, options.seeds, count)
            what = f"{count} recordings a class" if count else "a fifth in a row left out"
            print(f"{options.task}, {what}, {kind}: {np.mean(found):.1f} +- {np.std(found, ddof=1):.1f}", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
