"""Writing files whole: at any moment there is the old file or the new one, on the disk itself."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from tpsgd_host.errors import DataError


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """Open a file that takes the place of ``path`` when the block ends, and is dropped where the block fails.

    Raises
    ------
    OSError
        The file cannot be written; ``path`` is what it was.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
    _sync_folder(path.parent)


def write_atomic(path: Path, data: bytes) -> None:
    """Write a whole file, so that at any moment there is the old one or the new one.

    Raises
    ------
    DataError
        The file cannot be written.
    """
    try:
        with replacing(path) as file:
            file.write(data)
    except OSError as error:
        raise cannot_write(path, error) from error


def cannot_write(path: Path, error: OSError) -> DataError:
    """Return the error for a file or folder that cannot be written."""
    return DataError(f"{path} cannot be written: {error.strerror or error}", "Is there space, and may you write there?")


def _sync_folder(folder: Path) -> None:
    """Have a folder's entries on the disk, where the system can: a file that was renamed is found after a power cut."""
    with suppress(OSError):  # Windows opens no folders, some file systems sync none
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
