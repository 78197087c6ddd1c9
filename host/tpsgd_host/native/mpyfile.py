"""Write a native module as MicroPython loads it: a ``.mpy`` of version 6.3, one piece of code and no relocations.

The file: magic and version; the names (the file's own, then those of its functions); two constants, the interpreter's
table of functions and the places of our functions in the code; the code. After it, where no interpreter reads, lies the
CRC-32 of all this: a board checks it before it loads the file.
"""

from __future__ import annotations

import struct
import zlib

#: Version of the format, version of native code in it, bits of a small integer that the file relies on.
VERSION, NATIVE_VERSION, SMALL_INT_BITS = 6, 3, 31

#: Kinds of constants, and of code: a native function that is called with its own object and its arguments.
_FUNCTION_TABLE, _BYTES = 0, 6
_NATIVE = 2

#: Numbers of architectures in the file (and in ``sys.implementation._mpy``).
ARCHITECTURES = {
    "x64": 2, "armv6m": 4, "armv7m": 5, "armv7emsp": 7, "armv7emdp": 8, "xtensawin": 10, "rv32imc": 11,
}  # fmt: skip


def number(value: int) -> bytes:
    """Return a number as the file has it: seven bits a byte, the highest first; bit 7 says that more follow."""
    out = [value & 127]
    while value := value >> 7:
        out.append(value & 127 | 128)
    return bytes(reversed(out))


def _name(text: str) -> bytes:
    data = text.encode()
    return number(len(data) << 1) + data + b"\0"


def mpy(name: str, arch: str, code: bytes, functions: dict[str, int]) -> bytes:
    """Return the file.

    Parameters
    ----------
    name : str
        The source's name, for tracebacks.
    arch : str
        A key of :data:`ARCHITECTURES`.
    code : bytes
        It runs wherever it lies, and begins with the function that makes the others.
    functions : dict of str to int
        Where each function lies in the code.
    """
    places = b"".join(struct.pack("<H", at) for at in (*functions.values(), 0))
    made = b"".join((
        bytes((ord("M"), VERSION, ARCHITECTURES[arch] << 2 | NATIVE_VERSION, SMALL_INT_BITS)),
        number(1 + len(functions)), number(2),
        _name(name), *map(_name, functions),
        bytes((_FUNCTION_TABLE, _BYTES)), number(len(places)), places, b"\0",
        number(len(code) << 3 | _NATIVE), code,
        number(0),  # no flags: nothing to relocate, no data
    ))  # fmt: skip
    return made + struct.pack("<I", zlib.crc32(made))
