"""The known boards; their data are in ``boards.toml``, beside this file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

from tpsgd_host.boards.known import find
from tpsgd_host.model.modelfile import Memory, Model, memory
from tpsgd_host.model.settings import Document, Table

FILE = "boards.toml"
KEYS = (
    "title", "chip", "aliases", "firmware", "heap", "heap_ulab", "program", "block", "arch", "loader", "chip_id",
    "offset", "families", "drive", "bootsel", "usb", "bridges", "usb_boot", "baud", "rx", "notes", "source",
)  # fmt: skip

#: Named as in mpy-cross (py/persistentcode.h has their numbers).
ARCHITECTURES = (
    "", "x86", "x64", "armv6", "armv6m", "armv7m", "armv7em", "armv7emsp", "armv7emdp", "xtensa", "xtensawin",
    "rv32imc", "rv64imc",
)  # fmt: skip


@dataclass(frozen=True)
class BoardProfile:
    """A board, or a group of boards that are the same for this purpose.

    Attributes
    ----------
    name : str
        Its name in options.
    title : str
    chip : str
    heap : int
        Bytes free for a program after the start.
    block : int
        Bytes in a heap block.
    program : int
        Heap bytes that the trainer's own code needs.
    notes, source : str
        What a user should know, and the source of ``heap``.
    heap_ulab : int
        The same with ulab in the firmware; 0 if unknown.
    aliases : tuple of str
        Its other names in options.
    firmware : str
        ``micropython`` or ``circuitpython``.
    arch : str
        Its name in mpy-cross; empty where the firmware has no native emitter.
    loader : str
        How to install firmware: ``esptool``, ``uf2`` or ``none``.
    chip_id, offset : int
        With esptool: the chip's number in an image, and the address of the firmware.
    families, drive : tuple of int, str
        With UF2: family ids, and the beginning of the boot drive's Board-ID.
    bootsel : str
        How a user starts the board's loader.
    usb, bridges, usb_boot : tuple of str
        vendor:product of its serial port, of USB-UART chips that it may have, and of its loader.
    baud, rx : int
        Speed of the serial port (0 on native USB), and bytes of the console's receive buffer (0 if unknown).
    """

    name: str
    title: str
    chip: str
    heap: int
    block: int
    program: int
    notes: str
    source: str
    heap_ulab: int = 0
    aliases: tuple[str, ...] = ()
    firmware: str = "micropython"
    arch: str = ""
    loader: str = "none"
    chip_id: int = 0
    offset: int = 0
    families: tuple[int, ...] = ()
    drive: str = ""
    bootsel: str = ""
    usb: tuple[str, ...] = ()
    bridges: tuple[str, ...] = ()
    usb_boot: tuple[str, ...] = ()
    baud: int = 0
    rx: int = 0


@dataclass(frozen=True)
class Fit:
    """Whether a model's training state fits on a board.

    Attributes
    ----------
    need : int
        Heap bytes for its buffers, in whole blocks, and for the trainer's code.
    """

    board: BoardProfile
    need: int

    @property
    def fits(self) -> bool:
        """Whether it fits into the board's heap."""
        return self.need < self.board.heap

    @property
    def left(self) -> int:
        """Bytes of the heap that are left; negative if the model does not fit."""
        return self.board.heap - self.need


def load_profiles() -> dict[str, BoardProfile]:
    """Return the known boards by name, in file order."""
    return dict(_profiles())


def load_profile(name: str) -> BoardProfile:
    """Return a board by its name or an alias.

    Raises
    ------
    ConfigError
        If it is not known.
    """
    return find(name, _profiles(), "board")


def fits(model: Model, plan: Memory | None = None) -> list[Fit]:
    """Return how a model fits on each known board; with ``plan``, its memory is not planned again."""
    plan = plan or memory(model)
    words = memory(model, "thumb")  # the engine of Cortex-M boards stores words where others store bytes
    return [
        Fit(board, (words if board.arch.startswith("arm") else plan).allocated(board.block) + board.program)
        for board in _profiles().values()
    ]


def parse_profiles(text: str, source: str) -> dict[str, BoardProfile]:
    """Return the boards in the text of ``boards.toml``."""
    document = Document(text, source)
    return {name: _profile(name, document.table(name, KEYS)) for name in document.values}


def _profile(name: str, table: Table) -> BoardProfile:
    return BoardProfile(
        name=name,
        title=table.text("title", name),
        chip=table.text("chip", ""),
        heap=table.integer("heap", None, 1, 2**32),
        block=table.integer("block", 16, 1, 256),
        program=table.integer("program", 0, 0, 2**32),
        notes=table.text("notes", ""),
        source=table.text("source", "", empty=False),
        heap_ulab=table.integer("heap_ulab", 0, 0, 2**32),
        aliases=table.texts("aliases", 1, 20),
        firmware=table.choice("firmware", "micropython", ("micropython", "circuitpython")),
        arch=table.choice("arch", "", ARCHITECTURES),
        loader=table.choice("loader", "none", ("none", "esptool", "uf2")),
        chip_id=table.integer("chip_id", 0, 0, 0xFFFF),
        offset=table.integer("offset", 0, 0, 2**32 - 1),
        families=table.integers("families", (), 0, 2**32 - 1, 8) if "families" in table else (),
        drive=table.text("drive", ""),
        bootsel=table.text("bootsel", ""),
        usb=table.texts("usb", 1, 20),
        bridges=table.texts("bridges", 1, 20),
        usb_boot=table.texts("usb_boot", 1, 20),
        baud=table.integer("baud", 0, 0, 10_000_000),
        rx=table.integer("rx", 0, 0, 2**20),
    )


@cache
def _profiles() -> Mapping[str, BoardProfile]:
    return parse_profiles((resources.files("tpsgd_host.boards") / FILE).read_text(encoding="utf-8"), FILE)
