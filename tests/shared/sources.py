"""Front ends and sounds for tests, the same on every runtime."""

import struct

from tpsgd.frontspec import HEAD, SIZE, FrontSpec
from tpsgd.generator import step

STEPS = 20

#: 8 kHz with 16 bands, and 16 kHz with 20: rate, window, hop, and edges in Hz, about as the mel scale has them.
SOUNDS = (
    (8000, 256, 128, (100, 188, 287, 398, 523, 664, 822, 999, 1199, 1424, 1676, 1961, 2281, 2641, 3045, 3500, 3990,
                      4000)),
    (16000, 512, 320, (100, 195, 300, 420, 555, 710, 885, 1080, 1300, 1550, 1830, 2150, 2510, 2910, 3370, 3880, 4460,
                       5110, 5840, 6670, 7600, 8000)),
)  # fmt: skip


class Fake:
    """As much of a model as a front end needs."""

    def __init__(self, channels, front):
        self.steps, self.channels, self.front = STEPS, channels, front


def sound(number):
    rate, window, hop, edges = SOUNDS[number]
    size = SIZE + 4 * len(edges)
    head = struct.pack(HEAD, 1, 1, size, rate, 40, 128, window, hop, 10, 6, 14, 3, 2, 6, 8, 5, 78, 0, 0.0)
    table = struct.pack(f"<{len(edges)}I", *[1024 * edge for edge in edges])
    return Fake(len(edges) - 2, FrontSpec(head + table, len(edges) - 2))


def motion():
    head = struct.pack(HEAD, 2, 0, SIZE + 12, 100, 0, 0, 0, 0, 8, 4, 20, 5, 5, 10, 32, 6, 300, 0, 1.0)
    return Fake(3, FrontSpec(head + struct.pack("<III", 508, 508, 254), 3))


class Source:
    """Bursts of two square waves in noise, by the project's own generator."""

    def __init__(self, rate):
        self.s = 99
        self.rate = rate
        self.t = 0

    def fill(self, buffer, n):
        for i in range(n):
            self.s = step(self.s)
            v = (self.s >> 24) - 128
            if self.t % self.rate > self.rate // 2:
                period = self.rate // (400 + 200 * (self.t // self.rate))
                v += 3000 if self.t % period * 2 < period else -3000
                v += 900 if self.t % 7 < 3 else -900
            buffer[i] = v
            self.t += 1
