"""Read data that sktime and scikit-learn ship, without importing either, which would take seconds.

Shapes: R readings in all, C channels.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np

from tpsgd_host.data.table import Table
from tpsgd_host.errors import DataError, DependencyError
from tpsgd_host.tasks.tables import pixels, table

INSTALL = "pip install 'tpsgd[demo]'"
PROJECTS = {"sktime": "sktime", "sklearn": "scikit-learn"}


def package_file(package: str, name: str) -> Path:
    """Return a file of an installed package without importing the package.

    Raises
    ------
    DependencyError
        When the package is not installed, or lacks the file.
    """
    project = PROJECTS.get(package, package)
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise DependencyError(f"The data of this task come with {project}, which is not installed.", INSTALL)
    path = Path(spec.origin).parent / name
    if not path.is_file():
        raise DependencyError(
            f"The {project} installed here has no file {name}.", f"another version may have it: {INSTALL}"
        )
    return path


def gestures() -> tuple[Table, Table]:
    """Return training and test part of BasicMotions: 40 recordings each of a wrist, 100 readings of 6 channels."""
    return _series("BasicMotions", ("ax", "ay", "az", "gx", "gy", "gz"))


def vowels() -> tuple[Table, Table]:
    """Return training and test part of JapaneseVowels: 270 and 370 series of 7 to 29 readings of 12 coefficients."""
    return _series("JapaneseVowels", tuple(f"c{i}" for i in range(1, 13)))


def digits() -> Table:
    """Return the 1,797 digits of scikit-learn, one per row: 8 x 8 pixels of 0 to 16."""
    rows = np.loadtxt(package_file("sklearn", "datasets/data/digits.csv.gz"), delimiter=",")
    names = [f"digit {i}" for i in range(1, len(rows) + 1)]
    return table(pixels(8, 8), rows[:, :-1], [str(int(y)) for y in rows[:, -1]], names)


def _series(problem: str, columns: tuple[str, ...]) -> tuple[Table, Table]:
    """Return both parts of one of sktime's problems."""
    train, test = (
        read_ts(package_file("sktime", f"datasets/data/{problem}/{problem}_{part}.ts"), columns)
        for part in ("TRAIN", "TEST")
    )
    return train, test


def read_ts(path: Path, columns: tuple[str, ...]) -> Table:
    """Read a ``.ts`` file: each line is a series, its C channels and its class separated by colons.

    Parameters
    ----------
    path : Path
    columns : tuple of str
        Names for the C channels.

    Returns
    -------
    Table
        R rows; each series is a recording, numbered from 1.

    Raises
    ------
    DataError
        When a line is no such series.
    """
    values, labels, groups = [], [], []
    lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    for number, line in enumerate((line for line in lines if line and line[0] not in "#@"), 1):
        *channels, label = line.split(":")
        try:
            series = np.array([[float(x) for x in channel.split(",")] for channel in channels]).T
        except ValueError:
            raise DataError(f"{path}, series {number}: not numbers, or channels of unequal length.") from None
        if series.shape[1:] != (len(columns),):
            raise DataError(f"{path}, series {number}: {len(channels)} channels where {len(columns)} are expected.")
        values.append(series)
        labels += [label] * len(series)
        groups += [f"series {number}"] * len(series)
    if not values:
        raise DataError(f"{path} holds no series.")
    return table(columns, np.concatenate(values), labels, groups)
