"""Put the device package and a model on a board, and see that they arrived and run.

Every file is written beside its place, read back, compared by hash, and then moved into place: a flash that was
interrupted can simply be run again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from tpsgd import serve
from tpsgd_host.boards.connect import VIRTUAL, connect
from tpsgd_host.boards.plugged import plugged
from tpsgd_host.boards.profiles import BoardProfile, fits, load_profile
from tpsgd_host.boards.virtual import MAIN, SETTINGS, configured_heap, default_folder, interpreter_mpy
from tpsgd_host.errors import BoardError, ConfigError, FitError, MismatchError
from tpsgd_host.files import replacing
from tpsgd_host.flashing import real
from tpsgd_host.flashing.mpy import PACKAGE, MpyFormat, package_files, why_not
from tpsgd_host.model.checkpoint import BESIDE
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
        Firmware to put there first: a file, or a version that is fetched. Empty leaves it alone.
    erase : bool
        Erase the whole flash before firmware is written (ESP32).
    drive : Path, optional
        CircuitPython's drive, where it is not to be looked for.
    ask : callable
        Gets a question before something is written over; raises where the answer is no.
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
        target = real.Target(profile, port or only_port(profile), firmware, erase, drive)
        flashed = real.flash_real(model, target, ask=ask, tell=tell, progress=progress)
        return _report(model, profile.name, flashed)
    if port not in ("", VIRTUAL) or firmware or erase or drive:
        raise ConfigError("the virtual board has no port, drive or firmware to write", "name another --board")
    place = folder or default_folder()
    memory = heap or configured_heap(place)
    check_fit(model, memory)
    wanted = MpyFormat.of(interpreter_mpy())
    files = board_files(model, wanted)
    _write_all(place, {SETTINGS: json.dumps({"heap": memory}).encode(), **files}, progress)
    progress("start", 0, 1)
    with connect(VIRTUAL, folder=place, heap=memory) as running:
        info = running.info
    progress("start", 1, 1)
    if (info.model_crc, info.weights_crc) != (model.crc, model.weights_crc):
        raise MismatchError(
            f"the board holds model {info.model_crc:08x} with weights {info.weights_crc:08x}, "
            f"written were {model.crc:08x} and {model.weights_crc:08x}",
            "is another program writing to the board's folder? Flash again",
        )
    return _report(model, VIRTUAL, real.Flashed(str(place), files, why_not(wanted), "", info))


def dry_run(
    model_path: Path,
    board: str,
    *,
    port: str = "",
    firmware: str = "",
    erase: bool = False,
    drive: Path | None = None,
    folder: Path | None = None,
    heap: int | None = None,
) -> list[str]:
    """Return every step that :func:`flash` would take, and touch nothing."""
    model = load_model(model_path)
    profile = load_profile(board)
    if profile.name != VIRTUAL:
        return real.steps(model, real.Target(profile, port, firmware, erase, drive))
    place = folder or default_folder()
    check_fit(model, heap or configured_heap(place))
    listed = [f"write and verify {place / name}" for name in board_files(model, MpyFormat.of(interpreter_mpy()))]
    return [*listed, "start the board, say HELLO, compare the model's and the weights' CRC"]


def only_port(profile: BoardProfile) -> str:
    """Return the port of the only board of its kind that is plugged in; empty where it is not certain."""
    fitting = [item for item in plugged() if item.kind == "port" and profile.name in item.boards]
    sure = [item for item in fitting if item.sure] or fitting
    return sure[0].where if len(sure) == 1 else ""


def _report(model: Model, board: str, flashed: real.Flashed) -> FlashReport:
    info = flashed.info
    said = (info.engine, info.machine, info.heap_used, info.heap_free, info.planned, info.measured) if info else None
    return FlashReport(
        board, flashed.place, len(flashed.files), sum(map(len, flashed.files.values())), model.name, model.shape,
        model.crc, *(said or ("", "", 0, 0, 0, 0)), any(name.endswith(".mpy") for name in flashed.files),
        flashed.why_sources, flashed.firmware, info is not None, flashed.todo,
    )  # fmt: skip


def check_fit(model: Model, heap: int) -> None:
    """Refuse a model that cannot fit into the virtual board's heap, with the figures."""
    need = next(fit.need for fit in fits(model) if fit.board.name == VIRTUAL)
    if need > heap:
        raise FitError(
            f"{model.name} ({model.shape}) needs about {need} bytes of heap to train, trainer included; "
            f"the virtual board has {heap}",
            f"give it --heap {-(-need // 1024) + 8}k, or make the network smaller (tpsgd-host inspect {model.name})",
        )


def board_files(model: Model, wanted: MpyFormat | None = None) -> dict[str, bytes]:
    """Return what goes on a board that takes .mpy files of the format ``wanted``: path and bytes of each file."""
    files = package_files(wanted)
    files[serve.MODEL] = model.to_bytes()
    files["main.py"] = MAIN.encode()  # last: a board without it is bare, not half done
    return files


def _write_all(place: Path, files: dict[str, bytes], progress: Callable[[str, int, int], None]) -> None:
    """Write files into the board's folder, verified, and forget what an earlier model learned."""
    try:
        (place / PACKAGE).mkdir(parents=True, exist_ok=True)
        for name in BESIDE:
            (place / name).unlink(missing_ok=True)
        (place / "main.py").unlink(missing_ok=True)
        for stale in set((place / PACKAGE).iterdir()) - {place / name for name in files}:
            if stale.suffix in (".py", ".mpy", ".tmp"):
                stale.unlink()
        for done, (name, data) in enumerate(files.items()):
            progress("write", done, len(files))
            with replacing(place / name) as file:
                file.write(data)
            if hashlib.sha256((place / name).read_bytes()).digest() != hashlib.sha256(data).digest():
                raise BoardError(f"{name} reads back otherwise than it was written", "is the disk full or damaged?")
        progress("write", len(files), len(files))
    except OSError as error:
        raise BoardError(
            f"cannot write the virtual board's flash in {place}: {error}", "name another --board-dir"
        ) from error
