"""A board that may vanish and come back: each record is applied, and each result passed on, exactly once (SPEC 4).

Shapes: R records, r results of one answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import TypeVar

import numpy as np

from tpsgd_host.boards.board import Board
from tpsgd_host.boards.lockstep import Lockstep
from tpsgd_host.boards.returning import GONE, ReturningBoard
from tpsgd_host.errors import MismatchError, TpsgdError
from tpsgd_host.model.modelfile import Model
from tpsgd_host.training.executor import STRETCH, Bytes, Outcome, RecordSource
from tpsgd_host.training.simulator import Simulator

T = TypeVar("T")

#: Times that a board may vanish without giving a result in between.
FRUITLESS = 8


class ReconnectingBoard(ReturningBoard):
    """An :class:`~tpsgd_host.training.executor.Executor` that reconnects to its board; a context manager.

    Parameters
    ----------
    opener : callable
        Opens a session with the board: a context manager, such as :func:`~tpsgd_host.boards.connect.connect` returns.
    patience : float
        Seconds to wait for a board that vanished; 0 for no wait.
    note : callable
        Called with notes for the user.

    Attributes
    ----------
    board : Board
        The board in its present session.
    """

    def __init__(
        self, opener: Callable[[], AbstractContextManager[Board]], patience: float, note: Callable[[str], None]
    ) -> None:
        super().__init__(opener, patience, note)
        self._source: RecordSource | None = None
        self._start: Model | None = None
        self._model_crc = 0
        self._resuming = False
        self._run_id, self._fresh = 0, True
        self._history = bytearray()  # two bytes per result
        self._given = 0  # results passed on
        self._next = self._place = 0  # numbers of the next record that the board takes, and of the next result
        self._fruitless = 0
        self._lockstep: Lockstep | None = None

    def __enter__(self) -> ReconnectingBoard:
        self._open()
        return self

    def follow(self, start: Model, history: bytes | None = None, model_crc: int | None = None) -> None:
        """Set the run's starting point, and how far it has come.

        Parameters
        ----------
        start : Model
            With the weights that the run begins from.
        history : bytes, optional
            Results so far of a run to continue, two bytes each: class, p_y. None for a new run.
        model_crc : int, optional
            Identifies the board's model; by default that of the present board.
        """
        self._start, self._resuming = start, history is not None
        self._history = bytearray(history or b"")
        self._given = self._known
        self._model_crc = self.board.info.model_crc if model_crc is None else model_crc

    # -- the executor's interface

    def begin(self, run_id: int, source: RecordSource, fresh: bool) -> None:
        """Begin a run, or continue it if :meth:`follow` named a history."""
        self._run_id, self._source, self._fresh = run_id, source, fresh
        if self._start is not None and Lockstep.affordable():
            self._lockstep = Lockstep(self._start, source)
        try:
            if self._resuming:
                self._find_place()
            else:
                self._begin_anew()
        except GONE as error:
            self._recover(error)

    def apply(self, first: int, end: int) -> Iterator[Bytes]:
        """Have the run's records ``first`` to ``end`` applied; yield their results as they arrive."""
        if first != self._given:
            raise ValueError(f"records {first} to {end - 1}: the next one is {self._given}")
        while self._given < end or self._next < end:
            try:
                yield from self._feed(end)
            except GONE as error:
                self._recover(error)

    def finish(self) -> Outcome:
        """End the run, have the board write a checkpoint, and compare its weights with those computed here."""
        outcome = self._steadily(lambda: self.board.finish())
        if self._lockstep is None:
            return replace(outcome, details={**outcome.details, "compared": False})
        self._lockstep.follow(self._history)
        self._lockstep.require(outcome)
        return replace(outcome, details={**outcome.details, "compared": True})

    def weights(self) -> bytes:
        """Return the live weights of all layers."""
        return self._steadily(lambda: self.board.weights())

    def _steadily(self, job: Callable[[], T]) -> T:
        """Do a job after the last record was applied; repeat it if the board vanishes meanwhile."""
        while True:
            try:
                for _ in self._feed(self._given):
                    pass
                return job()
            except GONE as error:
                self._recover(error)

    # -- records and results

    @property
    def _known(self) -> int:
        return len(self._history) // 2

    def _feed(self, end: int) -> Iterator[Bytes]:
        """Send records up to number ``end``; yield the results that are new."""
        yield from self._hand_on(end)
        while self._next < end or self._given < end:
            assert self._source is not None
            stop = max(self._next, min(end, self._next + STRETCH))
            for results in self.board.stream(self._source.records(self._next, stop)):
                self._take(results)
                yield from self._hand_on(end)
            self._next = stop
            if self._lockstep is not None:
                self._lockstep.follow(self._history)

    def _hand_on(self, end: int) -> Iterator[Bytes]:
        first, self._given = self._given, min(end, max(self._given, self._known))
        if first < self._given:
            yield np.frombuffer(bytes(self._history[2 * first : 2 * self._given]), np.uint8).reshape(-1, 2)

    def _take(self, results: Bytes) -> None:
        """Store results; those that come again must be the same as before."""
        raw = results.tobytes()
        again = self._history[2 * self._place : 2 * self._place + len(raw)]
        if raw[: len(again)] != again:
            wrong = next(i for i, pair in enumerate(zip(raw, again, strict=False)) if pair[0] != pair[1]) // 2
            raise MismatchError(
                f"the board's result for record {self._place + wrong} differs from the one before its reset",
                "did its model or flash change meanwhile? Begin a new run",
            )
        self._history += raw[len(again) :]
        self._place += len(results)
        self._fruitless = 0

    # -- a board that is gone

    def _recover(self, error: TpsgdError) -> None:
        """Wait for the board and continue where it is; raise ``error`` if that is not wanted or fails."""
        if self._patience <= 0 or self._source is None:
            raise error
        self._fruitless += 1
        if self._fruitless > FRUITLESS:
            raise type(error)(
                f"the board vanishes again and again at record {self._given}: {error.message}",
                "is its power supply weak, or its flash full? What it learned is kept: tpsgd-host stream --resume",
            ) from error
        hint = "plug it in or reset it, then continue with: tpsgd-host stream --resume"
        seconds, _ = self._reopen(error, self._find_place, hint)
        self._note(f"the board is back after {seconds:.1f} s, at record {self._next}")

    def _find_place(self) -> None:
        """Have the board continue the run, and find out where it is."""
        if self.board.info.model_crc != self._model_crc:
            raise MismatchError(
                f"the board that came back has model {self.board.info.model_crc:08x}, but the run is of "
                f"{self._model_crc:08x}",
                "connect the board that the run began on, then: tpsgd-host stream --resume",
            )
        info = self.board.go_on(self._run_id, self._known)
        if info.run_id != self._run_id:
            if not self._fresh and self._known:
                raise MismatchError(
                    f"the board has lost run {self._run_id:08x}: it has run {info.run_id:08x}, and this one did not "
                    "begin from the model file",
                    "its initial weights are in start.tpsgd in the run's folder: flash that file, and stream again",
                )
            self._begin_anew()
            return
        self._next, self._place = info.applied, info.applied - info.kept
        if self._place > self._known:
            self._compute(info.applied, info.weights_crc)

    def _begin_anew(self) -> None:
        assert self._source is not None
        has, start = self.board.info.weights_crc, self._start
        if not self._fresh and start is not None and has != start.weights_crc:
            raise MismatchError(
                f"the board's weights have CRC {has:08x}, but the run begins at {start.weights_crc:08x}: was the board "
                "reset before it had saved these?",
                "begin a new run; without --continue if the board cannot write checkpoints",
            )
        self.board.start(self._run_id, self._source.total, self._fresh)
        self._next = self._place = 0
        if not self._fresh:
            self.board.save()  # the weights at the start of the run must survive a reset

    def _compute(self, end: int, weights_crc: int) -> None:
        """Compute the results before record ``end`` that only the board had; compare all others."""
        assert self._source is not None
        assert self._start is not None
        self._note(f"results {self._known} to {end - 1} were lost by host and board; the host computes them")
        self._place = 0
        simulator = Simulator(self._start)
        simulator.begin(self._run_id, self._source, fresh=True)
        for part in simulator.apply(0, end):
            self._take(part)
        if simulator.finish().weights_crc != weights_crc:
            raise MismatchError(
                f"after {end} records the board's weights have CRC {weights_crc:08x}, but the simulation's are "
                f"{simulator.finish().weights_crc:08x}",
                "this is a bug: please report it with the run's folder",
            )
