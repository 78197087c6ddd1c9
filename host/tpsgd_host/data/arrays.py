"""Read arrays from a ``.npz``: nothing is unpickled, and sizes are known before anything is unpacked."""

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

#: Bytes per number in computations, which work in float64: a file of bytes becomes eight times as large.
WIDE = 8

_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


class TooLargeError(ValueError):
    """The arrays are larger than allowed."""


def load_arrays(path: str | Path, most: int, wanted: Collection[str] | None = None) -> dict[str, Array]:
    """Return the arrays in a file by name.

    Parameters
    ----------
    most : int
        Maximum bytes for all of them, at least eight per number.
    wanted : collection of str, optional
        The names to read; other arrays are returned empty. None reads all.

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
                raise TooLargeError(f"{name} unpacks to {size} bytes; all arrays together may take {most}")
            with archive.open(info) as member:
                found[name] = np.lib.format.read_array(member, allow_pickle=False)
    return found


def _unpacked(member: IO[bytes]) -> int:
    """Return the size of an array in bytes, from its header alone."""
    version = np.lib.format.read_magic(member)
    if version not in _HEADERS:
        raise ValueError(f"an array of format version {version}")
    shape, _, dtype = _HEADERS[version](member)
    count = 1
    for size in shape:
        count *= size
    return count * max(WIDE, dtype.itemsize)
