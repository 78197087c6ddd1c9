"""Prototypes: distances, variation, answers, practice and what stays after a power cut, on every runtime."""

import struct
from array import array

from cases import Dice
from test_learner import FOLDER, remove

from tpsgd import Learner, distance, protospec, ring, runtime, variation
from tpsgd.header import HEADER, LAYER, PROTOTYPES, VERSION
from tpsgd.modelfile import Model, ModelError
from tpsgd.runtime import crc32

PATH = FOLDER + "prototypes-test.tpsgd"
STEPS, CHANNELS = 4, 3
SIZE = STEPS * CHANNELS
NAMES = ("rest", "wave", "none")

#: CRC-32 of the varied samples of ``varied``, by kind: made by the plain functions.
VARIED = {1: 0x03342C41, 2: 0x94E851DD}

#: What ``lesson`` ends with: made by the plain engine.
LESSON = (0xE69871F0, 30)


def vector(value, dice=None, spread=12):
    """Return SIZE stored activations about ``value`` and ``-value`` in turn."""
    noise = [dice.roll(-spread, spread) if dice else 0 for _ in range(SIZE)]
    return bytes([max(1, min(255, 128 + noise[i] + (value if i & 1 else -value))) for i in range(SIZE)])


def block(way=3, kind=2, score=65535, margin=-32768, none=2, scales=(100, 100, 50), labels=(0, 0, 1, 2)):
    raw = struct.pack(f"<{len(scales)}H", *scales) + bytes(labels)
    raw += bytes(-len(raw) & 3)
    passes = 0 if way == 2 else 30
    return struct.pack(protospec.HEAD, 16 + len(raw), way, kind, len(labels), none, 0, score, margin, passes, 0) + raw


def model(body, vectors=None):
    """Write a model of 4 steps of 3 channels and three classes with this prototypes block."""
    if vectors is None:
        vectors = vector(60) + vector(50) + vector(-60) + vector(0)
    body = struct.pack(LAYER, 2, 0, 3, SIZE, 4, 0, 0, 0, 0, 0) + b"\x05" + bytes(11) + body
    body += struct.pack("<ff", 0.0, 1.0) + b"\x04test\x05label\x00"
    body += b"".join([bytes((len(name),)) + name.encode() for name in NAMES]) + b"\x00\x00"
    body += bytes(-(44 + len(body)) % 4)
    weights = struct.pack("<H", 32896) * (3 * (SIZE + 1))
    head = struct.pack(
        HEADER, b"TPSG", VERSION + PROTOTYPES, 1, 44 + len(body), 44 + len(body) + len(weights) + len(vectors) + 4, 5,
        STEPS, CHANNELS, 3, 0, 0, 1, 0, 0, 1, 0, 0, 0.0, 100,
    )  # fmt: skip
    data = head + body + weights + vectors
    with open(PATH, "wb") as file:
        file.write(data + struct.pack("<I", crc32(data) & 0xFFFFFFFF))


def learner(budget=4000, engine=0, **options):
    """Return a Learner of such a model, without anything saved."""
    for name in ("slot0.ckpt", "slot1.ckpt") + ring.SLOTS:  # noqa: RUF005 - MicroPython
        remove(FOLDER + name)
    model(block(**options))
    return Learner(PATH, replay=budget, engine=engine)


def show(one, stored):
    one.feed([byte - 128 for byte in stored])
    return one


def test_distances_are_right_on_every_engine():
    assert distance.right(distance.distance)
    dice = Dice(5)
    for number, name in runtime.ENGINES.items():
        try:
            function = distance.fastest(runtime.engine(number))
        except ImportError:  # none of this interpreter's
            continue
        for n in (1, 2, 3, 7, 128, 1039):
            a = bytearray([dice.roll(1, 255) for _ in range(n)])
            b = bytearray([dice.roll(1, 255) for _ in range(n)])
            assert function(a, b, n) == distance.distance(a, b, n), (name, n)


def varied(kind, name):
    """Return the CRC-32 of eight varied samples of three shapes, and of the generator's state."""
    dice = Dice(kind)
    crc = 0
    state = array("I", (77,))
    for steps, channels in ((20, 16), (9, 6), (1, 4)):
        source = bytearray([dice.roll(1, 255) for _ in range(steps * channels)])
        target = bytearray(steps * channels)
        p = variation.parameters(steps, channels)
        for _ in range(8):
            variation.kernel(kind, name)(source, target, p, state)
            assert min(target) > 0
            crc = crc32(target, crc)
    return crc32(struct.pack("<I", state[0]), crc) & 0xFFFFFFFF


