"""Time one engine. This program runs on a board and is not imported.

    micropython board.py MODEL ENGINE STEPS M N

prints the nanoseconds of a forward pass and of an update of an M x N matrix, and of a training step of the model, each
the best of five rounds; the network's heap bytes; and the CRC of its weights after all steps.
"""

import sys
import time

from tpsgd import modelfile, network, runtime
from tpsgd.parameters import pack

ROUNDS = 5


def best(work, times):
    """Return the nanoseconds of one ``work()``: the best of five rounds of ``times`` calls."""
    least = None
    for _ in range(ROUNDS):
        begun = time.ticks_us()
        for _ in range(times):
            work()
        spent = time.ticks_diff(time.ticks_us(), begun)
        least = spent if least is None else min(least, spent)
    return least * 1000 / times


def kernels(k, m, n, times):
    """Time forward and update."""
    w = bytearray(2 * m * n)
    for i in range(m * n):
        w[2 * i] = i * 31 & 255
        w[2 * i + 1] = 1 + i * 37 % 255
    matrix = k.matrix(w, m, n, 0)
    sample = bytearray([1 + j * 37 % 255 for j in range(n - 1)])
    x = k.activations(n)
    k.load(sample, 0, x, n - 1)
    z = k.view(k.accumulators(m), m)
    forward = best(lambda: k.forward(matrix, x, pack(m, n, 0, 5), z), times)
    for i in range(m):
        z[i] = 90 if i % 2 else -90
    return forward, best(lambda: k.update(matrix, x, pack(m, n, 0, 9), z), times)


def step(path, k, times):
    """Time a training step; return (nanoseconds, heap bytes, CRC)."""
    with open(path, "rb") as file:
        model = modelfile.Model(file)
        network.modules(model)  # code does not count
        before = runtime.heap()[0]
        net = network.build(file, model, k)
        size = runtime.heap()[0] - before
    for i in range(len(net.sample) - 1):
        net.sample[i] = i * 37 % 255 + 1
    count = [0]

    def train():
        net.train(count[0] % net.classes)
        count[0] += 1

    return best(train, times), size, net.crc()


def main(path, engine, times, m, n):
    """Time everything and print it."""
    numbers = {name: number for number, name in runtime.ENGINES.items()}
    k = runtime.engine(numbers[engine])
    print("%.1f %.1f" % kernels(k, m, n, times))
    print("%.1f %d %08x" % step(path, k, times))


main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5]))
