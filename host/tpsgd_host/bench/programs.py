"""The programs of this package that run on boards, and how the virtual board runs them."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path

from tpsgd_host.boards.virtual import find_interpreter
from tpsgd_host.flashing.mpy import MpyFormat
from tpsgd_host.flashing.virtual import virtual_files
from tpsgd_host.model.modelfile import Model


def program_bytes(name: str) -> bytes:
    """Return a program of this package that runs on boards."""
    return (resources.files("tpsgd_host.bench") / name).read_bytes()


@contextmanager
def virtual_folder(model: Model, program: str, wanted: MpyFormat | None) -> Iterator[Path]:
    """Give a folder that has what the virtual board gets for a model, and a program.

    Parameters
    ----------
    model : Model
        Its file is ``model.tpsgd``.
    program : str
    wanted : MpyFormat or None
        What the trainer is compiled to; None leaves it as it is.
    """
    with tempfile.TemporaryDirectory(prefix="tpsgd-") as place:
        folder = Path(place)
        (folder / "tpsgd").mkdir()
        for name, data in virtual_files(model, wanted).items():
            (folder / name).write_bytes(data)
        (folder / program).write_bytes(program_bytes(program))
        yield folder


def run_there(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run the virtual board's interpreter in a folder: its options, a program, the program's arguments."""
    return subprocess.run([find_interpreter(), *command], cwd=folder, capture_output=True, text=True, check=False)
