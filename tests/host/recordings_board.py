"""Runs under MicroPython: the CRCs of all frames, and of all words' samples, of recordings in one file.

``micropython recordings_board.py DEVICE FILE RATE WINDOW HOP STEPS EDGE...``; FILE has, for each recording, u32 count
and that many int16.
"""

import struct
import sys
from array import array

sys.path.insert(0, sys.argv[1])

from tpsgd import frontend, runtime
from tpsgd.frontspec import HEAD, SIZE, FrontSpec


class Model:
    """As much of a model as a front end needs."""


rate, window, hop, steps = [int(word) for word in sys.argv[3:7]]
edges = [int(word) for word in sys.argv[7:]]
c = len(edges) - 2
block = struct.pack(HEAD, 1, 1, SIZE + 4 * len(edges), rate, 40, 128, window, hop, 10, 6, 14, 3, 2, 6, 8, 5, 78, 0, 0.0)
model = Model()
model.channels, model.steps = c, steps
model.front = FrontSpec(block + struct.pack(f"<{len(edges)}I", *edges), c)
sample = bytearray(steps * c + 1)
k = runtime.engine()
end = frontend.build(model, k, sample)
frames = samples = count = 0
with open(sys.argv[2], "rb") as file:
    while True:
        head = file.read(4)
        if not head:
            break
        n = struct.unpack("<I", head)[0]
        pcm = array("h", file.read(2 * n))
        found = bytearray()
        at = 0
        while at == 0 or at + window <= n:
            for i in range(window):
                end._moves[3][i] = pcm[at + i] if at + i < n else 0
            end.segmenter.at = 0
            end.frame()
            found += end.segmenter.frames[:c]
            count += 1
            at += hop
        frames = runtime.crc32(found, frames)
        end.shape[0] = len(found) // c
        end.kernels.word(found, sample, end.shape)
        samples = runtime.crc32(memoryview(sample)[:-1], samples)
print(k.NAME, count, "%08x" % (frames & 0xFFFFFFFF), "%08x" % (samples & 0xFFFFFFFF))
