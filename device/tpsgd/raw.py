"""Raw records: the host sends a recording as a sensor gives it, and the board makes the sample of it (SPEC 4).

Loaded with the first one.
"""

from tpsgd import frontend
from tpsgd.format import MODEL
from tpsgd.frames import RefusedError
from tpsgd.frontspec import LOGMEL
from tpsgd.modelfile import Model
from tpsgd.segmenter import Segmenter

_BAD_RECORD = 6


def begin(server):
    """Begin a raw record."""
    if not server.raw:
        server.raw = Raw(server)
    server.raw.begin()


class Whole(Segmenter):
    """Takes a recording as one word: keeps all of its frames."""

    def feed(self):
        """Keep the frame at byte ``at``; no word ends."""
        self.at += self.limits[4]
        return 0


class Raw:
    """Takes the bytes of raw records, cut anywhere.

    Parameters
    ----------
    server : serve.Server
        The samples are written into its network's.

    Attributes
    ----------
    done : bool
        Whether the record is complete, and its sample made.
    """

    def __init__(self, server):
        with open(server.folder + MODEL, "rb") as file:
            model = Model(file)
        self.spec = model.front
        if not self.spec:
            server.op = server.label = -1
            raise RefusedError(_BAD_RECORD, "a raw record for a model without front end")
        self.server = server
        self.channels = model.channels
        self.front = frontend.build(model, server.network.k, server.network.sample, 0, Whole)

    def begin(self):
        """Begin a record."""
        self.front.torn()
        self.done = False
        self.count = self.head = self.taken = self.have = 0
        self.low = -1

    def take(self, payload, i, end):
        """Take bytes from place ``i`` on, at most to ``end``; return where the record ends, or ``end``."""
        while self.head < 4 and i < end:
            self.count |= payload[i] << 8 * self.head
            self.head += 1
            i += 1
            if self.head == 4:
                self._check()
        buffer = self.front.buffer
        while i < end:
            if self.low < 0:
                self.low = payload[i]
                i += 1
                continue
            value = payload[i] << 8 | self.low
            i += 1
            self.low = -1
            buffer[self.have] = value - 65536 if value & 32768 else value
            self.have += 1
            self.taken += 1
            if self.have == len(buffer) or self.taken == self.count:
                self.front.push(self.have)
                self.have = 0
            if self.taken == self.count:
                self._finish()
                break
        return i

    def _check(self):
        """Refuse a number of values that no recording of one word has."""
        spec = self.spec
        if spec.kind == LOGMEL:
            frames = (self.count - spec.window) // spec.hop + 1
        else:
            frames = self.count // self.channels
            if self.count % self.channels:
                frames = spec.longest + spec.before + 1
        if not self.count or frames > spec.longest + spec.before:
            self.server.op = self.server.label = -1
            raise RefusedError(_BAD_RECORD, "record %d: %d values" % (self.server.applied, self.count))

    def _finish(self):
        """Make the sample."""
        front = self.front
        found = front.segmenter
        if self.spec.kind != LOGMEL:
            from tpsgd.motion import average

            front.shape[0] = found.at // self.channels
            average(found.frames, front.sample, front.shape)
        else:
            self._fill_window()
            front.shape[0] = found.at // self.channels
            front.kernels.word(found.frames, front.sample, front.shape)
        self.done = True

    def _fill_window(self):
        """Put zeros after fewer samples than a window has."""
        buffer = self.front.buffer
        if not self.front.segmenter.at:
            for i in range(len(buffer)):
                buffer[i] = 0
        while not self.front.segmenter.at:
            self.front.push(len(buffer))
