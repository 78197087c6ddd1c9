"""Random networks and samples. The project's own generator draws them, so they are the same on every runtime.

A case is a number. ``model_bytes(case)`` makes its model file, ``train(case, engine)`` trains it on random samples and
returns what must be equal everywhere: the weights' CRC-32 and one over the results.
"""

import io
import struct

from tpsgd.generator import step
from tpsgd.header import HEADER, HEADER_SIZE, LAYER, VERSION
from tpsgd.modelfile import Model
from tpsgd.network import build
from tpsgd.runtime import crc32

#: Cases 0 to 23 have dense layers, every other one after a recurrent layer. Then stacked recurrent and conv layers
#: alternate. From 44 on some layers learn from feedback, from 64 on after a temporal layer. From 76 on conv layers
#: learn from feedback, too, some on padded maps.
CASES = 92
FEEDBACK = 44
TEMPORAL = 64
CONV_FEEDBACK = 76
SAMPLES = 40


class Dice:
    """Random numbers that are the same everywhere."""

    def __init__(self, seed):
        self.s = seed * 2654435761 & 0xFFFFFFFF or 1
        for _ in range(4):
            self.s = step(self.s)

    def roll(self, low, high):
        """Return a number in low..high."""
        self.s = step(self.s)
        return low + (self.s >> 8) % (high - low + 1)


