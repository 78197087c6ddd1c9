"""Put the device package and a model on a board, and see that they arrived and run.

Every file is written beside its place, read back, compared by hash, and then moved into place: a flash that was
interrupted can simply be run again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from tpsgd_host.boards.connect import VIRTUAL
from tpsgd_host.boards.plugged import only_port
from tpsgd_host.boards.profiles import load_profile
from tpsgd_host.boards.virtual import default_folder
from tpsgd_host.errors import ConfigError
from tpsgd_host.flashing import real
from tpsgd_host.flashing.deploy import Flashed
from tpsgd_host.flashing.virtual import flash_virtual, virtual_steps
from tpsgd_host.model.modelfile import Model, load_model

#: Takes a question before something is written over; raises where the answer is no.
Ask = Callable[[str], None]


def refuse(question: str) -> None:
    """Answer every question with no: what a program gets that has not said how to ask."""
    raise ConfigError(f"this needs a yes: {question}", "give --yes (in Python: ask=lambda question: None)")


@dataclass(frozen=True)
class FlashReport:
    """What a flash did; sizes in bytes.

    Attributes
    ----------
    compiled : bool
        Whether the device package went there as .mpy; else ``why_sources`` says why not.
    firmware : str
        Name of the firmware file that was written; empty where it was left alone.
    started : bool
        Whether the board was started and said that it holds the model. Without a port nobody can ask it, and what
        follows is 0.
    todo : str
        What the user must do before the board can run: press RESET, say; empty where nothing.
    """

    board: str
    place: str
    files: int
    written: int
    model: str
    network: str
    model_crc: int
    engine: str
    machine: str
    heap_used: int
    heap_free: int
    state_planned: int
    state_measured: int
    compiled: bool = False
    why_sources: str = ""
    firmware: str = ""
    started: bool = True
    todo: str = ""

    def as_dict(self) -> dict[str, object]:
        """Return the report for JSON."""
        return asdict(self)


def flash(
    model_path: Path,
    board: str = VIRTUAL,
    *,
    folder: Path | None = None,
    heap: int | None = None,
    port: str = "",
    firmware: str = "",
    erase: bool = False,
    deploy_only: bool = False,
    drive: Path | None = None,
    ask: Ask = refuse,
    tell: Callable[[str], None] = lambda text: None,
    progress: Callable[[str, int, int], None] = lambda step, done, total: None,
) -> FlashReport:
    """Put the device package and a model on a board, verify both, and start it once.

    Parameters
    ----------
    board : str
        Name of a board in ``boards/boards.toml``.
    folder : Path, optional
        Flash of the virtual board.
    heap : int, optional
        Heap of the virtual board in bytes; it keeps it.
    port : str
        Where a real board is; empty takes the only one of its kind that is plugged in.
    firmware : str
        Firmware to put there first: a file, or a release of MicroPython that is fetched. Empty leaves it alone, unless
        no MicroPython answers and ``ask`` agrees to fetch it.
    erase : bool
        Erase the whole flash before firmware is written (ESP32).
    deploy_only : bool
        Leave the firmware alone in any case.
    drive : Path, optional
        CircuitPython's drive, where it is not to be looked for.
    ask : callable
        Gets a question before something is fetched or written over; raises where the answer is no.
    tell : callable
        Gets what the user should know now.
    progress : callable
        Gets the step's name, how many of its parts are done, and how many there are.

    Raises
    ------
    ModelError, ConfigError, FitError, PortError, BoardError, MismatchError, DependencyError
    """
    model = load_model(model_path)
    profile = load_profile(board)
    if profile.name != VIRTUAL:
        target = real.Target(profile, port or only_port(profile), firmware, erase, drive, board, deploy_only)
        flashed = real.flash_real(model, target, ask=ask, tell=tell, progress=progress)
        return _report(model, profile.name, flashed)
    if port not in ("", VIRTUAL) or firmware or erase or drive:
        raise ConfigError("the virtual board has no port, drive or firmware to write", "name another --board")
    return _report(model, VIRTUAL, flash_virtual(model, folder or default_folder(), heap, ask, progress))


def dry_run(
    model_path: Path,
    board: str,
    *,
    port: str = "",
    firmware: str = "",
    erase: bool = False,
    deploy_only: bool = False,
    drive: Path | None = None,
    folder: Path | None = None,
    heap: int | None = None,
) -> list[str]:
    """Return every step that :func:`flash` would take, and touch nothing."""
    model = load_model(model_path)
    profile = load_profile(board)
    if profile.name != VIRTUAL:
        return real.steps(model, real.Target(profile, port, firmware, erase, drive, board, deploy_only))
    return virtual_steps(model, folder or default_folder(), heap)


def _report(model: Model, board: str, flashed: Flashed) -> FlashReport:
    info = flashed.info
    said = (info.engine, info.machine, info.heap_used, info.heap_free, info.planned, info.measured) if info else None
    return FlashReport(
        board, flashed.place, len(flashed.files), sum(map(len, flashed.files.values())), model.name, model.shape,
        model.crc, *(said or ("", "", 0, 0, 0, 0)), any(name.endswith(".mpy") for name in flashed.files),
        flashed.why_sources, flashed.firmware, info is not None, flashed.todo,
    )  # fmt: skip
