"""Native modules: machine code for the board's processor, which the host program compiles and puts beside this file."""

import sys

import tpsgd
from tpsgd.runtime import crc32

#: By the number of .mpy files: an interpreter also loads modules for the simpler chips of its family.
_number = getattr(sys.implementation, "_mpy", 0) >> 10
_arch = {
    2: "x64", 4: "armv6m", 5: "armv7m", 6: "armv7m", 7: "armv7emsp", 8: "armv7emdp", 10: "xtensawin", 11: "rv32imc",
}.get(_number)  # fmt: skip


def load(kind):
    """Import and return the module ``kind_ARCH``.

    Raises
    ------
    ImportError
        When this interpreter takes none, or there is none.
    ValueError
        When the file is damaged, or for another chip.
    """
    if not _arch:
        raise ImportError("no native module for this interpreter")
    name = kind + "_" + _arch
    try:
        check(tpsgd.__path__ + "/" + name + ".mpy", 5 if _number == 6 else _number)
    except (AttributeError, OSError, TypeError):  # no such file, or no file system
        raise ImportError("no " + name)  # noqa: B904 - old interpreters
    return getattr(__import__("tpsgd." + name), name)


def check(path, arch):
    """Raise ValueError where a module's file is damaged or for another chip: an interpreter may crash on it.

    The last four bytes of the file make its CRC-32 this constant.
    """
    piece = bytearray(256)
    with open(path, "rb") as file:
        n = file.readinto(piece)
        right = n > 4 and piece[2] >> 2 == arch
        crc = 0
        while n:
            crc = crc32(memoryview(piece)[:n], crc)
            n = file.readinto(piece)
    if not right or crc & 0xFFFFFFFF != 0x2144DF1C:
        raise ValueError(path + " is damaged: flash the board again")
