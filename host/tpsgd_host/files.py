"""Files read within bounds, and written whole: at any moment there is the old file or the new one."""

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
    """Open a regular file to read; nothing that never ends, and nothing that waits for somebody to write.

    Parameters
    ----------
    most : int, optional
        Bytes that it may have.

    Raises
    ------
    OSError
        It cannot be opened, is no regular file, or is larger; ``strerror`` says what.
    """
    # O_NONBLOCK: opening a named pipe would wait for who writes to it.
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        status = os.fstat(handle)
        if stat.S_ISDIR(status.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "it is a device or a pipe, not a file", str(path))
        if most is not None and status.st_size > most:
            raise OSError(errno.EFBIG, f"it has {status.st_size} bytes, {most} are the most", str(path))
    except OSError:
        os.close(handle)
        raise
    return os.fdopen(handle, "rb")


def read_file(path: str | Path, most: int) -> bytes:
    """Return the bytes of a regular file of at most ``most`` bytes; errors as for :func:`open_file`."""
    with open_file(path, most) as file:
        data = file.read(most + 1)
    if len(data) > most:  # it grew meanwhile, or its file system does not know its size
        raise OSError(errno.EFBIG, f"it has more than {most} bytes", str(path))
    return data


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """Open a file that takes the place of ``path`` when the block ends, and is dropped where the block fails.

    A link stays a link: the file that it leads to is replaced. A pipe or a device is written to as it is.

    Raises
    ------
    OSError
        The file cannot be written; ``path`` is what it was.
    """
    if "\0" in os.fspath(path):
        raise OSError(errno.EINVAL, "there is a NUL in its name")
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


@contextmanager
def writing_text(path: Path) -> Iterator[IO[str]]:
    """Open a text file, UTF-8, that takes the place of ``path`` when the block ends; newlines stay as they are written.

    Raises
    ------
    DataError
        The file cannot be written.
    """
    try:
        with replacing(path) as file:
            text = io.TextIOWrapper(file, encoding="utf-8", newline="")
            try:
                yield text
            finally:
                text.detach()  # what is left goes into the file, which stays open
    except OSError as error:
        raise cannot_write(path, error) from error


def cannot_write(path: Path, error: OSError) -> DataError:
    """Return the error for a file or folder that cannot be written."""
    return DataError(f"{path} cannot be written: {error.strerror or error}", "Is there space, and may you write there?")


def _sweep(path: Path) -> None:
    """Remove what processes left that were killed while they wrote ``path``."""
    with suppress(OSError):
        for left in path.parent.glob(f".{glob.escape(path.name[:40])}.*.tmp"):
            number = left.name.split(".")[-2]
            if number.isdecimal() and not _runs(int(number)):
                left.unlink()


def _runs(process: int) -> bool:
    """Whether there is a process of this number; True where that cannot be told."""
    if os.name != "posix":  # elsewhere the signal 0 ends a process
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


def _sync_folder(folder: Path) -> None:
    """Have a folder's entries on the disk, where the system can: a file that was renamed is found after a power cut."""
    with suppress(OSError):  # Windows opens no folders, some file systems sync none
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
