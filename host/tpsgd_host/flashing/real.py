"""Flash a board that is real: firmware where it is asked for, then the device package and a model, then a look at it.

The order is: what needs no board (files, memory), what asks the board, what the user must agree to, what changes the
board. Whatever stops it, the same command can be run again.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tpsgd_host.boards.circuitpython import (
    BOOT,
    ENABLE,
    RESET,
    START_CIRCUITPYTHON,
    board_ports,
    boot_state,
    circuitpy,
    console_port,
    port_of,
)
from tpsgd_host.boards.connect import connect
from tpsgd_host.boards.drives import read_drive
from tpsgd_host.boards.profiles import BoardProfile, fits
from tpsgd_host.errors import BoardError, ConfigError, FitError, MismatchError, PortError
from tpsgd_host.flashing.deploy import (
    START,
    Progress,
    board_files,
    check_room,
    copy_commands,
    deploy,
    deploy_drive,
    drive_files,
    other_program,
)
from tpsgd_host.flashing.firmware import (
    bootloader_command,
    check_firmware,
    esptool_commands,
    find_firmware,
    image_info_command,
    where_from,
    write_esp32,
    write_uf2,
)
from tpsgd_host.flashing.mpy import MpyFormat, circuitpython_files, compiler_format, package_files, why_not
from tpsgd_host.flashing.probe import CIRCUITPYTHON, START_PROGRAM, BoardFacts
from tpsgd_host.flashing.programs import shown
from tpsgd_host.flashing.remote import Remote
from tpsgd_host.link.messages import Info
from tpsgd_host.model.modelfile import Model

#: Why CircuitPython gets the trainer's sources.
WHY_SOURCES = "CircuitPython takes .mpy files of its own mpy-cross"

#: Seconds that a board may take to start anew and to load a model.
START_WITHIN = 30.0


@dataclass(frozen=True)
class Target:
    """Which board, where, and what may be done to it.

    Attributes
    ----------
    board : BoardProfile
    port : str
        Serial port; empty where only a drive is there.
    firmware : str
        File or version; empty leaves the firmware alone.
    erase : bool
        Whether the whole flash is erased before firmware is written (ESP32).
    drive : Path or None
        CircuitPython's drive, where it is not to be looked for.
    """

    board: BoardProfile
    port: str
    firmware: str = ""
    erase: bool = False
    drive: Path | None = None


@dataclass(frozen=True)
class Flashed:
    """What became of it; ``todo``: what the user must do before the board can run."""

    place: str
    files: dict[str, bytes]
    why_sources: str
    firmware: str
    info: Info | None
    todo: str = ""


def check_memory(model: Model, board: BoardProfile, heap: int, said: str) -> None:
    """Refuse a model that cannot fit into ``heap`` bytes, with the figures."""
    need = next(fit.need for fit in fits(model) if fit.board.name == board.name)
    if need > heap:
        raise FitError(
            f"{model.name} ({model.shape}) needs about {need} bytes of heap to train, trainer included; "
            f"{board.name} has {heap} {said}",
            f"make the network smaller (tpsgd-host inspect {model.name}), or take a larger board (tpsgd-host boards)",
        )


def check_target(target: Target) -> Path | None:
    """Refuse what cannot be, before anything is touched; return the firmware file."""
    board = target.board
    if not target.firmware:
        return None
    path = find_firmware(target.firmware, board)
    check_firmware(path, board)
    if board.loader == "esptool" and not target.port:
        raise ConfigError(f"{board.name} gets its firmware over a port", "name it: --port /dev/ttyUSB0")
    return path


def steps(model: Model, target: Target) -> list[str]:
    """Return every step that flashing would take, commands as one would type them. Touches nothing."""
    board = target.board
    fit = next(fit for fit in fits(model) if fit.board.name == board.name)
    listed = [f"check memory: {model.name} needs about {fit.need} of {board.heap} bytes of heap"]
    check_memory(model, board, board.heap, "(as documented)")
    firmware = check_target(target)
    if firmware is not None:
        listed += _firmware_steps(target, firmware)
    wanted = _expected(board)
    circuitpython = board.firmware == CIRCUITPYTHON
    files = board_files(model.to_bytes(), circuitpython_files() if circuitpython else package_files(wanted))
    form = why_not(wanted) if wanted else "the firmware has no .mpy format that is known beforehand"
    form = WHY_SOURCES if circuitpython else form
    listed.append(
        f"device package: {'.py, as ' + form if form else f'.mpy, {wanted}'}, {len(files)} files with the model"
    )
    if circuitpython:
        place = target.drive or "the CIRCUITPY drive"
        boot = f"copy {BOOT} where there is none: it gives the board its data port ({ENABLE})"
        copies = [f"copy and verify {place}/{name}" for name in files]
        return [*listed, *copies, boot, f"copy and verify {place}/{START_CIRCUITPYTHON}", "where boot.py is new: reset"]
    port = target.port or "PORT"
    listed += [f"run: {shown(command)}" for command in copy_commands(Remote(port), files)]
    return [*listed, f"restart the board on {port}, say HELLO, compare the model's and the weights' CRC"]


def _firmware_steps(target: Target, path: Path) -> list[str]:
    what = f"check {path.name}: {check_firmware(path, target.board)}"
    if target.board.loader == "esptool":
        commands = [image_info_command(path), *esptool_commands(path, target.board, target.port, target.erase)]
        return [what, "ask before firmware is written over what is there", *(f"run: {shown(c)}" for c in commands)]
    start = [f"run: {shown(bootloader_command(target.port))}"] if target.port else []
    drive = f"wait for the drive {target.board.drive} ({target.board.bootsel}), copy {path.name} there"
    return [what, "ask before firmware is written over what is there", *start, drive]


def _expected(board: BoardProfile) -> MpyFormat | None:
    """Return the format that MicroPython on the board most likely takes: that of mpy-cross, of the board's chip."""
    made = compiler_format()
    return MpyFormat(made[0], made[1], board.arch) if made and board.firmware == "micropython" else None


