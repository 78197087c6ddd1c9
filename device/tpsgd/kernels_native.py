"""The engine in C, a native module made for the board's processor. It allocates nothing. Legend: ``kernels_plain``.

Besides the kernels it has the whole training step (``run``), for a network that ``describe`` has described. The module
``native_ARCH`` comes with the host program, which compiles it from the trainer of its simulator. What it lacks of an
engine is added to it here, because a second list of all names would take a kilobyte.
"""

import sys

from tpsgd import native
from tpsgd.runtime import forget

#: The engine.
ENGINE = native.load("native")
if ENGINE.layout() != (96 << 16 | 40 if sys.maxsize >> 32 else 60 << 16 | 28):  # of the structures in describe
    raise ValueError(ENGINE.__name__ + " is of another version: flash the board again")
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
_KEPT = ("run", "address", "network", "NAME", "NUMBER", "forward", "load", "max_pool", "draw", "distance")


def settle():
    """Drop what is of no use once the network is built: the kernels, of which ``run`` has its own, and modules."""
    for name in dir(ENGINE):
        if name[0] != "_" and name not in _KEPT:
            setattr(ENGINE, name, None)
    forget(("describe", "recurrent", "temporal", "convolution", "convfeedback", "feedback", "kernels_native", "native"))
    forget((ENGINE.__name__.split(".")[-1],))


ENGINE.settle = settle
