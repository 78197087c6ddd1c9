"""A tape: the board sends what its sensor gives (SPEC 4.2). Loaded when a host asks for it."""

import struct
from array import array

from tpsgd import capture, frontend, logmel, plan
from tpsgd.frames import RefusedError

try:
    from tpsgd.adpcm_viper import lay, squeeze
except (ImportError, MemoryError, SyntaxError, ValueError):  # no native emitter here: slower, and the same bits
    from tpsgd.adpcm import lay, squeeze

RECORD, PIECE, TAPE = 0x0D, 0x8B, 0x8C

_NO_MODEL, _BAD_FRAME, _NO_SENSOR = 1, 5, 10

#: Forms of the values.
END, VALUES, COMPRESSED = range(3)

#: Bytes of a PIECE before its values, and of those what a compressed one says first.
_HEAD, _STATE = 3, 3

#: Values that a capture gives at once at most.
_MOST = 256

#: Readings of several channels in a piece, as parts of a second.
_PARTS = 20


def carry_out(server, _kind):
    """Carry out RECORD."""
    if server.network is None:
        raise RefusedError(_NO_MODEL, "no tape without a model")
    if server.link.length < 3:
        raise RefusedError(_BAD_FRAME, "RECORD is too short")
    form, rate = struct.unpack_from("<BH", server.link.payload, 4)
    if form > COMPRESSED:
        raise RefusedError(_BAD_FRAME, "RECORD: form %d" % form)
    if form == END:
        if isinstance(server.lesson, Tape):
            server.lesson.deafen()
        else:
            server.end_lesson()
        return
    server.end_lesson()
    server.taken = -1
    if server.poller is None:
        raise RefusedError(_NO_SENSOR, "this firmware cannot listen to a sensor and to the host at once")
    try:
        tape = Tape(server, capture.find(), form, rate)
        tape.sensor.start()
    except MemoryError:
        raise
    except Exception as error:
        raise RefusedError(_NO_SENSOR, str(error) or type(error).__name__) from error
    server.lesson = tape
    server.link.idle = tape.idle


def answer(server, _kind):
    """Send TAPE: of a tape that has ended, too."""
    tape = server.lesson
    form, _ = struct.unpack_from("<BH", server.link.payload, 4)
    said = (0, 0, 0, 0, 0)
    if isinstance(tape, Tape):
        said = (form, tape.sensor.channels, tape.number, tape.sent, tape.overruns())
    struct.pack_into("<BBHIH", server.link.out, 4, *said)
    server.send(TAPE, 10)


class Tape:
    """A sensor whose values are sent.

    Parameters
    ----------
    server : serve.Server
    sensor
        A capture (SPEC 5).
    form : int
    rate : int
        Values a second and channel that the host wants.

    Attributes
    ----------
    number, sent : int
        Pieces sent, and values of a channel in them.
    """

    budget = -1  # it is no lesson, though it stands in its place

    def __init__(self, server, sensor, form, rate):
        channels = sensor.channels
        if sensor.rate != rate and (channels > 1 or sensor.rate != 2 * rate):
            raise ValueError("the sensor gives %d values a second, the host wants %d" % (sensor.rate, rate))
        if form == COMPRESSED and channels > 1:
            raise ValueError("only one channel is compressed, the sensor has %d" % channels)
        self.server = server
        self.sensor = sensor
        self.number = self.sent = 0
        self._form = form
        self._button = capture.button()
        self._overruns = sensor.overruns
        self._begun = sensor.overruns
        self._flags = self._have = self._odd = 0
        # what a piece holds, in values
        size = (plan.ANSWER - _HEAD) // 2 // channels * channels
        if form == COMPRESSED:
            size = 2 * (plan.ANSWER - _HEAD - _STATE)
        elif channels > 1:
            size = min(size, max(1, rate // _PARTS) * channels)
        if size < 1:
            raise ValueError("%d channels do not fit into a piece" % channels)
        self._size = size
        self._before = logmel.TAPS - 1 if sensor.rate != rate else 0
        self._source = array("h", bytes(2 * (self._before + _MOST)))
        self._buffer = memoryview(self._source)[self._before :] if self._before else self._source
        self._values = array("h", bytes(2 * (size + _MOST)))
        self._state = array("H", (0, 0, 4 + _HEAD + _STATE))
        kernels = frontend.compiled(server.network.k)
        self._copy, self._halve = kernels.copy, kernels.halve

    def overruns(self):
        """Return how often values were lost since the tape began."""
        return self.sensor.overruns - self._begun & 0xFFFF

    def idle(self):
        """Send what the sensor gives until the host sends something."""
        server = self.server
        while self._form and not capture.waiting(server.poller, 0):
            try:
                if not self.step():
                    capture.waiting(server.poller, 1)
            except Exception as error:
                self._form = self._have = 0
                server.send_error(_NO_SENSOR, "the sensor failed: %s %s" % (type(error).__name__, error))

    def step(self):
        """Take what has come; send the pieces that are full. Return whether anything has come."""
        n = self.sensor.readinto(self._buffer)
        if self.sensor.overruns != self._overruns:  # what is here came before the gap
            self._overruns = self.sensor.overruns
            self._send(self._have)
            self._have = self._odd = 0
            self._flags |= 1
        if self._button and self._button():
            self._flags |= 2
        if not n:
            return False
        self._take(n)
        values, size = self._values, self._size
        while self._have >= size:
            self._send(size)
            self._have -= size
            self._copy(values, values, size << 16, self._have)
        return True

    def deafen(self):
        """End the tape; what is left is sent."""
        if self._form:
            self._send(self._have)
            self._have = self._form = 0
            self.sensor.stop()

    def _take(self, n):
        """Append the first ``n`` values of the buffer, at half the rate where the host wants that."""
        source, before = self._source, self._before
        if not before:
            self._copy(source, self._values, self._have, n)
            self._have += n
            return
        count = (n + self._odd) >> 1
        self._halve(source, self._values, 1 - self._odd << 16 | self._have, count)
        self._odd = (n + self._odd) & 1
        self._have += count
        self._copy(source, source, n << 16, before)

    def _send(self, count):
        """Send the first ``count`` values; of compressed ones an even number."""
        server = self.server
        out = server.link.out
        compressed = self._form == COMPRESSED
        if compressed:
            count &= ~1
        if not count:
            return
        struct.pack_into("<HB", out, 4, self.number, self._flags)
        if compressed:
            struct.pack_into("<HB", out, 4 + _HEAD, self._state[0], self._state[1])
            squeeze(self._values, out, self._state, count)
            size = _STATE + count // 2
        else:
            lay(self._values, out, 4 + _HEAD, count)
            size = 2 * count
        server.link.send(PIECE, 0, _HEAD + size)
        self.number = (self.number + 1) & 0xFFFF
        self.sent = (self.sent + count // self.sensor.channels) & 0xFFFFFFFF
        self._flags = 0
