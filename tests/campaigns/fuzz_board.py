"""Mutated frames and files against the device program, in whatever interpreter runs this.

Arguments: frames, lessons, models, checkpoints, prototypes or rings; how many; the seed; an empty folder. ``fuzz.py``
starts it in MicroPython, where native code handles what the mutants say, and imports it in CPython.
"""

import io
import os
import struct
import sys

from tpsgd import checkpoint, frames, incoming, modelfile, ring, runtime, tape
from tpsgd import lesson as live
from tpsgd.answer import Answer
from tpsgd.generator import mix, step
from tpsgd.modelfile import Model
from tpsgd.network import build
from tpsgd.serve import FAULT, Server
from tpsgd.taught import Taught

KINDS = (
    frames.HELLO, frames.START, frames.DATA, frames.SYNC_UP, frames.READ, incoming.PUT, incoming.PART, frames.BYE,
)  # fmt: skip


class Dice:
    """The same numbers in every interpreter."""

    def __init__(self, seed):
        self._state = mix(seed)

    def getrandbits(self, n):
        self._state = step(self._state)
        return self._state >> (32 - n)

    def randrange(self, first, end=None):
        if end is None:
            first, end = 0, first
        return first + self.getrandbits(31) % (end - first)

    def choice(self, among):
        return among[self.randrange(len(among))]

    def random(self):
        return self.getrandbits(24) / (1 << 24)

    def randbytes(self, n):
        return bytes([self.getrandbits(8) for _ in range(n)])


def mutate(dice, data):
    """Return data with a few bytes changed, dropped, doubled or inserted."""
    out = bytearray(data)
    for _ in range(dice.choice((1, 1, 2, 4, 12))):
        at = dice.randrange(len(out) + 1)
        kind = dice.randrange(6)
        if kind == 0:
            out = out[:at] + dice.randbytes(dice.randrange(1, 9)) + out[at:]
        elif not out:
            continue
        elif kind == 1:
            out = out[:at] + out[at + dice.randrange(1, 9) :]
        elif kind == 2:
            out = out[:at] + out[at : at + dice.randrange(1, 9)] + out[at:]
        elif kind == 3:
            out[at % len(out)] = dice.choice((0, 1, 127, 128, 255))
        else:
            out[at % len(out)] ^= 1 << dice.randrange(8)
    return bytes(out)


def crc_of(data):
    return struct.pack("<I", runtime.crc32(data) & 0xFFFFFFFF)


def right_crc(data):
    """Return a file with the CRC that its other bytes have, and its length where that is said."""
    if len(data) < 16:
        return data
    data = data[:8] + struct.pack("<I", len(data)) + data[12:]
    return data[:-4] + crc_of(data[:-4])


# -- frames


def frame(kind, number, payload):
    body = bytes([len(payload), kind, number]) + payload
    return bytes([frames.SYNC]) + body + crc_of(body)


def frames_in(data):
    """Return (kind, payload) of the frames among bytes."""
    found = []
    at = 0
    while at + 8 <= len(data):
        end = at + data[at + 1] + 4
        if data[at] == frames.SYNC and end + 4 <= len(data) and crc_of(data[at + 1 : end]) == data[end : end + 4]:
            found.append((data[at + 2], data[at + 4 : end]))
            at = end + 4
        else:
            at += 1
    return found


class Wire:
    """What a server reads from, and writes to."""

    def __init__(self):
        self.incoming = io.BytesIO()
        self.answers = bytearray()

    def readinto(self, view):
        return self.incoming.readinto(view)

    def write(self, data):
        self.answers += data

    def give(self, server, data):
        """Have the server read ``data`` to its end; return what it answered."""
        self.incoming = io.BytesIO(data)
        self.answers = bytearray()
        server.link._have = server.link._used = 0
        server.serve()
        return frames_in(bytes(self.answers))


def state(server):
    """Return all that a frame could change."""
    network, one = server.network, server.lesson
    return (
        server.expected, server.answered, server.taken, server.run_id, server.applied, server.confirmed, server.every,
        server.generation, server.failed, server.op, server.label, server.at, bytes(server.results),
        isinstance(one, incoming.Incoming) and (one.taken, one.generation, one.wrong),
        network and (network.crc(), network.seen, network.total, network.state[0]),
    )  # fmt: skip