def test_samples_vary_alike_on_every_engine():
    for kind in VARIED:
        for name in ("plain", "viper"):
            assert varied(kind, name) == VARIED[kind], (kind, name, hex(varied(kind, name)))


def test_a_frame_stays_what_it_is_without_draws():
    """A generator that draws the middle of every range leaves a sample as it is."""
    for kind, middle in ((1, (2, 160, 16, 16)), (2, (1, 16, 16, 64, 64, 64, 64))):
        draws = list(middle)

        def draw(state, n, draws=draws):
            return draws.pop(0) if draws else n // 2

        old = variation.draw
        variation.draw = draw
        try:
            source = bytearray(range(1, 241))
            target = bytearray(240)
            variation.kernel(kind, "plain")(source, target, variation.parameters(20, 12), None)
        finally:
            variation.draw = old
        assert target == source, kind


def test_the_nearest_prototype_answers():
    one = learner(way=2)
    assert show(one, vector(40)).predict() == "rest"
    assert one._answer.distances[0] == 10 * SIZE and one._answer.distances[1] == 100 * SIZE
    assert one.probability > 0.9
    assert show(one, vector(-30)).predict() == "wave"
    assert show(one, vector(0)).predict() is not None  # the prototype of none only takes part in practice


def test_what_is_taught_is_a_prototype():
    one = learner(way=2)
    odd = vector(127)
    fresh = one.network.crc()
    assert show(one, odd).teach("wave") == "rest"
    assert show(one, odd).predict() == "wave"
    assert (one.network.crc(), one.practise(5)) == (fresh, 0)
    assert one.undo() == "wave"
    assert show(one, odd).predict() == "rest"


def test_a_score_too_large_is_not_sure():
    one = learner(way=2, score=512)  # 512 are twice the mean distance
    assert show(one, vector(76)).predict() == "rest"  # 16*12 = 192 of 200
    assert show(one, vector(77)).predict() is None
    show(one, vector(77)).teach("rest")
    assert show(one, vector(77)).predict() == "rest"


def test_a_margin_too_small_is_not_sure():
    one = learner(way=1, margin=1)  # the network knows nothing yet: all z are equal
    assert show(one, vector(60)).predict() is None
    one = learner(way=1, margin=0)
    assert show(one, vector(60)).predict() == "rest"


def lesson(engine):
    """Teach and practise; return the CRC of the weights and answers, and how many samples were learned."""
    one = learner(engine=engine)
    dice = Dice(9)
    for k in range(7):
        show(one, vector(40 + 5 * k, dice) if k & 1 else vector(-40 - 5 * k, dice)).teach(k & 1)
    one.practise(23)
    said = bytearray()
    for k in range(40):
        show(one, vector(dice.roll(-127, 127), dice))
        one.predict()
        said += bytes((one._answer.test(k % 3, one.replay) & 255, int(127 * one.probability + 0.5)))
    return crc32(said, one.network.crc()) & 0xFFFFFFFF, one.seen


def test_lessons_end_alike_on_every_engine():
    for number in sorted(runtime.ENGINES):
        try:
            runtime.engine(number)
        except ImportError:
            continue
        assert lesson(number) == LESSON, (number, lesson(number))


def test_practice_allocates_nothing():
    one = learner(engine=0)
    if one.network.k.NAME not in ("native", "viper", "thumb"):
        return
    for k in range(4):
        show(one, vector(60 if k & 1 else -60)).teach(k & 1)
    one.practise(3)
    runtime.lock()
    try:
        one.replay.practise(20)
        one._answer.test(255, one.replay)
    finally:
        runtime.unlock()


def test_a_new_class_is_seen_at_least_twelve_times():
    one = learner()
    one.add_class("tap")
    assert one.network.layers[-1].shifts == b"\x05"
    for _ in range(5):
        show(one, vector(100)).teach("tap")
    show(one, vector(60)).teach("rest")
    places = one.replay._fill(one.replay.order)
    order = list(one.replay.order[:places])
    assert [order.count(i) for i in range(6)] == [3, 3, 3, 3, 3, 1]
    assert [order.count(one.replay.slots + j) for j in range(4)] == [1, 1, 1, 1]
    one.practise(40 * places)
    assert show(one, vector(100)).predict() == "tap"
    assert show(one, vector(60)).predict() == "rest"
    assert one._answer.spec.scales == (100, 100, 50, 100)  # none's does not count


