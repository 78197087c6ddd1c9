"""Runs on a board: microseconds of one training step, engine by engine. Started as a program, not imported.

    micropython step.py MODEL ENGINE SAMPLES

prints the microseconds a sample (the best of five rounds) and the CRC of the weights after all of them.
"""

import sys
import time

from tpsgd import modelfile, network, runtime


def main(path, engine, samples):
    """Time ``samples`` training steps of the model in ``path`` on engine ``engine``."""
    names = {runtime.ENGINES[number]: number for number in runtime.ENGINES}
    with open(path, "rb") as file:
        net = network.build(file, modelfile.Model(file), runtime.engine(names[engine]))
    for i in range(len(net.sample) - 1):
        net.sample[i] = i * 37 % 255 + 1
    best = None
    for _ in range(5):
        begun = time.ticks_us()
        for i in range(samples):
            net.train(i % net.classes)
        spent = time.ticks_diff(time.ticks_us(), begun)
        best = spent if best is None else min(best, spent)
    print("%.3f %08x" % (best / samples, net.crc()))


main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
