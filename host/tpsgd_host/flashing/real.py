"""Flash a board that is real: firmware where it is asked for, then the device package and a model, then a look at it.

The order is: what needs no board (files, memory), what asks the board, what the user must agree to, what changes the
board. Whatever stops it, the same command can be run again.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path

from tpsgd_host.boards.circuitpython import BOOT, ENABLE, START_CIRCUITPYTHON
from tpsgd_host.boards.drives import find_drives
from tpsgd_host.boards.plugged import only_port
from tpsgd_host.boards.profiles import BoardProfile, fits
from tpsgd_host.errors import BoardError, PortError
from tpsgd_host.flashing.deploy import (
    Flashed,
    Progress,
    board_files,
    check_memory,
    check_room,
    copy_commands,
    deploy,
)
from tpsgd_host.flashing.drive import WHY_SOURCES, flash_drive
from tpsgd_host.flashing.firmware import (
    boot_drive,
    bootloader_command,
    check_firmware,
    esptool_commands,
    find_firmware,
    image_info_command,
    judge_firmware,
    write_esp32,
    write_uf2,
)
from tpsgd_host.flashing.mpy import MpyFormat, circuitpython_files, compiler_format, package_files, why_not
from tpsgd_host.flashing.ownership import START, question
from tpsgd_host.flashing.probe import CIRCUITPYTHON, START_PROGRAM, BoardFacts
from tpsgd_host.flashing.programs import shown
from tpsgd_host.flashing.releases import Ask, Release, Tell, fetch, known_release, where_from
from tpsgd_host.flashing.remote import Remote
from tpsgd_host.flashing.start import start
from tpsgd_host.model.modelfile import Model

#: Seconds that a board may take to come back with new firmware.
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
    called : str
        What the user calls the board: its name or an alias, which may have firmware of its own.
    deploy_only : bool
        Whether the firmware is left alone, even where none answers.
    """

    board: BoardProfile
    port: str
    firmware: str = ""
    erase: bool = False
    drive: Path | None = None
    called: str = ""
    deploy_only: bool = False


def check_target(target: Target) -> Path | Release | None:
    """Refuse what cannot be, before anything is touched; return the firmware that the user named."""
    board = target.board
    if not target.firmware:
        return None
    named = find_firmware(target.firmware, board, target.called)
    if isinstance(named, Path):
        check_firmware(named, board)
    if board.loader == "esptool" and not target.port:
        raise PortError(f"{board.name} gets its firmware over a port", "name it: --port /dev/ttyUSB0")
    return named


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
    files = board_files(model, circuitpython_files() if circuitpython else package_files(wanted))
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


def _firmware_steps(target: Target, firmware: Path | Release) -> list[str]:
    if isinstance(firmware, Path):
        path, what = firmware, f"check {firmware.name}: {check_firmware(firmware, target.board)}"
    else:
        path = firmware.kept
        what = f"use {path}" if path.is_file() else f"ask, then fetch {firmware.url} into {path.parent}"
        what += "; compare its SHA-256 with the one that was seen first"
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


def flash_real(model: Model, target: Target, *, ask: Ask, tell: Tell, progress: Progress) -> Flashed:
    """Flash a board.

    Parameters
    ----------
    ask : callable
        Gets a question before something is fetched or written over; raises where the answer is no.
    tell : callable
        Gets what the user should know now, such as to press a button.
    progress : callable
        Gets the step's name, how many of its parts are done, and how many there are.

    Raises
    ------
    ConfigError, FitError, PortError, BoardError, MismatchError, DependencyError
    """
    named = check_target(target)
    written = ""
    if named is not None:
        path = named if isinstance(named, Path) else _fetched(named, target, ask, tell, progress)
        written = _write_firmware(target, path, _present(target), ask, tell)
    if target.board.firmware == CIRCUITPYTHON:
        return flash_drive(model, target.board, target.port, target.drive, written, ask, tell, progress)
    target, facts, fetched = _board(model, target, written, ask, tell, progress)
    written = written or fetched
    remote = Remote(target.port)
    tell(f"the board: {facts.title}, {facts.heap_free} bytes of heap free")
    _check_board(model, target.board, facts)
    files = board_files(model, package_files(facts.mpy))
    check_room(files, facts.flash_free, target.port)
    there = remote.belongings()
    if others := there.others(START):
        ask(question(others, "the board"))
    deploy(remote, files, there, progress)
    info = start(model, remote, tell)
    return Flashed(target.port, {**files, START: START_PROGRAM.encode()}, why_not(facts.mpy), written, info)


