"""A lesson: the board listens to its own sensor, says what it hears, and learns what the host labels (SPEC 4.1).

Loaded when a host asks for it. Legend: N classes, C bytes of a frame.
"""

import struct

from tpsgd import capture
from tpsgd.format import MODEL
from tpsgd.frames import RefusedError

LISTEN, TEACH, PRACTISE, UNDO, SHOW = 0x08, 0x09, 0x0A, 0x0B, 0x0C
LEVEL, HEARD, LESSON = 0x88, 0x89, 0x8A

NO_SENSOR, NO_FRONT, NO_LESSON = 10, 11, 12
_NO_MODEL, _BAD_FRAME = 1, 5
_NONE = 255  # no class

#: Flags of LISTEN.
_EAR, _LEVELS, _HOLD, _GO_ON = 1, 2, 4, 8

#: Of more classes HEARD has only the likeliest, as pairs.
_MANY, _PAIRS = 100, 50

#: Bytes of LESSON, and of HEARD before the probabilities.
_ANSWER, _HEARD = 22, 9

#: Smallest payload of each request.
_SIZES = {LISTEN: 6, TEACH: 3, PRACTISE: 2, SHOW: 5}


def carry_out(server, kind):
    """Carry out a request of a lesson."""
    payload = server.link.payload
    if not LISTEN <= kind <= SHOW:
        raise RefusedError(_BAD_FRAME, "unknown frame 0x%02x" % kind)
    if server.network is None:
        raise RefusedError(_NO_MODEL, "no lesson without a network")
    if server.link.length < _SIZES.get(kind, 0):
        raise RefusedError(_BAD_FRAME, "frame 0x%02x is too short" % kind)
    if kind == LISTEN:
        _listen(server, *struct.unpack_from("<BBI", payload, 4))
        return
    lesson = _present(server)
    if lesson is None:
        raise RefusedError(NO_LESSON, "no lesson: was the board reset, or did a run begin?")
    lesson.said = (_NONE, 0, 0, 0)
    if kind == SHOW:
        lesson.show(struct.unpack_from("<I", payload, 4)[0], memoryview(payload)[8 : 4 + server.link.length])
        return
    lesson.shown = -1
    if kind == TEACH:
        lesson.teach(*struct.unpack_from("<HB", payload, 4))
    elif kind == PRACTISE:
        lesson.practise(struct.unpack_from("<H", payload, 4)[0])
    else:
        lesson.undo()


def _count(server, n):
    """Take note of ``n`` samples that a lesson applied: its weights belong to no run (run id 0)."""
    server.run_id = 0
    server.applied = (server.applied + n) & 0xFFFFFFFF
    server.reported = server.confirmed = server.applied


def _listen(server, flags, passes, budget):
    """Begin a lesson, change the present one, or end it."""
    if not flags and not budget:
        server.end_lesson()
        return
    server.taken = -1
    lesson = server.lesson
    if lesson is None or lesson.budget != budget:
        server.end_lesson()
        lesson = Lesson(server, budget)
        server.lesson = lesson
        server.link.idle = lesson.idle
    lesson.listen(flags, passes)  # where its sensor fails, the lesson stays


def answer(server, kind):
    """Send LESSON. A request that was refused is refused again."""
    out = server.link.out
    if _present(server) is None and not (kind == LISTEN and _ends(server.link.payload)):
        carry_out(server, kind)
    lesson = server.lesson
    if lesson:
        replay = lesson.replay
        kept, room = (replay.kept, replay.slots) if replay else (0, 0)
        struct.pack_into(
            "<HBBBBHHHHHHI", out, 4, lesson.event, 1 if lesson.ear else 0, *lesson.said, lesson.changes, kept, room,
            lesson.lost(), lesson.dropped(), server.network.seen,
        )  # fmt: skip
    else:
        for i in range(_ANSWER):
            out[4 + i] = 0
    server.send(LESSON, _ANSWER)


def _present(server):
    """Return the lesson, None without one; a tape is none."""
    lesson = server.lesson
    return lesson if lesson and lesson.budget >= 0 else None


def _ends(payload):
    """Return whether LISTEN ends the lesson."""
    return not (payload[4] or struct.unpack_from("<I", payload, 6)[0])


def parts(server, what):
    """Return the buffers that READ ``what`` asks for: none where its event is not the newest."""
    lesson = _present(server)
    if lesson is None or server.link.length < 8:
        raise RefusedError(NO_LESSON, "no lesson, or READ without its event")
    event = struct.unpack_from("<H", server.link.payload, 10)[0]
    if event != lesson.event or not lesson.fresh or what > 3:
        return ()
    return (memoryview(server.network.sample)[: server.network.size],) if what == 2 else (lesson.heard[: lesson.size],)


