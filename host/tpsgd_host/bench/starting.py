"""What happens before a board learns: imports, the choice of an engine, the model, the first sample."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from tpsgd_host.bench.emulated import esp32, rp2040
from tpsgd_host.bench.emulated.board import EmulatedBoard
from tpsgd_host.bench.emulated.trainer import copy_trainer
from tpsgd_host.bench.hearing import hearing_model
from tpsgd_host.bench.programs import run_there, virtual_folder
from tpsgd_host.bench.timing import network
from tpsgd_host.boards.virtual import interpreter_mpy
from tpsgd_host.errors import BoardError
from tpsgd_host.flashing.mpy import MpyFormat
from tpsgd_host.model.modelfile import Model

PROGRAM = "start_board.py"

#: Starts of the virtual board: each part counts with its shortest time, as other programs take the machine's, too.
STARTS = 5

#: What a start never loads: it stays away from an emulated board, to which copying is slow.
AWAY = (
    "adpcm", "adpcm_viper", "analog", "answer", "capture", "cdc", "chunks", "convfeedback", "convolution", "distance",
    "distance_np", "distance_thumb", "distance_viper", "frontend", "imu", "kernels_np", "kernels_plain", "learner",
    "lesson", "logmel", "logmel_viper", "microphone", "motion", "narrow", "narrow_viper", "newclass", "patches", "raw",
    "replay", "ring", "segmenter", "tape", "taught", "temporal", "variation", "variation_viper",
)  # fmt: skip


@dataclass(frozen=True)
class Part:
    """One part of a start.

    Attributes
    ----------
    seconds : float
        On the board; an emulated RP2040 runs at 125 MHz, an emulated ESP32 takes 8 ns for each instruction and has its
        files in RAM.
    heap : int
        Bytes in use after it, garbage collected.
    """

    name: str
    seconds: float
    heap: int


@dataclass(frozen=True)
class Start:
    """How a board starts.

    Attributes
    ----------
    form : str
        ".mpy" or ".py": what the board was given.
    modules : tuple of str
        The device package's, as they are loaded after the first sample.
    """

    where: str
    engine: str
    network: str
    form: str
    parts: tuple[Part, ...]
    modules: tuple[str, ...]

    @property
    def seconds(self) -> float:
        """Seconds until the first sample is learned."""
        return sum(part.seconds for part in self.parts)


def measure_start(tell: Callable[[str], None] = lambda text: None) -> list[Start]:
    """Start the virtual board, from source and compiled, and the emulated boards that are here."""
    mlp, rnn = network(), hearing_model("RNN 16-32")
    compiled = MpyFormat.of(interpreter_mpy())
    found = [_on_virtual(mlp, None), _on_virtual(mlp, compiled), _on_virtual(rnn, compiled)]
    for where, lack, Chip in (("RP2040", rp2040.missing(), rp2040.RP2040), ("ESP32", esp32.missing(), esp32.ESP32)):
        if lack is None:
            tell(where)
            with Chip() as board:
                found.append(_on_emulated(where, board, mlp))
    return found


def _on_emulated(where: str, board: EmulatedBoard, model: Model) -> Start:
    """Copy a model, and what starting with it takes, to a board, and start it."""
    copy_trainer(board, PROGRAM, AWAY)
    board.write("model.tpsgd", model.to_bytes())
    return _read(where, model, ".mpy", board.run(f"import gc\ngc.collect()\nimport {Path(PROGRAM).stem}", 600))


def _on_virtual(model: Model, wanted: MpyFormat | None) -> Start:
    with virtual_folder(model, PROGRAM, wanted) as folder:
        form = ".mpy" if (folder / "tpsgd" / "serve.mpy").exists() else ".py"
        done = [run_there(folder, "-X", "heapsize=256k", PROGRAM) for _ in range(STARTS)]
    if error := done[0].stderr.strip():
        raise BoardError(f"the bench program failed: {error[-200:]}")
    starts = [_read("virtual", model, form, one.stdout) for one in done]
    parts = [min(part, key=lambda one: one.seconds) for part in zip(*(s.parts for s in starts), strict=True)]
    return replace(starts[0], parts=tuple(parts))


def _read(where: str, model: Model, form: str, printed: str) -> Start:
    """Return what the program printed."""
    *rows, last = printed.strip().splitlines()
    parts = []
    for row in rows:
        name, spent, heap = row.split(":")
        parts.append(Part(name, int(spent) / 1e6, int(heap)))
    engine, *modules = last.split()
    return Start(where, engine, model.shape, form, tuple(parts), tuple(modules))
