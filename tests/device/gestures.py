"""Gestures of a wand for the micro:bit's network. Its settings are chosen without the test recordings.

``python tests/device/gestures.py`` chooses them again: four folds of the training recordings, each left out once.
"""

import csv
import itertools
import random
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np

from tpsgd import kernels_np as array_engine
from tpsgd import kernels_plain as plain
from tpsgd.format import LAST, OUTPUT, RECURRENT
from tpsgd.network import Network

WAND = Path(__file__).resolve().parents[3] / "shared" / "data" / "wand"
NAMES = ("wingardium", "flippendo", "negative")

STEPS, CHANNELS, UNITS, READOUT_STEPS = 12, 6, 16, 4
EPOCHS = 3
FOLDS = 4


class Settings(NamedTuple):
    """The settings: leak and amplitude of the recurrent layer, update shifts of both layers."""

    leak: int
    amplitude: int
    recurrent: int
    output: int


def recordings():
    """Return for each class a list of recordings, each a list of (T, C) windows; shuffled, always in the same order."""
    found = []
    for label, name in enumerate(NAMES):
        tables = {}
        with (WAND / f"{name}.csv").open(newline="") as file:
            reader = csv.reader(file)
            next(reader)
            for row in reader:
                tables.setdefault(row[0], []).append([float(v) for v in row[2:]])
        windows = [cut(np.array(table), label) for table in tables.values()]
        random.Random(1).shuffle(windows)
        found.append(windows)
    return found


def cut(table, label):
    """Return the windows of a recording: the whole gesture, or pieces of three seconds where it is no gesture."""
    if NAMES[label] == "negative":
        return [resample(table[at : at + 300]) for at in range(0, len(table) - 299, 300)]
    return [resample(table)]


def resample(readings):
    """Return T steps of the readings."""
    at = np.linspace(0, len(readings) - 1, STEPS)
    return np.array([np.interp(at, range(len(readings)), c) for c in readings.T]).T


def divide(classes, fold):
    """Return (the recordings of each class outside a fold, those inside); a fold is a quarter of them."""
    rest = [[r for i, r in enumerate(rs) if i % FOLDS != fold] for rs in classes]
    return rest, [rs[fold::FOLDS] for rs in classes]


def stored(train, test):
    """Return both as shuffled [(class, stored activations), ...], scaled by the training part's mean and deviation."""
    every = np.concatenate([window for rs in train for r in rs for window in r])
    offset, gain = every.mean(axis=0), 42 / every.std(axis=0)
    parts = []
    for part in (train, test):
        samples = []
        for label, rs in enumerate(part):
            for window in itertools.chain(*rs):
                x = np.clip(np.floor((window - offset) * gain + 0.5), -127, 127).astype(int) + 128
                samples.append((label, bytes(x.ravel().tolist())))
        random.Random(1).shuffle(samples)
        parts.append(samples)
    return parts


def network(settings, engine=plain):
    """Return the untrained network."""
    layers = [
        SimpleNamespace(
            kind=RECURRENT, units=UNITS, inputs=CHANNELS + UNITS, leak=settings.leak, amplitude=settings.amplitude
        ),
        SimpleNamespace(kind=OUTPUT, units=len(NAMES), inputs=READOUT_STEPS * UNITS, leak=0, amplitude=0),
    ]
    for layer, shift in zip(layers, (settings.recurrent, settings.output), strict=True):
        layer.frozen, layer.shift, layer.l1, layer.shifts = 0, 5, 0, bytes([shift])
        layer.nbytes = lambda layer=layer: 2 * layer.units * (layer.inputs + 1)
    model = SimpleNamespace(
        seed=77, classes=len(NAMES), steps=STEPS, channels=CHANNELS, readout_steps=READOUT_STEPS, update_at=LAST,
        layers=layers, total=0,
    )  # fmt: skip
    made = Network(model, engine)
    state = [9]
    for w in made.weights():
        for at in range(0, len(w), 2):
            w[at] = plain.draw(state, 256)
            w[at + 1] = 120 + plain.draw(state, 17)
    return made


def accuracy(settings, train, test):
    """Train; return the accuracy on ``test``."""
    here = network(settings, array_engine)
    for label, sample in train * EPOCHS:
        here.sample[:-1] = sample
        here.train(label)
    right = 0
    for label, sample in test:
        here.sample[:-1] = sample
        right += here.test() >> 8 == label
    return right / len(test)


def validated(settings):
    """Return the mean accuracy over the folds of the training recordings."""
    train, _ = divide(recordings(), 0)  # fold 0 is the test part
    return float(np.mean([accuracy(settings, *stored(*divide(train, fold))) for fold in range(FOLDS)]))


def choose():
    """Print the accuracy of each setting, the best last."""
    grid = list(itertools.starmap(Settings, itertools.product((0, 1), (30, 45, 60), (9, 10, 11, 12), (5, 6, 7))))
    with ProcessPoolExecutor() as pool:
        for share, settings in sorted(zip(pool.map(validated, grid), grid, strict=True)):
            print(f"{share:.3f} {settings}")


if __name__ == "__main__":
    choose()
