"""Compile the trainer to native modules for boards, byte for byte the same with the same compiler.

``python firmware/modules.py`` writes them into the device package. Debian has the compilers: gcc, gcc-arm-none-eabi,
gcc-riscv64-unknown-elf, gcc-xtensa-lx106.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import tpsgd
from tpsgd_host.native.mpyfile import mpy

HERE = Path(__file__).parent
SOURCES = tuple(path.name for path in sorted(HERE.iterdir()) if path.suffix in (".c", ".h", ".s", ".ld"))

#: C files by the modules that they become: the trainer, and the kernels of the front end for sound.
MODULES = {"native": "module.c", "logmel": "logmel.c"}

#: For all: no library, nothing at fixed addresses, and no loop is turned into a call.
FLAGS = (
    "-std=c99", "-ffreestanding", "-fPIC", "-fno-jump-tables", "-fno-tree-loop-distribute-patterns",
    "-fno-asynchronous-unwind-tables", "-ffunction-sections", "-fvisibility=hidden", "-Wall", "-Wextra", "-Werror",
)  # fmt: skip

#: Sections that a module must not have.
DATA = (".data", ".sdata", ".bss", ".sbss", ".got", ".plt", ".rodata", ".init", ".rela", ".fault")

#: Beginning of the labels before calls that are patched.
CALL = "tpsgd_call_"


@dataclass(frozen=True)
class Target:
    """A compiler and what it is told.

    Attributes
    ----------
    prefix : str
        Of the names of its programs.
    flags : tuple of str
    loops : str
        The file with the inner loops for its instruction set; empty for those that suit a vectorizing compiler.
    """

    prefix: str
    flags: tuple[str, ...]
    loops: str = ""


#: The inner loops for chips.
CHIP = "loops_chip.h"

TARGETS = {
    "x64": Target(
        "",
        ("-O2", "-ftree-vectorize", "-fvect-cost-model=dynamic", "-fno-stack-protector", "-fcf-protection=none",
         "-mno-red-zone"),
    ),
    "armv6m": Target("arm-none-eabi-", ("-O2", "-mthumb", "-march=armv6s-m", "-DNO_DIVISION", "-DSMALL"),
                     "loops_thumb.h"),
    "armv7m": Target("arm-none-eabi-", ("-O2", "-mthumb", "-march=armv7-m"), CHIP),
    "armv7emsp": Target("arm-none-eabi-", ("-O2", "-mthumb", "-march=armv7e-m"), CHIP),
    "armv7emdp": Target("arm-none-eabi-", ("-O2", "-mthumb", "-march=armv7e-m"), CHIP),
    "xtensawin": Target("xtensa-lx106-elf-", ("-O2", "-fno-pic", "-mabi=windowed", "-mtext-section-literals"),
                        "loops_xtensa.h"),
    "rv32imc": Target("riscv64-unknown-elf-", ("-O2", "-march=rv32imc", "-mabi=ilp32", "-mcmodel=medany",
                      "-msmall-data-limit=0"), CHIP),
}  # fmt: skip

#: Those that go to boards: they have run on the chip or an emulator of it. The others are only compiled.
SHIPPED: tuple[str, ...] = ("x64", "armv6m", "armv7m", "armv7emsp", "armv7emdp", "xtensawin")


#: The compilers that made the modules in the package, by the prefix of their names: another version makes other bytes.
MADE_WITH = {"": "12.2.0", "arm-none-eabi-": "12.2.1", "xtensa-lx106-elf-": "12.2.0"}


def same_compiler(arch: str) -> bool:
    """Return whether the compiler for ``arch`` is installed in the version that made the module in the package."""
    path, wanted = compiler(arch), MADE_WITH.get(TARGETS[arch].prefix)
    if path is None or wanted is None:
        return False
    said = subprocess.run([path, "-dumpfullversion"], capture_output=True, text=True, timeout=20, check=False)
    return said.stdout.strip() == wanted


def compiler(arch: str) -> str | None:
    """Return the path of an architecture's compiler, or None where it is not installed."""
    return shutil.which(TARGETS[arch].prefix + "gcc")


