"""Find firmware, check it, and write it with the board's own loader."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from pathlib import Path

from tpsgd_host.boards.drives import BOOT, Drive, find_drives, flush
from tpsgd_host.boards.profiles import BoardProfile
from tpsgd_host.errors import BoardError, ConfigError, DependencyError, PortError, TpsgdError
from tpsgd_host.files import read_file
from tpsgd_host.flashing.espimage import check_chip, read_image
from tpsgd_host.flashing.programs import esptool, mpremote, run
from tpsgd_host.flashing.releases import Release, known_release, releases, where_from
from tpsgd_host.flashing.uf2 import check_family, read_uf2

#: Maximum bytes of a firmware file; boards' flash has at most a quarter of it.
MAX_FIRMWARE = 64 << 20

#: Baud rate for esptool, as in MicroPython's own instructions.
ESPTOOL_BAUD = 460800


def find_firmware(wanted: str, board: BoardProfile, called: str = "") -> Path | Release:
    """Return the meaning of ``--firmware``: a file, or a release to fetch.

    Raises
    ------
    ConfigError
        When there is no such file and no such release.
    """
    path = Path(wanted)
    if path.is_file():
        return path
    version = wanted.removeprefix("v")
    if not re.fullmatch(r"\d+\.\d+(\.\d+)?", version):
        raise ConfigError(f"there is no firmware file {wanted}", where_from(board))
    release = known_release(board, version, called)
    if release is None:
        there = ", ".join(releases().dates)
        raise ConfigError(
            f"firmware {version} for {board.name} is not known; tpsgd knows MicroPython {there}",
            where_from(board, version),
        )
    return release


def _read(path: Path) -> bytes:
    try:
        return read_file(path, MAX_FIRMWARE)
    except OSError as error:
        raise ConfigError(
            f"cannot read the firmware {path}: {error.strerror}", "name the file you downloaded"
        ) from None


def check_firmware(path: Path, board: BoardProfile) -> str:
    """Raise if a file is not complete firmware for the board; return a short description of it."""
    return judge_firmware(_read(path), path.name, board)


def judge_firmware(data: bytes, name: str, board: BoardProfile) -> str:
    """Raise if data are not complete firmware for the board; return a short description of them."""
    if board.loader == "uf2":
        image = read_uf2(data, name)
        check_family(image, board.families, board.name, name)
        return f"{image.size} bytes at 0x{image.start:x}, family {image.family:#010x}"
    if board.loader == "esptool":
        boot = read_image(data, name)
        check_chip(boot, board.chip_id, board.name, name)
        return f"{len(data)} bytes for chip {boot.chip_id} at 0x{board.offset:x}"
    raise ConfigError(f"tpsgd cannot write firmware to {board.name}", "leave out --firmware")


def esptool_commands(path: Path, board: BoardProfile, port: str, erase: bool) -> list[list[str]]:
    """Return the commands that write firmware to an ESP32."""
    chip = board.chip.lower().replace("-", "")
    start = [*esptool(), "--chip", chip, "--port", port]
    write = [*start, "--baud", str(ESPTOOL_BAUD), "write-flash", f"0x{board.offset:x}", str(path)]
    return [[*start, "erase-flash"], write] if erase else [write]


def image_info_command(path: Path) -> list[str]:
    """Return the command with which esptool checks an image."""
    return [*esptool(), "image-info", str(path)]


def write_esp32(path: Path, board: BoardProfile, port: str, erase: bool, tell: Callable[[str], None]) -> None:
    """Write firmware to an ESP32; esptool verifies what it wrote by hash."""
    run(image_info_command(path), timeout=60)
    for command in esptool_commands(path, board, port, erase):
        run(command, timeout=600, on_line=tell)


def bootloader_command(port: str) -> list[str]:
    """Return the command that brings a board with MicroPython into its UF2 loader."""
    return [*mpremote(), "connect", port, "bootloader"]


def write_uf2(
    path: Path,
    board: BoardProfile,
    port: str,
    tell: Callable[[str], None],
    *,
    seconds: float = 120.0,
    drives: Callable[[], list[Drive]] = find_drives,
    gone_within: float = 30.0,
) -> None:
    """Write firmware to a board's boot drive, and wait until the drive disappears, which shows success.

    Parameters
    ----------
    port : str
        Port of the board's MicroPython; empty if only its drive is present.
    seconds : float
        How long to wait for the drive.
    drives : callable
        Returns the present drives.
    gone_within : float
        How long the board may take to restart.
    """
    drive = boot_drive(board, drives())
    if drive is None and port:
        try:
            run(bootloader_command(port), timeout=30)
        except (PortError, BoardError, DependencyError) as error:
            tell(f"the board does not start its loader by itself ({error.message})")
    drive = drive or _wait_drive(board, tell, seconds, drives)
    data = _read(path)
    target = drive.path / path.name
    tell(f"{path.name} to {drive.path} ({drive.board_id}), {len(data)} bytes")
    try:
        with target.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        if drive.path.exists() and (drive.path / "INFO_UF2.TXT").exists():
            raise BoardError(
                f"cannot write to {drive.path}: {error.strerror}", f"{board.bootsel}, and flash again"
            ) from error
        # The boot ROM restarts at the last block, when the operating system may not have closed the file yet.
    flush(target)
    until = time.monotonic() + gone_within
    while boot_drive(board, drives()) is not None:
        if time.monotonic() > until:
            raise BoardError(
                f"the drive {drive.path} is still there {gone_within:.0f} s after the firmware was written",
                "the board did not accept it: is it the right board? Plug it in again, then flash again",
            )
        time.sleep(0.2)


def boot_drive(board: BoardProfile, drives: list[Drive]) -> Drive | None:
    """Return the board's boot drive.

    Raises
    ------
    ConfigError
        When several boards are in their loaders.
    """
    fitting = [d for d in drives if d.kind == BOOT and board.drive and d.board_id.startswith(board.drive)]
    if len(fitting) > 1:
        places = ", ".join(str(drive.path) for drive in fitting)
        raise ConfigError(f"{len(fitting)} boards are in their loaders: {places}", "leave only one of them plugged in")
    return fitting[0] if fitting else None


def _wait_drive(
    board: BoardProfile, tell: Callable[[str], None], seconds: float, drives: Callable[[], list[Drive]]
) -> Drive:
    tell(f"waiting {seconds:.0f} s for the drive {board.drive}: {board.bootsel}")
    until = time.monotonic() + seconds
    while (drive := boot_drive(board, drives())) is None:
        if time.monotonic() > until:
            raise _no_drive(board, drives(), seconds)
        time.sleep(0.2)
    return drive


def _no_drive(board: BoardProfile, drives: list[Drive], seconds: float) -> TpsgdError:
    others = ", ".join(f"{drive.path} ({drive.board_id})" for drive in drives if drive.kind == BOOT)
    there = f"; there is {others}, another kind of board" if others else ""
    return PortError(
        f"no drive {board.drive} within {seconds:.0f} s{there}",
        f"{board.bootsel}; a drive must appear and be mounted: tpsgd-host boards shows it",
    )