def _board(
    model: Model, target: Target, written: str, ask: Ask, tell: Tell, progress: Progress
) -> tuple[Target, BoardFacts, str]:
    """Return the board with its port, what it says of itself, and the firmware that was written to make it speak."""
    if not target.port and (written or boot_drive(target.board, find_drives()) is None):
        target = _found(target, START_WITHIN if written else 0.0)
    if written:
        return target, _after_firmware(target, tell), ""
    try:
        if target.port:
            return target, _ask_board(target), ""
        answer = BoardError(f"the {target.board.name} is in its loader: it runs no program", where_from(target.board))
    except PortError:
        raise
    except BoardError as error:
        answer = error
    release = known_release(target.board, called=target.called)
    if release is None or target.deploy_only:
        raise answer
    check_memory(model, target.board, target.board.heap, "(as documented)")
    tell(f"{answer.message}: it needs firmware")
    path = _fetched(release, target, ask, tell, progress)
    _write_firmware(target, path, "what is there", ask, tell)
    if not target.port:
        target = _found(target, START_WITHIN)
    return target, _after_firmware(target, tell), path.name


def _found(target: Target, seconds: float) -> Target:
    """Return the target with its port, waiting so long for the board to be there."""
    until = time.monotonic() + seconds
    while not target.port:
        target = replace(target, port=only_port(target.board))
        if not target.port and time.monotonic() >= until:
            raise PortError(
                f"no port was named, and none is certain to be the {target.board.name}'s",
                "plug the board in, or name its port: --port PORT (tpsgd-host boards lists them)",
            )
        time.sleep(0 if target.port else 0.3)
    return target


def _fetched(release: Release, target: Target, ask: Ask, tell: Tell, progress: Progress) -> Path:
    """Return the file of a release, judged."""
    board = target.board
    return fetch(release, lambda data: judge_firmware(data, release.name, board), ask=ask, tell=tell, progress=progress)


def _ask_board(target: Target) -> BoardFacts:
    """Return what the board says of itself; one that has no MicroPython needs firmware first."""
    remote, board = Remote(target.port), target.board
    remote.release()
    try:
        return remote.facts()
    except BoardError as error:
        again = f", as in: tpsgd-host flash MODEL --board {board.name} --port {remote.port} --firmware FILE"
        todo = where_from(board) + (again if board.loader != "none" else "")
        raise BoardError(error.message, f"is MicroPython on it? {todo}") from error


def _after_firmware(target: Target, tell: Tell) -> BoardFacts:
    """Return what a board says that has just got its firmware: over some ports nobody can reset it from here."""
    remote = Remote(target.port)
    remote.wait(START_WITHIN)
    until = time.monotonic() + START_WITHIN
    while True:
        try:
            return remote.facts()
        except BoardError as error:
            if time.monotonic() > until:
                raise BoardError(
                    f"the firmware is on the board, but it does not answer: {error.message}",
                    f"press RESET (EN) on it, then: tpsgd-host flash --board {target.called or target.board.name} "
                    f"--port {target.port} --deploy-only",
                ) from error
            tell("the firmware is on the board, and it does not answer yet: press RESET (EN) on it")


def _write_firmware(target: Target, path: Path, there: str, ask: Ask, tell: Tell) -> str:
    """Write firmware over what is ``there``, once the user has agreed; return its name."""
    board = target.board
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


def _check_board(model: Model, board: BoardProfile, facts: BoardFacts) -> None:
    """Refuse a board that cannot do it."""
    check_memory(model, board, facts.heap_free, "free now")
    if not facts.writable:
        raise BoardError(
            f"programs cannot write to the file system of {facts.title}",
            "CircuitPython is flashed by its drive: --board rp2040-circuitpython; else format the board's flash",
        )
