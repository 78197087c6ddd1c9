"""Read data that no package ships, from files in a folder that the user names.

Shapes: R readings or rows in all.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tpsgd_host.data.arrays import load_arrays
from tpsgd_host.data.frontend import LogMel
from tpsgd_host.data.layout import Layout
from tpsgd_host.data.npz import MAX_UNPACKED
from tpsgd_host.data.rejects import Rejects
from tpsgd_host.data.sound import frames, word
from tpsgd_host.data.table import Table, read_table
from tpsgd_host.errors import DataError
from tpsgd_host.tasks.tables import pixels, select, table

WAND_CLASSES = ("flippendo", "negative", "wingardium")
WAND_COLUMNS = ("accel_ms2_x", "accel_ms2_y", "accel_ms2_z", "gyro_degs_x", "gyro_degs_y", "gyro_degs_z")
FSDD_TEST_TAKES = 5  # takes 0 to 4 are the official test split
MNIST_TEST = 2000

Array = npt.NDArray[Any]


def data_file(folder: Path | None, name: str) -> Path:
    """Return a file of the user's folder.

    Raises
    ------
    DataError
        When no folder is named, or the file is not in it.
    """
    if folder is None:
        raise DataError(f"This task needs {name}, which no package ships.", "Name its folder with --data.")
    path = folder / name
    if not path.is_file():
        raise DataError(
            f"There is no file {str(path)!r}, which this task needs.", "Check the folder named with --data."
        )
    return path


def spoken_digits(folder: Path | None, layout: Layout) -> tuple[Table, Table]:
    """Return training and test part of the Free Spoken Digit Dataset as samples that a front end makes."""
    path = data_file(folder, "fsdd-4speakers.npz")
    arrays = ("audio", "offsets", "digit", "speaker", "take", "speaker_names", "sample_rate")
    audio, offsets, digit, speaker, take, speaker_names, rate = _arrays(path, arrays)
    front = layout.front
    assert isinstance(front, LogMel)
    values, labels, groups = [], [], []
    try:
        if front.rate != int(rate):
            raise ValueError(f"{rate} samples a second")
        for i, (start, stop) in enumerate(pairwise(offsets)):
            sample = word(frames(audio[start:stop], front), layout.steps, front.reach)
            values.append(sample.ravel().astype(np.float64) - 128)
            labels.append(str(digit[i]))
            groups.append(f"{digit[i]}_{speaker_names[speaker[i]]}_{take[i]}")
        test = take < FSDD_TEST_TAKES
        names = [f"t{t}_mel{band}" for t in range(1, layout.steps + 1) for band in range(1, front.channels + 1)]
        rows = table(names, np.stack(values), labels, groups)
    except (IndexError, TypeError, ValueError) as error:
        raise DataError(f"{path}: its arrays do not fit together: {error}.", "Create the file again.") from None
    return select(rows, ~test), select(rows, test)


def wand(folder: Path | None) -> Table:
    """Return the readings of the magic wand, its three classes one after the other."""
    layout = Layout(1, 6, "recording", group="recording", columns=WAND_COLUMNS)
    parts = []
    for name in WAND_CLASSES:
        path = data_file(folder, f"wand/{name}.csv")
        parts.append(read_table(path, layout, Rejects(str(path), "stop"), require_labels=False))
    columns = ("ax", "ay", "az", "gx", "gy", "gz")
    labels = [name for name, part in zip(WAND_CLASSES, parts, strict=True) for _ in part.groups]
    groups = [group for part in parts for group in part.groups]
    return table(columns, np.concatenate([part.values for part in parts]), labels, groups)


def handwriting(folder: Path | None) -> tuple[Table, Table]:
    """Return training and test part of 10,000 digits of MNIST, one per row: 28 x 28 pixels of 0 to 255."""
    path = data_file(folder, "mnist-10k.npz")
    images, digit = _arrays(path, ("images", "labels"))
    if images.ndim != 3 or len(images) != len(digit) or len(images) <= MNIST_TEST:
        raise DataError(f"{path} has images of shape {images.shape} for {len(digit)} labels.", "Create the file again.")
    values = images.reshape(len(images), -1).astype(np.float64)
    names = [f"image {i}" for i in range(1, len(images) + 1)]
    rows = table(pixels(*images.shape[1:]), values, [str(y) for y in digit], names)
    train = np.arange(len(images)) < len(images) - MNIST_TEST
    return select(rows, train), select(rows, ~train)


def _arrays(path: Path, names: tuple[str, ...]) -> list[Array]:
    """Return arrays of a ``.npz`` file; never unpickle any."""
    try:
        arrays = load_arrays(path, MAX_UNPACKED, names)
        return [arrays[name] for name in names]
    # A damaged file makes zipfile, zlib and numpy raise a dozen kinds of errors.
    except Exception as error:
        raise DataError(f"{path} cannot be read: {error}.", f"It must hold {', '.join(names)}.") from None
