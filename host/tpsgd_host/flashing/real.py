"""Flash a real board: firmware on request, then the device package and a model, then a check.

The steps that need no board (files, memory) come first; then those that ask the board, that need the user's consent,
and that change the board. After any interruption, the same command can be run again.
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
from tpsgd_host.flashing.mpy import (
    MpyFormat,
    circuitpython_files,
    compiler_format,
    package_files,
    why_no_module,
    why_not,
)
from tpsgd_host.flashing.ownership import START, question
from tpsgd_host.flashing.probe import CIRCUITPYTHON, START_PROGRAM, BoardFacts
from tpsgd_host.flashing.programs import shown
from tpsgd_host.flashing.releases import Ask, Release, Tell, fetch, known_release, where_from
from tpsgd_host.flashing.remote import Remote
from tpsgd_host.flashing.start import start
from tpsgd_host.model.modelfile import Model

#: Seconds for a board to come back with new firmware.
START_WITHIN = 30.0


@dataclass(frozen=True)
class Target:
    """The board to flash, where it is, and what to do to it.

    Attributes
    ----------
    board : BoardProfile
    port : str
        Serial port; empty if there is only a drive.
    firmware : str
        File or version; if empty, the firmware stays as it is.
    erase : bool
        Whether to erase the whole flash before writing firmware (ESP32).
    drive : Path or None
        CircuitPython's drive; None to search for it.
    called : str
        The user's name for the board: its name, or an alias that may have its own firmware.
    deploy_only : bool
        Whether to leave the firmware alone, even if none answers.
    sensor : bytes
        The board's sensor.py; empty to leave it as it is.
    """

    board: BoardProfile
    port: str
    firmware: str = ""
    erase: bool = False
    drive: Path | None = None
    called: str = ""
    deploy_only: bool = False
    sensor: bytes = b""


def check_target(target: Target) -> Path | Release | None:
    """Raise for impossible requests before anything is touched; return the firmware that the user named."""
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
    """Return every step that flashing would take, with commands as typed, without taking any."""
    board = target.board
    fit = next(fit for fit in fits(model) if fit.board.name == board.name)
    listed = [f"check memory: {model.name} needs about {fit.need} of {board.heap} bytes of heap"]
    check_memory(model, board, board.heap, "(as documented)")
    firmware = check_target(target)
    if firmware is not None:
        listed += _firmware_steps(target, firmware)
    wanted = _expected(board)
    circuitpython = board.firmware == CIRCUITPYTHON
    files = board_files(model, circuitpython_files() if circuitpython else package_files(wanted), target.sensor)
    form = why_not(wanted) if wanted else "the firmware's .mpy format is not known in advance"
    form = WHY_SOURCES if circuitpython else form
    listed.append(
        f"device package: {'.py, as ' + form if form else f'.mpy, {wanted}'}, {len(files)} files with the model"
    )
    if circuitpython:
        place = target.drive or "the CIRCUITPY drive"
        boot = f"copy {BOOT} if there is none: it gives the board its data port ({ENABLE})"
        copies = [f"copy and verify {place}/{name}" for name in files]
        return [*listed, *copies, boot, f"copy and verify {place}/{START_CIRCUITPYTHON}", "if boot.py is new: reset"]
    port = target.port or "PORT"
    listed += [f"run: {shown(command)}" for command in copy_commands(Remote(port), files)]
    return [*listed, f"restart the board on {port}, send HELLO, compare the CRCs of model and weights"]


def _firmware_steps(target: Target, firmware: Path | Release) -> list[str]:
    if isinstance(firmware, Path):
        path, what = firmware, f"check {firmware.name}: {check_firmware(firmware, target.board)}"
    else:
        path = firmware.kept
        what = f"use {path}" if path.is_file() else f"ask, then fetch {firmware.url} into {path.parent}"
        what += "; compare its SHA-256 with the remembered one"
    if target.board.loader == "esptool":
        commands = [image_info_command(path), *esptool_commands(path, target.board, target.port, target.erase)]
        return [what, "ask before overwriting the present firmware", *(f"run: {shown(c)}" for c in commands)]
    start = [f"run: {shown(bootloader_command(target.port))}"] if target.port else []
    drive = f"wait for the drive {target.board.drive} ({target.board.bootsel}), copy {path.name} there"
    return [what, "ask before overwriting the present firmware", *start, drive]


def _expected(board: BoardProfile) -> MpyFormat | None:
    """Return the format that MicroPython on the board most likely takes: mpy-cross's, for the board's chip."""
    made = compiler_format()
    return MpyFormat(made[0], made[1], board.arch) if made and board.firmware == "micropython" else None


def flash_real(model: Model, target: Target, *, ask: Ask, tell: Tell, progress: Progress) -> Flashed:
    """Flash a board.

    Parameters
    ----------
    ask : callable
        Called with a question before anything is fetched or overwritten; raises if the answer is no.
    tell : callable
        Called with notes for the user, such as to press a button.
    progress : callable
        Called with the step's name, the number of its parts that are done, and their total.

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
    tell(f"the board: {facts.title}, {facts.heap_free} bytes of free heap")
    _check_board(model, target.board, facts)
    files = board_files(model, package_files(facts.mpy), target.sensor)
    check_room(files, facts.flash_free, target.port)
    there = remote.belongings()
    if others := there.others(START):
        ask(question(others, "the board"))
    deploy(remote, files, there, progress)
    info = start(model, remote, tell)
    return Flashed(
        target.port, {**files, START: START_PROGRAM.encode()}, why_not(facts.mpy), written, info,
        why_no_module=why_no_module(facts.mpy),
    )  # fmt: skip


