"""A lesson and a tape on an emulated chip, over its console: device program, files in flash, a played sensor."""

from __future__ import annotations

import os
import select
import struct
import subprocess
import time
from array import array
from contextlib import contextmanager
from itertools import pairwise

import numpy as np

from tpsgd.adpcm import squeeze
from tpsgd.learner import Learner
from tpsgd_host.boards.board import Board
from tpsgd_host.boards.live import Heard, LiveSession
from tpsgd_host.boards.virtual import find_interpreter
from tpsgd_host.flashing.mpy import MpyFormat, compiler_format, package_files
from tpsgd_host.link.session import Session
from tpsgd_host.link.tape import COMPRESSED, VALUES, _inflated
from tpsgd_host.teaching.begin import begin

WORDS = ("zero", "one", "two", "three")
TAKES = 2

#: Samples of quiet before the first word and after each.
QUIET = 3200

#: Bytes that the board keeps samples in, and samples that it practises after each word.
BUDGET, PRACTICE = 8000, 3

#: A board's ``sensor.py``: plays a file as fast as it is read.
SENSOR = b"""import io
class Played:
    rate = 8000
    channels = 1
    overruns = 0
    def start(self):
        self.file = io.open("played.pcm", "rb")
    def readinto(self, buffer):
        return self.file.readinto(buffer) // 2
    def stop(self):
        self.file.close()
def open():
    return Played()
"""


def sound(data_dir):
    """Return one speaker's words with quiet between them, shape (N,), and their labels."""
    with np.load(data_dir / "fsdd-4speakers.npz") as arrays:
        audio, offsets, digit, take, speaker = (
            arrays[name] for name in ("audio", "offsets", "digit", "take", "speaker")
        )
    bounds = list(pairwise(offsets.tolist()))
    parts, labels = [np.zeros(QUIET)], []
    for t in range(TAKES):
        for y in range(len(WORDS)):
            (i,) = np.flatnonzero((digit == y) & (take == t) & (speaker == speaker[0]))
            parts += [audio[slice(*bounds[i])], np.zeros(QUIET)]
            labels.append(y)
    return np.concatenate(parts).astype("<i2"), labels


#: Makes a file system of the files in a folder, in MicroPython: through a chip's console it would take minutes.
FILE_SYSTEM = """import os, sys, vfs
class Flash:
    def __init__(self, blocks):
        self.data = bytearray(4096 * blocks)
    def readblocks(self, n, buffer, at=0):
        at += 4096 * n
        buffer[:] = self.data[at : at + len(buffer)]
    def writeblocks(self, n, buffer, at=0):
        at += 4096 * n
        self.data[at : at + len(buffer)] = buffer
    def ioctl(self, what, block):
        if what == 4:
            return len(self.data) // 4096
        if what == 5:
            return 4096
        if what == 6:
            at = 4096 * block
            self.data[at : at + 4096] = b"\\xff" * 4096
        return 0
flash = Flash(int(sys.argv[1]))
vfs.VfsLfs2.mkfs(flash, progsize=256)
fs = vfs.VfsLfs2(flash, progsize=256)
vfs.mount(fs, "/flash")
os.mkdir("/flash/tpsgd")
for name in sys.argv[3:]:
    with open(name, "rb") as source, open("/flash/" + name, "wb") as target:
        target.write(source.read())
vfs.umount("/flash")
with open(sys.argv[2], "wb") as file:
    file.write(flash.data)
"""


def file_system(folder, path, arch, blocks, pcm):
    """Return a chip's file system: the device program, the model at ``path``, the sensor and what it plays."""
    files = {
        **package_files(MpyFormat(*compiler_format(), arch)), "sensor.py": SENSOR, "played.pcm": pcm.tobytes(),
        "model.tpsgd": path.read_bytes(),
    }  # fmt: skip
    (folder / "tpsgd").mkdir()
    for name, data in files.items():
        (folder / name).write_bytes(data)
    (folder / "make.py").write_text(FILE_SYSTEM)
    command = [find_interpreter(), "-X", "heapsize=16m", "make.py", str(blocks), "flash.lfs", *files]
    subprocess.run(command, cwd=folder, check=True)
    return (folder / "flash.lfs").read_bytes()


