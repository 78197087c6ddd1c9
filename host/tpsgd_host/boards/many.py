"""Several boards side by side: each in a thread of its own, and one that fails does not stop the others."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from tpsgd_host.boards.connect import VIRTUAL
from tpsgd_host.boards.plugged import Plugged, plugged
from tpsgd_host.errors import BoardError, ConfigError, TpsgdError
from tpsgd_host.link.usb import comports, device

Result = TypeVar("Result")

#: Seconds after Ctrl-C in which each board may end what it does.
GRACE = 20.0


@dataclass(frozen=True)
class Place:
    """Where a board is.

    Attributes
    ----------
    name : str
        What messages call it.
    port : str
        Its port, or ``virtual``.
    folder : Path or None
        The flash of a virtual board.
    """

    name: str
    port: str
    folder: Path | None = None


def virtual_places(folder: Path) -> list[Place]:
    """Return the virtual boards of a folder: each folder in it is the flash of one.

    Raises
    ------
    ConfigError
        When there is none.
    """
    try:
        inside = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    except OSError as error:
        raise ConfigError(f"cannot read {folder}: {error.strerror}", "Name a folder of virtual boards.") from None
    if not inside:
        raise ConfigError(
            f"there is no virtual board in {folder}", f"Make a folder for each, such as {folder / '1'}, and flash them."
        )
    return [Place(path.name, VIRTUAL, path) for path in inside]


def named_places(ports: Iterable[str]) -> list[Place]:
    """Return boards at these ports."""
    return [Place(port, port) for port in ports]


def plugged_places(
    board: str = "", found: Sequence[Plugged] | None = None, ports: Sequence[Any] | None = None
) -> list[Place]:
    """Return all boards that are plugged in, each once, by the first of its ports.

    Parameters
    ----------
    board : str
        Only boards of this kind; empty for all.
    found, ports : sequence, optional
        What is plugged in, and the serial ports, in place of this machine's.

    Raises
    ------
    BoardError
        When there is none.
    """
    devices = {port.device: device(port) for port in (comports() if ports is None else ports)}
    places: dict[str, Place] = {}
    for item in plugged() if found is None else found:
        if item.kind == "port" and (board in item.boards if board else item.boards):
            places.setdefault(devices.get(item.where, item.where), Place(item.where, item.where))
    if not places:
        raise BoardError(
            f"no {board or 'board'} is plugged in",
            "tpsgd-host boards lists what is; --port A,B names ports, --board-dir DIR a folder of virtual boards",
        )
    return list(places.values())


@dataclass(frozen=True)
class Ended(Generic[Result]):
    """How it ended on a board: with a result, an error, or neither where Ctrl-C came first."""

    place: Place
    result: Result | None = None
    error: TpsgdError | None = None


class Teller:
    """What the work on a board says of itself. After Ctrl-C, the next word ends the work, as Ctrl-C does."""

    def __init__(self, place: Place, show: Callable[[Place, str], None], stop: threading.Event) -> None:
        self._place, self._show, self._stop = place, show, stop
        self._stopped = False

    def __call__(self, text: str) -> None:
        """Show what the board does."""
        self.check()
        self._show(self._place, text)

    def check(self) -> None:
        """Raise KeyboardInterrupt, once, after Ctrl-C."""
        if self._stop.is_set() and not self._stopped:
            self._stopped = True
            raise KeyboardInterrupt


def side_by_side(
    places: Sequence[Place],
    work: Callable[[Place, Teller], Result],
    show: Callable[[Place, str], None],
    at_once: int,
) -> tuple[list[Ended[Result]], bool]:
    """Work on all boards; return how it ended on each, in order, and whether Ctrl-C ended it.

    Parameters
    ----------
    work : callable
        Called with a board, and with what shows a text about it; in threads.
    show : callable
        Called with a board and a text; in any thread, one at a time.
    at_once : int
        The most boards at one time.
    """
    ends: list[Ended[Result]] = [Ended(place) for place in places]
    numbers, lock, stop = iter(range(len(places))), threading.Lock(), threading.Event()

    def tell(place: Place, text: str) -> None:
        with lock:
            show(place, text)

    def take() -> None:
        while True:
            with lock:
                i = next(numbers, None)
            if i is None or stop.is_set():
                return
            ends[i] = _carried_out(places[i], work, Teller(places[i], tell, stop))
            tell(places[i], _word(ends[i]))

    # They are daemons: one that hears nothing from its board must not keep the command from ending.
    threads = [threading.Thread(target=take, daemon=True) for _ in range(min(at_once, len(places)))]
    for thread in threads:
        thread.start()
    interrupted = False
    deadline = float("inf")
    while any(thread.is_alive() for thread in threads) and time.monotonic() < deadline:
        try:
            for thread in threads:
                thread.join(0.1)
        except KeyboardInterrupt:
            if interrupted:
                break
            interrupted = True
            stop.set()
            deadline = time.monotonic() + GRACE
    return ends, interrupted


def _carried_out(place: Place, work: Callable[[Place, Teller], Result], teller: Teller) -> Ended[Result]:
    try:
        return Ended(place, work(place, teller))
    except TpsgdError as error:
        return Ended(place, error=error)
    except KeyboardInterrupt:
        return Ended(place)
    except Exception as error:
        said = f"{type(error).__name__}: {error}"
        return Ended(place, error=TpsgdError(said, f"Try this board alone: --port {place.port}"))


def _word(end: Ended[Result]) -> str:
    if end.error is not None:
        return f"failed: {end.error.message}"
    return "interrupted" if end.result is None else "done"
