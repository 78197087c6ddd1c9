"""Whether an emulated ESP32 that counts instructions accesses its flash as tests need it.

mpremote waits 10 s for an answer, and the product is 62 files. At each access to the flash one of the chip's processors
waits for the other, and both switch their caches off and on. An emulator that then copies all mapped flash anew, and
drops all that it has translated, takes 22 s for a file; one that lets a processor wait until the other's clock ticks
does not return while it counts instructions. One that copies the changed pages, and gives each processor its turn after
2,000 instructions, takes a second.
"""

import pytest

from tpsgd_host.bench.emulated import esp32
from tpsgd_host.bench.emulated.board import EmulatedBoard, EmulatedBoardError

#: The clock follows the instructions, and does not wait where both processors do.
COUNTING = ("-icount", "shift=3,sleep=off")


def start(image):
    """Start a board for the first time, which writes its settings; skip the test where it cannot write files."""
    with EmulatedBoard(esp32.command(image, "-serial", "stdio")):
        pass
    with EmulatedBoard(esp32.command(image, "-serial", "stdio", *COUNTING)) as board:
        try:
            board.write("tried", bytes(2048))
        except EmulatedBoardError:
            pytest.skip(f"the emulated ESP32 cannot write its flash while it counts instructions, see {__file__}")
