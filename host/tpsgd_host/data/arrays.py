"""Arrays out of a ``.npz``: nothing is unpickled, and nothing is unpacked before it is known how large it becomes."""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Collection
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from tpsgd_host.files import open_file

Array = npt.NDArray[Any]

#: Bytes that one number takes when it is computed with: a file of bytes becomes eight times as large.
WIDE = 8

_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


class TooLargeError(ValueError):
    """The arrays are larger than was allowed."""


def load_arrays(path: str | Path, most: int, wanted: Collection[str] | None = None) -> dict[str, Array]:
    """Return the arrays in a file by their names.

    Parameters
    ----------
    most : int
        Bytes that all of them may take, eight a number at least.
    wanted : collection of str, optional
        The names to read; others come as empty arrays. None reads all.

    Raises
    ------
    TooLargeError
        Before anything is unpacked.
    OSError, ValueError, and what zipfile and NumPy raise for a damaged file
    """
    found: dict[str, Array] = {}
    left = most
    with warnings.catch_warnings(), open_file(path, most) as file, zipfile.ZipFile(file) as archive:
        warnings.simplefilter("ignore")  # about files of Python 2
        for info in archive.infolist():
            name = info.filename.removesuffix(".npy")
            found[name] = np.empty(0)
            if wanted is not None and name not in wanted:
                continue
            with archive.open(info) as member:
                size = _unpacked(member)
            left -= size
            if left < 0:
                raise TooLargeError(f"{name} unpacks to {size} bytes, all arrays may take {most}")
            with archive.open(info) as member:
                found[name] = np.lib.format.read_array(member, allow_pickle=False)
    return found


def _unpacked(member: IO[bytes]) -> int:
    """Return the bytes that an array takes, by its header alone."""
    version = np.lib.format.read_magic(member)
    if version not in _HEADERS:
        raise ValueError(f"an array of format version {version}")
    shape, _, dtype = _HEADERS[version](member)
    count = 1
    for size in shape:
        count *= size
    return count * max(WIDE, dtype.itemsize)
