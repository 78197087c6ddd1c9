"""The trainer, and a program that measures it, on an emulated board."""

from __future__ import annotations

from pathlib import Path

from tpsgd_host.bench.emulated.board import EmulatedBoard
from tpsgd_host.bench.programs import program_bytes
from tpsgd_host.flashing.mpy import MpyFormat, package_files


def copy_trainer(board: EmulatedBoard, program: str, away: tuple[str, ...]) -> None:
    """Write the trainer, compiled for a board and without the modules ``away``, and a program to it."""
    number = int(board.run("import sys\nprint(sys.implementation._mpy)"))
    board.make_folder("tpsgd")
    for path, data in package_files(MpyFormat.of(number)).items():
        if Path(path).stem not in away:
            board.write(path, data)
    board.write(program, program_bytes(program))
