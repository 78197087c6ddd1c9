"""Words in noise: how many a front end finds, how many it imagines, and how many a network knows.

Shapes: W words, T*C activations of a sample.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tpsgd_host.data.frontend import LogMel
from tpsgd_host.data.labels import class_names
from tpsgd_host.data.noise import Heard, Stream, listen, pink, stream
from tpsgd_host.data.samples import Samples
from tpsgd_host.data.sound import Pcm, frames, word
from tpsgd_host.data.wav import find_recordings, read_wav
from tpsgd_host.errors import ConfigError
from tpsgd_host.model.build import build_model
from tpsgd_host.model.config import Config
from tpsgd_host.training.executor import TEST, TRAIN, Bytes, Records
from tpsgd_host.training.simulator import Simulator

LEVELS = (40.0, 30.0, 20.0, 10.0)  # dB between words and noise
TRAINED_AT = (40.0, 20.0)  # a network trains on words as they are, and on those found in noise of these levels
NOISE_DEVIATION = 300.0  # of the noise that has no words in it


@dataclass(frozen=True)
class Level:
    """One level of noise: the shares of words that were found, and that the network knew (a miss is an error)."""

    decibels: float
    found: float
    false: int
    accuracy: float


@dataclass(frozen=True)
class Listening:
    """The results: words and folds, the levels, accuracy without noise, and false words in an hour of noise alone."""

    words: int
    folds: int
    levels: tuple[Level, ...]
    accuracy: float
    false_per_hour: float


def measure_listening(
    folder: Path, config: Config, folds: int, epochs: int, hours: float, on_step: Callable[[str], None]
) -> Listening:
    """Measure a front end and a network on a folder of WAV files.

    Every recording is tested on once, by a network that learned from the other folds: from the words as they are, and
    as the segmenter found them in pink noise.

    Parameters
    ----------
    folder : Path
        WAV files of one word each.
    config : Config
        With a front end that hears.
    hours : float
        Noise without words to listen to.
    on_step : function
        Told what is being done.
    """
    layout = config.layout
    front = layout.front
    if not isinstance(front, LogMel):
        raise ConfigError(
            f"{config.source} has no front end that hears", "Begin one: tpsgd-host new NAME --data FOLDER"
        )
    recordings = find_recordings(folder, layout.group)
    classes = config.classes or class_names([r.label for r in recordings], str(folder))
    number = {name: i for i, name in enumerate(classes)}
    recordings = [r for r in recordings if r.label in number]
    labels = np.array([number[r.label] for r in recordings], np.uint8)
    sounds = [read_wav(r.path, front.rate) for r in recordings]
    fold = folds_of(labels, folds)
    clean = np.stack([word(frames(pcm, front), layout.steps, front.reach).ravel() for pcm in sounds])
    heard = {}
    for level in LEVELS:
        on_step(f"listening at {level:g} dB")
        heard[level] = _listen(sounds, fold, front, layout.steps, level)
    right = dict.fromkeys(LEVELS, 0)
    right_clean = 0
    for k in range(folds):
        on_step(f"fold {k + 1} of {folds}")
        test = fold == k
        uses = [~test & heard[level].found for level in TRAINED_AT]
        data = [clean[~test], *(heard[level].samples[use] for level, use in zip(TRAINED_AT, uses, strict=True))]
        said = [labels[~test], *(labels[use] for use in uses)]
        simulator = _trained(config, classes, np.concatenate(data), np.concatenate(said), epochs)
        right_clean += _right(simulator, clean[test], labels[test])
        for level in LEVELS:
            use = test & heard[level].found
            right[level] += _right(simulator, heard[level].samples[use], labels[use])
    levels = tuple(
        Level(level, float(heard[level].found.mean()), heard[level].false, right[level] / len(labels))
        for level in LEVELS
    )
    on_step("listening to noise alone")
    return Listening(len(labels), folds, levels, right_clean / len(labels), _false_per_hour(front, layout.steps, hours))


def folds_of(labels: Bytes, folds: int) -> npt.NDArray[np.int64]:
    """Return the fold of each word, shape (W,): each class is dealt out evenly, in an order that a seed shuffles."""
    rng = np.random.default_rng(1)
    fold = np.zeros(len(labels), np.int64)
    for y in np.unique(labels):
        inside = rng.permutation(np.flatnonzero(labels == y))
        fold[inside] = np.arange(len(inside)) % folds
    return fold


def _listen(sounds: Sequence[Pcm], fold: npt.NDArray[np.int64], front: LogMel, steps: int, decibels: float) -> Heard:
    """Return what the front end made of all words, each fold being a stream of its own."""
    samples = np.zeros((len(sounds), steps * front.channels), np.uint8)
    found = np.zeros(len(sounds), bool)
    false = 0
    for k in range(int(fold.max()) + 1):
        inside = np.flatnonzero(fold == k)
        part = listen(stream([sounds[i] for i in inside.tolist()], decibels, front.rate, k + 1), front, steps)
        samples[inside], found[inside] = part.samples, part.found
        false += part.false
    return Heard(samples, found, false)


def _trained(config: Config, classes: tuple[str, ...], data: Bytes, labels: Bytes, epochs: int) -> Simulator:
    """Return a network that has learned the samples."""
    layout = config.layout
    values = (data.astype(np.float64) - 128).reshape(len(data), layout.steps, layout.channels)
    numbers = np.arange(len(data), dtype=np.int64)
    groups = tuple(f"word {i}" for i in numbers)
    simulator = Simulator(build_model(config, Samples(values, labels, classes, groups, numbers)))
    simulator.start(1, epochs * len(data), True)
    rng = np.random.default_rng(1)
    for _ in range(epochs):
        order = rng.permutation(len(data))
        records = Records(np.full(len(data), TRAIN, np.uint8), labels[order], data[order])
        for _results in simulator.stream(records):
            pass
    return simulator


def _right(simulator: Simulator, data: Bytes, labels: Bytes) -> int:
    """Return how many samples the network knows."""
    records = Records(np.full(len(data), TEST, np.uint8), labels, data)
    return int((simulator.evaluate(records)[:, 0] == labels).sum())


def _false_per_hour(front: LogMel, steps: int, hours: float) -> float:
    """Return the words an hour that are found in pink noise alone."""
    rng = np.random.default_rng(1)
    count = int(hours * 3600 * front.rate)
    pcm = np.round(NOISE_DEVIATION * pink(count, rng)).astype(np.int16)
    nowhere = np.zeros(0, np.int64)
    return listen(Stream(pcm, nowhere, nowhere), front, steps).false / hours
