"""Check firmware images for the ESP32 family before esptool writes them.

The format is documented by Espressif ("Firmware Image Format" of esptool): a header of 8 bytes, an extended one of 16,
segments, a checksum that ends a 16-byte line, and a SHA-256 if the header says so. MicroPython's .bin begins with the
image of the boot loader; the partition table and the application follow.
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
    """The image at the beginning of a file.

    Attributes
    ----------
    chip_id : int
        Its chip, by esptool's number.
    entry : int
        Start address of the program.
    length : int
        Bytes of the image, including checksum and hash; more may follow.
    """

    chip_id: int
    entry: int
    segments: int
    length: int


def read_image(data: bytes, name: str = "the file") -> EspImage:
    """Return the image in a file.

    Raises
    ------
    ConfigError
        When it is not an image, is cut off, or its checksum or hash differs.
    """
    if len(data) < HEADER or data[0] != MAGIC:
        raise _refuse(
            name,
            "is not ESP32 firmware: it does not begin with 0xe9",
            "The right file ends in .bin, not .uf2 or .app-bin.",
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
    """Raise if firmware is for another chip than the board's."""
    if image.chip_id != chip_id:
        raise _refuse(
            name, f"is for chip {image.chip_id}, but {board} has chip {chip_id}", "Which board is it? tpsgd-host boards"
        )


def _refuse(name: str, what: str, hint: str = "Download it again.") -> ConfigError:
    return ConfigError(f"{name} {what}", hint)
