"""How many foreign words a network takes for its own, when it may refuse a share of its own: five digits against five.

python tests/campaigns/foreign.py FOLDER

FOLDER holds fsdd-4speakers.npz. In each split a network learns five of the ten digits; no recording of the other five,
and no noise, is given to it. It gets a class none, trained on synthetic samples, and thresholds on a fifth of its
training recordings, as ``quantize --misses`` does it. Then it hears the test part, the other digits of the test part,
and noises: white, pink and brown, steady or swelling. With --task wand the classes are two spells, any other movement
("negative", none of which is given) is foreign, and the splits are seeds.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

import base  # noqa: F401  (finds the helpers)
import numpy as np
import numpy.typing as npt

from tpsgd_host.adaptation.new_class import without
from tpsgd_host.adaptation.ways import train_model
from tpsgd_host.comparison import task_problem
from tpsgd_host.data.samples import Samples
from tpsgd_host.data.sound import frames, word
from tpsgd_host.data.split import split
from tpsgd_host.model.build import build_model
from tpsgd_host.model.modelfile import Model
from tpsgd_host.training.doubt import with_doubt
from tpsgd_host.training.executor import TEST, Records
from tpsgd_host.training.practice import variation_of
from tpsgd_host.training.simulator import Simulator

NOISES = 150
TOLD = "refused {:.1f} %, right {:.1f} %, foreign words taken {:.1f} %, noises taken {:.1f} %"

Bytes = npt.NDArray[np.uint8]


def noises(model: Model, seed: int = 5) -> Bytes:
    """Return samples of noises as the front end makes them."""
    dice = np.random.default_rng(seed)
    front, made = model.layout.front, []
    for i in range(NOISES):
        length = int(dice.integers(2000, 6000))
        spectrum = np.fft.rfft(dice.normal(0, 1, length))
        sound = np.fft.irfft(spectrum / (np.arange(len(spectrum)) + 1.0) ** (i % 3 / 2), length)
        sound *= dice.uniform(500, 20000) / np.abs(sound).max() * (np.hanning(length) if i % 2 else 1)
        made.append(word(frames(sound.astype(np.int16), front), model.layout.steps, front.reach).ravel())
    return np.stack(made)


def encoded(model: Model, samples: Samples) -> tuple[Bytes, Bytes]:
    """Return stored activations and labels."""
    return model.scaling.encode(samples.values), samples.labels


def answers(model: Model, data: Bytes) -> Bytes:
    """Return the class that the model answers for each sample."""
    unknown = np.full(len(data), 255, np.uint8)
    return Simulator(model).evaluate(Records(np.full(len(data), TEST, np.uint8), unknown, data))[:, 0]


def left_out(problem, seed: int) -> list[int]:
    """Return the classes that are foreign: five digits, drawn by the seed; of the wand "negative"."""
    names = problem.train.classes
    if "negative" in names:
        return [names.index("negative")]
    return sorted(np.random.default_rng(100 + seed).permutation(10)[:5].tolist())


def tried(problem, seed: int, misses: float, way: str, validate: bool, epochs: int, begun: bool) -> list[float]:
    """Return the shares of one split: refused, right, foreign words taken, noises taken."""
    out = left_out(problem, seed)
    given, test = split(problem.train, 0.2, 2) if validate else (problem.train, problem.test)
    train, known = without(given, out), without(test, out)
    layers = (*problem.config.layers[:-1], replace(problem.config.layers[-1], units=0))
    config = replace(problem.config, seed=seed + 1, classes=train.classes, layers=layers)
    model = build_model(config, train)
    if not begun:
        model = train_model(model, train, epochs, 1)
    persons = [group.split("_")[1] for group in train.groups] if problem.name.startswith("fsdd") else []
    model, _ = with_doubt(
        model, train, persons, misses=misses, epochs=epochs, begun=begun, way=way, variation=variation_of(model)
    )
    foreign = test.take(np.flatnonzero(np.isin(test.labels, out)))
    none = model.prototypes.none
    said = answers(model, encoded(model, known)[0])
    return [
        float((said == none).mean()), float((said == known.labels).mean()),
        float((answers(model, encoded(model, foreign)[0]) != none).mean()),
        float((answers(model, noises(model)) != none).mean()) if model.layout.hears else np.nan,
    ]  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--task", default="fsdd-rnn")
    parser.add_argument("--splits", type=int, default=8)
    parser.add_argument("--misses", type=float, default=5.0, help="percent")
    parser.add_argument("--way", default="network")
    parser.add_argument("--epochs", type=int, help="passes to train")
    parser.add_argument("--trained", action="store_true", help="with a network trained before, as adapt has it")
    parser.add_argument("--validate", action="store_true", help="test on a fifth of the training part")
    options = parser.parse_args()
    problem = task_problem(options.task, options.folder)
    rows = []
    for seed in range(options.splits):
        rows.append(
            [
                100 * share
                for share in tried(
                    problem,
                    seed,
                    options.misses / 100,
                    options.way,
                    options.validate,
                    options.epochs or problem.epochs,
                    not options.trained,
                )
            ]
        )
        refused, right, foreign, noise = rows[-1]
        print(f"{seed}: " + TOLD.format(refused, right, foreign, noise), flush=True)
    refused, right, foreign, noise = np.mean(rows, axis=0)
    print("mean: " + TOLD.format(refused, right, foreign, noise))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
