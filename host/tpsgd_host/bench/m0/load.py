"""Send kernels and network.py to the emulated micro:bit, in pieces that its heap can compile."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection

from tpsgd import parameters
from tpsgd_host.bench.m0 import trim
from tpsgd_host.bench.m0.microbit import Microbit, MicrobitError

KERNELS = (
    "forward", "update", "load", "copy", "reset_state", "clamp", "leak", "error", "_softmax", "draw", "max_pool",
    "track_max", "backward", "masked_error", "segment_max", "segment_error", "accumulate", "flush",
)  # fmt: skip

START = "from array import array\nimport micropython,gc\n"


def named(*names: str) -> str:
    """Return a statement that defines names of ``tpsgd.parameters``."""
    return f"{','.join(names)}={','.join([str(getattr(parameters, name)) for name in names])}\n"


#: Stands for the imports of network.py in a program that is typed into the board; the engine is the program itself.
IMPORTS = START + "import __main__ as k\nLAST,READOUT,RANDOM,EVERY=0,1,2,3\n" + named("M", "AMPLITUDE", "FEEDBACK")

#: Long names in the device's sources. On the board they are replaced by names that the firmware already has.
LONG = [
    "front", "phase_end", "dense", "output", "sample", "_run", "run", "rates", "kernels", "first", "size", "result",
    "forward", "update", "clamp", "_softmax", "softmax", "Network", "train", "seen", "error", "channels", "layers",
    "stage", "chosen", "learns", "backward_pass", "AMPLITUDE", "FEEDBACK", "load", "packed", "reset_state",
    "masked_error", "max_pool", "track_max", "accumulators",
]  # fmt: skip


def send(board: Microbit, piece: str) -> None:
    """Compile a piece at the end of the largest free block, so that it does not split the heap."""
    said = board.run("gc.collect()\nmicropython.mem_info()")
    found = re.search(r"max free sz: (\d+)", said)
    if found is None:
        raise MicrobitError(f"the emulated board does not report its memory: {said[-100:]}")
    free = 16 * int(found[1])
    for factor in (2, 3, 4, 6, 100):
        pad = max(0, free - 1500 - factor * len(piece))
        board.run(f"pad=bytearray({pad})")
        try:
            board.run(piece, 10)
            return
        except MicrobitError as error:
            if "MemoryError" not in str(error) or pad == 0:
                raise
        finally:
            _let_go(board)


def _let_go(board: Microbit) -> None:
    """Free the padding. A full heap may lack room even to read this statement; then try again, with what that freed."""
    for _ in range(4):
        try:
            board.run("pad=0")
            break
        except MicrobitError as error:
            if "MemoryError" not in str(error):
                raise
            last = error
    else:
        raise last
    board.run("gc.collect()")


def load(
    board: Microbit,
    names: Collection[str] = KERNELS,
    source: Callable[[str, Collection[str]], list[str]] = trim.pieces,
    run: Callable[[str], object] | None = None,
) -> None:
    """Send kernels, the longest first, while there is room to compile them.

    Parameters
    ----------
    source : callable
        :func:`trim.pieces` or :func:`trim.assembled`.
    run : callable, optional
        Sends a piece; :func:`send` is the default.
    """
    for piece in sorted(source("kernels_thumb", names), key=len, reverse=True):
        if run:
            run(piece)
        else:
            send(board, piece)


def load_softmax(board: Microbit) -> None:
    """Send softmax and its table, of which the board keeps one copy."""
    board.run("".join(trim.pieces("softmax", ["TABLE"])))
    board.run("".join(trim.pieces("kernels_thumb", ["_table", "softmax"])))
    board.run("del TABLE\ngc.collect()")
