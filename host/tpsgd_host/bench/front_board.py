"""Measure a front end. This program runs on a board and is not imported.

    micropython front_board.py MODEL ENGINE

prints what a frame in a word takes, the frame that ends the word with the sample made of it, and the network's forward
pass, each the median of some; then the bytes of heap that the front end takes. An RP2040 counts cycles; other boards
tell nanoseconds of their clock.
"""

import gc
import sys
import time
from array import array

from tpsgd import frontend, modelfile, network, runtime

#: Frames: quiet ones, those of a word, and the most until it must have been found.
BEFORE = 10
WORD = 40
FRAMES = 80

#: Words: more where other programs take the machine's time, too.
WORDS = 1 if sys.platform in ("rp2", "esp32") else 3


def clock():
    """Return ``took(f)``: what a call of ``f`` takes."""
    if sys.platform != "rp2":

        def took(f):
            t = time.ticks_us()
            f()
            return time.ticks_diff(time.ticks_us(), t) * 1000

        return took
    import machine

    timer = machine.mem32
    machine.freq(125000000)
    timer[0xE000E010] = 0
    timer[0xE000E014] = 0xFFFFFF
    timer[0xE000E018] = 0
    timer[0xE000E010] = 5

    def cycles(f):
        on = machine.disable_irq()
        t = timer[0xE000E018]
        f()
        t = t - timer[0xE000E018] & 0xFFFFFF
        machine.enable_irq(on)
        return t

    return cycles


def tone(n, high):
    """Return ``n`` samples of a square wave."""
    return array("h", [high if i % 13 < 6 else -high for i in range(n)])


def hear(front, hop, took):
    """Hear a word; return (what each of its frames took, what the last one took with the sample)."""
    piece = len(front.buffer)
    quiet, loud = tone(piece, 20), tone(piece, 6000)
    frames = []
    over = [False]

    def push():
        left = hop
        while left > 0:
            if front.push(min(piece, left)):
                over[0] = True
            left -= piece

    for i in range(FRAMES):
        front.buffer[:] = loud if BEFORE <= i < BEFORE + WORD else quiet
        gc.collect()
        cost = took(push)
        if over[0]:
            return frames, cost
        if front.active:
            frames.append(cost)
    raise RuntimeError("no word was found")


def median(costs):
    """Return the middle one."""
    return sorted(costs)[len(costs) // 2]


def main(path, engine):
    """Measure everything and print it."""
    numbers = {name: number for number, name in runtime.ENGINES.items()}
    k = runtime.engine(numbers[engine])
    took = clock()
    with open(path, "rb") as file:
        model = modelfile.Model(file)
        net = network.build(file, model, k)
    other = frontend.build(model, k, net.sample)  # it brings the code, which does not count
    before = runtime.heap()[0]
    front = frontend.build(model, k, net.sample)
    heap = runtime.heap()[0] - before
    del other
    frames = []
    ends = []
    for _ in range(WORDS):
        some, last = hear(front, model.front.hop, took)
        frames += some
        ends.append(last)
    forward = [took(net.test) for _ in range(5)]
    print(median(frames), median(ends), median(forward), heap)


if len(sys.argv) > 2:
    main(sys.argv[1], sys.argv[2])
