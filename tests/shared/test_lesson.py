"""A lesson through the link is what a Learner does in a program: the same answers and weights; nothing is allocated."""

import struct
import sys

from sources import motion
from test_golden import SkipTest
from test_learner import FOLDER, remove

from tpsgd import Learner, frames, runtime
from tpsgd import lesson as wire
from tpsgd.frontspec import HEAD, SIZE
from tpsgd.generator import step
from tpsgd.header import HEADER, LAYER, VERSION
from tpsgd.runtime import crc32
from tpsgd.serve import Server

STEPS, CHANNELS, CLASSES = 4, 3, 3
BUDGET = 1000

#: Flags of LISTEN.
EAR, LEVELS, HOLD, GO_ON = 1, 2, 4, 8


def write_model(front=True):
    """Write a model of an output layer that takes gestures; without ``front`` of rows."""
    n = STEPS * CHANNELS
    body = struct.pack(LAYER, 2, 0, CLASSES, n, 4, 0, 0, 0, 0, 0) + b"\x04" + bytes(11)
    if front:
        body += struct.pack(HEAD, 2, 0, SIZE + 12, 100, 0, 0, 0, 0, 8, 4, 20, 5, 5, 10, 32, 6, 300, 0, 1.0)
        body += struct.pack("<III", 508, 508, 254)
    body += struct.pack("<ff", 0.0, 1.0)
    body += b"\x04test\x05label\x04take\x04rest\x04wave\x04push\x00\x00"
    body += bytes(-(44 + len(body)) % 4)
    weights = struct.pack("<H", 32896) * (CLASSES * (n + 1))
    head = struct.pack(
        HEADER, b"TPSG", VERSION + front, 1, 44 + len(body), 44 + len(body) + len(weights) + 4, 5, STEPS,
        CHANNELS, CLASSES, 0, 0, 1, int(front), int(front), 1, 0, 0, 100.0 if front else 0.0, 100,
    )  # fmt: skip
    for slot in ("slot0.ckpt", "slot1.ckpt"):
        remove(FOLDER + slot)
    with open(FOLDER + "model.tpsgd", "wb") as file:
        file.write(head + body + weights)
        file.write(struct.pack("<I", crc32(weights, crc32(body, crc32(head))) & 0xFFFFFFFF))


