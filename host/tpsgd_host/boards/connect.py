"""Open a session with a board from the name that a user gives it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tpsgd_host.boards.board import Board
from tpsgd_host.boards.circuitpython import link_port
from tpsgd_host.boards.virtual import VirtualBoard, default_folder
from tpsgd_host.errors import BoardError, BoardGoneError, FitError, PortError, TpsgdError
from tpsgd_host.link.port import Port, SerialPort
from tpsgd_host.link.session import Session
from tpsgd_host.terminal import one_line

VIRTUAL = "virtual"


#: Characters to keep of a board's output, and lines to hold until a session is open.
KEPT, MAX_HELD = 4000, 100


class BoardText:
    """A board's output, passed on line by line, and kept for an error that may follow.

    Parameters
    ----------
    hand_on : callable
        Called with each line.
    hold : bool
        Hold lines until :meth:`release`, because a REPL may answer a greeting, each time in the same way.
    """

    def __init__(self, hand_on: Callable[[str], None], hold: bool = False) -> None:
        self._hand_on = hand_on
        self._line = ""
        self._held: dict[str, None] | None = {} if hold else None
        self.all = ""

    def __call__(self, text: str) -> None:
        """Add a piece of text, cut anywhere."""
        self.all = (self.all + text)[-KEPT:]
        *lines, self._line = (self._line + text.replace("\r\n", "\n")).split("\n")
        if len(self._line) > KEPT:  # the board never ends a line
            lines.append(self._line)
            self._line = ""
        for line in lines:
            if self._held is None:
                self._hand_on(line)
            elif len(self._held) < MAX_HELD:
                self._held[line] = None

    def release(self) -> None:
        """Pass on the held lines, each once, and from now on every line as it arrives."""
        held, self._held = self._held, None
        for line in held or ():
            self._hand_on(line)

    @property
    def last(self) -> str:
        """The last line that is not blank; empty if there is none."""
        lines = [line for line in map(one_line, self.all.replace("\r", "\n").split("\n")) if line]
        return lines[-1] if lines else ""


@contextmanager
def connect(
    port: str,
    *,
    folder: Path | None = None,
    heap: int | None = None,
    baud: int = 115200,
    engine: str = "auto",
    every: int = 0,
    on_text: Callable[[str], None] = lambda text: None,
    on_note: Callable[[str], None] = lambda text: None,
) -> Iterator[Board]:
    """Open a session with a board, and close it after the block.

    Parameters
    ----------
    port : str
        ``virtual``, or any port that pyserial opens; for a CircuitPython board either of its two ports.
    folder : Path, optional
        Flash of the virtual board.
    heap : int, optional
        Heap of the virtual board in bytes; by default the one with which it was flashed.
    engine, every
        See :class:`~tpsgd_host.boards.board.Board`.
    on_text : callable
        Called with the lines that the board prints.
    on_note : callable
        Called with notes for the user, for example that the board cannot write checkpoints.

    Raises
    ------
    PortError, BoardError, FitError
        When the port does not open, or the board does not answer or has no room for its model.
    """
    text = BoardText(on_text, hold=True)
    if port != VIRTUAL:
        with _session(SerialPort(link_port(port), baud), text, on_note) as session:
            yield _greet(session, engine, every, text)
        return
    # The line is held, so that the last output of a failing program arrives.
    with (
        VirtualBoard(folder or default_folder(), heap, hold=True) as machine,
        _session(machine.open_port(), text, on_note) as session,
    ):
        try:
            yield _greet(session, engine, every, text)
        except (PortError, BoardError) as error:  # before the session's end, which also ends the program
            if not machine.ended(within=1.0 if isinstance(error, PortError) else 0.0):
                raise
            raise _ended(machine, text.all) from error


def _greet(session: Session, engine: str, every: int, text: BoardText) -> Board:
    """Return the board with an open session; if no device program answers, report what does."""
    try:
        board = Board(session, engine, every)
    except BoardGoneError as error:
        if ">>>" in text.all or "raw REPL" in text.all:
            raise BoardGoneError(
                f"{error.message}: its REPL answers instead of the device program",
                "reset the board; if that does not help, flash it again: tpsgd-host flash MODEL",
            ) from error
        if text.last:
            raise BoardGoneError(f"{error.message}; it says {text.last[:80]!r}", error.hint) from error
        raise
    text.release()
    return board


@contextmanager
def _session(port: Port, text: BoardText, on_note: Callable[[str], None]) -> Iterator[Session]:
    session = Session(port, text, on_note=on_note)
    try:
        yield session
    finally:
        try:
            session.bye()
        except TpsgdError:
            pass  # the port is gone, so there is no session to end
        port.close()


def _ended(machine: VirtualBoard, text: str) -> TpsgdError:
    """Return the error for a virtual board whose program has ended."""
    last = text.strip().splitlines()[-1:] or ["it printed nothing"]
    if "MemoryError" in text:
        return FitError(
            f"the virtual board ran out of heap, which has {machine.heap} bytes: {last[0]}",
            "give it more with --heap, or make the network smaller (tpsgd-host inspect shows what needs memory)",
        )
    return BoardGoneError(
        f"the virtual board's program ended with exit code {machine.wait()}: {last[0]}",
        "flash it again with: tpsgd-host flash MODEL",
    )
