"""Firmware images for the ESP32 family, judged before esptool writes them.

The format is of Espressif's documentation ("Firmware Image Format" of esptool): a header of 8 bytes and an extended one
of 16, segments, a checksum that ends a 16-byte line, a SHA-256 where the header says so. MicroPython's .bin begins with
the image of the boot loader; the partition table and the application follow it.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass

from tpsgd_host.errors import ConfigError

MAGIC = 0xE9
HEADER = 24
CHECKSUM_START = 0xEF
SEGMENTS_MOST = 16


@dataclass(frozen=True)
class EspImage:
    """What the image at the beginning of a file is.

    Attributes
    ----------
    chip_id : int
        For which chip, as esptool numbers them.
    entry : int
        Where the program begins.
    length : int
        Bytes of the image, checksum and hash included; more may follow.
    """

    chip_id: int
    entry: int
    segments: int
    length: int


def read_image(data: bytes, name: str = "the file") -> EspImage:
    """Return what the image is.

    Raises
    ------
    ConfigError
        When it is none, is cut off, or its checksum or hash differ.
    """
    if len(data) < HEADER or data[0] != MAGIC:
        raise _refuse(
            name, "is no ESP32 firmware: it does not begin with 0xe9", "It ends in .bin, not .uf2 or .app-bin."
        )
    segments, entry = data[1], struct.unpack_from("<I", data, 4)[0]
    chip_id, hashed = struct.unpack_from("<H", data, 12)[0], data[23]
    if not 0 < segments <= SEGMENTS_MOST or hashed > 1:
        raise _refuse(name, f"is damaged: {segments} segments, hash {hashed}")
    at, total = HEADER, CHECKSUM_START
    for index in range(segments):
        if at + 8 > len(data):
            raise _refuse(name, f"is cut off before segment {index}")
        size = struct.unpack_from("<I", data, at + 4)[0]
        at += 8
        if at + size > len(data):
            raise _refuse(name, f"is cut off in segment {index}: {at + size - len(data)} bytes are missing")
        for byte in data[at : at + size]:
            total ^= byte
        at += size
    end = (at // 16 + 1) * 16
    if end + 32 * hashed > len(data):
        raise _refuse(name, "is cut off after its segments")
    if data[end - 1] != total:
        raise _refuse(name, f"is damaged: checksum 0x{data[end - 1]:02x}, its bytes give 0x{total:02x}")
    if hashed and hashlib.sha256(data[:end]).digest() != data[end : end + 32]:
        raise _refuse(name, "is damaged: its SHA-256 is not that of its bytes")
    return EspImage(chip_id, entry, segments, end + 32 * hashed)


def check_chip(image: EspImage, chip_id: int, board: str, name: str = "the file") -> None:
    """Refuse firmware that is for another chip than ``board`` has."""
    if image.chip_id != chip_id:
        raise _refuse(
            name, f"is for chip {image.chip_id}, and {board} has chip {chip_id}", "Which board is it? tpsgd-host boards"
        )


def _refuse(name: str, what: str, hint: str = "Download it again.") -> ConfigError:
    return ConfigError(f"{name} {what}", hint)