def model(folder):
    """Write a model that knows nothing; return its path."""
    return begin(WORDS, "sound", folder=folder).path


def uf2(data, address):
    """Return the blocks of a UF2 image that lie in an RP2040's flash from ``address`` on."""
    found = bytearray()
    for at in range(0, len(data), 256):
        head = struct.pack("<IIIIIIII", 0x0A324655, 0x9E5D5157, 0x2000, address + at, 256, 0, 1, 0xE48BFF56)
        found += (head + data[at : at + 256]).ljust(508, b"\0") + struct.pack("<I", 0x0AB16F30)
    return bytes(found)


class Console:
    """The console of an emulated board as a port.

    Parameters
    ----------
    board : EmulatedBoard
        Its device program is running.
    """

    def __init__(self, board):
        self._board = board

    def read(self, timeout):
        out = self._board._output.fileno()
        return os.read(out, 4096) if select.select([out], [], [], timeout)[0] else b""

    def write(self, data):
        self._board._send(data)

    def close(self):
        pass


@contextmanager
def running(board):
    """Start the device program; it ends with the host's BYE, and the REPL is there again.

    The program's last answer and the REPL's first may come at once, so how it ended is asked for.
    """
    board._paste(b"import gc\nfrom tpsgd import serve\ngc.collect()\nended = False\nserve.main()\nended = True")
    yield Console(board)
    board.interrupt()
    assert board.run("print(ended)") == "True\n"


def there(board, labels):
    """Teach the words as the board hears them; return the CRC of its weights, and bytes of heap (used, free)."""
    with running(board) as port:

        @contextmanager
        def opener():
            session = Session(port, patience=900)
            yield Board(session)
            session.bye()

        with LiveSession(opener, budget=BUDGET, passes=0, levels=False, hold=True, patience=0) as live:
            heard = 0
            until = time.monotonic() + 600
            while heard < len(labels) and time.monotonic() < until:
                for event in live.poll(0.2):
                    if isinstance(event, Heard):
                        live.teach(event.event, labels[heard])
                        live.practise(PRACTICE)
                        heard += 1
                        live.go_on()
            done = live.board._session.sync(save=False)
    assert heard == len(labels)
    return done.weights_crc, (done.heap_used, done.heap_free)


def here(path, pcm, labels):
    """Return the CRC of the weights of a Learner in a program that hears the same."""
    learner = Learner(str(path), replay=BUDGET)
    heard = 0
    for at in range(0, len(pcm) - 31, 32):
        learner.front.buffer[:32] = array("h", pcm[at : at + 32].tolist())
        if learner.front.push(32):
            learner.take()
            learner.teach(labels[heard])
            learner.practise(PRACTICE)
            heard += 1
    assert heard == len(labels)
    return learner.network.crc()


def taped(board, pcm, compressed):
    """Return what a board sends of its sensor, and how often it lost some."""
    with running(board) as port:
        session = Session(port, patience=900)
        tape = Board(session).tape()
        tape.begin(COMPRESSED if compressed else VALUES, 8000)
        values, have = [], 0
        until = time.monotonic() + 600
        while have < len(pcm) - 228 and time.monotonic() < until:
            piece = tape.piece(0.5)
            if piece is not None:
                assert not (piece.missed or piece.lost)
                values.append(piece.values[:, 0])
                have += len(piece.values)
        ended = tape.end()
        while (piece := tape.piece(0.2)) is not None:
            values.append(piece.values[:, 0])
        session.bye()
    return np.concatenate(values), ended.overruns


def compressed_here(pcm):
    """Return what comes of a sound that a board compresses."""
    state = array("H", (0, 0, 3))
    out = bytearray(3 + len(pcm) // 2)
    squeeze(pcm.tolist(), out, state, len(pcm) & ~1)
    return np.asarray(_inflated(bytes(3) + bytes(out[3:])))
