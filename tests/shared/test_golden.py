"""The shared suite: every engine against the golden table, and damaged model files.

The tests are plain functions with plain asserts, for pytest and for ``run.py`` on any MicroPython.
"""

import io
import struct

import cases
from golden import GOLDEN

from tpsgd import runtime
from tpsgd.header import HEADER, LAYER, VERSION
from tpsgd.modelfile import Model, ModelError
from tpsgd.network import build
from tpsgd.runtime import crc32

try:
    from unittest import SkipTest
except ImportError:  # MicroPython

    class SkipTest(Exception):  # noqa: N818 - named as the one of unittest, which pytest knows
        """A test that cannot run here."""


PLAIN, NP, VIPER, THUMB, NATIVE = 1, 2, 4, 5, 6
DENSE, OUTPUT = 0, 2
TOP, BOTTOM = 65535, 256


def engine(number):
    """Return an engine, or skip the test."""
    try:
        return runtime.engine(number)
    except ImportError:
        raise SkipTest("no engine " + runtime.ENGINES[number] + " on " + runtime.machine()) from None


def engines():
    """Return every engine that runs here."""
    found = []
    for number in sorted(runtime.ENGINES):
        try:
            found.append(runtime.engine(number))
        except ImportError:
            pass
    return found


def network(k, channels, classes, layers):
    """Return a network of one step.

    Each of ``layers`` is (kind, units, inputs, S, A, frozen, s, fill), ``fill`` the stored value of every weight.
    """
    body = weights = b""
    for kind, units, inputs, forward, amplitude, frozen, shift, fill in layers:
        body += struct.pack(LAYER, kind, frozen, units, inputs, forward, 0, amplitude, 0, 0, 0)
        body += bytes([shift]) + bytes(11)
        weights += (bytes([fill >> 8]) if frozen else struct.pack("<H", fill)) * (units * (inputs + 1))
    body += struct.pack("<ff", 0.0, 1.0)
    body += b"\0\0\0" + b"".join([b"\x01" + bytes([97 + i]) for i in range(classes)]) + b"\0\0"
    body += bytes(-(44 + len(body)) % 4)
    head = struct.pack(
        HEADER, b"TPSG", VERSION, len(layers), 44 + len(body), 44 + len(body) + len(weights) + 4, 5, 1, channels,
        classes, 0, 0, 1, 0, 0, 1, 0, 0, 0.0, 0,
    )  # fmt: skip
    data = head + body + weights
    file = io.BytesIO(data + struct.pack("<I", crc32(data) & 0xFFFFFFFF))
    return build(file, Model(file), k)


def feed(net, values, y):
    """Train on one sample of signed values."""
    for j, value in enumerate(values):
        net.sample[j] = value + 128
    return net.train(y)


def words(raw):
    """Return the uint16 of stored weights."""
    return [raw[i] | raw[i + 1] << 8 for i in range(0, len(raw), 2)]


def check_golden(number, locked=False):
    """Compare all cases with the table."""
    k = engine(number)
    assert len(GOLDEN) == cases.CASES
    for case in range(cases.CASES):
        assert cases.train(case, k, locked=locked) == GOLDEN[case], f"case {case}"


def refused(data):
    """Return whether a model file of these bytes is refused. Any other error fails the test."""
    try:
        Model(io.BytesIO(data))
    except ModelError:
        return True
    return False


def test_golden_plain():
    """The plain engine gives the table."""
    check_golden(PLAIN)


def test_golden_np():
    """The array engine gives the table."""
    check_golden(NP)


def test_golden_viper():
    """The viper engine gives the table."""
    check_golden(VIPER)


def test_golden_thumb():
    """The assembler engine gives the table."""
    check_golden(THUMB)


def test_golden_native():
    """The engine in C gives the table, the whole step in one call."""
    check_golden(NATIVE)


def test_native_allocates_nothing():
    """The engine in C trains with the heap locked."""
    check_golden(NATIVE, locked=True)


def test_viper_allocates_nothing():
    """The viper engine trains with the heap locked."""
    check_golden(VIPER, locked=True)


def test_thumb_allocates_nothing():
    """The assembler engine trains with the heap locked."""
    check_golden(THUMB, locked=True)


def test_weights_stop_at_both_ends():
    """Weights that are always pushed outward stop at the ends of their range and stay there."""
    for k in engines():
        net = network(k, 2, 2, [(DENSE, 40, 2, 15, 100, 0, 1, 32896), (OUTPUT, 2, 40, 5, 0, 0, 1, 32896)])
        for _ in range(12):
            feed(net, (127, -127), 0)
        hidden = words(net.weights()[0])
        assert set(hidden) == {TOP, BOTTOM}, k.NAME
        for i in range(0, len(hidden), 3):  # the bias goes with the input of its sign
            assert hidden[i] == hidden[i + 2] != hidden[i + 1], k.NAME


