"""Start and resume runs on a board, and verify that board and host agree."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

from tpsgd_host.boards.board import Board
from tpsgd_host.boards.connect import connect
from tpsgd_host.boards.reconnecting import ReconnectingBoard
from tpsgd_host.data.layout import NO_NAMES, Names, layout_of
from tpsgd_host.errors import BoardError, ConfigError, MismatchError
from tpsgd_host.link.usb import identity, locate
from tpsgd_host.model.modelfile import Model, load_model
from tpsgd_host.runs.driver import drive
from tpsgd_host.runs.events import EpochEnded, RunStarted, SampleResult
from tpsgd_host.runs.metrics import Metrics
from tpsgd_host.runs.records import RunRecords
from tpsgd_host.runs.resume import KEY, Connection, History, newest_unfinished, read_recipe, recipe
from tpsgd_host.runs.run import (
    RunPlan,
    RunReport,
    TextRelay,
    begin_folder,
    data_notes,
    load_presentation,
    new_run_id,
    run,
)
from tpsgd_host.runs.sinks import Only, Sink
from tpsgd_host.runs.view.live import LiveView
from tpsgd_host.runs.wear import wear_note
from tpsgd_host.training.simulator import Simulator


def stream(
    plan: RunPlan,
    *,
    port: str = "virtual",
    folder: Path | None = None,
    heap: int | None = None,
    baud: int = 115200,
    model_path: Path | None = None,
    engine: str = "auto",
    fresh: bool = True,
    every: int = Connection.every,
    reconnect: float = Connection.reconnect,
    view: Sink | None = None,
    names: Names = NO_NAMES,
    raw: bool = False,
) -> RunReport:
    """Send the samples of a run to a board, and keep its answers.

    Parameters
    ----------
    plan : RunPlan
    port, folder, heap, baud, engine, every
        See :func:`tpsgd_host.boards.connect.connect`.
    model_path : Path, optional
        File of the model on the board; by default the model is read from the board.
    fresh : bool
        Whether to begin with the weights that were flashed, rather than the present ones.
    reconnect : float
        Seconds to wait for a board that vanishes during the run; 0 for no wait.
    view : Sink, optional
        Shows the run; by default the terminal does.
    names : tuple
        Names of label, group and value columns (with commas) that replace the model's.
    raw : bool
        Whether to send sound, or readings, as a sensor gives them: the board makes its samples with its own front end.

    Raises
    ------
    DataError, ModelError, PortError, BoardError, FitError, MismatchError
    """
    connection = Connection(port, folder, heap, baud, engine, every, reconnect, identity(port), raw)
    text = TextRelay()
    with _reconnecting(connection, text) as line:
        board = line.board
        model = load_model(model_path) if model_path else board.model()
        board.require(model)
        plan = plan.reading(layout_of(model.layout, *names))
        if raw:
            plan = _unvaried(plan, model, text)
        presentation = load_presentation(plan, model)
        records = RunRecords(model, presentation)
        if raw:
            _send_raw(board, records, plan)
        start = model if fresh else model.with_weights(board.weights())
        line.follow(start)
        run_folder, config = begin_folder(
            plan, records,
            {
                "executor": "board", "port": port, "engine": board.info.engine, "machine": board.info.machine,
                KEY: recipe(plan, connection, names, records),
            },
            start,
        )  # fmt: skip
        return run(
            line, records, run_folder, view or LiveView(), new_run_id(), fresh=fresh, config=config, text=text,
            notes=[*data_notes(plan, presentation), wear_note(model, every, presentation.total)],
        )  # fmt: skip


def resume(
    path: Path | None = None,
    *,
    root: Path = RunPlan.root,
    changes: dict[str, Any] | None = None,
    view: Sink | None = None,
) -> RunReport:
    """Resume a run that was stopped, was killed, or lost its board; return the report of the whole run.

    Parameters
    ----------
    path : Path, optional
        The run's folder; by default the newest unfinished one in ``root``.
    changes : dict, optional
        Changed fields of :class:`~tpsgd_host.runs.resume.Connection`, such as the port.
    view : Sink, optional
        Shows the run; by default the terminal does.

    Raises
    ------
    DataError, ConfigError, ModelError, PortError, BoardError, MismatchError
    """
    unfinished = read_recipe(path or newest_unfinished(root))
    connection = replace(unfinished.connection, **(changes or {}))
    if "port" in (changes or {}):
        connection = replace(connection, usb=identity(connection.port))
    folder, start, config, view = unfinished.folder, unfinished.start, unfinished.config, view or LiveView()
    presentation = load_presentation(unfinished.plan.reading(layout_of(start.layout, *unfinished.names)), start)
    records = RunRecords(start, presentation)
    unfinished.check(records)
    text = TextRelay()
    with _reconnecting(connection, text) as line:
        if connection.raw:
            _send_raw(line.board, records, unfinished.plan.reading(layout_of(start.layout, *unfinished.names)))
        past, history = Metrics(), History(folder.path / "log.jsonl", presentation.results)
        folder.go_on([past, history, Only(view, RunStarted, SampleResult, EpochEnded)])
        line.follow(start, bytes(history.results), config["model_crc"])
        note = f"the run in {folder.path} continues at record {past.results} of {presentation.results}"
        return run(
            line, records, folder, view, config["run_id"], fresh=config["fresh"], text=text,
            past=past, notes=[note],
        )  # fmt: skip


def _unvaried(plan: RunPlan, model: Model, text: TextRelay) -> RunPlan:
    """Return the plan of a run of recordings, whose samples the board makes: nobody varies them.

    Raises
    ------
    ConfigError
        When the user wants them varied.
    """
    if plan.variation not in (None, "none"):
        raise ConfigError(
            f"--raw and --variation {plan.variation} exclude each other: the board makes its samples itself",
            "Leave out one of them.",
        )
    if model.variation != "none":
        text.note("with --raw samples are not varied; simulate --variation none makes the same run")
    return replace(plan, variation="none")


def _send_raw(board: Board, records: RunRecords, plan: RunPlan) -> None:
    """Have records carry recordings as a sensor gives them.

    Raises
    ------
    BoardError
        When the board's program is too old to take them.
    """
    if not board.info.lessons:
        raise BoardError(
            f"the board's program, version {board.info.version}, takes no raw recordings",
            "flash it again: tpsgd-host flash MODEL; or leave out --raw",
        )
    records.send_raw(plan.layout or records.model.layout, plan.bad_rows)


def _reconnecting(connection: Connection, text: TextRelay) -> ReconnectingBoard:
    """Return a function that opens a board under the present name of its port, and gives each note only once."""
    told: set[str] = set()

    def note(fact: str) -> None:
        if fact not in told:
            told.add(fact)
            text.note(fact)

    def opener() -> AbstractContextManager[Board]:
        port = locate(connection.port, connection.usb)
        if port != connection.port:
            note(f"the board is now at {port}; it was at {connection.port}")
        return connect(
            port, folder=connection.folder, heap=connection.heap, baud=connection.baud,
            engine=connection.engine, every=connection.every, on_text=text, on_note=note,
        )  # fmt: skip

    return ReconnectingBoard(opener, connection.reconnect, text.note)


def verify(report: RunReport, plan: RunPlan, model: Model) -> int:
    """Repeat a run on the host and return the weights' CRC-32.

    Parameters
    ----------
    report : RunReport
        Report of a run that began fresh from ``model``.

    Raises
    ------
    MismatchError
        When board and host differ.
    """
    plan = plan.reading(plan.layout or model.layout)
    _, outcome = drive(Simulator(model), RunRecords(model, load_presentation(plan, model)), [], 0)
    if outcome.weights_crc != report.outcome.weights_crc:
        raise MismatchError(
            f"the board's weights have CRC {report.outcome.weights_crc:08x}, the host's have {outcome.weights_crc:08x}",
            "this is a bug: please report it with the run's folder",
        )
    return outcome.weights_crc
