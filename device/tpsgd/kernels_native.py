"""The engine in C, a native module made for the board's processor. It allocates nothing. Legend: ``kernels_plain``.

Besides the kernels it has the whole training step (``run``), for a network that ``describe`` has described. The module
``native_ARCH`` comes with the host program, which compiles it from the trainer of its simulator. What it lacks of an
engine is added to it here, because a second list of all names would take a kilobyte.
"""

import sys

_arch = {2: "x64", 4: "armv6m", 5: "armv7m", 7: "armv7emsp", 8: "armv7emdp", 10: "xtensawin", 11: "rv32imc"}.get(
    getattr(sys.implementation, "_mpy", 0) >> 10
)  # by the number of .mpy files
if not _arch:
    raise ImportError("no native module for this interpreter")

#: The engine.
ENGINE = getattr(__import__("tpsgd.native_" + _arch), "native_" + _arch)
if ENGINE.layout() != (96 << 16 | 40 if sys.maxsize >> 32 else 60 << 16 | 28):  # of the structures in describe
    raise ImportError("native_" + _arch + " is of another version")
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
#: Modules that are of no use once it is built.
ENGINE.SPENT = ("describe", "recurrent", "temporal", "convolution", "convfeedback", "feedback")
for _name in ("accumulators", "activations", "matrix", "positions", "states", "view"):
    setattr(ENGINE, _name, getattr(buffers, _name))
