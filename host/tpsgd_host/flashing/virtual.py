"""Flash the virtual board: write files into its folder, verify them, and start it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from tpsgd_host.boards.connect import VIRTUAL, connect
from tpsgd_host.boards.profiles import load_profile
from tpsgd_host.boards.virtual import MAIN, SETTINGS, configured_heap, interpreter_mpy
from tpsgd_host.errors import BoardError
from tpsgd_host.files import replacing
from tpsgd_host.flashing.deploy import Flashed, Progress, board_files, check_arrived, check_memory
from tpsgd_host.flashing.mpy import PACKAGE, MpyFormat, package_files, why_no_module, why_not
from tpsgd_host.flashing.ownership import START, Belongings, question, set_aside
from tpsgd_host.flashing.releases import Ask
from tpsgd_host.model.checkpoint import BESIDE
from tpsgd_host.model.modelfile import Model


def flash_virtual(
    model: Model, place: Path, heap: int | None, ask: Ask, progress: Progress, sensor: bytes = b""
) -> Flashed:
    """Flash the virtual board in the folder ``place``; ``heap``: its bytes, by default as before.

    ``ask`` is called with a question if files that are not ours would be in the way.

    Raises
    ------
    FitError, BoardError, MismatchError, DependencyError
    """
    memory = heap or configured_heap(place)
    check_memory(model, load_profile(VIRTUAL), memory)
    wanted = MpyFormat.of(interpreter_mpy())
    files = virtual_files(model, wanted, sensor)
    there = Belongings.in_folder(place)
    if others := there.others(START):
        ask(question(others, str(place)))
    _write_all(place, there, {SETTINGS: json.dumps({"heap": memory}).encode(), **files}, progress)
    progress("start", 0, 1)
    with connect(VIRTUAL, folder=place, heap=memory) as running:
        info = running.info
    progress("start", 1, 1)
    check_arrived(model, info)
    return Flashed(str(place), files, why_not(wanted), "", info, why_no_module=why_no_module(wanted))


def virtual_steps(model: Model, place: Path, heap: int | None, sensor: bytes = b"") -> list[str]:
    """Return every step that flashing the virtual board would take, without taking any."""
    check_memory(model, load_profile(VIRTUAL), heap or configured_heap(place))
    listed = [
        f"write and verify {place / name}" for name in virtual_files(model, MpyFormat.of(interpreter_mpy()), sensor)
    ]
    return [*listed, "start the board, send HELLO, compare the CRCs of model and weights"]


def virtual_files(model: Model, wanted: MpyFormat | None, sensor: bytes = b"") -> dict[str, bytes]:
    """Return the files for the folder, the start-up program last: a board without it is bare, not broken."""
    return {**board_files(model, package_files(wanted), sensor), START: MAIN.encode()}


def _write_all(place: Path, there: Belongings, files: dict[str, bytes], progress: Progress) -> None:
    """Write files into the board's folder, verify them, and delete what an earlier model learned."""
    try:
        (place / PACKAGE).mkdir(parents=True, exist_ok=True)
        set_aside(place, there.others(START))
        for name in (START, *BESIDE, *there.stale(files)):
            (place / name).unlink(missing_ok=True)
        for done, (name, data) in enumerate(files.items()):
            progress("write", done, len(files))
            with replacing(place / name) as file:
                file.write(data)
            if hashlib.sha256((place / name).read_bytes()).digest() != hashlib.sha256(data).digest():
                raise BoardError(f"{name} does not read back as it was written", "is the disk full or damaged?")
        progress("write", len(files), len(files))
    except OSError as error:
        raise BoardError(
            f"cannot write the virtual board's flash in {place}: {error}", "name another --board-dir"
        ) from error
