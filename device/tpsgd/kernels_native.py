"""The engine in C, a native module made for the board's processor. It allocates nothing. Legend: ``kernels_plain``.

Besides the kernels it has the whole training step (``run``), for a network that ``describe`` has described. The module
``native_ARCH`` comes with the host program, which compiles it from the trainer of its simulator. What it lacks of an
engine is added to it here, because a second list of all names would take a kilobyte.
"""

import sys

import tpsgd
from tpsgd.runtime import crc32, forget

#: By the number of .mpy files: an interpreter also loads modules for the simpler chips of its family.
_number = getattr(sys.implementation, "_mpy", 0) >> 10
_arch = {
    2: "x64", 4: "armv6m", 5: "armv7m", 6: "armv7m", 7: "armv7emsp", 8: "armv7emdp", 10: "xtensawin", 11: "rv32imc",
}.get(_number)  # fmt: skip
if not _arch:
    raise ImportError("no native module for this interpreter")
_name = "native_" + _arch


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


try:
    check(tpsgd.__path__ + "/" + _name + ".mpy", 5 if _number == 6 else _number)
except (AttributeError, OSError, TypeError):  # no such file, or no file system
    raise ImportError("no " + _name)  # noqa: B904 - old interpreters
#: The engine.
ENGINE = getattr(__import__("tpsgd." + _name), _name)
if ENGINE.layout() != (96 << 16 | 40 if sys.maxsize >> 32 else 60 << 16 | 28):  # of the structures in describe
    raise ValueError(_name + " is of another version: flash the board again")
from tpsgd import buffers  # noqa: E402 - only where there is a module
from tpsgd.described import Described  # noqa: E402
from tpsgd.softmax import TABLE  # noqa: E402

_softmax = ENGINE.softmax


def softmax(z, p, y):
    """Turn sums into errors 127*[i = y] - p_i and return ``predicted << 8 | p_y``."""
    return _softmax(z, p, y, TABLE)


ENGINE.NUMBER = 6
ENGINE.NAME = "native"
ENGINE.softmax = softmax
ENGINE.network = Described  # what builds a network for this engine
for _made in ("accumulators", "activations", "matrix", "positions", "states", "view"):
    setattr(ENGINE, _made, getattr(buffers, _made))


#: What is used once the network is built.
_KEPT = ("run", "address", "network", "NAME", "NUMBER", "forward", "load", "max_pool", "draw")


def settle():
    """Drop what is of no use once the network is built: the kernels, of which ``run`` has its own, and modules."""
    for name in dir(ENGINE):
        if name[0] != "_" and name not in _KEPT:
            setattr(ENGINE, name, None)
    forget(("describe", "recurrent", "temporal", "convolution", "convfeedback", "feedback", "kernels_native", _name))


ENGINE.settle = settle
