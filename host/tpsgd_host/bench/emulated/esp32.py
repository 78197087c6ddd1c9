"""An ESP32 in QEMU. It runs an unmodified MicroPython and counts instructions.

You bring two parts: a QEMU with the machine ``esp32``, which the mainline lacks, named by ``TPSGD_ESP32_QEMU``; and
MicroPython for the board ``ESP32_GENERIC``, named by ``TPSGD_ESP32_FIRMWARE``.

With ``-icount shift=3`` every instruction moves the emulated clock by 8 ns, so ``time.ticks_us`` counts instructions on
any machine, under any load. With many emulators a write to the flash never ends then, so files lie in RAM: they can be
read and imported. The flash is prepared in a first run without counting.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from tpsgd_host.bench.emulated.board import EmulatedBoard
from tpsgd_host.errors import DependencyError

QEMU = os.environ.get("TPSGD_ESP32_QEMU", "")
FIRMWARE = os.environ.get("TPSGD_ESP32_FIRMWARE", "")

#: Nanoseconds of emulated time for one instruction.
INSTRUCTION_NS = 8

FLASH = 4 << 20
FIRMWARE_AT = 0x1000

#: Files in RAM that can be read and imported.
FILES = """import io, os
class Files:
    def __init__(self):
        self.files = {}
        self.folders = ['']
    def mount(self, *_):
        pass
    def umount(self):
        pass
    def chdir(self, _):
        pass
    def stat(self, path):
        path = path.strip('/')
        if path in self.files:
            return (0x8000, 0, 0, 0, 0, 0, len(self.files[path]), 0, 0, 0)
        if path in self.folders:
            return (0x4000, 0, 0, 0, 0, 0, 0, 0, 0, 0)
        raise OSError(2)
    def remove(self, path):
        if self.files.pop(path.strip('/'), None) is None:
            raise OSError(2)
    def open(self, path, _):
        path = path.strip('/')
        if path in self.files:
            return io.BytesIO(self.files[path])
        raise OSError(2)
ram = Files()
os.mount(ram, '/ram')
os.chdir('/ram')
import sys
sys.path[:] = ['/ram']
"""


def missing() -> str | None:
    """Return what is missing to run the emulated board, or None."""
    lacks = []
    if not (QEMU and shutil.which(QEMU)):
        lacks.append("TPSGD_ESP32_QEMU=<qemu-system-xtensa that knows the machine esp32>")
    if not Path(FIRMWARE).is_file():
        lacks.append("TPSGD_ESP32_FIRMWARE=<MicroPython, .bin, from micropython.org/download/ESP32_GENERIC>")
    return "no emulated ESP32; it takes " + ", ".join(lacks) if lacks else None


def command(image: Path, *more: str) -> list[str]:
    """Return the emulator's command line for a flash image, which the board changes."""
    return [
        QEMU, "-machine", "esp32", "-display", "none", "-monitor", "none", "-accel", "tcg,thread=single",
        "-global", "driver=timer.esp32.timg,property=wdt_disable,value=true",
        "-drive", f"file={image},if=mtd,format=raw", *more,
    ]  # fmt: skip


def write_image(path: Path, firmware: bytes = b"") -> None:
    """Write a flash image: empty, or with a firmware."""
    path.write_bytes((b"\xff" * FIRMWARE_AT + firmware).ljust(FLASH, b"\xff"))


class ESP32(EmulatedBoard):
    """One emulated board that counts instructions, with its raw REPL open; a context manager.

    Raises
    ------
    DependencyError
        When a part is missing.
    """

    def __init__(self) -> None:
        lack = missing()
        if lack:
            raise DependencyError(*lack.split("; "))
        self._folder = tempfile.TemporaryDirectory(prefix="tpsgd-")
        image = Path(self._folder.name) / "flash.bin"
        write_image(image, Path(FIRMWARE).read_bytes())
        with EmulatedBoard(command(image, "-serial", "stdio")):
            pass  # the first start of a firmware makes a file system
        super().__init__(command(image, "-serial", "stdio", "-icount", "shift=3,sleep=off"))

    def close(self) -> None:
        """Stop the emulator."""
        super().close()
        self._folder.cleanup()

    def write(self, name: str, data: bytes) -> None:
        """Keep a file in the board's RAM."""
        self.run("made = bytearray()")
        for at in range(0, len(data), self.PIECE):
            self.run(f"made += {data[at : at + self.PIECE]!r}")
        self.run(f"ram.files[{name!r}] = bytes(made)\nmade = None\nimport gc\ngc.collect()")

    def make_folder(self, name: str) -> None:
        """Make a folder in the board's RAM."""
        self.run(f"ram.folders.append({name!r})")

    def _open(self) -> None:
        """Enter the raw REPL; files are in RAM from then on."""
        super()._open()
        self.run(FILES)
