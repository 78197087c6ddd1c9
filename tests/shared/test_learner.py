"""The Learner: windows, resampling and scaling as in SPEC 1.5 and 1.6; learning, checkpoints, wrong use."""

import os
import struct

from tpsgd import Learner
from tpsgd.header import HEADER, LAYER, VERSION
from tpsgd.runtime import crc32

try:
    from tempfile import mkdtemp

    FOLDER = mkdtemp() + "/"
except ImportError:  # MicroPython
    FOLDER = (os.getenv("TMPDIR") or "/tmp") + "/" if hasattr(os, "getenv") else ""
PATH = FOLDER + "learner-test.tpsgd"


def learner(window=4, hop=0, steps=2, mean=0, windows=1, scales=((0.0, 1.0),), **options):
    """Return a Learner of 2 channels and the classes rest and wave, without checkpoints."""
    n = steps * 2
    body = struct.pack(LAYER, 2, 0, 2, n, 4, 0, 0, 0, 0, 0) + b"\x04" + bytes(11)
    for offset, gain in scales:
        body += struct.pack("<ff", offset, gain)
    body += b"\x04test\x05label\x00\x04rest\x04wave\x00\x00"
    body += bytes(-(44 + len(body)) % 4)
    weights = struct.pack("<H", 32896) * (2 * (n + 1))
    head = struct.pack(
        HEADER, b"TPSG", VERSION, 1, 44 + len(body), 44 + len(body) + len(weights) + 4, 5, steps, 2, 2, 0, 0, 1,
        windows, mean, len(scales), window, hop, 0.0, 100,
    )  # fmt: skip
    data = head + body + weights
    for slot in ("slot0.ckpt", "slot1.ckpt"):
        remove(FOLDER + slot)
    with open(PATH, "wb") as file:
        file.write(data + struct.pack("<I", crc32(data) & 0xFFFFFFFF))
    return Learner(PATH, **options)


def remove(path):
    """Remove a file that may not be there."""
    try:
        os.remove(path)
    except OSError:
        pass


def sample(one):
    """Return the activations that the network sees."""
    return [byte - 128 for byte in one.network.sample[: one.network.size]]


def refused(function, *arguments):
    """Return the text of the ValueError that a call must raise."""
    try:
        function(*arguments)
    except ValueError as error:
        return str(error)
    raise AssertionError("not refused")


def test_a_window_is_interpolated():
    """Three steps from four readings: positions 0, 1.5 and 3."""
    one = learner(steps=3)
    for i in range(6):  # the ring wraps: readings 2 to 5 are left
        one.feed((10 * i, -i * i))
    one.predict()
    assert sample(one) == [20, -4, 35, -12, 50, -25]  # -12.5 rounds up


def test_a_window_is_averaged():
    """Two steps from five readings: 0 and 1, then 2, 3 and 4."""
    one = learner(window=5, mean=1)
    for i in range(7):
        one.feed((i, i * i))
    one.predict()
    assert sample(one) == [3, 7, 5, 26]  # 2.5 and 6.5 round up; 25.67


def test_one_step_is_the_middle():
    """T = 1 takes position (W - 1)/2."""
    one = learner(steps=1)
    for i in range(4):
        one.feed((10 * i, 20 * i))
    one.predict()
    assert sample(one) == [15, 30]


def test_readings_are_scaled_and_clamped():
    """Each channel has its offset and gain; values out of range are clamped."""
    one = learner(window=3, steps=3, scales=((100.0, 0.5), (-1.0, 100.0)))
    for reading in ((100, -1), (1e30, 0.275), (-1e30, -3e38)):
        one.feed(reading)
    one.predict()
    assert sample(one) == [0, 0, 127, 127, -127, -127]


def test_integers_of_16_bits_give_the_same():
    """A window of 16-bit integers gives the same sample as one of floats."""
    seen = []
    for kind in "fh":
        one = learner(window=5, steps=3, readings=kind, scales=((0.0, 0.01),))
        for i in range(9):
            one.feed((i * 900 - 5000, i * i * 70))
        one.predict()
        seen.append(sample(one))
    assert seen[0] == seen[1]
    one.feed((-32768, 32767))
    for value in (-32769, 32768):
        assert str(value) in refused(one.feed, (value, 0))


def test_ready_is_where_the_host_cuts():
    """A window ends every ``hop`` readings; a new recording starts empty."""
    for hop, ends in ((0, [4, 8]), (3, [4, 7, 10]), (6, [4, 10])):
        one = learner(hop=hop)
        for _ in range(2):
            found = []
            for i in range(10):
                one.feed((i, i))
                if one.ready:
                    found.append(i + 1)
                    one.predict()
                    one.learn(0)
            assert found == ends
            one.clear()


def test_a_whole_recording_of_any_length():
    """A model without a window takes all readings since the last clear, or the last ``longest`` of them."""
    one = learner(window=0, longest=6)
    for count, first in ((1, 0), (4, 0), (9, 3)):
        one.clear()
        assert not one.ready
        for i in range(count):
            one.feed((i, 2 * i))
        assert one.ready
        one.predict()
        assert sample(one) == [first, 2 * first, count - 1, 2 * count - 2]
    assert "longest" in refused(lambda: learner(window=0))


def test_a_row_is_a_sample():
    """A model of rows takes all steps of a sample at once."""
    one = learner(window=0, windows=0, scales=((0.0, 1.0), (1.0, 2.0)))
    assert not one.ready
    one.feed((1, 2, 3, 4))
    assert one.ready
    one.learn("rest")
    assert sample(one) == [1, 2, 3, 6]
    assert not one.ready


