"""Firmware: found, fetched, judged, and written by the board's own loader."""

from __future__ import annotations

import hashlib
import os
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from urllib.parse import urlsplit

import click

from tpsgd_host.boards.drives import BOOT, Drive, find_drives, flush
from tpsgd_host.boards.profiles import BoardProfile
from tpsgd_host.errors import BoardError, ConfigError, DependencyError, PortError, TpsgdError
from tpsgd_host.files import write_atomic
from tpsgd_host.flashing.espimage import check_chip, read_image
from tpsgd_host.flashing.probe import CIRCUITPYTHON
from tpsgd_host.flashing.programs import esptool, mpremote, run
from tpsgd_host.flashing.uf2 import check_family, read_uf2
from tpsgd_host.model.settings import Document

TABLE = "firmware.toml"
KEYS = ("board", "version", "url", "sha256")

#: Nothing that is fetched may be larger.
LARGEST = 32 * 1024 * 1024

#: Speed at which esptool writes: the one that MicroPython's own instructions name.
ESPTOOL_BAUD = 460800


@dataclass(frozen=True)
class Pinned:
    """A firmware file whose checksum is known."""

    board: str
    version: str
    url: str
    sha256: str


def pinned(text: str | None = None) -> list[Pinned]:
    """Return the firmware files whose checksums are known."""
    if text is None:
        text = (resources.files("tpsgd_host.flashing") / TABLE).read_text(encoding="utf-8")
    found = []
    for table in Document(text, TABLE).tables("image", KEYS):
        item = Pinned(*(table.text(key, "", empty=False) for key in KEYS))
        if not re.fullmatch(r"[0-9a-f]{64}", item.sha256):
            raise table.error("sha256", f"{item.sha256!r} is no SHA-256", "64 digits 0-9 a-f")
        if urlsplit(item.url).scheme not in ("https", "file"):
            raise table.error("url", f"{item.url!r} is no https address")
        found.append(item)
    return found


def find_firmware(wanted: str, board: BoardProfile, known: list[Pinned] | None = None) -> Path:
    """Return the file that ``--firmware`` means: a file, or a version that is fetched and checked.

    Raises
    ------
    ConfigError
        When there is no such file, no checksum for such a version, or the checksum differs.
    """
    path = Path(wanted)
    if path.is_file():
        return path
    version = wanted.removeprefix("v")
    if not re.fullmatch(r"\d+\.\d+(\.\d+)?", version):
        raise ConfigError(f"there is no firmware file {wanted}", where_from(board))
    listed = [item for item in (pinned() if known is None else known) if item.board == board.name]
    for item in listed:
        if item.version == version:
            return _fetched(item)
    there = ", ".join(item.version for item in listed) or "none"
    raise ConfigError(
        f"firmware {version} for {board.name} is not fetched: only files with a verified checksum are, and of these "
        f"{TABLE} lists {there} for this board",
        where_from(board, version),
    )


def where_from(board: BoardProfile, version: str = "") -> str:
    """Return where a user gets firmware for a board, how its file is called, and how to name it here."""
    if board.loader == "none":
        return "its firmware is not written from here: leave --firmware out"
    suffix = "uf2" if board.loader == "uf2" else "bin"
    if board.firmware == CIRCUITPYTHON:
        page, name = "https://circuitpython.org/downloads", f"the .{suffix} of your board{version and f', {version}'}"
    else:
        page = f"https://micropython.org/download/{board.download}/"
        name = f"{board.download}-DATE-v{version}.{suffix}" if version else f"the newest {board.download}-....{suffix}"
    return f"download {name} from {page} and name the file: --firmware FILE"


def _fetched(item: Pinned) -> Path:
    """Return a pinned file, fetched once and kept."""
    kept = Path(click.get_app_dir("tpsgd")) / "firmware" / Path(urlsplit(item.url).path).name
    if kept.is_file() and hashlib.sha256(kept.read_bytes()).hexdigest() == item.sha256:
        return kept
    try:
        with urllib.request.urlopen(item.url, timeout=60) as answer:
            data = answer.read(LARGEST + 1)
    except (urllib.error.URLError, OSError) as error:
        raise ConfigError(f"cannot fetch {item.url}: {error}", "download it yourself: --firmware FILE") from error
    digest = hashlib.sha256(data).hexdigest()
    if digest != item.sha256:
        raise ConfigError(
            f"{item.url} has SHA-256 {digest}, it must be {item.sha256}", "do not use that file; report the difference"
        )
    kept.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(kept, data)
    return kept


