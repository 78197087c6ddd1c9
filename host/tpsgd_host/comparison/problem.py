"""The problem on which methods are compared: a network, training data, and test data that stay unused until the end.

Shapes: S samples, T steps, C channels.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from math import ceil
from pathlib import Path

import numpy as np

from tpsgd_host.data.layout import Layout
from tpsgd_host.data.load import load_samples
from tpsgd_host.data.rejects import BadRows
from tpsgd_host.data.samples import Samples
from tpsgd_host.data.split import rows_alone_note, split
from tpsgd_host.errors import DataError
from tpsgd_host.model.build import build_model, model_classes
from tpsgd_host.model.config import Config
from tpsgd_host.model.parsing import parse_config
from tpsgd_host.names import listing
from tpsgd_host.rules import Architecture
from tpsgd_host.tasks.task import load_task

VALIDATION_SHARE = 0.2  # of the training part
VALIDATION_SAMPLES = 300  # small data are split repeatedly, until this many samples have been validated on
MAX_FOLDS = 5
NETWORKS = 3  # minimum networks per setting; a single one may be lucky, and gives no deviation


@dataclass(frozen=True)
class Problem:
    """Data and network of a comparison.

    Attributes
    ----------
    config : Config
        The network; its seed is the first seed.
    train, test : Samples
        They share no recording.
    epochs : int
        Passes through ``train``.
    shuffle_seed : int
        Seed of the order in each epoch, which is the same for all methods and seeds.
    data : str
        Origin of the data.
    notes : tuple of str
        Notes about the data for the user.
    """

    name: str
    config: Config
    train: Samples
    test: Samples
    epochs: int
    shuffle_seed: int = 1
    data: str = ""
    notes: tuple[str, ...] = ()

    @property
    def network(self) -> str:
        """The network in short."""
        return build_model(self.config, self.train).shape

    @cached_property
    def multiplies(self) -> int:
        """Multiply-accumulates of a sample's forward pass."""
        return Architecture.from_model(build_model(self.config, self.train)).multiplies()

    @property
    def recurrent(self) -> bool:
        """Whether samples are processed step by step."""
        return self.config.layers[0].kind == "recurrent"


@dataclass(frozen=True)
class Part:
    """Samples to learn, and others to test on: a fold of the training part, or the training and test parts themselves.

    Attributes
    ----------
    seeds : tuple of int
        Seeds of the networks trained on it.
    """

    train: Samples
    test: Samples
    seeds: tuple[int, ...] = field(default=())


def task_problem(name: str, data_dir: str | Path | None = None, epochs: int | None = None) -> Problem:
    """Return a task as a problem; raises what :func:`tpsgd_host.tasks.task.load_task` raises."""
    task = load_task(name, data_dir)
    config = parse_config(task.toml, f"{name}.toml")
    return Problem(name, config, task.train, task.test, epochs or task.epochs, task.shuffle_seed, task.source)


def file_problem(
    data: Path,
    config: Config,
    *,
    test: Path | None = None,
    test_split: float = 0.2,
    split_seed: int = 1,
    epochs: int = 20,
    shuffle_seed: int = 1,
    layout: Layout | None = None,
    bad_rows: BadRows = "stop",
) -> Problem:
    """Return the problem for a user's own data file.

    Parameters
    ----------
    data : Path
    config : Config
        The network.
    test : Path, optional
        Test samples; without it a share ``test_split`` of the recordings in ``data``, class by class.
    split_seed : int
        Seed of that choice.
    layout : Layout, optional
        How to read the files; by default as ``config`` says.

    Raises
    ------
    DataError, ConfigError
        When data and network do not fit together, or no recording can be spared for testing.
    """
    layout = layout or config.layout
    samples = load_samples(data, layout, config.classes or None, bad_rows)
    model_classes(config, samples.classes)
    config = replace(config, layout=layout, classes=samples.classes)
    skipped = samples.bad_rows
    if test is not None:
        held_out = load_samples(test, layout, samples.classes, bad_rows)
        skipped += held_out.bad_rows
    else:
        samples, held_out = split(samples, test_split, split_seed)
    return Problem(
        config.name, config, samples, held_out, epochs, shuffle_seed, str(data), _notes(layout, len(skipped))
    )


def _notes(layout: Layout, skipped: int) -> tuple[str, ...]:
    rows = f"{skipped} bad rows were left out" if skipped else ""
    return tuple(filter(None, (rows, rows_alone_note(layout))))


def final_part(problem: Problem, seeds: int) -> Part:
    """Return training and test part, to be used once, when all choices are made."""
    first = problem.config.seed
    return Part(problem.train, problem.test, tuple(range(first, first + seeds)))


def validation_parts(problem: Problem) -> tuple[Part, ...]:
    """Split validation parts off the training part, in whole recordings; the test part is not used.

    Each has a fifth of each class. There is one if that is at least ``VALIDATION_SAMPLES`` samples, else up to five,
    each with another seed and other recordings. All together they have at least ``NETWORKS`` networks.

    Raises
    ------
    DataError
        When no class has a recording to spare.
    """
    first = problem.config.seed
    parts: list[Part] = []
    folds = networks = 1
    while len(parts) < folds:
        try:
            fit, check = split(problem.train, VALIDATION_SHARE, len(parts) + 1)
        except DataError:
            raise DataError(
                f"{problem.name}: learning rates cannot be chosen: no class has two recordings to learn from.",
                "Record each class at least three times: for learning, for choosing rates, and for testing. "
                "Or test on a separate file (--test), so that all of these can be used for learning.",
            ) from None
        if not parts:
            folds = min(MAX_FOLDS, ceil(VALIDATION_SAMPLES / len(check)))
            networks = ceil(NETWORKS / folds)
        # These seeds differ from those of the final runs, which else would test networks that the rates were chosen
        # for.
        begin = first + 1000 + len(parts) * networks
        parts.append(Part(fit, check, tuple(range(begin, begin + networks))))
    return tuple(parts)


def validation_note(problem: Problem, parts: tuple[Part, ...]) -> str:
    """Return a note on classes that the choice cannot see, or nothing."""
    checked = np.unique(np.concatenate([part.test.labels for part in parts]))
    names = [name for i, name in enumerate(problem.train.classes) if i not in checked]
    if not names:
        return ""
    return f"chosen without {listing(names)}: a class needs two training recordings before one can be spared"
