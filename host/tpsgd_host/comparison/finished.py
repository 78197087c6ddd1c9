"""Jobs of a comparison that have ended, kept in a folder: one that was stopped does not train them again.

A file's name is a hash of all that its result depends on. So it never counts for other data, rates or networks.
"""

from __future__ import annotations

import hashlib
import io
import shutil
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from tpsgd_host import __version__
from tpsgd_host.comparison.results import Trained
from tpsgd_host.data.samples import Samples
from tpsgd_host.files import read_file, write_atomic

#: The folder of finished jobs in that of a comparison.
FOLDER = "jobs"

_MOST = 1 << 28


class Finished:
    """Finished jobs in a folder.

    Parameters
    ----------
    folder : Path
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def load(self, key: str) -> Trained | None:
        """Return what was trained; None if it was not, or its file is damaged."""
        if not key:
            return None
        try:
            with np.load(io.BytesIO(read_file(self._folder / f"{key}.npz", _MOST)), allow_pickle=False) as file:
                right = file["right"] if "right" in file.files else None
                return Trained(file["accuracies"], file["history"], file["diverged"], right, float(file["seconds"]))
        except (OSError, ValueError, KeyError, BadZipFile):
            return None

    def save(self, key: str, trained: Trained) -> None:
        """Keep what was trained."""
        if not key:
            return
        parts = {name: value for name, value in vars(trained).items() if value is not None}
        file = io.BytesIO()
        np.savez_compressed(file, **parts)
        self._folder.mkdir(parents=True, exist_ok=True)
        write_atomic(self._folder / f"{key}.npz", file.getvalue())


def forget(folder: Path) -> None:
    """Remove the finished jobs of a comparison that is complete."""
    shutil.rmtree(folder / FOLDER, ignore_errors=True)


def key_of(*parts: Any) -> str:
    """Return the name of a job that depends on ``parts``; empty where they cannot be told from others."""
    digest = hashlib.sha256(__version__.encode())
    for part in parts:
        if isinstance(part, Samples):
            for array in (part.values, part.labels):
                digest.update(f"{array.dtype} {array.shape}".encode())
                digest.update(np.ascontiguousarray(array).tobytes())
            digest.update(repr((part.groups, part.classes)).encode())
            continue
        text = repr(part)
        if " at 0x" in text or "..." in text:  # a function of the user's own, an array that is not shown as a whole
            return ""
        digest.update(text.encode())
    return digest.hexdigest()[:40]
