"""Repeat a run on the virtual board, which must end with the simulated weights, bit for bit."""

from __future__ import annotations

import tempfile
from pathlib import Path
from zlib import crc32

from tpsgd_host.boards.connect import connect
from tpsgd_host.comparison.integer import IntegerMethod, accuracy, learn, records
from tpsgd_host.comparison.methods import method
from tpsgd_host.comparison.problem import Problem
from tpsgd_host.comparison.results import BoardRun, Comparison
from tpsgd_host.errors import ConfigError, MismatchError
from tpsgd_host.flashing.flash import flash
from tpsgd_host.model.build import build_model
from tpsgd_host.model.modelfile import Model
from tpsgd_host.runs.driver import drive
from tpsgd_host.runs.records import Presentation, RunRecords
from tpsgd_host.training.simulator import Simulator

#: Heap of the virtual board; ample, because this checks the weights, not memory.
HEAP = 1 << 20


def run_on_board(problem: Problem, one: Comparison) -> BoardRun:
    """Train the first seed of the first integer method on the virtual board, with the chosen rates.

    Raises
    ------
    MismatchError
        When the board's weights differ from the simulation's.
    ConfigError
        When no integer method took part.
    DependencyError
        When there is no MicroPython for this computer.
    """
    entry = next((entry for entry in one.entries if entry.integer), None)
    if entry is None:
        raise ConfigError(
            "There is no integer method among the methods, and boards compute no others.",
            "Add one: --methods int-tpsgd",
        )
    ours = method(entry.name)
    assert isinstance(ours, IntegerMethod)
    model = build_model(ours.configure(problem.config, entry.setting, one.seeds[0]), problem.train)
    simulator = Simulator(model)
    for _ in learn(simulator, model, problem.train, problem.epochs, problem.shuffle_seed):
        pass
    expected = crc32(simulator.weights())
    ended = _on_board(problem, model, entry.name)
    if ended.crc != expected or ended.accuracy != accuracy(simulator, records(model, problem.test)):
        raise MismatchError(
            f"{problem.name}: the board's weights have CRC {ended.crc:08x}, the simulation's have {expected:08x}",
            "this is a bug: please report it",
        )
    return ended


def _on_board(problem: Problem, model: Model, name: str) -> BoardRun:
    """Train on the virtual board, in a temporary folder."""
    epochs = problem.epochs
    presentation = Presentation(problem.train, problem.test, epochs, problem.shuffle_seed, epochs, model.variation)
    with tempfile.TemporaryDirectory(prefix="tpsgd-") as place:
        folder = Path(place)
        model.save(folder / "model.tpsgd")
        flash(folder / "model.tpsgd", folder=folder / "board", heap=HEAP)
        with connect("virtual", folder=folder / "board", heap=HEAP) as board:
            ended, outcome = drive(board, RunRecords(model, presentation), [], 0)
    state = int(str(outcome.details["state_bytes"]))
    return BoardRun(name, model.seed, ended.test_accuracy or 0.0, outcome.weights_crc, state, ended.seconds)
