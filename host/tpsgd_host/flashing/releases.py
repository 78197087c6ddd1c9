"""MicroPython's official firmware: find a board's file, fetch it once, keep it, and compare it from then on.

micropython.org publishes no checksums. So the SHA-256 of a file is shown and remembered the first time, and compared
whenever the file is used or fetched again.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click

from tpsgd_host.boards.profiles import BoardProfile
from tpsgd_host.errors import ConfigError
from tpsgd_host.files import replacing
from tpsgd_host.flashing.probe import CIRCUITPYTHON
from tpsgd_host.model.settings import Document

TABLE = "releases.toml"

#: Environment variables for another download address, and another cache folder.
URL_VARIABLE, CACHE_VARIABLE = "TPSGD_FIRMWARE_URL", "TPSGD_FIRMWARE_CACHE"

#: File in the cache with the checksums; `sha256sum --check` reads it.
SUMS = "SHA256SUMS"

#: Maximum bytes and seconds of a download.
LARGEST = 32 * 1024 * 1024
LONGEST_FETCH = 900.0
PIECE = 64 * 1024

Ask = Callable[[str], None]
Tell = Callable[[str], None]
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Release:
    """A firmware file.

    Attributes
    ----------
    version : str
    name : str
        Of the file.
    url : str
        Where it is.
    """

    version: str
    name: str
    url: str

    @property
    def kept(self) -> Path:
        """Where the file is kept after it was fetched."""
        return cache_folder() / self.name


@dataclass(frozen=True)
class Releases:
    """The table: the address of the files, the default release, dates and boards' names."""

    base: str
    release: str
    dates: dict[str, str]
    boards: dict[str, str]


def cache_folder() -> Path:
    """Return the folder that keeps firmware."""
    return Path(os.environ.get(CACHE_VARIABLE) or Path(click.get_app_dir("tpsgd")) / "firmware")


def parse_releases(text: str) -> Releases:
    """Return the releases in the text of the table.

    Raises
    ------
    ConfigError
        When the table is not valid.
    """
    document = Document(text, TABLE)
    found = {name: document.values.get(name) for name in ("base", "release", "dates", "boards")}
    dates, boards = found["dates"], found["boards"]
    if not isinstance(dates, dict) or not all(re.fullmatch(r"\d{8}", str(date)) for date in dates.values()):
        raise document.error("", 0, "dates", "[dates] must give each release a date, YYYYMMDD")
    if not isinstance(boards, dict) or not all(re.fullmatch(r"[A-Z0-9_]+", str(name)) for name in boards.values()):
        raise document.error("", 0, "boards", "[boards] must give each board MicroPython's name for it")
    if found["release"] not in dates:
        raise document.error("", 0, "release", f"release {found['release']!r} has no date in [dates]")
    if urlsplit(str(found["base"])).scheme != "https":
        raise document.error("", 0, "base", f"{found['base']!r} is not an https address")
    return Releases(str(found["base"]), str(found["release"]), dict(dates), dict(boards))


@cache
def releases() -> Releases:
    """Return the known releases."""
    return parse_releases((resources.files("tpsgd_host.flashing") / TABLE).read_text(encoding="utf-8"))


def known_release(board: BoardProfile, version: str = "", called: str = "") -> Release | None:
    """Return the file of a release for a board; None if it is unknown.

    Parameters
    ----------
    version : str
        Such as ``1.26.1``; empty for the default release.
    called : str
        The user's name for the board, because a Pico W has its own file.
    """
    table = releases()
    version = version.removeprefix("v") or table.release
    name = table.boards.get(called) or table.boards.get(board.name)
    if name is None or version not in table.dates or board.loader == "none":
        return None
    file = f"{name}-{table.dates[version]}-v{version}.{'uf2' if board.loader == 'uf2' else 'bin'}"
    base = os.environ.get(URL_VARIABLE) or table.base
    return Release(version, file, f"{base.rstrip('/')}/{file}")


def where_from(board: BoardProfile, version: str = "") -> str:
    """Tell a user where to get firmware for a board, its file name, and the option for it."""
    if board.loader == "none":
        return "tpsgd cannot write its firmware: leave out --firmware"
    suffix = "uf2" if board.loader == "uf2" else "bin"
    if board.firmware == CIRCUITPYTHON:
        page, name = "https://circuitpython.org/downloads", f"the .{suffix} of your board{version and f', {version}'}"
    else:
        download = releases().boards[board.name]
        page = f"https://micropython.org/download/{download}/"
        name = f"{download}-DATE-v{version}.{suffix}" if version else f"the newest {download}-....{suffix}"
    return f"download {name} from {page} and name the file: --firmware FILE"


