"""A class that a Learner adds: what stays, what is learned, what a power cut leaves (SPEC 1.8)."""

import os
import struct
from array import array

from cases import Dice
from test_learner import FOLDER, refused, remove

from tpsgd import Learner, newclass
from tpsgd.header import HEADER, LAYER, VERSION
from tpsgd.modelfile import Model
from tpsgd.runtime import crc32

PATH = FOLDER + "newclass-test.tpsgd"

#: Centre of the readings of each class. The last class is added.
PLACES = {"rest": (-60, -60), "wave": (60, -60), "tap": (60, 60)}
NAMES = ("rest", "wave", "tap")
HIDDEN = 12


class PowerCutError(Exception):
    """The power fails: nothing runs after it."""


class Failing:
    """A file whose write number ``left`` fails half-way."""

    def __init__(self, path, mode, left, error):
        self.file = open(path, mode)
        self.left = left
        self.error = error

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.file.close()

    def write(self, raw):
        if self.left[0] == 0:
            self.file.write(bytes(raw)[: len(raw) // 2])
            raise self.error
        self.left[0] -= 1
        self.file.write(raw)

    def flush(self):
        self.file.flush()


class Sabotage:
    """A context in which names of the module mean something else."""

    def __init__(self, **names):
        self.names = names

    def __enter__(self):
        self.before = {name: getattr(newclass, name, None) for name in self.names}
        for name, value in self.names.items():
            setattr(newclass, name, value)

    def __exit__(self, *error):
        for name, value in self.before.items():
            setattr(newclass, name, open if name == "open" else value)


def failing(left, error):
    """Return an ``open`` whose files fail when written."""
    return lambda path, mode: Failing(path, mode, left, error) if mode == "wb" else open(path, mode)


def write_model(frozen=0, feedback=True, columns=b"\x02\0\x02ax\x02ay"):
    """Write a model of rows of 2 channels: a hidden layer, and an untrained output."""
    dice = Dice(3)
    shifts = b"\x06" + bytes(7)
    body = struct.pack(LAYER, 0, 0, HIDDEN, 2, 5, 0, 0 if feedback else 100, 0, 0, 0) + shifts + bytes(4)
    body += struct.pack(LAYER, 2, frozen, 2, HIDDEN, 5, 0, 0, 0, 0, 0) + shifts + bytes(4)
    body += struct.pack("<ff", 0.0, 1.0) + b"\x04test\x05label\x00\x04rest\x04wave" + columns
    body += bytes(-(44 + len(body)) % 4)
    weights = b"".join([struct.pack("<H", 32896 + dice.roll(-9000, 9000)) for _ in range(3 * HIDDEN)])
    weights += bytes([128]) * (2 * (HIDDEN + 1)) if frozen else struct.pack("<H", 32896) * (2 * (HIDDEN + 1))
    head = struct.pack(
        HEADER, b"TPSG", VERSION, 2, 44 + len(body), 44 + len(body) + len(weights) + 4, 5, 1, 2, 2, 0, 0, 1, 0, 0, 1,
        0, 0, 0.0, 0,
    )  # fmt: skip
    data = head + body + weights
    for name in (FOLDER + "slot0.ckpt", FOLDER + "slot1.ckpt", PATH + ".new"):
        remove(name)
    with open(PATH, "wb") as file:
        file.write(data + struct.pack("<I", crc32(data) & 0xFFFFFFFF))


def present(one, name, dice, learn=True):
    """Feed a reading near the centre of a class; learn it, or return the prediction."""
    x, y = PLACES[name]
    one.feed((x + dice.roll(-25, 25), y + dice.roll(-25, 25)))
    return one.learn(name) if learn else one.predict()


def taught(**options):
    """Return a Learner that has learned two classes and saved them."""
    write_model(**options)
    one = Learner(PATH)
    dice = Dice(1)
    for i in range(60):
        present(one, ("rest", "wave")[i & 1], dice)
    one.save()
    return one


def predictions(one):
    """Return the predictions near the centres of all classes, with their probabilities."""
    dice = Dice(9)
    return [(present(one, name, dice, learn=False), one.probability) for name in NAMES for _ in range(20)]


def contents(path):
    """Return a file's bytes, or None where there is no file."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return None


def test_the_old_classes_stay_and_the_new_one_is_learned():
    """Adding changes no prediction. A few samples teach the new class, and a few old ones keep the old classes."""
    for feedback in (True, False):
        one = taught(feedback=feedback)
        before = [name for name, _ in predictions(one)]
        assert before[:40] == ["rest"] * 20 + ["wave"] * 20
        one.add_class("tap")
        assert one.classes == ("rest", "wave", "tap")
        assert (one.seen, one.accuracy, one.network.classes) == (0, 0.0, 3)
        assert [name for name, _ in predictions(one)] == before
        dice = Dice(2)
        for i in range(30):
            present(one, ("tap", "rest", "wave")[i % 3], dice)
        right = [name for name in NAMES for _ in range(20)]
        assert [name for name, _ in predictions(one)] == right


def test_what_was_learned_is_in_the_new_file():
    """The old weights stay, saved or not; the new row is the mean of the old ones."""
    one = taught()
    present(one, "rest", Dice(4))  # not saved
    hidden, output = [bytes(w) for w in one.network.weights()]
    one.add_class("tap")
    found = [bytes(w) for w in one.network.weights()]
    assert found[0] == hidden
    assert found[1][: len(output)] == output
    rows = array("H", output)
    mean = [(rows[j] + rows[j + HIDDEN + 1]) // 2 for j in range(HIDDEN + 1)]
    assert list(array("H", found[1][len(output) :])) == mean
    assert contents(PATH + ".new") is None
    assert not one.save()


def test_it_is_there_after_a_restart():
    """A restart keeps the class and what was saved after it; forget() goes back to the moment of adding."""
    one = taught()
    one.add_class("tap")
    added = one.network.crc()
    assert contents(FOLDER + "slot0.ckpt") is None
    again = Learner(PATH)
    assert (again.classes, again.network.crc(), again.seen) == (one.classes, added, 0)
    present(again, "tap", Dice(5))
    assert again.save()
    last = Learner(PATH)
    assert (last.network.crc(), last.seen) == (again.network.crc(), 1) != (added, 0)
    last.forget()
    assert (last.network.crc(), last.classes) == (added, ("rest", "wave", "tap"))


def test_a_reading_fed_before_may_be_learned_after():
    """The new network keeps the sample."""
    one = taught()
    one.feed((60, 60))
    one.add_class("tap")
    one.learn("tap")
    assert list(one.network.sample[:2]) == [188, 188]


def test_one_class_after_the_other_and_names_of_any_length():
    """The header's padding takes every value, names have any alphabet, and the column names stay."""
    for columns in (b"\0\0", b"\x02\0\x02ax\x02ay"):
        one = taught(columns=columns)
        names = ["a" * i for i in range(1, 6)] + ["gru\u00df", "\u624b", "z" * 255]
        for name in names:
            one.add_class(name)
        assert Learner(PATH).classes == ("rest", "wave") + tuple(names)  # noqa: RUF005 - old interpreters
        data = contents(PATH)
        assert columns in data[: struct.unpack_from("<H", data, 6)[0]]
        assert present(one, "rest", Dice(6), learn=False) == "rest"


def test_what_cannot_be_added():
    """A refusal leaves the model file as it was."""
    one = taught()
    before = contents(PATH), one.network.crc()
    for name, said in (
        ("wave", "already"), ("", "0 bytes"), ("x" * 256, "256 bytes"), ("\u624b" * 86, "258 bytes"), (3, "not 3"),
    ):  # fmt: skip
        assert said in refused(one.add_class, name)
    full = tuple([str(i) for i in range(255)])
    assert "255 classes" in refused(newclass.add, PATH, one.network, full, "one more")
    assert (contents(PATH), one.network.crc()) == before
    write_model(frozen=1)
    assert "frozen" in refused(Learner(PATH).add_class, "tap")
    write_model()
    with open(PATH, "rb") as file:
        assert "65535" in refused(newclass._write, PATH + ".new", file, Model(file), one.network, bytes(65500))


def test_power_cuts_at_every_write():
    """Every cut leaves the old model with its checkpoint, or the new model, whole."""
    cuts = 0
    found = []
    while True:
        one = taught()
        old = one.network.crc()
        hidden = bytes(one.network.weights()[0])
        left = [cuts]
        try:
            with Sabotage(open=failing(left, PowerCutError())):
                one.add_class("tap")
        except PowerCutError:
            after = Learner(PATH)
            found.append(len(after.classes))
            if found[-1] == 2:
                assert (after.network.crc(), after.classes, after.seen) == (old, NAMES[:2], 60)
                after.add_class("tap")  # over the remains of the cut
            assert contents(PATH + ".new") is None
            again = Learner(PATH)
            assert (again.classes, again.seen) == (NAMES, 0)
            assert again.network.weights()[0] == hidden
            cuts += 1
            continue
        break
    assert found.count(2) > 6 and found.count(3) > 1 and found == sorted(found)
    assert Learner(PATH).classes == NAMES


def test_power_cuts_between_the_files():
    """A whole new file beside an old one that is whole, torn or gone."""
    one = taught()
    old = contents(PATH)
    one.add_class("tap")
    new = contents(PATH)
    for path, other, classes in (
        (old, new, 2), (old[:-1], new, 3), (b"", new, 3), (None, new, 3), (new, new, 3), (new, None, 3),
    ):  # fmt: skip
        for name, data in ((PATH, path), (PATH + ".new", other)):
            remove(name)
            if data is not None:
                with open(name, "wb") as file:
                    file.write(data)
        assert len(Learner(PATH).classes) == classes
        assert contents(PATH) == (new if classes == 3 else old)
        assert contents(PATH + ".new") is None


def test_a_flash_that_is_full():
    """On a full flash the Learner goes on as before and leaves no file. Room for one new file is enough."""
    refusals = 0
    for at in range(12):
        one = taught()
        old = one.network.crc()
        try:
            with Sabotage(open=failing([at], OSError(28))):
                one.add_class("tap")
            assert one.classes == Learner(PATH).classes == NAMES
        except OSError as error:
            refusals += 1
            assert error.args[0] == 28
            assert (one.classes, one.network.crc()) == (NAMES[:2], old)
            present(one, "wave", Dice(7))
            assert Learner(PATH).network.crc() == old
        assert contents(PATH + ".new") is None
    assert 6 < refusals < 12


def test_no_model_at_all():
    """Without either file the Learner raises OSError, as without add_class."""
    write_model()
    os.remove(PATH)
    try:
        Learner(PATH)
    except OSError as error:
        assert error.args[0] == 2
    else:
        raise AssertionError("opened")