def test_frozen_layer_stays():
    """Training leaves a frozen layer as it is and changes the next one."""
    for k in engines():
        net = network(k, 3, 2, [(DENSE, 4, 3, 5, 100, 1, 5, 0xA000), (OUTPUT, 2, 4, 5, 0, 0, 5, 32896)])
        before = [bytes(w) for w in net.weights()]
        for y in (0, 1, 0):
            feed(net, (10, -20, 127), y)
        assert bytes(net.weights()[0]) == before[0], k.NAME
        assert bytes(net.weights()[1]) != before[1], k.NAME


def test_shift_0_leaves_a_layer_alone():
    """A phase whose shift is 0 does not learn."""
    for k in engines():
        net = network(k, 3, 2, [(DENSE, 4, 3, 5, 100, 0, 0, 40000), (OUTPUT, 2, 4, 5, 0, 0, 0, 30000)])
        before = net.crc()
        feed(net, (10, -20, 127), 1)
        assert net.crc() == before, k.NAME


def test_a_test_sample_learns_nothing():
    """Classifying changes neither weights nor the count of training samples."""
    for k in engines():
        net = network(k, 3, 2, [(OUTPUT, 2, 3, 5, 0, 0, 5, 40000)])
        before = net.crc()
        assert net.test() == 64, k.NAME  # class 0 of two equal ones, p = 127/2 rounded
        assert (net.crc(), net.seen) == (before, 0), k.NAME


def test_widest_layer_sums_exactly():
    """1,040 columns of the largest weights: the sum has 24 bits, and the engines agree on all of them."""
    for fill in (TOP, BOTTOM):
        got = []
        for k in engines():
            net = network(k, 1039, 2, [(DENSE, 3, 1039, 0, 127, 0, 9, fill), (OUTPUT, 2, 3, 0, 0, 0, 9, 33000)])
            results = [feed(net, [127 - (i * j) % 3 for j in range(1039)], i & 1) for i in range(3)]
            got.append((net.crc(), results))
        assert all(one == got[0] for one in got)


def test_a_whole_model_is_read():
    """The model files that the next tests damage are valid."""
    for case in range(cases.CASES):
        assert not refused(cases.model_bytes(case))


def test_truncated_model_is_refused():
    """A model file that ends early is refused, wherever it ends."""
    for case in (0, 1):
        data = cases.model_bytes(case)
        for n in list(range(min(200, len(data)))) + list(range(200, len(data), 97)) + [len(data) - 1]:
            assert refused(data[:n]), f"case {case}, {n} bytes"
        assert refused(data + b"\0"), "a byte too many"


def test_flipped_byte_is_refused():
    """A model file with one changed byte is refused, whichever byte it is."""
    for case in (0, 1):
        data = cases.model_bytes(case)
        for at in list(range(min(200, len(data)))) + list(range(200, len(data), 97)) + [len(data) - 1]:
            for mask in (1, 0x80, 0xFF):
                bad = data[:at] + bytes([data[at] ^ mask]) + data[at + 1 :]
                assert refused(bad), f"case {case}, byte {at}"


def test_bad_field_with_a_right_crc():
    """A wrong field in a file whose CRC is right is refused or read; no other error is raised."""
    for case in (0, 1, 24, 25, 31):
        data = cases.model_bytes(case)[:-4]
        end = Model(io.BytesIO(cases.model_bytes(case))).header
        for at in range(end):
            for value in (0, 1, 0x7F, 0xFF):
                refused(sealed(data, at, value))


def sealed(data, at, value):
    """Return a model file, given without its CRC, with one byte changed and the right CRC."""
    bad = data[:at] + bytes([value]) + data[at + 1 :]
    return bad + struct.pack("<I", crc32(bad) & 0xFFFFFFFF)


def test_layers_that_do_not_fit_are_refused():
    """Empty kernels, layers in a wrong place for their kind, kernel fields in layers without a kernel."""
    kind, regions, rows, stride, pool = 0, 11, 20, 22, 23
    for case, layer, field, values in (
        (29, 0, rows, (0, 200)), (29, 0, stride, (0,)), (29, 0, pool, (0, 200)), (29, 0, regions, (0, 16)),
        (29, 0, kind, (0, 1, 2)), (29, 1, kind, (0, 1, 2)), (24, 0, kind, (0, 2, 3)), (24, 1, kind, (0, 2, 3, 4)),
        (24, 0, pool, (1,)), (0, 0, regions, (1,)), (0, 0, rows, (1,)),
    ):  # fmt: skip
        data = cases.model_bytes(case)[:-4]
        for value in values:
            assert refused(sealed(data, 44 + 24 * layer + field, value)), (case, layer, field, value)