def _board(
    model: Model, target: Target, written: str, ask: Ask, tell: Tell, progress: Progress
) -> tuple[Target, BoardFacts, str]:
    """Return the board with its port, its facts, and the firmware that had to be written first."""
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
    """Return the target with its port; wait some seconds for the board to appear."""
    until = time.monotonic() + seconds
    while not target.port:
        target = replace(target, port=only_port(target.board))
        if not target.port and time.monotonic() >= until:
            raise PortError(
                f"no port was named, and none certainly belongs to the {target.board.name}",
                "plug the board in, or name its port: --port PORT (tpsgd-host boards lists them)",
            )
        time.sleep(0 if target.port else 0.3)
    return target


def _fetched(release: Release, target: Target, ask: Ask, tell: Tell, progress: Progress) -> Path:
    """Return the checked file of a release."""
    board = target.board
    return fetch(release, lambda data: judge_firmware(data, release.name, board), ask=ask, tell=tell, progress=progress)


def _ask_board(target: Target) -> BoardFacts:
    """Return the board's facts; without MicroPython it needs firmware first."""
    remote, board = Remote(target.port), target.board
    remote.release()
    try:
        return remote.facts()
    except BoardError as error:
        again = f", for example: tpsgd-host flash MODEL --board {board.name} --port {remote.port} --firmware FILE"
        todo = where_from(board) + (again if board.loader != "none" else "")
        raise BoardError(error.message, f"does it run MicroPython? {todo}") from error


def _after_firmware(target: Target, tell: Tell) -> BoardFacts:
    """Return the facts of a board with new firmware; over some ports it cannot be reset from here."""
    remote = Remote(target.port)
    remote.wait(START_WITHIN)
    until = time.monotonic() + START_WITHIN
    while True:
        try:
            return remote.facts()
        except BoardError as error:
            if time.monotonic() > until:
                raise BoardError(
                    f"the firmware was written, but the board does not answer: {error.message}",
                    f"press RESET (EN) on it, then: tpsgd-host flash --board {target.called or target.board.name} "
                    f"--port {target.port} --deploy-only",
                ) from error
            tell("the firmware was written, but the board does not answer yet: press RESET (EN) on it")


def _write_firmware(target: Target, path: Path, there: str, ask: Ask, tell: Tell) -> str:
    """Write firmware after the user has agreed; return its name. ``there`` describes what it replaces."""
    board = target.board
    erased = " and erase its whole flash" if target.erase else ""
    ask(f"Write {path.name} to the {board.name} at {target.port or board.drive}, over {there}{erased}?")
    if board.loader == "esptool":
        write_esp32(path, board, target.port, target.erase, tell)
    else:
        write_uf2(path, board, target.port, tell)
    return path.name


def _present(target: Target) -> str:
    """Return a short description of what is on the board."""
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
    """Raise if a board cannot run tpsgd."""
    check_memory(model, board, facts.heap_free, "free now")
    if not facts.writable:
        raise BoardError(
            f"programs cannot write to the file system of {facts.title}",
            "CircuitPython is flashed through its drive: --board rp2040-circuitpython; else format the board's flash",
        )
