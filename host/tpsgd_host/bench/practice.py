"""What a board needs to know somebody new: seconds and bytes of practice with prototypes, ten words (SPEC 1.12)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from tpsgd_host.bench.emulated import rp2040
from tpsgd_host.bench.emulated.board import EmulatedBoard
from tpsgd_host.bench.emulated.trainer import copy_trainer
from tpsgd_host.bench.hearing import CLASSES, NETWORKS, hearing_model
from tpsgd_host.bench.programs import run_there, virtual_folder
from tpsgd_host.errors import BoardError
from tpsgd_host.model.modelfile import Model
from tpsgd_host.model.prototypes import WAYS, Prototypes
from tpsgd_host.model.surgery import with_learning, with_shifts
from tpsgd_host.training.practice import PASSES, SHIFT, variation_of

PROGRAM = "practice_board.py"

#: Modules that stay away from the board: what is not measured.
AWAY = (
    "serve", "lesson", "frames", "cdc", "checkpoint", "learner", "newclass", "capture", "imu", "microphone", "motion",
    "kernels_np", "convolution", "convfeedback", "patches", "tape", "raw", "frontend", "logmel",
    "logmel_viper", "segmenter",
)  # fmt: skip

PERSONS = 3  # whose means the file holds, one of each class

_BILLION = 1e9


@dataclass(frozen=True)
class Practice:
    """What knowing somebody new costs a board, who shows ``count`` samples of each class.

    Attributes
    ----------
    answer, teach : float
        Seconds of an answer, and of teaching a sample, which is a prototype then.
    practice : float
        Seconds of all passes; 0 where nothing is trained.
    places : int
        Samples and means of a pass.
    heap : int
        Bytes of the kept samples, objects included.
    """

    where: str
    engine: str
    network: str
    way: str
    count: int
    answer: float
    teach: float
    practice: float
    places: int
    heap: int


def known_model(name: str, way: str) -> Model:
    """Return a network for ten words with drawn prototypes, that answers in this way."""
    model = with_shifts(with_learning(hearing_model(name), 1), (SHIFT,))
    vectors = np.random.default_rng(1).integers(1, 256, (PERSONS * CLASSES, model.layers[-1].inputs)).astype(np.uint8)
    labels = np.tile(np.arange(CLASSES, dtype=np.uint8), PERSONS)
    passes = 0 if way == "prototypes" else PASSES
    known = Prototypes(vectors, labels, (1000,) * CLASSES, way, variation_of(model), passes=passes)
    return replace(model, prototypes=known)


def measure_practice(count: int, tell: Callable[[str], None] = lambda text: None) -> list[Practice]:
    """Measure all networks and ways on all boards that are here; ``tell`` gets what is being measured."""
    found = _measured("virtual", "viper", count, _on_virtual, tell)
    if rp2040.missing() is None:
        with rp2040.RP2040() as board:
            copy_trainer(board, PROGRAM, AWAY)
            board.run("import gc, tpsgd.kernels_viper\ngc.collect()")
            found += _measured("RP2040", "thumb", count, _on_emulated(board), tell)
    return found


def _measured(
    where: str, engine: str, count: int, run: Callable[[Model, str, int], list[int]], tell: Callable[[str], None]
) -> list[Practice]:
    found = []
    for network in NETWORKS:
        for way in WAYS:
            tell(f"{network}, {way}: {where}")
            model = known_model(network, way)
            answer, teach, practice, places, heap = run(model, engine, count)
            assert model.prototypes is not None
            seconds = practice * model.prototypes.passes / _BILLION
            found.append(
                Practice(where, engine, network, way, count, answer / _BILLION, teach / _BILLION, seconds, places, heap)
            )
    return found


def _on_emulated(board: EmulatedBoard) -> Callable[[Model, str, int], list[int]]:
    def run(model: Model, engine: str, count: int) -> list[int]:
        board.write("model.tpsgd", model.to_bytes())
        script = f"import gc, practice_board\ngc.collect()\npractice_board.main('model.tpsgd', {engine!r}, {count})"
        return [int(part) for part in board.run(script, 600).split()]

    return run


def _on_virtual(model: Model, engine: str, count: int) -> list[int]:
    with virtual_folder(model, PROGRAM, None) as folder:
        done = run_there(folder, PROGRAM, "model.tpsgd", engine, str(count))
    if done.returncode:
        raise BoardError(f"the bench program failed on engine {engine}: {done.stderr.strip()[-200:]}")
    return [int(part) for part in done.stdout.split()]
