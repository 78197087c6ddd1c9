"""Tell tpsgd's files on a board from the user's: tpsgd may replace and remove its own, and keeps the user's.

Only its hash makes a file ours. ``flash`` saves the hashes of what it writes in :data:`SUMS`, in the format of
``sha256sum``; start-up programs are recognized by the hashes of all versions. The same rule holds on the virtual board,
on CircuitPython's drive and on a board with a REPL.
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
from tpsgd_host.flashing.mpy import PACKAGE, all_native_modules, module_names, sources
from tpsgd_host.flashing.probe import START_PROGRAM
from tpsgd_host.names import listing

#: File on a board with the hashes of what was written to it.
SUMS = f"{PACKAGE}.sums"

#: The start-up program on MicroPython.
START = "main.py"

#: Files that run when a board starts.
START_UPS = (BOOT, START_CIRCUITPYTHON, START)

#: CircuitPython puts this on a new board; it need not be kept.
_HELLO = 'print("Hello World!")'

#: Suffixes of modules; other files in the package's folder are never touched.
CODE = (".py", ".mpy")

#: Files larger than this are not ours, and are not read.
MAX_FILE = 1 << 20

#: Runs on the board: prints a line for each file that may be ours, and the saved sums.
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
    """Return the SHA-256 of a file's content, in hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


#: All versions of the start-up files, and the files that need not be kept.
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
        Path on the board and digest of start-up files and of all files in the package's folder.
    sums : dict
        The saved sums: path and digest.
    """

    files: Mapping[str, str]
    sums: Mapping[str, str]

    @classmethod
    def in_folder(cls, place: Path) -> Belongings:
        """Read the files in a folder that is a board's flash.

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
        """Parse what a board prints when it runs :func:`program`.

        Raises
        ------
        BoardError
            When the output is incomplete.
        """
        lines = text.splitlines()
        if "end" not in lines:
            raise BoardError(f"the board did not report its files: {text.strip()[-200:]!r}", "reset it and try again")
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
        if self.sums:  # nothing starts: a flash was interrupted, and may have left an incomplete file
            return not started and _whole(path) in self.sums
        # From before there were sums: a board that runs our program has our package.
        return any(self.is_ours(name) for name in started) and _whole(path).rpartition(".")[0] in _modules()

    def others(self, start: str) -> tuple[str, ...]:
        """Return files that are not ours and that a flash would replace, or that would be imported in place of ours.

        Parameters
        ----------
        start : str
            The start-up program that the flash writes.
        """
        code = [path for path in self.files if path == start or (path not in START_UPS and path.endswith(CODE))]
        return tuple(path for path in code if not self.is_ours(path))

    def ours(self) -> tuple[str, ...]:
        """Return all our files, start-up programs first, because a board without one is bare rather than broken."""
        return tuple(path for path in self.files if self.is_ours(path))

    def kept(self) -> tuple[str, ...]:
        """Return the programs that are not ours, which erasing keeps."""
        code = [path for path in self.files if path in START_UPS or path.endswith(CODE)]
        return tuple(path for path in code if not self.is_ours(path))

    def stale(self, files: Iterable[str]) -> tuple[str, ...]:
        """Return our files in the package's folder that are not among ``files``, which are about to be written."""
        wanted = set(files)
        return tuple(path for path in self.ours() if path not in START_UPS and path not in wanted)


def program() -> str:
    """Return the program that prints a board's files."""
    return PROGRAM.format(files=(*START_UPS, SUMS), package=PACKAGE, sums=SUMS)


def question(others: Iterable[str], place: str) -> str:
    """Return the question to ask before setting aside files that are not ours."""
    names = list(others)
    one = len(names) == 1
    return (
        f"{place} has {listing(names)} that {'is' if one else 'are'} not tpsgd's. "
        f"Keep {f'it as {names[0]}.old' if one else 'each as NAME.old'} and continue?"
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
    """Return the name that a temporary file was to get (``.NAME.123.tmp``, ``NAME.part``)."""
    pure = PurePosixPath(path)
    name = pure.name
    if name.startswith(".") and name.endswith(".tmp"):
        name = name[1:].rpartition(".")[0].rpartition(".")[0]
    return (pure.parent / name.removesuffix(".part")).as_posix()


@cache
def _shipped() -> frozenset[str]:
    """Return the digests of the package's files as they are in this version."""
    return frozenset(digest(data) for data in (*sources().values(), *all_native_modules().values()))


@cache
def _modules() -> frozenset[str]:
    """Return the paths of the package's modules, without their suffix."""
    return module_names()


def _digest_of(path: Path) -> str:
    try:
        return digest(read_file(path, MAX_FILE))
    except OSError:  # too large, or not a file: tpsgd did not write it
        return "?"


def _read(path: Path) -> bytes:
    try:
        return read_file(path, MAX_FILE)
    except OSError as error:
        raise BoardError(
            f"cannot read {path}: {error.strerror}", "do you have permission to read it? Is the board mounted?"
        ) from error
