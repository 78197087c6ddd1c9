"""The trainer's inner loops on a Cortex-M4 in QEMU (Arm's board MPS2), which counts their instructions.

There is no MicroPython on it: ``loops.c`` is the whole program. With ``-icount shift=3`` an instruction moves the
emulated clock by 8 ns, so the counts repeat exactly, on any machine and under any load. The M4 runs the instructions of
an M0 and an M3, too. It takes ``apt-get install qemu-system-arm gcc-arm-none-eabi``.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from tpsgd_host.errors import BoardError
from tpsgd_host.native.build import HERE, TARGETS, compiler

QEMU = "qemu-system-arm"

#: As in loops.c: calls that are counted, and weights of the layer.
COUNTED, WEIGHTS = 16, 32 * 61

#: A tick of the board's timer, and an instruction, in nanoseconds.
TICK, INSTRUCTION = 40, 8

LINKED = """ENTRY(main)
SECTIONS {
    . = 0; .text : { *(.vectors) *(.text .text.*) *(.rodata .rodata.*) }
    . = 0x20000000; .data : { *(.data .data.*) } .bss : { *(.bss .bss.* COMMON) }
    /DISCARD/ : { *(.ARM.*) *(.comment) }
}
"""

WARNINGS = ("-Wall", "-Wextra", "-Wno-unused-function")


@dataclass(frozen=True)
class LoopCost:
    """Instructions a weight of the inner loops, on 32 units with 61 inputs; calls and centred inputs included.

    Attributes
    ----------
    forward, frozen : float
        Of a layer that learns, and of a frozen one.
    update : float
    backward : float
        An update that also sends feedback.
    crc : int
        Over the results of 400 random layers.
    """

    forward: float
    frozen: float
    update: float
    backward: float
    crc: int


def missing() -> str | None:
    """Return what is missing to count, or None."""
    lacks = [name for name in (QEMU, TARGETS["armv7m"].prefix + "gcc") if not shutil.which(name)]
    return "apt-get install qemu-system-arm gcc-arm-none-eabi" if lacks else None


def loop_cost(arch: str) -> LoopCost:
    """Run the loops of an architecture of Cortex-M in QEMU.

    Raises
    ------
    BoardError
        When the program does not compile or does not end.
    """
    target = TARGETS[arch]
    with tempfile.TemporaryDirectory(prefix="tpsgd-") as place:
        folder = Path(place)
        (folder / "bare.ld").write_text(LINKED)
        _compile(
            folder, target.prefix + "gcc", *target.flags, "-ffreestanding", f'-DLOOPS="{target.loops}"', "-nostdlib",
            "-T", "bare.ld", "-lgcc",
        )  # fmt: skip
        said = _run(
            folder, QEMU, "-machine", "mps2-an386", "-display", "none", "-serial", "none", "-monitor", "none",
            "-semihosting", "-semihosting-config", "target=native", "-icount", "shift=3,sleep=off",
            "-kernel", "loops",
        )  # fmt: skip
    crc, *ticks = [int(line) for line in said.split()]
    forward, frozen, update, backward = [n * TICK / INSTRUCTION / COUNTED / WEIGHTS for n in ticks]
    return LoopCost(forward, frozen, update, backward, crc)


def host_crc() -> int:
    """Return the CRC that the same program gets on this computer, with the loops of the simulator."""
    with tempfile.TemporaryDirectory(prefix="tpsgd-") as place:
        _compile(Path(place), compiler("x64") or "gcc", "-O2", "-fno-builtin")
        return int(_run(Path(place), str(Path(place) / "loops")).split()[0])


def _compile(folder: Path, gcc: str, *options: str) -> None:
    source = resources.files("tpsgd_host.bench") / "loops.c"
    with resources.as_file(source) as program:
        _run(folder, gcc, *WARNINGS, f"-I{HERE}", f"-Wa,-I{HERE}", str(program), *options, "-o", "loops")


def _run(folder: Path, *command: str) -> str:
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=300, check=False
    )
    if done.returncode:
        raise BoardError(f"{command[0]} failed:\n{done.stderr[-2000:]}")
    return done.stdout + done.stderr
