"""A tape allocates nothing while it takes what the sensor gives: the heap is locked but for the sending of a piece."""

import struct

from test_golden import SkipTest
from test_lesson import lesson, write_model

from tpsgd import runtime
from tpsgd import tape as wire

VALUES, COMPRESSED = 1, 2


class Microphone:
    """A microphone that gives blocks of a sawtooth; it is its own ``sensor`` module."""

    channels = 1
    overruns = 0

    def __init__(self, rate):
        self.rate = rate
        self.t = self.readings = 0

    def open(self):
        return self

    def start(self):
        pass

    def stop(self):
        pass

    def readinto(self, buffer):
        if self.t == self.readings:
            return 0
        for i in range(32):
            buffer[i] = (self.t * 37 & 4095) - 2048
            self.t += 1
        return 32

    def button(self):
        return False


def taped(form, rate, blocks):
    """Return the sizes of the pieces of a tape of ``blocks`` blocks, which a locked heap takes."""
    write_model()
    microphone = Microphone(rate)
    server, said = lesson(microphone, [(wire.RECORD, struct.pack("<BH", form, 8000))])
    assert [kind for kind, _ in said] == [wire.TAPE], said
    if server.network.k.NAME not in ("native", "viper", "thumb"):
        raise SkipTest("this engine allocates: " + server.network.k.NAME)
    sizes = bytearray(blocks)
    pieces = [0]

    def send(kind, number, size):
        assert kind == wire.PIECE
        sizes[pieces[0]] = size
        pieces[0] += 1

    server.link.send = send
    microphone.readings = 32 * blocks
    runtime.lock()
    try:
        while server.lesson.step():
            pass
    finally:
        runtime.unlock()
    return list(sizes[: pieces[0]])


def test_a_tape_of_values():
    assert taped(VALUES, 8000, 40) == [3 + 2 * 58] * 22


def test_a_compressed_tape_at_half_the_rate():
    assert taped(COMPRESSED, 16000, 40) == [3 + 3 + 114] * 2