def check_firmware(path: Path, board: BoardProfile) -> str:
    """Refuse a file that is no whole firmware for the board; return what it is, in a few words."""
    data = path.read_bytes()
    if board.loader == "uf2":
        image = read_uf2(data, path.name)
        check_family(image, board.families, board.name, path.name)
        return f"{image.size} bytes at 0x{image.start:x}, family {image.family:#010x}"
    if board.loader == "esptool":
        boot = read_image(data, path.name)
        check_chip(boot, board.chip_id, board.name, path.name)
        return f"{len(data)} bytes for chip {boot.chip_id} at 0x{board.offset:x}"
    raise ConfigError(f"{board.name} takes no firmware from here", "leave --firmware out")


def esptool_commands(path: Path, board: BoardProfile, port: str, erase: bool) -> list[list[str]]:
    """Return the commands that write firmware to an ESP32."""
    chip = board.chip.lower().replace("-", "")
    start = [*esptool(), "--chip", chip, "--port", port]
    write = [*start, "--baud", str(ESPTOOL_BAUD), "write-flash", f"0x{board.offset:x}", str(path)]
    return [[*start, "erase-flash"], write] if erase else [write]


def image_info_command(path: Path) -> list[str]:
    """Return the command by which esptool judges an image."""
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
    """Write firmware to a board's boot drive and wait until the drive goes away, which is how the board says thanks.

    Parameters
    ----------
    port : str
        Where the board's MicroPython answers; empty where only its drive is there.
    seconds : float
        How long to wait for the drive.
    drives : callable
        Returns the drives there are.
    gone_within : float
        How long the board may take to restart.
    """
    drive = _boot_drive(board, drives())
    if drive is None and port:
        try:
            run(bootloader_command(port), timeout=30)
        except (PortError, BoardError, DependencyError) as error:
            tell(f"the board does not go into its loader by itself ({error.message})")
    drive = drive or _wait_drive(board, tell, seconds, drives)
    data = path.read_bytes()
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
        # The boot ROM restarts at the last block; the operating system may not have closed the file by then.
    flush(target)
    until = time.monotonic() + gone_within
    while _boot_drive(board, drives()) is not None:
        if time.monotonic() > until:
            raise BoardError(
                f"the drive {drive.path} is still there {gone_within:.0f} s after the firmware was written",
                "the board took none of it: is it the right board? Plug it in anew, then flash again",
            )
        time.sleep(0.2)


def _boot_drive(board: BoardProfile, drives: list[Drive]) -> Drive | None:
    """Return the board's boot drive.

    Raises
    ------
    ConfigError
        When two boards are in their loaders: which one is meant?
    """
    fitting = [d for d in drives if d.kind == BOOT and board.drive and d.board_id.startswith(board.drive)]
    if len(fitting) > 1:
        places = ", ".join(str(drive.path) for drive in fitting)
        raise ConfigError(f"{len(fitting)} boards are in their loaders: {places}", "leave one of them plugged in")
    return fitting[0] if fitting else None


def _wait_drive(
    board: BoardProfile, tell: Callable[[str], None], seconds: float, drives: Callable[[], list[Drive]]
) -> Drive:
    tell(f"waiting {seconds:.0f} s for the drive {board.drive}: {board.bootsel}")
    until = time.monotonic() + seconds
    while (drive := _boot_drive(board, drives())) is None:
        if time.monotonic() > until:
            raise _no_drive(board, drives(), seconds)
        time.sleep(0.2)
    return drive


def _no_drive(board: BoardProfile, drives: list[Drive], seconds: float) -> TpsgdError:
    others = ", ".join(f"{drive.path} ({drive.board_id})" for drive in drives if drive.kind == BOOT)
    there = f"; there is {others}, another kind of board" if others else ""
    return PortError(
        f"no drive {board.drive} within {seconds:.0f} s{there}",
        f"{board.bootsel}; a drive must appear, and be mounted: tpsgd-host boards shows it",
    )
