"""A connection to a board that may vanish and come back: opened, closed, and opened again for as long as one waits."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import TracebackType
from typing import TypeVar

from tpsgd_host.boards.board import Board
from tpsgd_host.errors import BoardGoneError, PortError, TpsgdError

T = TypeVar("T")

#: Errors after which the board may come back.
GONE = (PortError, BoardGoneError)

#: Seconds between attempts to find the board.
PAUSE = 0.25


class ReturningBoard:
    """What has one session after the other with the same board; a context manager that closes the present one.

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

    board: Board

    def __init__(
        self, opener: Callable[[], AbstractContextManager[Board]], patience: float, note: Callable[[str], None]
    ) -> None:
        self._opener, self._patience, self._note = opener, patience, note
        self._context: AbstractContextManager[Board] | None = None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        context, self._context = self._context, None
        if context is not None:
            context.__exit__(kind, error, trace)

    def _open(self) -> None:
        context = self._opener()
        self.board = context.__enter__()
        self._context = context

    def _close(self) -> None:
        try:
            self.__exit__(None, None, None)
        except TpsgdError:
            pass  # it is already gone

    def _reopen(self, error: TpsgdError, go_on: Callable[[], T], hint: str) -> tuple[float, T]:
        """Wait for the board that vanished with ``error``; return the seconds that it took and what ``go_on`` returns.

        Raises
        ------
        TpsgdError
            When the board does not come back in time; ``hint`` says what to do then.
        """
        self._note(f"{error.message}; waiting up to {self._patience:.0f} s for the board")
        begun = time.monotonic()
        while True:
            self._close()
            try:
                self._open()
                done = go_on()
            except GONE as again:
                if time.monotonic() - begun > self._patience:
                    raise type(again)(
                        f"the board did not come back within {self._patience:.0f} s: {again.message}", hint
                    ) from error
                time.sleep(PAUSE)
            else:
                return time.monotonic() - begun, done
