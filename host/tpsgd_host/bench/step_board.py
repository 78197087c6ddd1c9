"""Measure where a training step's time goes. This program runs on a board.

    micropython step_board.py MODEL ENGINE SAMPLES

prints microseconds, the median of some samples: a step; the part of it in the engine's kernels; and what the link adds
when the sample comes from a host: to receive the frame, check it, and send the result.
"""

import gc
import io
import struct
import sys
import time

from tpsgd import frames, modelfile, network, runtime, serve

KERNELS = (
    "accumulate", "backward", "clamp", "copy", "error", "flush", "forward", "leak", "load", "masked_error", "max_pool",
    "reset_state", "run", "segment_error", "segment_max", "softmax", "track_max", "update",
)  # fmt: skip


if hasattr(time, "time_ns") and sys.platform in ("linux", "darwin"):  # finer, but still whole microseconds
    REPEATS = 10

    def now():
        """Return microseconds."""
        return time.time_ns() / 1000

    def since(begun):
        """Return the microseconds since ``begun``."""
        return now() - begun

else:
    REPEATS = 1
    now = time.ticks_us

    def since(begun):
        """Return the microseconds since ``begun``."""
        return time.ticks_diff(time.ticks_us(), begun)


class Timed:
    """An engine that measures the time in its kernels."""

    def __init__(self, k):
        self.spent = self.calls = 0
        for name in dir(k):
            if name[:2] != "__":
                setattr(self, name, self.timed(getattr(k, name)) if name in KERNELS else getattr(k, name))

    def timed(self, f):
        """Return ``f``, measured."""

        def kernel(*args):
            begun = now()
            result = f(*args)
            self.spent += since(begun)
            self.calls += 1
            return result

        return kernel


class Sink:
    """Takes what a board sends."""

    def write(self, data):
        """Take it."""


def build(path, k):
    """Return the network of a model file."""
    with open(path, "rb") as file:
        model = modelfile.Model(file)
        network.modules(model)
        net = network.build(file, model, k)
    gc.collect()
    return net


def sample(i, size):
    """Return sample ``i``."""
    return bytes([(j * 37 + i * 11) % 255 + 1 for j in range(size)])


def median(values):
    """Return the median."""
    return sorted(values)[len(values) // 2]


def steps(net, count, timed=None):
    """Return the microseconds of ``count`` steps, each the mean of REPEATS; with a timed engine, of its kernels."""
    found = []
    for i in range(count):
        net.sample[: net.size] = sample(i, net.size)
        gc.collect()
        if timed:
            timed.spent = timed.calls = 0
        begun = now()
        for _ in range(REPEATS):
            net.train(i % net.classes)
        spent = since(begun)
        if timed:
            spent = max(0, timed.spent - timed.each * timed.calls)
        found.append(spent / REPEATS)
    return found


def frame(kind, payload):
    """Return the bytes of a frame of the link."""
    raw = bytes((len(payload), kind, 0)) + payload
    return b"\xf5" + raw + struct.pack("<I", runtime.crc32(raw) & 0xFFFFFFFF)


def over_the_link(net, count):
    """Return the microseconds of each of ``count`` records: to take it from the link, learn it, send its result."""
    found = []
    at = 0
    for i in range(count):
        record = bytes((0, i % net.classes)) + sample(i, net.size)
        parts = b""
        for begin in range(0, len(record), 196):
            piece = record[begin : begin + 196]
            parts += frame(frames.DATA, struct.pack("<HH", i, at & 0xFFFF) + piece)
            at += len(piece)
        server = serve.Server(frames.Frames(io.BytesIO(parts), Sink()), None, 0)
        server.network = net
        server.expected = 0
        server.applied = server.reported = server.confirmed = i
        server.taken = at - len(record) & 0xFFFF
        gc.collect()
        begun = now()
        server.serve()
        found.append(since(begun))
        if server.applied != i + 1:
            raise RuntimeError("the record was not learned")
    return found


def main(path, engine, count):
    """Measure it all and print it."""
    numbers = {name: number for number, name in runtime.ENGINES.items()}
    k = runtime.engine(numbers[engine])
    timed = Timed(k)
    nothing = timed.timed(lambda w, x, packed, z: None)
    for _ in range(200):
        nothing(None, None, 0, None)
    timed.each = timed.spent / timed.calls
    step = steps(build(path, k), count)
    kernels = steps(build(path, timed), count, timed)
    timed = nothing = None
    gc.collect()
    linked = over_the_link(build(path, k), count)
    link = [max(0, linked[i] - step[i]) for i in range(count)]
    print(median(step), median(kernels), median(link))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