def describe(case):
    """Return (steps, channels, classes, readout_steps, update_at, phases, layers) of a case.

    A layer is (kind, units, inputs, shift, leak, amplitude, loss, l1, flags, shifts, kernel). ``kernel`` has the rows
    and columns of a kernel, its stride, pool and regions.
    """
    dice = Dice(case + 1)
    classes = dice.roll(2, 12)
    phases = dice.roll(1, 4)
    conv = case >= 24 and case % 2
    recurrent = (1 if case < 24 else 2 + case % 3 // 2) if case % 2 == (case < 24) else 0
    if case >= FEEDBACK:
        conv = case % 4 == 1
        recurrent = 1 + case % 3 // 2 if case % 2 == 0 else 0
    if case >= TEMPORAL:
        conv = recurrent = 0
    if case >= CONV_FEEDBACK:
        conv = 1
    steps = dice.roll(4, 9) if recurrent or conv or case >= TEMPORAL else dice.roll(1, 3)
    channels = dice.roll(1, 9)
    readout_steps = dice.roll(1, 4) if recurrent else 0
    layers = []
    inputs = steps * channels
    if conv:
        channels, inputs = _maps(dice, case // 2 % 4, steps, phases, layers, case >= CONV_FEEDBACK)
    elif case >= TEMPORAL:
        units = dice.roll(2, 40)
        window = (dice.roll(1, steps), 0, 0, 0, dice.roll(1, 4))
        layers.append(_layer(dice, 4, units, window[0] * channels, phases, window))
        inputs = window[4] * units
    below = channels
    for _ in range(recurrent):
        units = dice.roll(2, 40) if case < 24 else dice.roll(2, 20)
        layers.append(_layer(dice, 1, units, below + units, phases))
        below = units
        inputs = readout_steps * units
    for _ in range(dice.roll(0, 2)):
        units = dice.roll(1, 40)
        layers.append(_layer(dice, 0, units, inputs, phases))
        inputs = units
    if case >= FEEDBACK:
        _feed(layers, dice.roll(0, 3) == 0 and case < TEMPORAL, case >= CONV_FEEDBACK)
    layers.append(_layer(dice, 2, classes, inputs, phases))
    return steps, channels, classes, readout_steps, case // 2 % 4 if recurrent else 0, phases, layers


def _maps(dice, count, rows, phases, layers, padding):
    """Add ``count`` conv layers, at least one; return the channels and the inputs of the next layer.

    ``padding``: those with kernels of odd sizes are padded, but for every third.
    """
    columns = dice.roll(1, 7)
    depth = dice.roll(1, 3)
    channels = columns * depth
    for i in range(max(1, count)):
        size = dice.roll(1, min(3, rows)), dice.roll(1, min(3, columns))
        stride = dice.roll(1, 2)
        if padding and dice.roll(0, 3):
            size = 3 if rows > 2 else 1, 3 if columns > 2 else 1
        padded = padding and size[0] & size[1] & 1 and dice.roll(0, 2)
        if padded:
            rows += size[0] - 1
            columns += size[1] - 1
        rows = (rows - size[0]) // stride + 1
        columns = (columns - size[1]) // stride + 1
        pool = dice.roll(1, 3)
        if rows < pool or 1 < columns < pool:
            pool = 1
        units = dice.roll(1, 20) if i else dice.roll(2, 40)
        kernel = (size[0], size[1], stride, pool, dice.roll(1, 3))
        layers.append(_layer(dice, 3, units, size[0] * size[1] * depth, phases, kernel, 2 if padded else 0))
        rows //= pool
        columns = columns // pool if columns > 1 else 1
        depth = units
    return channels, rows * columns * depth


def _feed(layers, last, conv):
    """Let the layers after the conv layers learn from feedback; those with ``conv``, too.

    ``last``: only the last one, or the last stack.
    """
    for i in range(len(layers) - 1, -1, -1):
        kind = layers[i][0]
        stacked = kind == 1 and i + 1 < len(layers) and layers[i + 1][0] == 1
        if (kind == 3 and not conv) or (last and i + 1 < len(layers) and not stacked):
            return
        layers[i] = layers[i][:5] + (0, 0, 0) + layers[i][8:]  # noqa: RUF005 - old interpreters
        if kind == 3:  # no regions
            layers[i] = layers[i][:10] + (layers[i][10][:4] + (0,),)  # noqa: RUF005


def _layer(dice, kind, units, inputs, phases, kernel=(0, 0, 0, 0, 0), flags=0):
    hidden = kind != 2
    loss = dice.roll(0, 1) if hidden else 0
    return (
        kind,
        units,
        inputs,
        dice.roll(3, 7),
        dice.roll(0, 3) if kind == 1 else 0,
        dice.roll(1, 127) if hidden else 0,
        loss,
        dice.roll(1, 127) if loss else 0,
        flags | (1 if hidden and dice.roll(0, 4) == 0 else 0),
        bytes([dice.roll(0, 9) for _ in range(phases)]),
        kernel,
    )


def model_bytes(case):
    """Return the model file of a case."""
    steps, channels, classes, readout_steps, update_at, phases, layers = describe(case)
    dice = Dice(case + 1000)
    body = b""
    weights = b""
    for kind, units, inputs, shift, leak, amplitude, loss, l1, flags, shifts, kernel in layers:
        body += struct.pack(LAYER, kind, flags, units, inputs, shift, leak, amplitude, loss, l1, kernel[4])
        body += shifts + bytes(8 - phases) + bytes(kernel[:4])
        for _ in range(units * (inputs + 1)):
            # sometimes at the ends of the range, so that weights saturate
            u = dice.roll(256, 65535) if dice.roll(0, 3) else dice.roll(0, 1) * (65535 - 256) + 256
            weights += bytes([u >> 8]) if flags & 1 else struct.pack("<H", u)
    body += struct.pack("<ff", 0.0, 1.0)
    body += b"\x04case\x00\x00" + b"".join([b"\x01" + bytes([97 + i]) for i in range(classes)]) + b"\0\0"
    body += bytes(-(HEADER_SIZE + len(body)) % 4)
    header = HEADER_SIZE + len(body)
    head = struct.pack(
        HEADER, b"TPSG", VERSION, len(layers), header, header + len(weights) + 4, 77 + case, steps, channels, classes,
        readout_steps, update_at, phases, 0, 0, 1, 0, 0, 0.0, SAMPLES,
    )  # fmt: skip
    data = head + body + weights
    return data + struct.pack("<I", crc32(data) & 0xFFFFFFFF)


def train(case, engine, samples=SAMPLES, locked=False):
    """Train a case; return (CRC of the weights, CRC of the results). ``locked``: lock the heap meanwhile."""
    from tpsgd import runtime

    file = io.BytesIO(model_bytes(case))
    network = build(file, Model(file), engine)
    dice = Dice(case + 2000)
    results = 0
    pair = bytearray(2)
    for i in range(samples):
        for j in range(len(network.sample) - 1):
            network.sample[j] = dice.roll(1, 255)
        y = dice.roll(0, network.classes - 1)
        if locked:
            runtime.lock()
        try:
            result = network.test(y) if i % 8 == 7 else network.train(y)
        finally:
            if locked:
                runtime.unlock()
        pair[0] = result >> 8
        pair[1] = result & 255
        results = crc32(pair, results) & 0xFFFFFFFF
    return network.crc(), results
