"""Whose a board's files are: what tpsgd wrote it may replace and remove, what a user wrote is kept.

A file is ours by its hash alone. ``flash`` leaves the hashes of what it writes in :data:`SUMS`, as ``sha256sum`` has
them; start-up programs are known by the hashes of all that were ever written. The same rule holds on the virtual board,
on CircuitPython's drive and on a board behind its REPL.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath

from tpsgd_host.boards.circuitpython import BOOT, BOOT_PROGRAM, START_CIRCUITPYTHON
from tpsgd_host.boards.virtual import MAIN
from tpsgd_host.errors import BoardError
from tpsgd_host.files import read_file
from tpsgd_host.flashing.mpy import PACKAGE, sources
from tpsgd_host.flashing.probe import START_PROGRAM
from tpsgd_host.names import listing

#: Where a board keeps the hashes of what was written to it.
SUMS = f"{PACKAGE}.sums"

#: The start-up program on MicroPython.
START = "main.py"

#: Files that run when a board starts.
START_UPS = (BOOT, START_CIRCUITPYTHON, START)

#: What CircuitPython puts on a new board: nobody misses it.
_HELLO = 'print("Hello World!")'

#: Suffixes of what a board imports; other files in the package's folder are never touched.
CODE = (".py", ".mpy")

#: A file larger than this is none of ours, and is not read.
MAX_FILE = 1 << 20

#: Runs on the board: prints a line for each file that may be ours, and the sums it was left with.
PROGRAM = """
import os
try:
    import hashlib, binascii
    new = hashlib.sha256 if hasattr(hashlib, "sha256") else lambda: hashlib.new("sha256")
except ImportError:
    new = None
def say(path):
    try:
        f = open(path, "rb")
    except OSError:
        return
    try:
        h = new() if new else None
        while True:
            b = f.read(512)
            if not b:
                break
            if h:
                h.update(b)
        print("file %s %s" % (binascii.hexlify(h.digest()).decode() if h else "?", path))
    except OSError:
        pass
    f.close()
for path in {files!r}:
    say(path)
try:
    names = os.listdir({package!r})
except OSError:
    names = []
for name in names:
    say({package!r} + "/" + name)
try:
    f = open({sums!r})
    for line in f:
        print("sum " + line.strip())
    f.close()
except OSError:
    pass
print("end")
"""


def digest(data: bytes) -> str:
    """Return what names a file's content: its SHA-256 in hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


#: Start-up files that were ever written, the ones that nobody misses among them.
EVER_WRITTEN = frozenset(
    digest(text.encode())
    for text in (START_PROGRAM, MAIN, BOOT_PROGRAM, "", _HELLO, f"{_HELLO}\n", f"{_HELLO}\r\n")
)  # fmt: skip


def sums_of(files: Mapping[str, bytes]) -> bytes:
    """Return the content of :data:`SUMS` for files that are about to be written."""
    return "".join(f"{digest(data)}  {path}\n" for path, data in files.items()).encode()


