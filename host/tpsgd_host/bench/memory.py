"""How much memory training needs: as the board counts it, and as the smallest heap that still trains."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from tpsgd_host.boards.connect import connect
from tpsgd_host.comparison.board import HEAP
from tpsgd_host.errors import BoardError, FitError, PortError
from tpsgd_host.flashing.flash import flash
from tpsgd_host.model.build import build_model
from tpsgd_host.model.modelfile import Model, memory
from tpsgd_host.model.parsing import parse_config
from tpsgd_host.runs.driver import drive
from tpsgd_host.runs.records import Presentation, RunRecords
from tpsgd_host.tasks.task import Task, load_task


@dataclass(frozen=True)
class MemoryResult:
    """A task's memory in bytes.

    Attributes
    ----------
    weights : int
    planned : int
        All buffers of network and link, computed before any is allocated.
    measured : int
        The same, objects included, as the board's garbage collector counts it.
    smallest_heap : int
        Smallest heap (``-X heapsize=``), to 1 KB, in which the board can compile its program, train an epoch and save
        it.
    """

    task: str
    network: str
    weights: int
    planned: int
    measured: int
    smallest_heap: int


def measure_memory(name: str, data_dir: Path | None) -> MemoryResult:
    """Train one epoch of a task on virtual boards with smaller and smaller heaps."""
    task = load_task(name, data_dir)
    model = build_model(parse_config(task.toml, f"{name}.toml"), task.train)
    with tempfile.TemporaryDirectory(prefix="tpsgd-") as place:
        folder = Path(place)
        model.save(folder / "model.tpsgd")
        flash(folder / "model.tpsgd", folder=folder / "board", heap=HEAP)
        measured = _train(task, model, folder / "board", HEAP)
        assert measured is not None
        low, high = 0, HEAP // 1024
        while high - low > 1:
            middle = (low + high) // 2
            if _train(task, model, folder / "board", middle * 1024) is None:
                low = middle
            else:
                high = middle
    weights = sum(w.nbytes for w in model.weights)
    return MemoryResult(name, model.shape, weights, memory(model).total, measured, high * 1024)


def _train(task: Task, model: Model, board_dir: Path, heap: int) -> int | None:
    """Train an epoch; return the bytes of training state, or None where the heap is too small."""
    presentation = Presentation(task.train, None, 1, task.shuffle_seed)
    try:
        with connect("virtual", folder=board_dir, heap=heap) as board:
            _, outcome = drive(board, RunRecords(model, presentation), [], 0)
    except (FitError, BoardError, PortError):
        return None
    return int(str(outcome.details["state_bytes"]))
