"""Where a training step's time goes on each chip and engine: kernels, the interpreter between them, the link."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tpsgd_host.bench.emulated import esp32, rp2040
from tpsgd_host.bench.emulated.board import EmulatedBoard
from tpsgd_host.bench.emulated.trainer import copy_trainer
from tpsgd_host.bench.hearing import NETWORKS, hearing_model
from tpsgd_host.bench.programs import run_there, virtual_folder
from tpsgd_host.bench.starting import AWAY
from tpsgd_host.bench.timing import network
from tpsgd_host.boards.virtual import interpreter_mpy
from tpsgd_host.errors import BoardError
from tpsgd_host.flashing.mpy import MpyFormat
from tpsgd_host.model.build import build_model
from tpsgd_host.model.modelfile import Model
from tpsgd_host.model.parsing import parse_config
from tpsgd_host.tasks.task import load_task

PROGRAM = "step_board.py"

#: Samples: more where other programs take the machine's time, too.
SAMPLES, VIRTUAL_SAMPLES = 6, 60

#: Engines that are measured, by chip. One that the board does not have is passed over.
ENGINES = {"virtual": ("viper", "native"), "RP2040": ("viper", "thumb", "native"), "ESP32": ("viper", "native")}

#: An emulated RP2040 runs at 125 MHz, and an emulated ESP32 takes as long for an instruction: 125 in a microsecond.
PER_MICROSECOND = {"virtual": 1000, "RP2040": 125, "ESP32": 125}
UNITS = {"virtual": "ns", "RP2040": "cycles", "ESP32": "instructions"}


@dataclass(frozen=True)
class Step:
    """What a training step costs on a board, in its unit: the median of some samples.

    Attributes
    ----------
    kernels : int
        In the engine's kernels; ``glue``: in the interpreter between them.
    link : int
        What it takes besides to receive the sample from a host and to answer.
    """

    where: str
    engine: str
    network: str
    unit: str
    kernels: int
    glue: int
    link: int

    @property
    def step(self) -> int:
        """The whole step, without the link."""
        return self.kernels + self.glue


def measure_steps(tell: Callable[[str], None] = lambda text: None) -> list[Step]:
    """Measure all networks on all engines and boards that are here; ``tell`` gets what is being measured."""
    models = [network(), *(hearing_model(name) for name in NETWORKS)]
    found = [step for model in (*models, gesture()) for step in steps_of_virtual(model, tell)]
    for where, lack, Chip in (("RP2040", rp2040.missing(), rp2040.RP2040), ("ESP32", esp32.missing(), esp32.ESP32)):
        if lack is None:
            with Chip() as board:
                _copy(board)
                found += [step for model in models for step in _emulated(where, board, model, tell)]
    return found


def gesture() -> Model:
    """Return the network of the task gesture-rnn: only for the virtual board, since emulators take minutes."""
    task = load_task("gesture-rnn", None)
    return build_model(parse_config(task.toml, "gesture-rnn.toml"), task.train)


def _copy(board: EmulatedBoard) -> None:
    """Write the trainer, and the program that measures, to a board."""
    copy_trainer(board, PROGRAM, tuple(name for name in AWAY if name != "temporal"))


def _emulated(where: str, board: EmulatedBoard, model: Model, tell: Callable[[str], None]) -> Iterator[Step]:
    board.write("model.tpsgd", model.to_bytes())
    for engine in ENGINES[where]:
        tell(f"{where}, {engine}: {model.shape}")
        script = f"""
import gc, step_board
gc.collect()
try:
    step_board.main('model.tpsgd', {engine!r}, {SAMPLES})
except ImportError:
    pass
gc.collect()
"""
        said = board.run(script, 900).splitlines()
        if said:
            yield _step(where, engine, model, said[-1])


def steps_of_virtual(model: Model, tell: Callable[[str], None]) -> Iterator[Step]:
    """Yield what a step of a model costs on the virtual board's engines."""
    with virtual_folder(model, PROGRAM, MpyFormat.of(interpreter_mpy())) as folder:
        for engine in ENGINES["virtual"]:
            tell(f"virtual, {engine}: {model.shape}")
            done = run_there(folder, PROGRAM, "model.tpsgd", engine, str(VIRTUAL_SAMPLES))
            said = (done.stdout + done.stderr).strip()
            if done.returncode == 0:
                yield _step("virtual", engine, model, done.stdout.splitlines()[-1])
            elif "ImportError" not in said:
                raise BoardError(f"the bench program failed on engine {engine}: {said[-200:]}")


def _step(where: str, engine: str, model: Model, printed: str) -> Step:
    """Return what the program printed."""
    step, kernels, link = [round(float(part) * PER_MICROSECOND[where]) for part in printed.split()]
    kernels = min(step, kernels)
    return Step(where, engine, model.shape, UNITS[where], kernels, step - kernels, link)