def flash_real(
    model: Model, target: Target, *, ask: Callable[[str], None], tell: Callable[[str], None], progress: Progress
) -> Flashed:
    """Flash a board.

    Parameters
    ----------
    ask : callable
        Gets a question before something is written over; raises where the answer is no.
    tell : callable
        Gets what the user should know now, such as to press a button.
    progress : callable
        Gets the step's name, how many of its parts are done, and how many there are.

    Raises
    ------
    ConfigError, FitError, PortError, BoardError, MismatchError, DependencyError
    """
    check_memory(model, target.board, target.board.heap, "(as documented)")
    firmware = check_target(target)
    written = ""
    if firmware is not None:
        written = _write_firmware(target, firmware, ask, tell)
    if target.board.firmware == CIRCUITPYTHON:
        return _onto_drive(model, target, written, ask, tell, progress)
    if not target.port:
        raise ConfigError(
            f"which port is {target.board.name} at?", "name it: --port PORT (tpsgd-host boards lists them)"
        )
    remote = Remote(target.port)
    if firmware is not None:
        remote.wait(START_WITHIN)
    facts = _ask_board(remote, target.board)
    tell(f"the board: {facts.title}, {facts.heap_free} bytes of heap free")
    _check_board(model, target.board, facts, ask)
    files = board_files(model.to_bytes(), package_files(facts.mpy))
    check_room(files, facts.flash_free, target.port)
    deploy(remote, files, progress)
    info = _start(model, remote, tell)
    return Flashed(target.port, {**files, START: START_PROGRAM.encode()}, why_not(facts.mpy), written, info)