def test_what_was_taught_stays():
    """save() keeps it; a torn or foreign file counts for nothing; the other slot is used then."""
    one = learner(way=2)
    show(one, vector(127)).teach("wave")
    assert one.save() and not one.save()
    again = Learner(PATH, replay=4000)
    assert again.replay.kept == 1 and show(again, vector(127)).predict() == "wave"
    show(again, vector(120)).teach("wave")
    again.save()
    newest = [ring._read(FOLDER + name, 1 + SIZE, again._model_crc)[0] for name in ring.SLOTS]
    assert sorted(newest) == [1, 2]
    path = FOLDER + ring.SLOTS[1 if newest[1] == 2 else 0]
    with open(path, "rb") as file:
        raw = bytearray(file.read())
    for cut in (0, 3, 19, 20, len(raw) - 1):
        with open(path, "wb") as file:
            file.write(raw[:cut])
        assert Learner(PATH, replay=4000).replay.kept == 1
    raw[25] ^= 1
    with open(path, "wb") as file:
        file.write(raw)
    assert Learner(PATH, replay=4000).replay.kept == 1
    again.add_class("tap")
    assert [again.replay.kept, Learner(PATH, replay=4000).replay.kept] == [2, 2]
    assert Learner(PATH, replay=2 * 12 + 48).replay.kept == 1  # the newest, where there is room for one
    again.forget()
    assert Learner(PATH, replay=4000).replay.kept == 0


def test_a_sample_of_no_class_is_left_out_alone():
    """A file may be older than its model file, or lie; the other samples stay."""
    one = learner(way=2)
    for k in range(3):
        show(one, vector(60 + k)).teach(1)
    one.save()
    with open(FOLDER + ring.SLOTS[0], "rb") as file:
        raw = bytearray(file.read()[:-4])
    raw[20 + 1 + SIZE] = 9
    with open(FOLDER + ring.SLOTS[0], "wb") as file:
        file.write(raw + struct.pack("<I", crc32(raw) & 0xFFFFFFFF))
    again = Learner(PATH, replay=4000).replay
    assert [bytes(again.data[i]) for i in range(again.kept)] == [vector(60), vector(62)]


def test_practice_goes_on_after_a_reset():
    """The samples are kept, too, where practice varies them."""
    one = learner()
    for k in range(4):
        show(one, vector(60 if k & 1 else -60)).teach(k & 1)
    one.undo()
    one.save()
    again = Learner(PATH, replay=4000)
    assert [bytes(x) for x in again.replay.samples[:3]] == [bytes(x) for x in one.replay.samples[:3]]
    assert [again.practise(20), one.practise(20)] == [20, 20]
    assert again.network.crc() == one.network.crc()


def test_only_samples_are_kept_where_no_distance_is_measured():
    """What is saved has the output's inputs nevertheless: the network makes them again."""
    kept = []
    for options in ({"way": 1}, {"way": 1, "score": 65534}):
        one = learner(**options)
        assert one.replay.compact == (len(options) == 1)
        for k in range(5):
            show(one, vector(60 + k if k & 1 else -60 - k)).teach(k & 1)
        one.undo()
        show(one, vector(90))
        sample = bytes(one.network.sample)
        one.practise(20)
        one.save()
        assert bytes(one.network.sample) == sample
        with open(FOLDER + ring.SLOTS[0], "rb") as file:
            kept.append((file.read()[20:-4], one.network.crc()))
        again = Learner(PATH, replay=4000)
        assert [bytes(x) for x in again.replay.samples[:4]] == [bytes(x) for x in one.replay.samples[:4]]
        one.replay.at = 0  # the one that starts again begins a pass
        assert [again.practise(20), one.practise(20)] == [20, 20]
        assert again.network.crc() == one.network.crc()
    assert kept[0] == kept[1]


def test_bad_blocks_are_refused():
    good = block()
    model(good)
    with open(PATH, "rb") as file:
        assert Model(file).prototypes.scales == (100, 100, 50)
    places = ((0, 15), (2, 0), (2, 4), (3, 3), (4, 0), (4, 5), (6, 3), (7, 1), (14, 1), (16, 0), (22, 3), (25, 255))
    for at, value in places:
        raw = bytearray(good)
        raw[at] = value
        model(bytes(raw))
        with open(PATH, "rb") as file:
            try:
                found = Model(file)
            except ModelError as error:
                assert "prototypes" in str(error) or "length" in str(error), error
            else:
                raise AssertionError((at, value, found))
    for wrong in (block(none=255, score=3), block(none=255, margin=3)):
        model(wrong)
        with open(PATH, "rb") as file:
            try:
                Model(file)
            except ModelError as error:
                assert "none" in str(error)
            else:
                raise AssertionError(wrong)