class Sensor:
    """Readings at rest with a gesture in every 300 of them."""

    rate, channels = 100, CHANNELS

    def __init__(self, readings):
        self.readings = readings
        self.overruns = self.t = 0
        self.s = 7
        self.opened = False

    def open(self):
        return self

    def start(self):
        self.opened = True

    def stop(self):
        self.opened = False

    def readinto(self, buffer):
        t = self.t
        if t == self.readings:
            return 0
        for c in range(CHANNELS):
            self.s = step(self.s)
            v = (8000 if c == 2 else 0) + (self.s >> 25) - 64
            if t % 300 > 200 and t % 300 < 260:
                v += (9000 - 3000 * c) * (1 if t // (5 + t // 300) % 2 else -1)
            buffer[c] = v
        self.t = t + 1
        return CHANNELS

    def button(self):
        return True


class Host:
    """The other end of the link: asks when the board waits, and keeps what it says. It is the poller, too."""

    def __init__(self, sensor, requests):
        self.sensor = sensor
        self.requests = requests
        self.said = []
        self.left = b""
        self.number = 0

    def readinto(self, view):
        if not self.left:
            if not self.requests:
                return 0
            kind, payload = self.requests.pop(0)
            body = bytes([len(payload), kind, self.number]) + payload
            self.left = bytes([frames.SYNC]) + body + struct.pack("<I", crc32(body) & 0xFFFFFFFF)
            self.number = (self.number + 1) & 255
        n = min(len(view), len(self.left))
        view[:n] = self.left[:n]
        self.left = self.left[n:]
        return n

    def write(self, view):
        raw = bytes(view)
        self.said.append((raw[2], raw[4:-4]))

    def poll(self, milliseconds):
        return bool(self.left) or self.sensor.t == self.sensor.readings


HELLO = (frames.HELLO, struct.pack("<BBI", 1, 0, 0))


def listen(flags, passes=0, budget=BUDGET):
    return wire.LISTEN, struct.pack("<BBI", flags, passes, budget)


def lesson(sensor, requests, engine=0):
    """Have a board serve requests; return the server and what it said, [(kind, payload), ...], without INFO."""
    sys.modules["sensor"] = sensor
    try:
        hello = (frames.HELLO, struct.pack("<BBI", 1, engine, 0))
        host = Host(sensor, [hello] + requests)  # noqa: RUF005 - MicroPython
        server = Server(frames.Frames(host, host), host, 1024, FOLDER)
        server.serve()
    finally:
        del sys.modules["sensor"]
    return server, [one for one in host.said if one[0] != frames.INFO]


def taught_by_learner(engine):
    """Return the CRC of a Learner's weights and its samples, after the lesson of :func:`check`."""
    learner = Learner(FOLDER + "model.tpsgd", replay=BUDGET, engine=engine)
    sensor = Sensor(900)
    samples = []
    while sensor.t < sensor.readings:
        if learner.front.push(sensor.readinto(learner.front.buffer)):
            learner.take()
            samples.append(bytes(learner.network.sample[: learner.network.size]))
            learner.predict()
            learner.teach(len(samples) % CLASSES)
            learner.practise(3)
    learner.undo()
    learner.practise(4)
    return learner.network.crc(), samples


def check(name):
    """Teach three gestures and compare with a Learner."""
    numbers = {runtime.ENGINES[number]: number for number in runtime.ENGINES}
    engine = numbers[name]
    try:
        runtime.engine(engine)
    except ImportError:
        raise SkipTest("this interpreter has no engine " + name) from None
    write_model()
    crc, samples = taught_by_learner(engine)
    requests = [listen(EAR | HOLD)]
    for event in (1, 2, 3):
        requests += [
            (frames.READ, struct.pack("<BIBH", 2, 0, 60, event)),
            (wire.TEACH, struct.pack("<HB", event, event % CLASSES)),
            (wire.PRACTISE, struct.pack("<H", 3)),
            listen(EAR | HOLD | GO_ON),
        ]
    requests += [(wire.UNDO, b""), (wire.PRACTISE, struct.pack("<H", 4)), (frames.SYNC_UP, b"\0\0\0")]
    server, said = lesson(Sensor(900), requests, engine)
    chunks = [payload[4:] for kind, payload in said if kind == frames.CHUNK]
    assert chunks == samples, (len(chunks), len(samples))
    heard = [struct.unpack("<HIHB3B", payload) for kind, payload in said if kind == wire.HEARD]
    assert [one[0] for one in heard] == [1, 2, 3]
    assert all(sum(one[4:]) in (126, 127, 128) and one[4 + one[3]] == max(one[4:]) for one in heard), heard
    done = next(payload for kind, payload in said if kind == frames.DONE)
    assert struct.unpack_from("<III", done)[1:] == (3 + 9 + 4, crc)
    lessons = [struct.unpack("<HBBBBHHHHHHI", payload) for kind, payload in said if kind == wire.LESSON]
    assert [one[2] for one in lessons if one[2] != 255] == [1, 2, 0, 0]  # the last is the one that was dropped
    assert lessons[-1][5:8] == (4, 4, 2) and all(one[1] == 1 for one in lessons)
    assert server.run_id == 0


def test_plain_lesson():
    check("plain")


def test_viper_lesson():
    check("viper")


def test_a_lesson_allocates_nothing_while_it_listens_and_practises():
    write_model()
    sensor = Sensor(600)
    server, _ = lesson(sensor, [listen(EAR | LEVELS, 5)])
    k = server.network.k
    if k.NAME not in ("native", "viper", "thumb"):
        raise SkipTest("this engine allocates: " + k.NAME)
    one = server.lesson
    assert sensor.t == 600
    sensor.readings = 1200
    counts = {wire.HEARD: 0, wire.LEVEL: 0}

    def send(kind, size):
        counts[kind] += 1

    server.send = send
    server.link.payload[4:7] = struct.pack("<HB", one.event, 2)
    one.teach(one.event, 2)
    due = one.due
    assert due == 5
    runtime.lock()
    try:
        for _ in range(640):
            one.step()
    finally:
        runtime.unlock()
    assert counts[wire.HEARD] == 2
    assert counts[wire.LEVEL] == 60
    assert one.due == 0 and server.network.seen == 1 + due


def test_a_lesson_practises_as_often_as_it_was_told_and_then_waits():
    write_model()
    sample = bytes(range(100, 100 + STEPS * CHANNELS))
    show = (wire.SHOW, struct.pack("<I", 0) + sample)
    requests = [listen(0, 7), show, (wire.TEACH, struct.pack("<HB", 1, 2)), show,
                (wire.TEACH, struct.pack("<HB", 2, 1)), (wire.UNDO, b"")]  # fmt: skip
    sensor = Sensor(10)
    server, _ = lesson(sensor, requests)
    assert not sensor.opened and sensor.t == 0
    assert server.lesson.due == 0
    assert server.network.seen == 2 + 7 + 2 * 7 + 7
    server.network.sample[:12] = sample
    assert server.network.test() >> 8 == 2


def answers(requests, readings=330):
    """Return the codes of the errors and the LESSONs that requests bring."""
    server, said = lesson(Sensor(readings), requests)
    errors = [payload[0] for kind, payload in said if kind == frames.ERROR]
    return server, errors, [struct.unpack("<HBBBBHHHHHHI", payload) for kind, payload in said if kind == wire.LESSON]


def test_what_a_lesson_refuses():
    teach = wire.TEACH, struct.pack("<HB", 1, 0)
    write_model()
    _, errors, _ = answers([teach, (frames.READ, struct.pack("<BIBH", 2, 0, 9, 0)), (wire.LISTEN, b"\1\1")])
    assert errors == [12, 12, 5]
    _, errors, lessons = answers([listen(EAR | HOLD), (wire.TEACH, struct.pack("<HB", 1, 3)), teach, teach])
    assert errors == [5]
    assert [one[2] for one in lessons] == [255, 0, 0]
    show = struct.pack("<I", 0)
    parts = [(wire.SHOW, show), (wire.SHOW, show + bytes(13)), (wire.SHOW, struct.pack("<I", 4) + bytes(4)),
             (wire.SHOW, show + bytes(4)), teach, (wire.SHOW, struct.pack("<I", 4) + bytes(8))]  # fmt: skip
    _server, errors, lessons = answers([listen(EAR | HOLD)] + parts)  # noqa: RUF005
    assert errors == [5, 5, 5, 5]  # empty, too long, not from the start, and not after the other part
    assert [one[2] for one in lessons] == [255, 255, 255]  # the sample of event 1 is gone
    _, errors, lessons = answers([listen(EAR, 0, 20), listen(0, 0, 0), teach])
    assert errors == [5, 12]
    write_model(front=False)
    _, errors, lessons = answers([listen(EAR)])
    assert errors == [11] and not lessons


def test_a_sensor_that_is_wrong_or_fails_is_told():
    write_model()

    class Wide(Sensor):
        channels = 6

    class Broken(Sensor):
        def readinto(self, buffer):
            if self.t == 50:
                self.t = self.readings
                raise OSError(5)
            return Sensor.readinto(self, buffer)

    for kind in (Wide, Broken):
        server, said = lesson(kind(330), [listen(EAR | LEVELS, 0, BUDGET), (wire.UNDO, b"")])
        assert [payload[0] for what, payload in said if what == frames.ERROR] == [10], said
        assert said[-1][0] == (wire.LESSON if kind is Broken else frames.ERROR) or kind is Wide
    assert server.lesson.ear is None and server.lesson.replay


def test_a_level_shows_the_newest_frame():
    write_model()
    _, said = lesson(Sensor(320), [listen(EAR | LEVELS)])
    levels = [payload for kind, payload in said if kind == wire.LEVEL]
    assert len(levels) == 32
    loud = [struct.unpack_from("<HBBHHI", payload) for payload in levels]
    assert max(one[2] for one in loud[4:20]) < 4 < max(one[2] for one in loud[20:26])
    assert [one[1] & 1 for one in loud[:20]] == [0] * 20 and any(one[1] & 1 for one in loud[20:28])
    assert all(one[1] & 2 for one in loud)  # the button is pressed
    assert [one[0] for one in loud] == sorted(one[0] for one in loud) and loud[-1][0] == 1
    spec = motion().front
    sensor = Sensor(320)
    reading = [0] * CHANNELS
    for _ in range(320):
        sensor.readinto(reading)
    x = [((reading[c] * spec.table[c] + 32768) >> 16) + 128 for c in range(CHANNELS)]
    assert list(levels[-1][12:]) == x


def test_a_run_ends_the_lesson_and_a_new_session_does_not():
    write_model()
    show = (wire.SHOW, struct.pack("<I", 0) + bytes(range(1, 13)))
    begun = [listen(0, 0), show, (wire.TEACH, struct.pack("<HB", 1, 2))]
    server, said = lesson(Sensor(10), begun + [listen(EAR)])  # noqa: RUF005
    assert server.lesson.replay.kept == 1 and server.lesson.ear
    kept = server.lesson
    sensor = kept.ear.capture
    server.link._source.requests = [HELLO]
    server.link._source.number = 9
    server.serve()
    assert server.lesson is kept and kept.replay.kept == 1 and kept.ear is None and not sensor.opened
    start = (frames.START, struct.pack("<BIIII", 1, 5, 9, 0, 0))
    server, said = lesson(Sensor(10), begun + [start, (wire.UNDO, b"")])  # noqa: RUF005
    assert server.lesson is None and server.link.idle is None
    assert said[-1][0] == frames.ERROR and said[-1][1][0] == 12