def _ask_board(remote: Remote, board: BoardProfile) -> BoardFacts:
    """Return what the board says of itself; one that has no MicroPython needs firmware first."""
    remote.release()
    try:
        return remote.facts()
    except BoardError as error:
        again = f", as in: tpsgd-host flash MODEL --board {board.name} --port {remote.port} --firmware FILE"
        todo = where_from(board) + (again if board.loader != "none" else "")
        raise BoardError(error.message, f"is MicroPython on it? {todo}") from error


def _write_firmware(target: Target, path: Path, ask: Callable[[str], None], tell: Callable[[str], None]) -> str:
    """Write firmware, once the user has agreed; return its name."""
    board = target.board
    there = _present(target)
    erased = " and erase its whole flash" if target.erase else ""
    ask(f"Write {path.name} to the {board.name} at {target.port or board.drive}, over {there}{erased}?")
    if board.loader == "esptool":
        write_esp32(path, board, target.port, target.erase, tell)
    else:
        write_uf2(path, board, target.port, tell)
    return path.name


def _present(target: Target) -> str:
    """Return what is on the board now, in a few words."""
    if not target.port:
        return "what is there"
    try:
        remote = Remote(target.port)
        remote.release()
        return remote.facts().title
    except BoardError:
        return "what is there (it does not answer like MicroPython)"
    except PortError:
        if target.board.loader == "esptool":
            raise
        return "what is there"


def _check_board(model: Model, board: BoardProfile, facts: BoardFacts, ask: Callable[[str], None]) -> None:
    """Refuse a board that cannot do it; ask about a program that is not ours."""
    check_memory(model, board, facts.heap_free, "free now")
    if not facts.writable:
        raise BoardError(
            f"programs cannot write to the file system of {facts.title}",
            "CircuitPython is flashed by its drive: --board rp2040-circuitpython; else format the board's flash",
        )
    if facts.main == "other":
        ask(f"The board has a {START} that is not tpsgd's. Replace it?")


def _start(model: Model, remote: Remote, tell: Callable[[str], None]) -> Info:
    """Start the board anew and see that it has the model."""
    remote.restart()
    tell("the board starts")
    until = time.monotonic() + START_WITHIN
    while True:
        try:
            with connect(remote.port) as board:
                info = board.info
            break
        except PortError:  # native USB goes away for a moment
            if time.monotonic() > until:
                raise
            time.sleep(0.3)
    if (info.model_crc, info.weights_crc) != (model.crc, model.weights_crc):
        raise MismatchError(
            f"the board holds model {info.model_crc:08x} with weights {info.weights_crc:08x}, "
            f"written were {model.crc:08x} and {model.weights_crc:08x}",
            "run the same command again",
        )
    return info


def _onto_drive(
    model: Model,
    target: Target,
    written: str,
    ask: Callable[[str], None],
    tell: Callable[[str], None],
    progress: Progress,
) -> Flashed:
    """Copy onto CircuitPython's drive, and look at the board where its port is known and boot.py has been read."""
    drive = circuitpy(target.drive, seconds=START_WITHIN if written else 0.0)
    name = other_program(drive)
    if name:
        ask(f"{drive} has a {name} that is not tpsgd's. {START_CIRCUITPYTHON} will be replaced. Go on?")
    before = boot_state(drive)
    files = drive_files(drive, board_files(model.to_bytes(), circuitpython_files()))
    deploy_drive(drive, files, progress)
    port = target.port or port_of(read_drive(drive))
    todo = _todo(before, port)
    info = None if todo or not port else _start(model, Remote(console_port(port)), tell)
    return Flashed(port if info else str(drive), files, WHY_SOURCES, written, info, todo)


def _todo(boot: str, port: str) -> str:
    """Return what the user must do before CircuitPython has its data port; ``boot``: what boot.py was before."""
    if boot == "not":
        return f"{BOOT} is yours and stays as it is: add the lines import usb_cdc and {ENABLE}, then {RESET}"
    ports = board_ports(port) if port else None
    if boot == "none" or (ports and not ports.data):
        return RESET
    return ""