def genuine(dice, server):
    """Return a frame as a host might send it now."""
    kind = dice.choice(KINDS)
    if dice.random() < 0.9:  # mostly in the middle of a run
        kind = frames.HELLO if server.expected < 0 else frames.START if server.taken < 0 else dice.choice(KINDS[2:7])
    if kind == frames.HELLO:
        payload = struct.pack("<BBI", 1, dice.choice((0,) * 30 + (1, 2, 5)), dice.getrandbits(32))
    elif kind == frames.START:
        payload = struct.pack(
            "<BIIII", dice.randrange(4), dice.randrange(3), dice.randrange(99), 0, dice.randrange(9)
        )  # fmt: skip
    elif kind == frames.DATA:
        payload = struct.pack("<HH", server.confirmed & 0xFFFF, max(0, server.taken))
        payload += bytes([dice.randrange(2), 0]) + dice.randbytes(dice.randrange(190))
    elif kind == frames.SYNC_UP:
        payload = struct.pack("<BH", 0, dice.randrange(9))
    elif kind == frames.READ:
        payload = struct.pack("<BIB", dice.randrange(2), dice.randrange(2000), dice.randrange(1, 117))
    elif kind == incoming.PUT:
        crc = server.network.crc() if server.network and dice.random() < 0.9 else 1
        payload = struct.pack("<IIII", dice.randrange(9), dice.randrange(99), 0, crc)
    elif kind == incoming.PART:
        payload = part(server)
    else:
        payload = b""
    number = server.expected if server.expected >= 0 and dice.random() < 0.9 else dice.randrange(256)
    return frame(kind, number, payload)


def part(server):
    """Return the payload of the PART with the weights that come next: those that the network has."""
    at = getattr(server.lesson, "taken", 0)
    layers = server.network.layers if server.network else ()
    weights = b"".join([bytes(layer.w) for layer in layers if any(layer.shifts)])
    return struct.pack("<I", at) + weights[at : at + 196]


def device_frames(count, seed, place, models):
    """Send damaged frames, and frames of nonsense, to the device program."""
    dice = Dice(seed)
    kept = answered = errors = 0
    runtime.heap = lambda: (0, 0)  # a collection at each answer takes a hundred times as long as the answer
    with open(place + "/model.tpsgd", "wb") as file:
        file.write(models[1])
    wire = Wire()
    server = Server(frames.Frames(wire, wire), None, 1024, place + "/")
    for i in range(count):
        whole = genuine(dice, server)
        if i % 2:  # on the wire: the CRC tells
            data = mutate(dice, whole)
            before = state(server)
            if whole not in data and not frames_in(data):
                wire.give(server, data)
                assert state(server) == before, f"seed {seed}, frame {i}: {data!r} changed the state"
                kept += 1
                continue
        else:  # nonsense with a right CRC
            kind = whole[2] if dice.random() < 0.8 else dice.randrange(256)
            data = frame(kind, whole[3], mutate(dice, whole[4:-4])[:200])
        for kind, payload in wire.give(server, data):
            answered += 1
            if kind == frames.ERROR:
                errors += 1
                assert payload[0] != FAULT, f"seed {seed}, frame {i}: {data!r}: {payload!r}"
    told = f"{kept} damaged and without effect, {answered} answers, {errors} of them ERROR"
    return f"{count} frames to the device: {told}"


# -- lessons and tapes

ASKED = (live.LISTEN, live.TEACH, live.PRACTISE, live.UNDO, live.SHOW, frames.READ, tape.RECORD)

#: Samples that a PRACTISE may ask for: a mutant that asks for 65535 is right, and takes minutes.
PRACTICE = 20


class Sensor:
    """The board's ``sensor`` module and its capture in one: values of chance, failures, overruns. Also the poller."""

    rate = 100

    def __init__(self, dice):
        self.dice = dice
        self.channels = 3
        self.overruns = 0
        self.alone = 0  # steps that the board may take by itself

    def open(self):
        dice = self.dice
        if dice.random() < 0.05:
            raise OSError(5)
        self.channels = dice.choice((3, 3, 3, 3, 1, 70))
        return self

    def start(self):
        if self.dice.random() < 0.05:
            raise ValueError("no clock")

    def stop(self):
        pass

    def button(self):
        return self.dice.random() < 0.5

    def readinto(self, buffer):
        dice = self.dice
        if dice.random() < 0.01:
            raise OSError(110)
        self.overruns += dice.random() < 0.02
        n = min(self.channels, len(buffer)) * dice.randrange(2)
        for i in range(n):
            buffer[i] = dice.randrange(-32768, 32768)
        return n

    def poll(self, _):
        self.alone -= 1
        return self.alone < 0


def lesson_state(server):
    """Return all of a lesson, or a tape, that a frame could change."""
    one = server.lesson
    if isinstance(one, tape.Tape):
        return one.number, one.sent, one._form
    if isinstance(one, incoming.Incoming):
        return None
    names = ("budget", "event", "fresh", "flags", "passes", "due", "changes", "shown", "said", "ear", "_held")
    return one and ([getattr(one, name) for name in names], one.replay and one.replay.kept)