def fetch(release: Release, judge: Callable[[bytes], str], *, ask: Ask, tell: Tell, progress: Progress) -> Path:
    """Return the file of a release: the one in the cache, else a download after the user has agreed.

    Parameters
    ----------
    judge : callable
        Raises if a file is not firmware for the board, so that a server's error page is not kept.

    Raises
    ------
    ConfigError
        When it cannot be fetched, is not such firmware, or differs from the file seen first.
    """
    kept = release.kept
    if kept.is_file():
        data, where = kept.read_bytes(), f"kept in {kept.parent}"
        what, todo = f"{kept} has changed since it was fetched", f"remove {kept} and flash again"
    else:
        ask(f"Fetch {release.url}?")
        data, where = _download(release, progress), "fetched"
        what = f"{release.url} is not the same file as the first time"
        todo = f"do not use it; if MicroPython has replaced the file, remove its line from {kept.parent / SUMS}"
    digest, known = hashlib.sha256(data).hexdigest(), _sums().get(release.name)
    if known not in (None, digest):
        raise ConfigError(f"{what}: its SHA-256 is {digest}, but the remembered one is {known}", todo)
    judge(data)
    _keep(release, data, digest, known is not None)
    seen = "as remembered" if known else f"seen for the first time, and remembered in {kept.parent / SUMS}"
    tell(f"{release.name}: {len(data):,} bytes, {where}; SHA-256 {digest}, {seen}")
    return kept


def _sums() -> dict[str, str]:
    """Return the remembered checksums by file name."""
    try:
        lines = (cache_folder() / SUMS).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return {}
    found = (re.fullmatch(r"([0-9a-f]{64})  (\S+)", line) for line in lines)
    return {match[2]: match[1] for match in found if match}


def _keep(release: Release, data: bytes, digest: str, remembered: bool) -> None:
    """Put a file into the cache if it is new, and remember its checksum."""
    kept = release.kept
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        if not kept.is_file():
            with replacing(kept) as file:
                file.write(data)
        if not remembered:
            with (kept.parent / SUMS).open("a", encoding="utf-8") as sums:
                sums.write(f"{digest}  {release.name}\n")
    except OSError as error:
        raise ConfigError(
            f"cannot keep {release.name} in {kept.parent}: {error.strerror}",
            f"name another folder: {CACHE_VARIABLE}=DIR",
        ) from error


def _download(release: Release, progress: Progress) -> bytes:
    """Download a release completely, within bounds of size and time."""
    offline = f"download it elsewhere and put it into {release.kept.parent}, or name it: --firmware FILE"
    try:
        with urllib.request.urlopen(release.url, timeout=30) as answer:
            if urlsplit(release.url).scheme == "https" and urlsplit(answer.geturl()).scheme != "https":
                raise ConfigError(f"{release.url} leads to {answer.geturl()}, which is not encrypted", offline)
            size = int(answer.headers.get("Content-Length") or 0)
            data = _pieces(answer, size, progress)
    except (urllib.error.URLError, http.client.HTTPException, OSError, ValueError) as error:
        why = getattr(error, "reason", None) or error
        raise ConfigError(f"cannot fetch {release.url}: {why}", f"is the computer online? If not, {offline}") from error
    if len(data) > LARGEST:
        raise ConfigError(f"{release.url} is larger than {LARGEST >> 20} MB, so it is not firmware", offline)
    if size and len(data) != size:
        raise ConfigError(f"{release.url} ended after {len(data):,} of {size:,} bytes", "run the same command again")
    return data


def _pieces(answer: Any, size: int, progress: Progress) -> bytes:
    data = bytearray()
    until = time.monotonic() + LONGEST_FETCH
    while len(data) <= LARGEST and (piece := answer.read(PIECE)):
        data += piece
        progress("fetch", len(data), size)
        if time.monotonic() > until:
            raise TimeoutError(f"not complete after {LONGEST_FETCH:.0f} s")
    return bytes(data)
