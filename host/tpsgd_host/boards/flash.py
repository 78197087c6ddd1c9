"""Put the device package and a model on a board, and see that they arrived and run.

Every file is written beside its place, read back, compared by hash, and then moved into place: a flash that was
interrupted can simply be run again.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path

from tpsgd import checkpoint, serve
from tpsgd_host.boards.connect import VIRTUAL, connect
from tpsgd_host.boards.profiles import fits, load_profile
from tpsgd_host.boards.virtual import MAIN, SETTINGS, configured_heap, default_folder
from tpsgd_host.errors import BoardError, ConfigError, FitError, MismatchError
from tpsgd_host.model import Model, load_model

PACKAGE = "tpsgd"

#: Boards that this version can flash.
FLASHABLE = (VIRTUAL,)


@dataclass(frozen=True)
class FlashReport:
    """What a flash did; sizes in bytes."""

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

    def as_dict(self) -> dict[str, object]:
        """Return the report for JSON."""
        return asdict(self)


def flash(
    model_path: Path,
    board: str = VIRTUAL,
    *,
    folder: Path | None = None,
    heap: int | None = None,
    progress: Callable[[str, int, int], None] = lambda step, done, total: None,
) -> FlashReport:
    """Put the device package and a model on a board, verify both, and start it once.

    Parameters
    ----------
    board : str
        Name of a board in ``firmware/boards.toml``; this version can flash ``virtual``.
    folder : Path, optional
        Flash of the virtual board.
    heap : int, optional
        Heap of the virtual board in bytes; it keeps it.
    progress : callable
        Gets the step's name, how many of its parts are done, and how many there are.

    Raises
    ------
    ModelError, ConfigError, FitError, BoardError, MismatchError
    """
    model = load_model(model_path)
    if board not in FLASHABLE:
        load_profile(board)  # an unknown name is refused with those that are known
        raise ConfigError(
            f"this version cannot flash {board}: it can flash {', '.join(FLASHABLE)}",
            f"quantize and inspect tell whether a model fits on {board}",
        )
    place = folder or default_folder()
    memory = heap or configured_heap(place)
    check_fit(model, memory)
    files = board_files(model)
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
    return FlashReport(
        board, str(place), len(files), sum(map(len, files.values())), model.name, model.shape, model.crc, info.engine,
        info.machine, info.heap_used, info.heap_free, info.planned, info.measured,
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


def board_files(model: Model) -> dict[str, bytes]:
    """Return what goes on a board: path and bytes of each file."""
    package = resources.files(PACKAGE)
    files = {
        f"{PACKAGE}/{item.name}": item.read_bytes()
        for item in sorted(package.iterdir(), key=lambda item: item.name)
        if item.name.endswith(".py")
    }
    files[serve.MODEL] = model.to_bytes()
    files["main.py"] = MAIN.encode()  # last: a board without it is bare, not half done
    return files


def _write_all(place: Path, files: dict[str, bytes], progress: Callable[[str, int, int], None]) -> None:
    """Write files into the board's folder, verified, and forget what an earlier model learned."""
    try:
        (place / PACKAGE).mkdir(parents=True, exist_ok=True)
        for slot in checkpoint.SLOTS:
            (place / slot).unlink(missing_ok=True)
        (place / "main.py").unlink(missing_ok=True)
        for stale in set((place / PACKAGE).iterdir()) - {place / name for name in files}:
            if stale.suffix in (".py", ".mpy", ".part"):
                stale.unlink()
        for done, (name, data) in enumerate(files.items()):
            progress("write", done, len(files))
            _atomic(place / name, data)
            if hashlib.sha256((place / name).read_bytes()).digest() != hashlib.sha256(data).digest():
                raise BoardError(f"{name} reads back otherwise than it was written", "is the disk full or damaged?")
        progress("write", len(files), len(files))
    except OSError as error:
        raise BoardError(
            f"cannot write the virtual board's flash in {place}: {error}", "name another --board-dir"
        ) from error


def _atomic(path: Path, data: bytes) -> None:
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