def _store(server, budget):
    """Return the store of taught samples; where the model has prototypes, with those that were saved last."""
    if not server.answering:
        from tpsgd.replay import Replay

        return Replay(server.network, budget)
    from tpsgd import ring
    from tpsgd.taught import Taught

    taught = Taught(server.network, server.answering, budget)
    ring.load(server.folder, taught, server.model_crc)
    return taught


class Lesson:
    """What a lesson has besides the network.

    Parameters
    ----------
    server : serve.Server
    budget : int
        Bytes for taught samples.

    Attributes
    ----------
    event : int
        Number of the newest word, gesture or shown sample; 0 before the first.
    fresh : bool
        Whether its sample is in RAM.
    heard : bytearray
        The payload of its HEARD, ``size`` bytes.
    said : tuple of int
        What the last request did, as LESSON has it: class, predicted, p_y, learned.
    shown : int
        Bytes of a sample that the host is showing; -1: it is not.
    changes : int
        Samples taught and dropped.
    """

    def __init__(self, server, budget):
        self.server = server
        self.budget = budget
        self.replay = self.ear = self.button = None
        if budget:
            try:
                self.replay = _store(server, budget)
            except ValueError as error:
                raise RefusedError(_BAD_FRAME, str(error)) from error
        n = server.network.classes
        self.heard = bytearray(_HEARD + (n if n <= _MANY else 2 * _PAIRS))
        self.said = (_NONE, 0, 0, 0)
        self.event = self.size = self.changes = self.level = self.overruns = self.torn = 0
        self.fresh = False
        self.shown = -1
        self.flags = self.passes = self.due = 0
        self._told = self._each = self._channels = 0
        self._held = False

    # -- what the host asks for

    def listen(self, flags, passes):
        """Change what the board does by itself."""
        self.said = (_NONE, 0, 0, 0)
        self.shown = -1
        self.flags = flags
        if flags & _GO_ON or not flags & _HOLD:
            self._held = False
        if passes != self.passes:
            self.passes = passes
            self._practise_later()
        if flags & _EAR and not self.ear:
            self._open()
        elif not flags & _EAR:
            self.deafen()

    def teach(self, event, y):
        """Learn the newest sample as one of class ``y`` and keep it, if it is that of ``event``."""
        network = self.server.network
        if y >= network.classes:
            raise RefusedError(_BAD_FRAME, "class %d of %d" % (y, network.classes))
        if event != self.event or not self.fresh:
            return
        result = self.replay.teach(y) if self.replay else network.train(y)
        _count(self.server, 1)
        self.said = (y, result >> 8, result & 255, 0)
        self._changed()

    def practise(self, n):
        """Learn ``n`` of the kept samples again."""
        n = self.replay.practise(n) if self.replay else 0
        _count(self.server, n)
        self.due = max(0, self.due - n)
        self.said = (_NONE, 0, 0, n)

    def undo(self):
        """Drop the sample that was kept last."""
        y = self.replay.drop() if self.replay else -1
        if y >= 0:
            self.said = (y, 0, 0, 0)
            self._changed()

    def show(self, offset, part):
        """Take a part of the host's sample; with its end it is the newest event."""
        network = self.server.network
        if (offset and offset != self.shown) or offset + len(part) > network.size or not len(part):
            raise RefusedError(_BAD_FRAME, "SHOW: %d bytes at %d" % (len(part), offset))
        self.fresh = False
        network.sample[offset : offset + len(part)] = part
        self.shown = offset + len(part)
        if self.shown == network.size:
            self.shown = -1
            result = self._classify(0, 0)
            self.said = (_NONE, result >> 8, result & 255, 0)

    def save(self):
        """Write what was taught, where it is prototypes."""
        server = self.server
        if server.answering and self.replay:
            from tpsgd import ring

            ring.save(server.folder, self.replay, server.model_crc)

    def lost(self):
        """Return the overruns since the lesson began."""
        return (self.overruns + (self.ear.capture.overruns if self.ear else 0)) & 0xFFFF

    def dropped(self):
        """Return the torn words since the lesson began."""
        return (self.torn + (self.ear.torn if self.ear else 0)) & 0xFFFF

    # -- what the board does by itself

    def idle(self):
        """Listen and practise until the host sends something, or there is nothing to do."""
        while not capture.waiting(self.server.poller, 0):
            try:
                if not self.step():
                    return
            except Exception as error:
                self.deafen()
                self.server.send_error(NO_SENSOR, "the sensor failed: %s %s" % (type(error).__name__, error))

    def step(self):
        """Take what the sensor has, or practise one sample. Return whether there is more to do without the host."""
        ear = self.ear
        if ear is None or self.shown >= 0 or self._held:
            if self.due and self.shown < 0:
                self._practise_one()
                return True
            return False
        if ear.listen():
            self._classify(ear.front.frames, ear.front.shape[0])
            self._send_heard()
            self._held = bool(self.flags & _HOLD)
        elif ear.idle:
            if self.due and not ear.front.active:
                self._practise_one()
            else:
                capture.waiting(self.server.poller, 1)
        if self.flags & _LEVELS:
            front = ear.front
            self.level = max(self.level, front.level)
            if front.frames - self._told >= self._each:
                self._told = front.frames
                self._send_level()
        return True

    def deafen(self):
        """Stop listening; what is kept stays."""
        ear = self.ear
        self.ear = None
        if ear:
            self.overruns += ear.capture.overruns
            self.torn += ear.torn
            ear.stop()

    def _open(self):
        """Begin to listen to the board's sensor."""
        from tpsgd import frontend
        from tpsgd.modelfile import Model

        server = self.server
        network = server.network
        with open(server.folder + MODEL, "rb") as file:
            model = Model(file)
        if not model.front:
            raise RefusedError(NO_FRONT, "the model has no front end: it takes no sensor")
        if server.poller is None:
            raise RefusedError(NO_SENSOR, "this firmware cannot listen to a sensor and to the host at once")
        try:
            sensor = capture.find()
            front = frontend.build(model, network.k, network.sample, sensor.rate)
            channels = 1 if model.front.hop else model.channels
            if sensor.channels != channels:
                raise ValueError("the sensor gives %d channels, the model takes %d" % (sensor.channels, channels))
            ear = capture.Ear(sensor, front)
            ear.start()
        except MemoryError:
            raise
        except Exception as error:
            raise RefusedError(NO_SENSOR, str(error) or type(error).__name__) from error
        self.ear = ear
        self.button = capture.button()
        self._channels = model.channels
        self._each = max(1, model.front.rate // (10 * (model.front.hop or 1)))
        self._told = 0

    def _changed(self):
        self.changes = (self.changes + 1) & 0xFFFF
        self._practise_later()

    def _practise_later(self):
        """Have the board practise by itself what it keeps."""
        self.due = self.passes * self.replay.pass_size() if self.replay else 0

    def _practise_one(self):
        self.due -= 1
        _count(self.server, self.replay.practise(1))

    def _classify(self, at, count):
        """Make the sample in RAM the newest event and predict; return the network's result.

        Its ``count`` frames were found when frame ``at`` had come.
        """
        network = self.server.network
        self.event = (self.event + 1) & 0xFFFF
        self.fresh = True
        answering = self.server.answering
        result = answering.test(_NONE, self.replay) if answering else network.test()
        best = result >> 8
        struct.pack_into("<HIHB", self.heard, 0, self.event, at, count, best)
        z = network.output[3]
        n = network.classes
        if n > _MANY:
            self._rank(z, n, best)
            return result
        for i in range(n):
            self.heard[_HEARD + i] = self._p(z, i, best)
        self.size = _HEARD + n
        return result

    def _p(self, z, i, best):
        """Return the probability of class ``i`` after a test that gave ``best``."""
        answering = self.server.answering
        return answering.probability(i) if answering else (127 if i == best else 0) - int(z[i])

    def _rank(self, z, n, best):
        """Store the likeliest classes and their p."""
        at = _HEARD
        p = 127
        while p and at < len(self.heard):
            for i in range(n):
                if at < len(self.heard) and self._p(z, i, best) == p:
                    self.heard[at] = i
                    self.heard[at + 1] = p
                    at += 2
            p -= 1
        self.size = at

    def _send_heard(self):
        out = self.server.link.out
        for i in range(self.size):
            out[4 + i] = self.heard[i]
        self.server.send(HEARD, self.size)

    def _send_level(self):
        """Tell how loud it is, and show the newest frame."""
        server = self.server
        out = server.link.out
        front = self.ear.front
        flags = (1 if front.active else 0) | (2 if self.button and self.button() else 0) | (4 if self.due else 0)
        struct.pack_into(
            "<HBBHHI", out, 4, self.event, flags, self.level, self.lost(), self.dropped(), server.network.seen
        )
        self.level = 0
        found = front.segmenter
        c = self._channels
        for i in range(c):
            out[16 + i] = found.frames[found.at - c + i] if found.at >= c else 0
        server.send(LEVEL, 12 + c)
