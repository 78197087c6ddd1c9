"""Firmware files for tests, written from the formats' descriptions and not with the code under test."""

from __future__ import annotations

import hashlib
import struct

RP2040, RP2350_ARM, ABSOLUTE = 0xE48BFF56, 0xE48BFF59, 0xE48BFF57


def uf2(content: bytes, family: int = RP2040, start: int = 0x10000000, page: int = 256) -> bytes:
    """Return a UF2 file."""
    pages = [content[i : i + page].ljust(page, b"\0") for i in range(0, len(content), page)]
    out = b""
    for number, data in enumerate(pages):
        head = struct.pack(
            "<IIIIIIII", 0x0A324655, 0x9E5D5157, 0x2000, start + number * page, page, number, len(pages), family
        )
        out += head + data.ljust(476, b"\0") + struct.pack("<I", 0x0AB16F30)
    return out


def absolute_block() -> bytes:
    """Return the block that goes first in files for early RP2350 chips (erratum E10)."""
    head = struct.pack("<IIIIIIII", 0x0A324655, 0x9E5D5157, 0x2000 | 0x8000, 0x10FFFF00, 256, 0, 2, ABSOLUTE)
    return head + (b"\xef" * 256).ljust(476, b"\0") + struct.pack("<I", 0x0AB16F30)


def parse_uf2(data: bytes) -> tuple[int, int, bytes]:
    """Return (family, start, content): an independent reading, block by block, of what ``uf2`` writes."""
    content, start, family = b"", None, None
    for at in range(0, len(data), 512):
        assert data[at : at + 8] == b"UF2\n\x57\x51\x5d\x9e"
        assert data[at + 508 : at + 512] == b"\x30\x6f\xb1\x0a"
        address, size = struct.unpack_from("<II", data, at + 12)
        family = struct.unpack_from("<I", data, at + 28)[0]
        start = address if start is None else start
        assert address == start + len(content)
        content += data[at + 32 : at + 32 + size]
    return family, start, content


def esp_image(chip_id: int, segments: list[tuple[int, bytes]], entry: int = 0x40080000, hashed: bool = True) -> bytes:
    """Return an ESP32 image: segments of (address, content), each a multiple of 4 bytes."""
    head = struct.pack("<BBBBI", 0xE9, len(segments), 2, 0x20, entry)
    head += struct.pack("<BBBBHBHHBBBBB", 0xEE, 0, 0, 0, chip_id, 0, 0, 0xFFFF, 0, 0, 0, 0, int(hashed))
    body, check = head, 0xEF
    assert len(head) == 24
    for address, data in segments:
        body += struct.pack("<II", address, len(data)) + data
        for byte in data:
            check ^= byte
    body += bytes(15 - len(body) % 16) + bytes([check])
    return body + (hashlib.sha256(body).digest() if hashed else b"")
