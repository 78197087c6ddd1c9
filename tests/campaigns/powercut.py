"""Power cuts at every write of a checkpoint, of taught samples, or of the model file that a new class is in, on the FAT
and littlefs of a real MicroPython: the board starts, always.

python tests/campaigns/powercut.py

``powercut_board.py`` does it, in the interpreter: after each cut the file system is mounted again and the device
program loads; it must find the checkpoint before the cut or, whole, the one under way, and be able to write the next.
``powercut_class_board.py`` does the same with ``Learner.add_class``, ``powercut_ring_board.py`` with what was taught to
a model with prototypes, ``powercut_weights_board.py`` with weights that a host puts on the board.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import tempfile
from pathlib import Path

import base
import cases
from boards import DEVICE
from known import known_bytes

from tpsgd_host.boards.virtual import find_interpreter

#: FAT has no way to survive a block that a cut left erased: directory and table are not written twice in turn, as
#: littlefs writes them. Where the model is lost with them the device program says so, and flashing again helps.
WAYS = [("fat", "stop"), ("fat", "torn"), ("fat", "erased"), ("lfs2", "stop"), ("lfs2", "torn"), ("lfs2", "erased")]


BOARDS = {
    "checkpoint": "powercut_board.py", "class": "powercut_class_board.py", "taught": "powercut_ring_board.py",
    "taught, compact": "powercut_ring_board.py", "weights": "powercut_weights_board.py",
}  # fmt: skip

#: How a model with prototypes answers, by what is cut: where it is the network alone, only the samples are kept.
ANSWERS = {"taught": "both", "taught, compact": "network"}


def model_bytes(case: int, what: str) -> bytes:
    """Return the model file of a case of the shared tests, with prototypes where taught samples are saved."""
    if what not in ANSWERS:
        return cases.model_bytes(case)
    return known_bytes(case, ANSWERS[what])


def cuts(kind: str, how: str, before: int, case: int, place: Path, what: str = "checkpoint") -> int:
    """Cut the power at every write of what follows ``before`` checkpoints; return the number of cuts."""
    model = place / "model.tpsgd"
    model.write_bytes(model_bytes(case, what))
    program = str(base.HERE / BOARDS[what])
    command = [find_interpreter(), "-X", "heapsize=4m", program, kind, how, str(before), str(model)]
    done = subprocess.run(
        command, cwd=place, env={"MICROPYPATH": str(DEVICE.parent)}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise AssertionError(f"{kind}, {how}, after {before} checkpoints: {done.stdout}{done.stderr}")
    said = done.stdout.splitlines()[-1]  # before it: complaints of files that the cut left open
    print(f"{kind:5} {how:7} {what} after {before} checkpoints, network {case}: {said}", flush=True)
    return int(re.match(r"\d+", said)[0])


def main() -> int:
    """Run the campaign."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", type=int, nargs="*", default=[0, 1, 3, 8], help="cases of the shared tests")
    options = parser.parse_args()
    total = 0
    with tempfile.TemporaryDirectory(prefix="tpsgd-") as place:
        for kind, how in WAYS:
            for case in options.networks:
                for before in range(4):
                    total += sum(cuts(kind, how, before, case, Path(place), what) for what in BOARDS)
    print(
        f"{total} power cuts; after each the board started with the newest whole checkpoint and what was taught until "
        "then, or the model file; where a block of FAT was left erased, it did so or said what it "
        "misses"
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
