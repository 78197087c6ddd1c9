"""Read files within bounds, and write them atomically: at any moment there is the old file or the new one."""

from __future__ import annotations

import errno
import glob
import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from tpsgd_host.errors import DataError


def open_file(path: str | Path, most: int | None = None) -> IO[bytes]:
    """Open a regular file for reading: no device that never ends, no pipe that waits for a writer.

    Parameters
    ----------
    most : int, optional
        Maximum size in bytes.

    Raises
    ------
    OSError
        When it cannot be opened, is not a regular file, or is larger; ``strerror`` says which.
    """
    # O_NONBLOCK, because opening a named pipe would wait for a writer.
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        status = os.fstat(handle)
        if stat.S_ISDIR(status.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "it is a device or a pipe, not a file", str(path))
        if most is not None and status.st_size > most:
            raise OSError(errno.EFBIG, f"it has {status.st_size} bytes; the maximum is {most}", str(path))
    except OSError:
        os.close(handle)
        raise
    return os.fdopen(handle, "rb")


def read_file(path: str | Path, most: int) -> bytes:
    """Return the bytes of a regular file of at most ``most`` bytes; errors as for :func:`open_file`."""
    with open_file(path, most) as file:
        data = file.read(most + 1)
    if len(data) > most:  # it has grown meanwhile, or its file system does not know its size
        raise OSError(errno.EFBIG, f"it has more than {most} bytes", str(path))
    return data


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """Open a file that replaces ``path`` when the block ends, and is discarded if the block fails.

    A link stays a link; its target is replaced. Pipes and devices are written to directly.

    Raises
    ------
    OSError
        When the file cannot be written; ``path`` is then unchanged.
    """
    if "\0" in os.fspath(path):
        raise OSError(errno.EINVAL, "its name contains a NUL")
    path = Path(os.path.realpath(path))
    if path.exists() and not path.is_file():
        with path.open("wb") as file:
            yield file
        return
    temporary = path.with_name(f".{path.name[:40]}.{os.getpid()}.tmp")
    _sweep(path)
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
    """Write a file atomically, so that at any moment there is the old one or the new one.

    Raises
    ------
    DataError
        When the file cannot be written.
    """
    try:
        with replacing(path) as file:
            file.write(data)
    except OSError as error:
        raise cannot_write(path, error) from error


@contextmanager
def writing_text(path: Path) -> Iterator[IO[str]]:
    """Open a UTF-8 text file that replaces ``path`` when the block ends; newlines are not translated.

    Raises
    ------
    DataError
        When the file cannot be written.
    """
    try:
        with replacing(path) as file:
            text = io.TextIOWrapper(file, encoding="utf-8", newline="")
            try:
                yield text
            finally:
                text.detach()  # flushes into the file, which stays open
    except OSError as error:
        raise cannot_write(path, error) from error


def cannot_write(path: Path, error: OSError) -> DataError:
    """Return the error for a file or folder that cannot be written."""
    return DataError(
        f"{path} cannot be written: {error.strerror or error}",
        "Is there space, and do you have permission to write there?",
    )


def _sweep(path: Path) -> None:
    """Remove leftovers of processes that were killed while writing ``path``."""
    with suppress(OSError):
        for left in path.parent.glob(f".{glob.escape(path.name[:40])}.*.tmp"):
            number = left.name.split(".")[-2]
            if number.isdecimal() and not _runs(int(number)):
                left.unlink()


def _runs(process: int) -> bool:
    """Whether a process with this id exists; True if that is unknown."""
    if os.name != "posix":  # elsewhere signal 0 ends a process
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


def _sync_folder(folder: Path) -> None:
    """Write a folder's entries to the disk, if the system can, so that a renamed file survives a power cut."""
    with suppress(OSError):  # Windows cannot open folders, and some file systems cannot sync them
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