def asked(dice, server):
    """Return (kind, payload) of a frame of a lesson, as a host might send it now."""
    kind = dice.choice(ASKED)
    event = getattr(server.lesson, "event", 0)
    if kind == live.LISTEN:
        budget = dice.choice((0, 300, 300, 300, 4000, 1 << 30))
        payload = struct.pack("<BBI", dice.choice((1, 3, 5, 7, 9, 15, 0)), dice.randrange(3), budget)
    elif kind == live.TEACH:
        payload = struct.pack("<HB", event, dice.randrange(3))
    elif kind == live.PRACTISE:
        payload = struct.pack("<H", dice.randrange(PRACTICE))
    elif kind == live.SHOW:
        size = server.network.size if server.network else 12
        at = dice.choice((0, 0, size // 2))
        payload = struct.pack("<I", at) + dice.randbytes(dice.choice((size - at, size // 2)))
    elif kind == frames.READ:
        payload = struct.pack("<BIBH", dice.choice((2, 3, 2, 3, 1)), dice.randrange(20), dice.randrange(1, 60), event)
    elif kind == tape.RECORD:
        payload = struct.pack("<BH", dice.choice((0, 1, 1, 2)), dice.choice((100, 100, 50, 8000)))
    else:
        payload = b""
    return kind, payload


def lessons(count, seed, place, models):
    """Send damaged frames, and frames of nonsense, to a device program that listens to a sensor; the last model."""
    dice = Dice(seed)
    kept = answered = errors = unasked = 0
    runtime.heap = lambda: (0, 0)
    with open(place + "/model.tpsgd", "wb") as file:
        file.write(models[-1])
    wire = Wire()
    sensor = sys.modules["sensor"] = Sensor(dice)
    server = Server(frames.Frames(wire, wire), sensor, 1024, place + "/")
    for i in range(count):
        sensor.alone = 0
        whole = genuine(dice, server)
        if server.expected >= 0 and dice.random() < 0.95:
            kind, payload = asked(dice, server)
            whole = frame(kind, server.expected if dice.random() < 0.9 else dice.randrange(256), payload)
        data = whole
        if i % 3 == 1:  # on the wire: the CRC tells
            data = mutate(dice, whole)
            before = state(server), lesson_state(server)
            if whole not in data and not frames_in(data):
                wire.give(server, data)
                assert (state(server), lesson_state(server)) == before, f"seed {seed}, frame {i}: {data!r}"
                kept += 1
                continue
        elif i % 3 == 2:  # nonsense with a right CRC
            payload = mutate(dice, whole[4:-4])[:200]
            if whole[2] == live.PRACTISE and len(payload) > 1:
                payload = bytes([payload[0] % PRACTICE, 0]) + payload[2:]
            data = frame(whole[2], whole[3], payload)
        sensor.alone = dice.randrange(60)
        for kind, payload in wire.give(server, data):
            answered += 1
            unasked += kind in (live.HEARD, live.LEVEL, tape.PIECE)
            if kind == frames.ERROR:
                errors += 1
                assert payload[0] != FAULT, f"seed {seed}, frame {i}: {data!r}: {payload!r}"
    del sys.modules["sensor"]
    told = f"{kept} damaged and without effect, {answered} answers, {errors} of them ERROR, {unasked} not asked for"
    return f"{count} frames of lessons and tapes to the device: {told}"


# -- files


def model_mutants(dice, count, models):
    """Yield (number, bytes) of mutated model files; those of an even number have the CRC of the whole one."""
    for i in range(count):
        data = mutate(dice, dice.choice(models))
        yield i, right_crc(data) if i % 2 else data


def reads(data):
    """Whether the device takes a model file."""
    try:
        Model(io.BytesIO(data))
    except modelfile.ModelError:
        return False
    return True


def used(count, seed, models, use):
    """Give mutated model files to the device; return how many it took, and how many of them ``use(data, i)`` could use.

    Not all are used: that takes as long as a thousand refusals.
    """
    taken = done = 0
    for i, data in model_mutants(Dice(seed), count, models):
        if not reads(data):
            continue
        taken += 1
        assert i % 2 or data in models, f"seed {seed}, file {i}: a damaged file was taken"
        if done * 20 <= i:
            done += use(data, i)
    return taken, done


def model_files(count, seed, place, models):
    """Give mutated model files to the device: what it takes it can train, or has no room for."""
    k = runtime.engine()

    def train(data, i):
        try:
            file = io.BytesIO(data)
            network = build(file, Model(file), k)
        except MemoryError:
            return False
        for j in range(len(network.sample) - 1):
            network.sample[j] = 1 + (i + j) % 255
        network.train(i % network.classes)
        assert 0 <= network.test() >> 8 < network.classes, f"seed {seed}, file {i}"
        return True

    taken, trained = used(count, seed, models, train)
    return f"{count} model files: {taken} well-formed, {trained} of them trained on {k.NAME}, all others refused"


def checkpoint_files(count, seed, place, models, judge=lambda data, taken: None):
    """Put mutated checkpoints into a slot: the other one is found, or the mutant if its CRC is right."""
    dice = Dice(seed)
    file = io.BytesIO(models[1])
    network = build(file, Model(file), runtime.engine(1))
    taken = 0
    folder = place + "/"
    checkpoint.save(folder, network, 5, 1, 10)
    checkpoint.save(folder, network, 5, 1, 20)
    path = folder + checkpoint.SLOTS[1]
    with open(path, "rb") as slot:
        whole = slot.read()
    crc = network.crc()
    for i in range(count):
        data = mutate(dice, whole)
        if i % 2:
            data = right_crc(data)
        with open(path, "wb") as slot:
            slot.write(data)
        found = checkpoint.newest(folder, network, 5)
        assert found is not None, f"seed {seed}, file {i}: nothing was found"
        mutant = found.path.endswith(checkpoint.SLOTS[1])
        assert i % 2 or not mutant or data == whole, f"seed {seed}, file {i}: a damaged file was taken"
        assert network.crc() == crc, f"seed {seed}, file {i}: looking changed the network"
        if mutant:
            checkpoint.load(found, network)
            crc = network.crc()
        judge(data, mutant)
        taken += mutant
    return f"{count} checkpoints: {taken} well-formed, for all others the device found the other slot"


def prototypes(count, seed, place, models):
    """Give mutated model files with prototypes to the device: what it takes answers, is taught and practises."""
    k = runtime.engine()

    def teach(data, i):
        try:
            lesson(data, k, i)
        except MemoryError:
            return False
        return True

    taken, taught = used(count, seed, models, teach)
    return f"{count} model files with prototypes: {taken} well-formed, {taught} of them taught, all others refused"


def lesson(data, k, i):
    """Have a model file answer, and be taught where it has prototypes still."""
    file = io.BytesIO(data)
    model = Model(file)
    network = build(file, model, k)
    for j in range(len(network.sample) - 1):
        network.sample[j] = 1 + (i + j) % 255
    if not model.prototypes:
        network.test()
        return
    answer = Answer(model, network, file)
    taught = Taught(network, answer, 20000)
    for y in range(3):
        assert 0 <= answer.test(taught=taught) >> 8 < network.classes
        taught.teach(y % network.classes)
        taught.practise(2)


def rings(count, seed, place, models):
    """Put mutated rings into a slot: the other one is found, or the mutant if its CRC is right. No start fails."""
    dice = Dice(seed)
    file = io.BytesIO(models[0])
    model = Model(file)
    network = build(file, model, runtime.engine(1))
    answer = Answer(model, network, file)
    folder = place + "/"
    made = Taught(network, answer, 4000)
    for n in range(3):
        for j in range(network.size):
            network.sample[j] = 1 + (37 * n + j) % 255
        made.teach(n % network.classes)
        if n:
            ring.save(folder, made, 5)
    path = folder + ring.SLOTS[1]
    with open(path, "rb") as slot:
        whole = slot.read()
    taken = 0
    for i in range(count):
        data = mutate(dice, whole)
        if i % 2:
            data = right_crc(data)
        with open(path, "wb") as slot:
            slot.write(data)
        found = Taught(network, answer, 4000)
        ring.load(folder, found, 5)
        mutant = i % 2 and ring._newest(folder, found, 5)[2] == path
        assert mutant or found.kept == (3 if data == whole else 2), f"seed {seed}, file {i}: {found.kept} samples"
        answer.test(taught=found)
        found.practise(2)
        taken += bool(mutant)
    return f"{count} files of taught samples: {taken} well-formed, for all others the device found the other slot"


CAMPAIGNS = {
    "frames": device_frames, "lessons": lessons, "models": model_files, "checkpoints": checkpoint_files,
    "prototypes": prototypes, "rings": rings,
}  # fmt: skip

#: Campaigns with models that have prototypes.
KNOWN = ("prototypes", "rings")


def main(kind, count, seed, place):
    models = []
    for name in sorted(os.listdir(place)):
        if name.endswith(".case"):
            with open(place + "/" + name, "rb") as file:
                models.append(file.read())
    print(runtime.machine() + ": " + CAMPAIGNS[kind](int(count), int(seed), place, models))


if __name__ == "__main__":
    main(*sys.argv[1:])