def build(arch: str, module: str = "native") -> bytes:
    """Return a module for ``arch``.

    Parameters
    ----------
    arch : str
        A key of :data:`TARGETS`.
    module : str
        A key of :data:`MODULES`.

    Raises
    ------
    RuntimeError
        When a program fails, or the code would need relocations.
    """
    target = TARGETS[arch]
    with tempfile.TemporaryDirectory(prefix="tpsgd-") as place:
        folder = Path(place)
        for name in SOURCES:
            shutil.copy(HERE / name, folder)
        loops = (f'-DLOOPS="{target.loops}"',) if target.loops else ()
        _run(folder, target.prefix + "gcc", *FLAGS, *target.flags, *loops, "-S", MODULES[module], "-o", "module.s")
        if arch == "xtensawin":
            windowed(folder / "module.s")
        _run(folder, target.prefix + "gcc", *target.flags, "-c", "module.s", "-o", "module.o")
        # Code that runs anywhere is the same at two addresses.
        codes = [_link(folder, target, address) for address in ("0x0", "0x4560")]
        if codes[0] != codes[1]:
            raise RuntimeError(f"{arch}: the code depends on its address")
        functions = _places(folder, target, "tpsgd_py_")
    return mpy(MODULES[module], arch, codes[0], functions)


def windowed(path: Path) -> None:
    """Replace what the ESP8266's assembler does not know by bytes: calls on the ESP32 move a window of registers."""
    text = path.read_text()
    if ".rodata" in text:  # an emulator reads it; on the chip, code's memory gives words and no bytes
        raise RuntimeError("xtensawin: constants lie in the code")

    def entry(found: re.Match[str]) -> str:
        word = int(found[1]) // 8 << 12 | 0x136
        return f"\t.byte {word & 255}, {word >> 8 & 255}, {word >> 16}"

    text = re.sub(r"^\tentry\tsp, (\d+)$", entry, text, flags=re.MULTILINE)
    count = iter(range(1, 10**6))
    text = re.sub(
        r"^\tcall8\t", lambda _: f"{CALL}{next(count)}:\n\tcall0\t", text, flags=re.MULTILINE
    )  # turned into call8 after linking
    text = re.sub(r"^\tretw(\.n)?$", "\t.byte 0x1d, 0xf0", text, flags=re.MULTILINE)
    text = re.sub(r"^\tcallx8\ta(\d+)$", lambda m: f"\t.byte {0xE0}, {int(m[1])}, 0", text, flags=re.MULTILINE)
    path.write_text(text)


def _link(folder: Path, target: Target, address: str) -> bytes:
    """Return the code as it lies at an address."""
    _run(
        folder, target.prefix + "gcc", *target.flags, "-nostdlib", "-static", "-Wl,-T,module.ld",
        "-Wl,--build-id=none",
        f"-Wl,-Ttext={address}", "module.o", "-o", "module.elf",
    )  # fmt: skip
    sizes = re.findall(r"^(\.\S+) +(\d+)", _run(folder, target.prefix + "size", "-A", "module.elf"), re.MULTILINE)
    if data := [name for name, size in sizes if name.startswith(DATA) and int(size)]:
        raise RuntimeError(f"the module has more than code: {', '.join(data)}")
    _run(folder, target.prefix + "objcopy", "-O", "binary", "-j", ".text", "module.elf", "module.bin")
    code = bytearray((folder / "module.bin").read_bytes())
    for at in _places(folder, target, CALL).values():
        if code[at] & 0x3F != 5:
            raise RuntimeError(f"no call0 at {at:#x}")
        code[at] |= 0x20  # call8
    return bytes(code)


def _places(folder: Path, target: Target, prefix: str) -> dict[str, int]:
    """Return where the symbols with a prefix lie in the code, by the rest of their names."""
    said = _run(folder, target.prefix + "nm", "module.elf")
    places = {name: int(at, 16) for at, name in re.findall(r"^([0-9a-f]+) [tT] (\w+)$", said, re.MULTILINE)}
    begin = places["tpsgd_begin"]
    return {name.removeprefix(prefix): places[name] - begin for name in sorted(places) if name.startswith(prefix)}


def _run(folder: Path, *command: str) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed:\n{done.stderr[-2000:]}")
    return done.stdout


def path(arch: str, module: str = "native") -> Path:
    """Return where a module for ``arch`` lies in the device package."""
    return Path(tpsgd.__file__).with_name(f"{module}_{arch}.mpy")
