"""Read and check UF2 files before any byte of them goes to a board.

The format: github.com/microsoft/uf2. A boot ROM silently drops what is not for it, so a file for another chip, or half
a file, looks like success. Here such files are refused.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from itertools import pairwise

from tpsgd_host.errors import ConfigError

BLOCK = 512
HEAD = "<8I"
MAGIC = (0x0A324655, 0x9E5D5157)
END = 0x0AB16F30
PAYLOAD_MOST = 476

NOT_MAIN_FLASH, FILE_CONTAINER, FAMILY = 0x0001, 0x1000, 0x2000

#: Family of the block that picotool puts first for early RP2350 chips (erratum E10); it is numbered separately.
ABSOLUTE = 0xE48BFF57
ABSOLUTE_BLOCKS = 2

#: Addresses may have a gap only where a flash sector ends; a gap inside a sector means a lost page.
SECTOR = 4096

#: No firmware for these chips is larger.
LARGEST = 64 * 1024 * 1024


@dataclass(frozen=True)
class Uf2Image:
    """The contents of a UF2 file.

    Attributes
    ----------
    family : int
        Its chip.
    start, end : int
        First address, and the address after the last.
    pages : tuple of (int, bytes)
        Address and content of each block for flash, in file order.
    """

    family: int
    start: int
    end: int
    pages: tuple[tuple[int, bytes], ...]

    @property
    def size(self) -> int:
        """Number of bytes for flash."""
        return sum(len(data) for _, data in self.pages)


def read_uf2(data: bytes, name: str = "the file") -> Uf2Image:
    """Return the contents of a UF2 file.

    Raises
    ------
    ConfigError
        When it is not a UF2 file, is short or damaged, is for several chips, or lacks blocks.
    """
    if not data or data[:4] != struct.pack("<I", MAGIC[0]):
        raise _refuse(name, "is not a UF2 file: it does not begin with 'UF2'", "firmware for this board ends in .uf2")
    if len(data) % BLOCK:
        raise _refuse(name, f"has {len(data)} bytes, which is not a multiple of {BLOCK}-byte blocks: it is cut off")
    if len(data) > LARGEST:
        raise _refuse(name, f"has {len(data)} bytes, more than any board's flash")
    blocks = [_block(data[at : at + BLOCK], at // BLOCK, name) for at in range(0, len(data), BLOCK)]
    if blocks[0].family == ABSOLUTE and blocks[0].total == ABSOLUTE_BLOCKS and len(blocks) > 1:
        blocks = blocks[1:]
    _check_order(blocks, name)
    pages = tuple((block.address, block.payload) for block in blocks if not block.flags & NOT_MAIN_FLASH)
    if not pages:
        raise _refuse(name, "holds nothing for flash")
    _check_addresses(pages, name)
    return Uf2Image(blocks[0].family, pages[0][0], pages[-1][0] + len(pages[-1][1]), pages)


@dataclass(frozen=True)
class _Block:
    flags: int
    address: int
    number: int
    total: int
    family: int
    payload: bytes


def _block(raw: bytes, index: int, name: str) -> _Block:
    first, second, flags, address, size, number, total, family = struct.unpack_from(HEAD, raw)
    if (first, second) != MAGIC or struct.unpack_from("<I", raw, BLOCK - 4)[0] != END:
        raise _refuse(name, f"is damaged: block {index} does not begin and end as it must")
    if flags & FILE_CONTAINER:
        raise _refuse(name, "holds files, not firmware")
    if not flags & FAMILY:
        raise _refuse(name, f"does not name its chip in block {index}")
    if not 0 < size <= PAYLOAD_MOST:
        raise _refuse(name, f"is damaged: block {index} says that it has {size} bytes")
    if address + size > 2**32:
        raise _refuse(name, f"is damaged: block {index} is for address 0x{address:x}")
    return _Block(flags, address, number, total, family, raw[32 : 32 + size])


def _check_order(blocks: list[_Block], name: str) -> None:
    """Raise if a file lacks blocks, repeats some, or mixes chips."""
    total = blocks[0].total
    if total != len(blocks):
        raise _refuse(name, f"has {len(blocks)} blocks but claims {total}: it is not complete")
    for place, block in enumerate(blocks):
        if block.number != place:
            raise _refuse(name, f"is damaged: block {block.number} comes where block {place} must be")
        if block.total != total:
            raise _refuse(name, f"is damaged: block {place} says {block.total} blocks, block 0 {total}")
        if block.family != blocks[0].family:
            raise _refuse(name, f"is for several chips: {blocks[0].family:#010x} and {block.family:#010x}")


def _check_addresses(pages: tuple[tuple[int, bytes], ...], name: str) -> None:
    """Raise for pages that overlap, go back, or leave a gap inside a flash sector."""
    for (before, data), (address, _) in pairwise(pages):
        end = before + len(data)
        if address < end:
            raise _refuse(name, f"is damaged: 0x{address:x} is written after 0x{end:x}")
        if address > end and address % SECTOR:
            raise _refuse(name, f"is damaged: it has nothing for 0x{end:x} to 0x{address:x}")


def check_family(image: Uf2Image, families: tuple[int, ...], board: str, name: str = "the file") -> None:
    """Refuse firmware that is for another chip than ``board`` has."""
    if image.family not in families:
        wanted = " or ".join(f"{family:#010x}" for family in families)
        raise _refuse(
            name,
            f"is for family {image.family:#010x}, but {board} has {wanted}",
            f"firmware for it: https://micropython.org/download/ ({board})",
        )


def _refuse(name: str, what: str, hint: str = "Download it again.") -> ConfigError:
    return ConfigError(f"{name} {what}", hint)