@dataclass(frozen=True)
class Belongings:
    """The files on a board that flashing could touch.

    Attributes
    ----------
    files : dict
        Path on the board and digest: of start-up files, and of all in the package's folder.
    sums : dict
        What the board was left with: path and digest.
    """

    files: Mapping[str, str]
    sums: Mapping[str, str]

    @classmethod
    def in_folder(cls, place: Path) -> Belongings:
        """Look into a folder that is a board's flash.

        Raises
        ------
        BoardError
            When a file cannot be read.
        """
        package = place / PACKAGE
        inside = sorted(package.iterdir()) if package.is_dir() else []
        files = {}
        for path in [*(place / name for name in (*START_UPS, SUMS)), *inside]:
            if path.is_file():
                files[path.relative_to(place).as_posix()] = _digest_of(path)
        sums = place / SUMS
        text = _read(sums).decode(errors="replace") if sums.is_file() else ""
        return cls(files, _sums(text.splitlines()))

    @classmethod
    def parse(cls, text: str) -> Belongings:
        """Return what a board says when :func:`program` runs there.

        Raises
        ------
        BoardError
            When it did not run to its end.
        """
        lines = text.splitlines()
        if "end" not in lines:
            raise BoardError(
                f"the board did not say which files it has: {text.strip()[-200:]!r}", "reset it and try again"
            )
        files = {}
        for line in lines:
            word, _, rest = line.partition(" ")
            if word == "file":
                found, _, path = rest.partition(" ")
                files[path] = found
        return cls(files, _sums(line[4:] for line in lines if line.startswith("sum ")))

    def is_ours(self, path: str) -> bool:
        """Whether tpsgd wrote the file at ``path`` as it is now."""
        found = self.files.get(path)
        if found is None:
            return False
        if path in START_UPS:
            return found in EVER_WRITTEN
        if path == SUMS or self.sums.get(path) == found or found in _shipped():
            return True
        started = [name for name in (START, START_CIRCUITPYTHON) if name in self.files]
        if self.sums:  # nothing starts: a flash was interrupted, and may have torn a file
            return not started and _whole(path) in self.sums
        # Before there were sums: a board that runs our program has our package.
        return any(self.is_ours(name) for name in started) and _whole(path).rpartition(".")[0] in _modules()

    def others(self, start: str) -> tuple[str, ...]:
        """Return what a flash would replace, or what would be imported in its place, and is not ours.

        Parameters
        ----------
        start : str
            The start-up program that the flash writes.
        """
        code = [path for path in self.files if path == start or (path not in START_UPS and path.endswith(CODE))]
        return tuple(path for path in code if not self.is_ours(path))

    def ours(self) -> tuple[str, ...]:
        """Return all that is ours, start-up programs first: without one a board is bare, not half there."""
        return tuple(path for path in self.files if self.is_ours(path))

    def kept(self) -> tuple[str, ...]:
        """Return the programs that are not ours and stay when a board is erased."""
        code = [path for path in self.files if path in START_UPS or path.endswith(CODE)]
        return tuple(path for path in code if not self.is_ours(path))

    def stale(self, files: Iterable[str]) -> tuple[str, ...]:
        """Return what is ours in the package's folder and not among ``files``, which are about to be written."""
        wanted = set(files)
        return tuple(path for path in self.ours() if path not in START_UPS and path not in wanted)


def program() -> str:
    """Return the program that says a board's files."""
    return PROGRAM.format(files=(*START_UPS, SUMS), package=PACKAGE, sums=SUMS)


def question(others: Iterable[str], place: str) -> str:
    """Return what to ask before files that are not ours are set aside."""
    names = list(others)
    one = len(names) == 1
    return (
        f"{place} has {listing(names)} that {'is' if one else 'are'} not tpsgd's. "
        f"Keep {f'it as {names[0]}.old' if one else 'each as NAME.old'} and go on?"
    )


def set_aside(place: Path, others: Iterable[str]) -> tuple[str, ...]:
    """Rename files in a folder to ``NAME.old``, or ``NAME.old2`` where that is taken; return the new names."""
    made = []
    for path in others:
        number, new = 1, place / f"{path}.old"
        while new.exists():
            number += 1
            new = place / f"{path}.old{number}"
        (place / path).rename(new)
        made.append(new.relative_to(place).as_posix())
    return tuple(made)


def _sums(lines: Iterable[str]) -> dict[str, str]:
    pairs = (line.split("  ", 1) for line in lines)
    return {pair[1]: pair[0] for pair in pairs if len(pair) == 2}


def _whole(path: str) -> str:
    """Return the name of the file that a part of it was to become (``.NAME.123.tmp``, ``NAME.part``)."""
    pure = PurePosixPath(path)
    name = pure.name
    if name.startswith(".") and name.endswith(".tmp"):
        name = name[1:].rpartition(".")[0].rpartition(".")[0]
    return (pure.parent / name.removesuffix(".part")).as_posix()


@cache
def _shipped() -> frozenset[str]:
    """Return the digests of the package's files as they are in this version."""
    return frozenset(digest(data) for data in sources().values())


@cache
def _modules() -> frozenset[str]:
    """Return the paths of the package's modules, without their suffix."""
    return frozenset(path.rpartition(".")[0] for path in sources())


def _digest_of(path: Path) -> str:
    try:
        return digest(read_file(path, MAX_FILE))
    except OSError:  # too large, or no file: nothing that we wrote
        return "?"


def _read(path: Path) -> bytes:
    try:
        return read_file(path, MAX_FILE)
    except OSError as error:
        raise BoardError(f"cannot read {path}: {error.strerror}", "may you read it? Is the board mounted?") from error
