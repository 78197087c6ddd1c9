"""From what a user calls a board to an open session with it."""

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


#: Characters that are kept of what a board printed, and lines kept back before a session is open.
KEPT, MAX_HELD = 4000, 100


class BoardText:
    """What a board printed, kept for the error that may follow, and handed on line by line.

    Parameters
    ----------
    hand_on : callable
        Gets each line.
    hold : bool
        Keep lines back until :meth:`release`: what answers a greeting may be a REPL, which says the same each time.
    """

    def __init__(self, hand_on: Callable[[str], None], hold: bool = False) -> None:
        self._hand_on = hand_on
        self._line = ""
        self._held: dict[str, None] | None = {} if hold else None
        self.all = ""

    def __call__(self, text: str) -> None:
        """Take a piece of text, wherever it was cut."""
        self.all = (self.all + text)[-KEPT:]
        *lines, self._line = (self._line + text.replace("\r\n", "\n")).split("\n")
        if len(self._line) > KEPT:  # a board that ends no line
            lines.append(self._line)
            self._line = ""
        for line in lines:
            if self._held is None:
                self._hand_on(line)
            elif len(self._held) < MAX_HELD:
                self._held[line] = None

    def release(self) -> None:
        """Hand on what was kept back, each line once, and from now on every line as it comes."""
        held, self._held = self._held, None
        for line in held or ():
            self._hand_on(line)

    @property
    def last(self) -> str:
        """The last line that is not blank, on one line; empty where there is none."""
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
    """Open a session with a board; close it after the block.

    Parameters
    ----------
    port : str
        ``virtual``, or any port that pyserial opens; of a CircuitPython board either of its two.
    folder : Path, optional
        Flash of the virtual board.
    heap : int, optional
        Heap of the virtual board in bytes, where it is not the one it was flashed with.
    engine, every
        See :class:`~tpsgd_host.boards.board.Board`.
    on_text : callable
        Gets the lines that the board prints.
    on_note : callable
        Gets what the user should know of the board, such as that it cannot write checkpoints.

    Raises
    ------
    PortError, BoardError, FitError
        The port does not open, the board does not answer, or has no room for its model.
    """
    text = BoardText(on_text, hold=True)
    if port != VIRTUAL:
        with _session(SerialPort(link_port(port), baud), text, on_note) as session:
            yield _greet(session, engine, every, text)
        return
    # The line is held for the last words of a program that fails.
    with (
        VirtualBoard(folder or default_folder(), heap, hold=True) as machine,
        _session(machine.open_port(), text, on_note) as session,
    ):
        try:
            yield _greet(session, engine, every, text)
        except (PortError, BoardError) as error:  # before the session's goodbye, which ends the program as well
            if not machine.ended(within=1.0 if isinstance(error, PortError) else 0.0):
                raise
            raise _ended(machine, text.all) from error


def _greet(session: Session, engine: str, every: int, text: BoardText) -> Board:
    """Return the board, greeted; where no device program answers, say what does."""
    try:
        board = Board(session, engine, every)
    except BoardGoneError as error:
        if ">>>" in text.all or "raw REPL" in text.all:
            raise BoardGoneError(
                f"{error.message}: its REPL answers, not the device program",
                "reset the board; where that does not help, flash it again: tpsgd-host flash MODEL",
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
            pass  # the port is gone: there is nobody to say goodbye to
        port.close()


def _ended(machine: VirtualBoard, text: str) -> TpsgdError:
    """Return the error for a virtual board whose program ended by itself."""
    last = text.strip().splitlines()[-1:] or ["it printed nothing"]
    if "MemoryError" in text:
        return FitError(
            f"the virtual board ran out of its {machine.heap} bytes of heap: {last[0]}",
            "give it more with --heap, or make the network smaller (tpsgd-host inspect shows what takes the room)",
        )
    return BoardGoneError(
        f"the virtual board's program ended with exit code {machine.wait()}: {last[0]}",
        "flash it again with: tpsgd-host flash MODEL",
    )
