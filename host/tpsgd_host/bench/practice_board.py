"""Measure practice with prototypes. This program runs on a board and is not imported.

    micropython practice_board.py MODEL ENGINE COUNT

teaches COUNT samples a class and prints, in nanoseconds, what an answer takes, teaching a sample, and a pass of
practice; then the places of that pass, and the bytes of heap that the kept samples take.
"""

import gc
import sys
import time

from tpsgd import modelfile, network, runtime
from tpsgd.answer import Answer
from tpsgd.protospec import ANY_SCORE, NETWORK
from tpsgd.taught import Taught, kept_bytes


def took(f):
    """Return what a call of ``f`` takes."""
    gc.collect()
    t = time.ticks_us()
    f()
    return time.ticks_diff(time.ticks_us(), t) * 1000


def show(net, seed):
    """Put a sample into the network."""
    for i in range(net.size):
        net.sample[i] = 1 + (seed * 131 + i * i * 7 + i) % 255


def main(path, engine, count):
    """Measure everything and print it."""
    if sys.platform == "rp2":
        import machine

        machine.freq(125000000)
    numbers = {name: number for number, name in runtime.ENGINES.items()}
    k = runtime.engine(numbers[engine])
    file = open(path, "rb")  # noqa: SIM115 - the prototypes stay in it
    model = modelfile.Model(file)
    net = network.build(file, model, k)
    answer = Answer(model, net, file)
    trial = Taught(net, answer, 2000)  # it brings the code, which does not count
    before = runtime.heap()[0]
    near = answer.spec.way != NETWORK or answer.spec.score < ANY_SCORE
    each, once = kept_bytes(answer.size, net.size, trial.varied, near)
    store = Taught(net, answer, count * net.classes * each + once + 2 * len(trial.order))
    heap = runtime.heap()[0] - before
    show(net, 0)
    teach = took(lambda: store.teach(0))
    for i in range(1, count * net.classes):
        show(net, i)
        store.teach(i % net.classes)
    test = took(lambda: answer.test(taught=store))
    places = store.pass_size()
    practice = took(lambda: store.practise(places))
    print(test, teach, practice, places, heap)


if len(sys.argv) > 3:
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
