"""A test that an engine must pass before it is used: a few units that go through all of its functions once.

A compiler that is wrong for one processor gives wrong weights, not errors. ``runtime.engine`` tests each engine, then
drops this module.
"""

from array import array

from tpsgd.parameters import pack
from tpsgd.runtime import crc32

#: What :func:`answer` returns for the plain engine.
ANSWER = (123, 3778590432, 1005512448, 1193008572, 305937581)


def answer(k):
    """Return an engine's answers to all questions."""
    said, weights = learned(k)
    return said, weights, fed_back(k), mapped(k), segmented(k)


def learned(k):
    """Run leaky units forward, learn from targets and from a label; return the prediction and the weights' CRC."""
    w = bytearray(b"\x00\x90\xfe\xff\x01\x01\x80\x80\x34\x72\x00\x01\xf0\xa0\x11\x45")
    p = array("I", (2, 4, 100, 0, 1, 7))
    x = k.activations(4)
    z = k.accumulators(2)
    h = k.activations(3)
    h16 = k.states(2)
    matrix = k.matrix(w, 2, 4, 0)
    k.load(bytearray(b"\x00\x20\xff\x90"), 1, x, 3)
    k.reset_state(h, h16, p)
    k.forward(matrix, x, pack(2, 4, 0, 7), z)
    k.leak(z, h16, h, p)
    k.error(h, z, p, 3)
    k.update(matrix, x, pack(2, 4, 0, 3), z)
    k.copy(h, x, 1, 2)
    k.forward(matrix, x, pack(2, 4, 0, 8), z)
    k.clamp(z, h, p)
    k.copy(h, x, 0, 1)
    said = k.softmax(z, p, 0)
    k.update(matrix, x, pack(2, 4, 0, 2), z)
    return said, crc32(w) & 0xFFFFFFFF


def fed_back(k):
    """Learn and make feedback, then learn from the feedback; return the weights' CRC."""
    m, n = 3, 11
    w = bytearray(2 * m * n)
    for i in range(2 * m * n):  # a list would be large
        w[i] = i * 136 & 255 | 1
    p = array("I", (m, n, 100, 0, 1, 7))
    x = k.activations(n)
    z = k.accumulators(m)
    h = k.activations(m + 1)
    matrix = k.matrix(w, m, n, 0)
    k.load(bytearray(b"\x00\x8ch\x80d\x18)\xff\x03x"), 1, x, 1 << 16 | 9)
    k.forward(matrix, x, pack(m, n, 0, 7), z)
    k.clamp(z, h, p)
    k.error(h, z, p, 3)
    k.backward(matrix, x, pack(m, n, 0, 3, 6), z)
    k.masked_error(x, z, p, 1)
    k.update(matrix, x, pack(m, n, 0, 2), z)
    k.forward(matrix, x, pack(m, n, 0, 5), z)
    k.masked_error(x, z, p, 1 << 16 | 4)
    k.error(h, z, p, 5)
    z[1] = 0
    k.load(bytearray(b"\x70\x8ch\x80d\x18)\xf1\x03x"), 0, x, 10)
    k.backward(matrix, x, pack(m, n, 1, 4, 6), z)
    k.masked_error(x, z, p, 5)
    k.update(matrix, x, pack(m, n, 0, 3), z)
    return crc32(w) & 0xFFFFFFFF


def mapped(k):
    """Pool two positions, track where each unit is strongest, add to a ring and empty a byte of it; return the CRC."""
    h = k.activations(3)
    top = k.activations(3)
    where = k.positions(2)
    pooled = bytearray(4)
    k.load(bytearray(b"\x80\x90"), 0, h, 2)
    k.max_pool(h, pooled, 1, 1 << 16 | 2)
    k.track_max(h, top, where, 261 << 11 | 2)
    k.load(bytearray(b"\x20\xa0"), 0, h, 2)
    k.max_pool(h, pooled, 1, 2)
    k.track_max(h, top, where, 301 << 11 | 2)
    k.max_pool(top, pooled, 0, 1 << 16 | 1)
    ring = bytearray(b"\x80\x05\xf0\x22")
    k.accumulate(h, ring, 1, 2)
    k.flush(ring, 1, pooled, 1 << 11 | 1)
    pooled[3] = k.draw(array("I", (0x9E3779B9,)), 200)
    first, second = int(where[0]), int(where[1])  # an array engine has floats
    return crc32(pooled + ring + bytes((first & 255, first >> 8, second & 255))) & 0xFFFFFFFF


def segmented(k):
    """Keep the largest of four steps and pick the feedback of one of them; return the CRC of it all."""
    p = array("I", (2, 1, 0, 0, 0, 0))
    z = k.accumulators(2)
    x = k.activations(1)
    largest = k.activations(5)
    places = bytearray(4)
    found = bytearray(4)
    w = k.matrix(bytearray(b"\x00\xc0\x00\x01"), 2, 1, 0)
    k.load(bytearray(b"\x81\x90\x10\x80"), 0, largest, 4)
    for place in range(4):
        k.forward(w, x, pack(2, 1, 0, (9, 7, 6, 5)[place]), z)
        k.segment_max(z, largest, places, place << 22 | 2 << 11 | 2)
    some = 1 if k.segment_error(largest, places, z, 2 << 22 | 2 << 11 | 2) else 0
    k.clamp(z, largest, p)
    k.max_pool(largest, found, 0, 1 << 16 | 4)
    return crc32(found + places + bytes((some,))) & 0xFFFFFFFF
