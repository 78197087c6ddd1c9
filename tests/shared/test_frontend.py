"""Front ends give the same frames, words and gestures on every runtime, and allocate nothing while they run."""

import struct

from test_golden import SkipTest

from tpsgd import frontend, runtime
from tpsgd.frontspec import HEAD, SIZE, FrontSpec
from tpsgd.generator import step
from tpsgd.runtime import crc32

STEPS = 20

#: 8 kHz with 16 bands, and 16 kHz with 20: rate, window, hop, and edges in Hz, about as the mel scale has them.
SOUNDS = (
    (8000, 256, 128, (100, 188, 287, 398, 523, 664, 822, 999, 1199, 1424, 1676, 1961, 2281, 2641, 3045, 3500, 3990,
                      4000)),
    (16000, 512, 320, (100, 195, 300, 420, 555, 710, 885, 1080, 1300, 1550, 1830, 2150, 2510, 2910, 3370, 3880, 4460,
                       5110, 5840, 6670, 7600, 8000)),
)  # fmt: skip

#: CRC-32 of frames and samples of each of SOUNDS and of the halved 16 kHz; of the gestures' samples. By plain.
GOLDEN = ((2915678671, 737899096, 2), (3978551167, 3110018679, 1), (1717891158, 4130149486, 1), (1783933757, 3))


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


def engine(name):
    numbers = {runtime.ENGINES[number]: number for number in runtime.ENGINES}
    try:
        return runtime.engine(numbers[name])
    except ImportError:
        raise SkipTest("this interpreter has no engine " + name) from None


def locked(k, end, n):
    """Push values; with viper no byte may be allocated."""
    if k.NAME == "plain":
        return end.push(n)
    runtime.lock()
    try:
        return end.push(n)
    finally:
        runtime.unlock()


def heard(model, k, seconds, rate=0, piece=100):
    """Return the CRC of all frames and one of the samples of the words, and how many words there were."""
    sample = bytearray(STEPS * model.channels + 1)
    end = frontend.build(model, k, sample, rate)
    source = Source(rate or model.front.rate)
    frames = samples = words = 0
    c = model.channels
    before = 0
    for _ in range(seconds * source.rate // piece):
        source.fill(end.buffer, piece)
        found = locked(k, end, piece)
        if end.frames != before and end.segmenter.at >= c:
            before = end.frames
            frames = crc32(bytes(end.segmenter.frames[end.segmenter.at - c : end.segmenter.at]), frames)
        if found:
            words += 1
            samples = crc32(sample, samples)
    return frames & 0xFFFFFFFF, samples & 0xFFFFFFFF, words


def moved(k, readings=900):
    """Return the CRC of the samples of gestures in a stream of readings at rest, and how many there were."""
    model = motion()
    sample = bytearray(STEPS * 3 + 1)
    end = frontend.build(model, k, sample)
    s = 7
    samples = gestures = 0
    for t in range(readings):
        for c in range(3):
            s = step(s)
            v = (8000 if c == 2 else 0) + (s >> 25) - 64
            if t % 300 > 200 and t % 300 < 260:
                v += (9000 - 3000 * c) * (1 if t // (5 + t // 300) % 2 else -1)
            end.buffer[c] = v
        found = locked(k, end, 3)
        if found:
            gestures += 1
            samples = crc32(sample, samples)
    return samples & 0xFFFFFFFF, gestures


def check(name):
    k = engine(name)
    got = (heard(sound(0), k, 3), heard(sound(1), k, 2), heard(sound(0), k, 2, 16000), moved(k))
    assert got == GOLDEN, got


def test_plain_front_ends():
    check("plain")


def test_viper_front_ends():
    check("viper")
