"""False accepts an hour: foreign words in pink noise, and noise alone, where 5 % of the known may be refused.

python tests/campaigns/overheard.py FOLDER

FOLDER holds fsdd-4speakers.npz. In each split a network learns five digits as ``foreign.py`` has it, and hears a WAV
file with every recording of the other five from the test part, one or two seconds apart, in pink noise; then an hour of
that noise; then its own digits in it. ``eval --stream`` does the same with a file.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

import base  # noqa: F401  (finds the helpers)
import numpy as np
from foreign import left_out
from sounds import write_wav

from tpsgd_host.adaptation.new_class import without
from tpsgd_host.boards.evaluating import evaluate_stream
from tpsgd_host.comparison import task_problem
from tpsgd_host.data.noise import pink, stream
from tpsgd_host.model.build import build_model
from tpsgd_host.training.doubt import with_doubt
from tpsgd_host.training.practice import variation_of

RATE = 8000
SECONDS = 3600  # of noise alone
LEVEL = 60.0  # its deviation in steps of an int16; words are a thousand


def words(folder: Path, digits: list[int]) -> list[np.ndarray]:
    """Return the recordings of some digits from the official test part, shuffled."""
    with np.load(folder / "fsdd-4speakers.npz") as arrays:
        audio, offsets, digit, take = (arrays[name] for name in ("audio", "offsets", "digit", "take"))
    chosen = np.flatnonzero((take < 5) & np.isin(digit, digits))
    np.random.default_rng(1).shuffle(chosen)
    return [audio[offsets[i] : offsets[i + 1]] for i in chosen.tolist()]


def heard(model: Path, pcm: np.ndarray) -> tuple[float, int, int]:
    """Return hours, what was heard in a recording, and what was accepted."""
    path = model.with_suffix(".wav")
    write_wav(path, pcm, RATE)
    found = evaluate_stream(path, model_path=model)
    return found.hours, len(found.heard), sum(found.accepted.values())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--task", default="fsdd-rnn")
    parser.add_argument("--splits", type=int, default=4)
    parser.add_argument("--epochs", type=int, default=120)
    parser.add_argument("--decibels", type=float, default=20.0, help="words above the noise")
    options = parser.parse_args()
    problem = task_problem(options.task, options.folder)
    with tempfile.TemporaryDirectory(prefix="tpsgd-") as place:
        model = Path(place) / "model.tpsgd"
        for seed in range(options.splits):
            out = left_out(problem, seed)
            train = without(problem.train, out)
            layers = (*problem.config.layers[:-1], replace(problem.config.layers[-1], units=0))
            config = replace(problem.config, seed=seed + 1, classes=train.classes, layers=layers)
            begun = build_model(config, train)
            made, _ = with_doubt(
                begun, train, misses=0.05, epochs=options.epochs, begun=True, way="both", variation=variation_of(begun)
            )
            made.save(model)
            print(f"split {seed}:", flush=True)
            inside = [y for y in range(10) if y not in out]
            noise = np.round(LEVEL * pink(SECONDS * RATE, np.random.default_rng(seed))).astype(np.int16)
            for name, pcm in (
                ("foreign words", stream(words(options.folder, out), options.decibels, RATE, seed).pcm),
                ("noise alone", noise),
                ("its own words", stream(words(options.folder, inside), options.decibels, RATE, seed).pcm),
            ):
                hours, count, accepted = heard(model, pcm)
                print(f"  {name}: {hours:.3f} h, heard {count}, accepted {accepted}: {accepted / hours:.1f} an hour")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