def test_it_learns_and_says_how_well():
    """After a few samples of two classes the predictions are right; labels may be names or numbers."""
    one = learner()
    assert (one.classes, one.accuracy) == (("rest", "wave"), 0.0)
    for i in range(40):
        for _ in range(4):
            one.feed((60, -60) if i & 1 else (-60, 60))
        one.learn(i & 1 if i & 2 else one.classes[i & 1])
    assert one.seen == 40
    assert one.accuracy > 0.9
    assert one.predict() == "wave"
    assert one.probability > 0.8


def test_what_was_learned_is_kept():
    """save() writes when something was learned; the next Learner starts from it; forget() starts again."""
    one = learner()
    fresh = one.network.crc()
    assert not one.save()
    for _ in range(4):
        one.feed((60, -60))
    one.learn("wave")
    assert one.save()
    assert not one.save()
    again = Learner(PATH)
    assert again.network.crc() == one.network.crc() != fresh
    assert (again.seen, again.network.total) == (1, 100)
    again.forget()
    assert (again.network.crc(), again.seen, again.network.total) == (fresh, 0, 100)
    assert Learner(PATH).network.crc() == fresh


def test_wrong_use_is_told():
    """An error tells the fact and the value."""
    one = learner()
    assert "0 of 4" in refused(one.predict)
    one.feed((1, 2))
    assert "1 of 4" in refused(one.learn, 0)
    assert "3 values" in refused(one.feed, (1, 2, 3))
    for value in ("nan", "inf", "-inf"):
        assert value in refused(one.feed, (0, float(value)))
    for _ in range(3):
        one.feed((1, 2))
    for label in ("run", 2, -1, 255):
        assert "rest, wave" in refused(one.learn, label)
    assert one.seen == 0


def teach(one, k):
    """Teach a sample of class 1 (k odd) or 0."""
    for _ in range(4):
        one.feed((40 + k, -40) if k & 1 else (-40 - k, 40))
    return one.teach(k & 1)


def test_what_was_taught_is_practised():
    """A few samples, seen once, are learned by practice; each pass takes every sample once."""
    one = learner(replay=900)
    assert one.replay.slots == 17  # a sample is 4 bytes, and 48 more; one spare
    for k in range(6):
        teach(one, k)
    first = one.network.crc()
    assert one.practise(60) == 60
    assert (one.seen, one.replay.kept) == (66, 6)
    assert one.network.crc() != first
    for k in range(6):
        for _ in range(4):
            one.feed((40 + k, -40) if k & 1 else (-40 - k, 40))
        assert one.predict() == one.classes[k & 1]
        assert one.probability > 0.8


def test_practice_leaves_the_present_sample():
    """After practice the window that was there can be predicted and taught."""
    one = learner(replay=900)
    for k in range(3):
        teach(one, k)
    for _ in range(4):
        one.feed((7, 9))
    one.predict()
    one.practise(5)
    assert sample(one) == [7, 9, 7, 9]
    accuracy = one.accuracy
    one.teach("wave")
    one.practise(3)
    assert one.accuracy != accuracy  # of samples not seen before
    assert one.replay.kept == 4


def test_a_pass_takes_each_sample_once():
    """The order is new in each pass, and nobody is left out."""
    one = learner(replay=900)
    for k in range(7):
        teach(one, k)
    passes = [[one.replay._next() for _ in range(7)] for _ in range(6)]
    assert [sorted(order) for order in passes] == [list(range(7))] * 6
    assert len({tuple(order) for order in passes}) > 1


def test_a_full_store_drops_the_oldest_of_the_largest_class():
    """The budget is kept, and a class that is taught often does not drive the others out."""
    one = learner(replay=4 + 4 * 52)
    assert one.replay.slots == 4
    for k in (0, 2, 1, 4, 6, 8):
        teach(one, k)
    kept = [(one.replay.labels[i], one.replay.numbers[i]) for i in range(4)]
    assert sorted(kept) == [(0, 4), (0, 5), (0, 6), (1, 3)]
    assert list(one.replay.counts) == [3, 1]


def test_undo_drops_the_newest():
    """undo() names what it dropped; practice then takes the others only."""
    one = learner(replay=900)
    assert one.undo() is None
    for k in (0, 1, 2):
        teach(one, k)
    assert [one.undo(), one.undo()] == ["rest", "wave"]
    assert one.replay.kept == 1
    assert [byte - 128 for byte in one.replay.data[0]] == [-40, 40, -40, 40]
    assert [one.replay._next() for _ in range(3)] == [0, 0, 0]
    one.forget()
    assert (one.replay.kept, list(one.replay.counts), one.practise()) == (0, [0, 0], 0)


def test_teaching_needs_room():
    """Without a budget nothing is taught, and one that is too small says what a sample takes."""
    one = learner()
    assert "replay=BYTES" in refused(teach, one, 1)
    assert one.practise() == 0
    assert "56 bytes" in refused(lambda: learner(replay=55))


def test_a_class_more_keeps_what_was_taught():
    """add_class() goes on with the samples so far."""
    one = learner(replay=900)
    for k in range(4):
        teach(one, k)
    one.add_class("tap")
    for _ in range(4):
        one.feed((90, 90))
    one.teach("tap")
    assert list(one.replay.counts) == [2, 2, 1]
    assert one.practise(50) == 50
    assert one.predict() == "tap"
