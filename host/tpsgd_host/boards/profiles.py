"""What is known of boards: data in ``firmware/boards.toml``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from tpsgd_host.data.names import listing, suggestion
from tpsgd_host.errors import ConfigError, DependencyError
from tpsgd_host.model import Memory, Model, memory
from tpsgd_host.settings import Document, Table

FILE = "boards.toml"
KEYS = ("title", "chip", "heap", "block", "program", "notes", "source")


@dataclass(frozen=True)
class BoardProfile:
    """A board, or a group of boards that do not differ in what matters here.

    Attributes
    ----------
    name : str
        As options name it.
    title : str
    chip : str
    heap : int
        Bytes free for a program right after start.
    block : int
        Bytes of a heap block.
    program : int
        Bytes of heap that the trainer's own code takes.
    notes, source : str
        What a user should know, and where ``heap`` comes from.
    """

    name: str
    title: str
    chip: str
    heap: int
    block: int
    program: int
    notes: str
    source: str


@dataclass(frozen=True)
class Fit:
    """Whether a model's training state fits on a board.

    Attributes
    ----------
    need : int
        Bytes of heap that its buffers take, in whole blocks, and the trainer's code.
    """

    board: BoardProfile
    need: int

    @property
    def fits(self) -> bool:
        """Whether that is less than the board's heap."""
        return self.need < self.board.heap

    @property
    def left(self) -> int:
        """Bytes of the heap that are left, below 0 where the model does not fit."""
        return self.board.heap - self.need


def load_profiles() -> dict[str, BoardProfile]:
    """Return the boards that are known, by name, in the order of the file."""
    return dict(_profiles())


def load_profile(name: str) -> BoardProfile:
    """Return one board.

    Raises
    ------
    ConfigError
        If it is not known.
    """
    profiles = _profiles()
    if name not in profiles:
        known = f"Known: {listing(list(profiles))}.{suggestion(name, profiles)}"
        raise ConfigError(f"no board is called {name!r}", known)
    return profiles[name]


def fits(model: Model, plan: Memory | None = None) -> list[Fit]:
    """Return how a model fits on each known board; ``plan`` spares planning its memory again."""
    plan = plan or memory(model)
    return [Fit(board, plan.allocated(board.block) + board.program) for board in _profiles().values()]


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
    )


@cache
def _profiles() -> Mapping[str, BoardProfile]:
    return parse_profiles(_file().read_text(encoding="utf-8"), FILE)


def _file() -> Any:
    """Return the file: of the installed package, else of the repository that this module stands in."""
    try:
        installed = resources.files("tpsgd_host.firmware") / FILE
        if installed.is_file():
            return installed
    except ModuleNotFoundError:
        pass
    beside = Path(__file__).resolve().parents[3] / "firmware" / FILE
    if not beside.is_file():
        raise DependencyError(f"{FILE} is missing: tpsgd is not installed whole", "Install it again: pip install tpsgd")
    return beside
