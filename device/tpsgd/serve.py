"""The program that a board runs for a host: load the model, take samples, train, answer (SPEC 4).

Data flow one way: frame -> record -> network -> result. Everything is allocated before the first sample.
"""

import struct
import sys

from tpsgd import __version__, checkpoint, frames, plan, runtime
from tpsgd.format import MODEL
from tpsgd.frames import RefusedError
from tpsgd.generator import mix
from tpsgd.modelfile import Model, reload
from tpsgd.network import UNKNOWN, build, load_or_recover, modules

PROTOCOL = 1

NO_MODEL, BAD_MODEL, NO_MEMORY, NO_ENGINE, BAD_FRAME, BAD_RECORD, BAD_FILE, FAULT, NO_SESSION = range(1, 10)

#: Smallest payload of each kind of frame, in bytes.
MIN_PAYLOAD = {frames.HELLO: 6, frames.START: 17, frames.DATA: 4, frames.SYNC_UP: 3, frames.READ: 6}


class UnreadableError(RefusedError):
    """The model file is missing or damaged."""


class Server:
    """A session with a host.

    Parameters
    ----------
    link : frames.Frames
    poller : select.poll or None
        Tells whether bytes are waiting. With None the board assumes that none are.
    window : int
        Bytes that the receive buffer of ``link`` holds for certain.
    folder : str
        The folder of the model and its checkpoints: empty, or ending in a slash.

    Attributes
    ----------
    cost : int
        Bytes of heap that server and link take. They count as training state.
    lesson : lesson.Lesson or None
    raw : raw.Raw or None
    """

    #: What answers tests by prototypes, the lesson, and what takes raw records. They stand here: attributes of each
    #: board take memory.
    answering = None
    lesson = None
    raw = None

    def __init__(self, link, poller, window, folder=""):
        self.link = link
        self.cost = 0
        self.poller = poller
        self.window = window
        self.folder = folder
        self.network = None
        self.results = bytearray(2 * plan.RESULTS)
        self.expected = self.answered = self.taken = -1
        self.run_id = self.applied = self.reported = self.confirmed = 0
        self.every = self.generation = self.failed = self.measured = self.planned = self.model_crc = 0
        self._forget_record()

    def _forget_record(self):
        self.op = self.label = -1
        self.at = 0

    def serve(self):
        """Answer frames until the host says BYE or the pipe ends."""
        while self.link.receive():
            try:
                if not self.handle():
                    return
            except RefusedError as error:
                self.send_error(error.code, str(error))
            except MemoryError as error:
                self.end_lesson()
                self.network = None
                self.send_error(NO_MEMORY, "out of memory: %s, %d bytes free" % (error, runtime.heap()[1]))
            except OSError as error:
                self.send_error(BAD_FILE, "file system: " + str(error))
            except Exception as error:
                text = _traceback(error)
                self.link.say(text)  # the whole text: ERROR has room for its end only
                self.send_error(FAULT, text)

    def handle(self):
        """Handle the frame just received; return False after the end of the session."""
        link = self.link
        kind, number = link.kind, link.number
        if link.length < MIN_PAYLOAD.get(kind, 0):
            raise RefusedError(BAD_FRAME, "frame 0x%02x of %d bytes is too short" % (kind, link.length))
        if kind == frames.HELLO:
            self._hello()
        elif self.expected < 0:
            self.send_error(NO_SESSION, "no session: was the board reset?")
        elif kind == frames.DATA:
            if self.taken >= 0:
                self._data()
        elif number == self.expected:
            self.answered = number
            self.expected = (number + 1) & 255
            return self._request(kind)
        elif number == self.answered:
            self._answer(kind)
        return True

    def _request(self, kind):
        """Carry out a request and answer it."""
        if kind == frames.START:
            self._start()
        elif kind == frames.SYNC_UP:
            flags, confirmed = struct.unpack_from("<BH", self.link.payload, 4)
            if self.taken >= 0:
                self._take(confirmed)
            if flags & 1:
                self._save()
        elif kind == frames.BYE:
            self.end_lesson()
            self._send_ack()
            self.expected = -1
            runtime.interrupts(True)
            return False
        elif kind > frames.BYE:
            self._lessons(kind).carry_out(self, kind)
        elif kind != frames.READ:
            raise RefusedError(BAD_FRAME, "unknown frame 0x%02x" % kind)
        self._answer(kind)
        return True

    def _data(self):
        """Take the new bytes of a DATA frame. Acknowledge it before training: the next frames travel meanwhile."""
        confirmed, offset = struct.unpack_from("<HH", self.link.payload, 4)
        self._take(confirmed)
        known = (self.taken - offset) & 0xFFFF
        new = self.link.length - 4 - known
        if new > 0:
            self.taken = (self.taken + new) & 0xFFFF
        self._send_ack()
        if new > 0:
            self._feed(8 + known, 4 + self.link.length)
            waiting = self.applied - self.reported
            if waiting >= plan.RESULTS // 2 or (waiting and not self.link.waiting() and not self._more()):
                self._send_ack()

    def _answer(self, kind):
        """Send the answer to a frame of this kind. Sending it twice changes nothing."""
        if self.network is None and kind <= frames.READ and (kind != frames.READ or self.link.payload[4]):
            raise RefusedError(NO_MODEL, "no network: memory ran out before; HELLO loads it again")
        if kind == frames.START:
            self._send_info()
        elif kind == frames.SYNC_UP:
            self._send_done()
        elif kind == frames.READ:
            self._send_chunk()
        else:
            self._lessons(kind).answer(self, kind)

    def _lessons(self, kind=0):
        """Return the code of lessons, tapes or incoming weights, which a board without one does not load."""
        if kind == 0x0D:  # tape.RECORD
            from tpsgd import tape as lesson
        elif kind in (0x0E, 0x0F):  # incoming.PUT, PART
            from tpsgd import incoming as lesson
        else:
            from tpsgd import lesson

        return lesson

    def end_lesson(self):
        """End the lesson, if there is one, and give back its memory and that for raw records."""
        if self.lesson:
            self.lesson.deafen()
        if self.lesson or self.raw:
            self.lesson = self.raw = self.link.idle = None

    def _more(self):
        """Return whether bytes are waiting to be read."""
        return self.poller is not None and bool(self.poller.poll(0))

    # -- records

    def _take(self, confirmed):
        """Drop the results that the host has: ``confirmed`` is their number modulo 65536."""
        step = (confirmed - self.confirmed) & 0xFFFF
        if step <= self.applied - self.confirmed:
            self.confirmed += step

    def _feed(self, i, end):
        """Take bytes ``i`` to ``end`` of the frame as the next ones of the record stream."""
        if self.network is None:
            raise RefusedError(BAD_FRAME, "DATA for a network that is gone")
        payload = memoryview(self.link.payload)
        sample = memoryview(self.network.sample)
        size = len(sample) - 1
        while i < end:
            if self.op < 0:
                self.op = payload[i]
                i += 1
            elif self.label < 0:
                self.label = payload[i]
                i += 1
                known = self.label < self.network.classes or (self.op & 1 and self.label == UNKNOWN)
                if self.op > 3 or not known:
                    text = "record %d: operation %d, class %d" % (self.applied, self.op, self.label)
                    self._forget_record()
                    raise RefusedError(BAD_RECORD, text)
                if self.op > 1:
                    from tpsgd import raw

                    raw.begin(self)
            elif self.op > 1:
                i = self.raw.take(payload, i, end)
                if self.raw.done:
                    self._learn()
            else:
                n = min(size - self.at, end - i)
                sample[self.at : self.at + n] = payload[i : i + n]
                self.at += n
                i += n
                if self.at == size:
                    self._learn()

    def _learn(self):
        """Apply the complete record and keep its result."""
        network = self.network
        result = (self.answering or network).test(self.label) if self.op & 1 else network.train(self.label)
        slot = 2 * (self.applied % plan.RESULTS)
        self.results[slot] = result >> 8
        self.results[slot + 1] = result & 255
        self.applied += 1
        trained = not self.op & 1
        self._forget_record()
        if trained and self.every and network.seen % self.every == 0:
            self._save()

    def _save(self):
        """Write a checkpoint. Where that fails, tell the host and go on (SPEC 4)."""
        if self.network is None:
            raise RefusedError(NO_MODEL, "nothing to save")
        if self.lesson and self.lesson.budget < 0:  # a tape, or weights under way: their slot is needed
            self.end_lesson()
        try:
            self.generation = checkpoint.save(self.folder, self.network, self.model_crc, self.run_id, self.applied)
            if self.lesson:
                self.lesson.save()
            self.failed = 0
        except OSError as error:
            number = error.args[0] if error.args else 0
            number = number if isinstance(number, int) and 0 < number < 0x10000 else 5  # EIO
            if number != self.failed:
                self.failed = number
                struct.pack_into("<H", self.link.out, 4, number)
                self.send(frames.UNSAVED, 2)

    # -- sessions and runs

    def _hello(self):
        """Open a session. The run stays as it is; START says whether it continues."""
        version, wanted, _ = struct.unpack_from("<BBI", self.link.payload, 4)
        self.expected = -1
        if version != PROTOCOL:
            raise RefusedError(BAD_FRAME, "the board speaks version %d of the link, the host %d" % (PROTOCOL, version))
        if self.lesson:
            self.lesson.deafen()
        if self.network is None or wanted not in (0, self.network.k.NUMBER):
            self.load(wanted)
        self._forget_record()
        self.expected = (self.link.number + 1) & 255
        self.answered = self.taken = -1
        runtime.interrupts(False)
        self._send_info()

    def load(self, wanted=0):
        """Load the model, and the newest checkpoint if there is one, for engine ``wanted`` (0: the best)."""
        try:
            k = runtime.engine(wanted, self.folder + MODEL)
        except ImportError as error:
            raise RefusedError(NO_ENGINE, str(error) + " cannot run on " + runtime.machine()) from error
        self.end_lesson()
        self.network = None
        path = self.folder + MODEL
        load_or_recover(path, UnreadableError, self._read, path, k)
        self.run_id = self.generation = self.applied = self.reported = self.confirmed = 0
        last = checkpoint.newest(self.folder, self.network, self.model_crc)
        if last:
            self.restore(last)
            del last

    def _read(self, path, k):
        """Read the model file and build its network for the engine ``k``."""
        try:
            file = open(path, "rb")  # noqa: SIM115 - a board has no pathlib
        except OSError as error:
            raise UnreadableError(NO_MODEL, "no " + MODEL + " on the board") from error
        try:
            self._build(file, k)
        except ValueError as error:
            raise UnreadableError(BAD_MODEL, str(error)) from error
        finally:
            file.close()

    def restore(self, last):
        """Replace the present state by that of checkpoint ``last``."""
        network = self.network
        self.network = None  # where reading fails, the next HELLO loads the model again
        checkpoint.load(last, network)
        self.network = network
        self.run_id = last.run_id
        self.generation = last.generation
        self.applied = self.reported = self.confirmed = last.applied

    def _build(self, file, k):
        model = Model(file)
        self.model_crc = model.crc
        modules(model)  # what is counted below is the network alone, without its code
        if hasattr(k, "settle"):
            from tpsgd import describe  # noqa: F401 - as modules()
        sizes = plan.buffers(model, plan.WORDS[k.NAME])
        self.planned = plan.total(sizes) + plan.total(plan.link_buffers())
        need = plan.total(sizes)
        del sizes
        free = runtime.heap()[1]
        if free and need > free:
            raise RefusedError(NO_MEMORY, "the model needs %d bytes to train, %d are free" % (need, free))
        before = runtime.heap()[0]
        self.network = build(file, model, k)
        if self.answering or model.prototypes:
            self._attach(model)
        self.measured = max(0, runtime.heap()[0] - before) + self.cost
        runtime.settle(k)

    def _attach(self, model):
        """Let tests be answered by the model's prototypes, if it has any."""
        if self.answering:
            self.answering.close()
        self.answering = None
        if model.prototypes:
            from tpsgd.answer import Answer

            self.answering = Answer(model, self.network)
            self.answering.open(self.folder + MODEL)

    def _start(self):
        flags, run_id, total, every, have = struct.unpack_from("<BIIII", self.link.payload, 4)
        self.end_lesson()
        if self.network is None:
            self.load()
        self.taken = -1
        if flags & 2:
            self._find(run_id, have)
            if self.run_id != run_id:
                return  # INFO says which run the board has
        else:
            if flags & 1:
                with open(self.folder + MODEL, "rb") as file:
                    reload(file, self.model_crc, self.network.weights())
            if total or flags & 1:  # else nothing is learned, and what was learned still counts
                self.network.resume(0, total, mix(self.network.seed))
            self.run_id = run_id
            self.applied = self.reported = self.confirmed = 0
        self.every = every
        self.failed = 0
        self.taken = 0
        self._forget_record()

    def _find(self, run_id, have):
        """Make run ``run_id`` the present one. If possible the host, which has ``have`` results, then lacks none."""
        if self.run_id != run_id or have < self.confirmed:
            args = self.folder, self.network, self.model_crc, run_id
            last = checkpoint.newest(*args, have)
            if not last and self.run_id != run_id:
                last = checkpoint.newest(*args)
            if last:
                self.restore(last)
        if self.run_id == run_id:  # do not wait for results that the host lacks and the board has no more
            self.confirmed = self.reported = min(have, self.applied) if have >= self.confirmed else self.applied

    # -- answers

    def _send_info(self):
        network = self.network
        used, free = runtime.heap()
        struct.pack_into(
            "<BBHBBIIIIIIIIII", self.link.out, 4, PROTOCOL, network.k.NUMBER, self.window, plan.RESULTS,
            self.applied - self.confirmed, self.model_crc, network.crc(), self.run_id, self.applied, network.seen,
            network.total, self.planned, self.measured, used, free,
        )  # fmt: skip
        at = 4 + 46
        for text in (network.k.NAME, __version__, runtime.machine()):
            raw = text.encode()[: plan.ANSWER + 2 - at]  # the last one gets the room that is left
            self.link.out[at] = len(raw)
            self.link.out[at + 1 : at + 1 + len(raw)] = raw
            at += 1 + len(raw)
        self.link.out[at] = 3  # it has lessons and takes raw records, and weights
        self.send(frames.INFO, at - 3)

    def _send_ack(self):
        """Acknowledge DATA and send all results that the host has not confirmed."""
        out = self.link.out
        first = self.confirmed
        struct.pack_into("<HI", out, 4, self.taken & 0xFFFF, first)
        at = 10
        for i in range(first, self.applied):
            slot = 2 * (i % plan.RESULTS)
            out[at] = self.results[slot]
            out[at + 1] = self.results[slot + 1]
            at += 2
        self.reported = self.applied
        self.send(frames.ACK, at - 4)

    def _send_done(self):
        used, free = runtime.heap()
        network = self.network
        struct.pack_into(
            "<IIIIIIIH", self.link.out, 4, self.applied, network.seen, network.crc(), self.generation, used, free,
            self.measured, self.failed,
        )  # fmt: skip
        self.send(frames.DONE, 30)

    def _send_chunk(self):
        what, offset, count = struct.unpack_from("<BIB", self.link.payload, 4)
        out = self.link.out
        struct.pack_into("<I", out, 4, offset)
        count = min(count, plan.ANSWER - 4)
        if what == 0:
            with open(self.folder + MODEL, "rb") as file:
                file.seek(offset)
                raw = file.read(count)
            out[8 : 8 + len(raw)] = raw
            self.send(frames.CHUNK, 4 + len(raw))
            return
        n = 0
        for w in self.network.weights() if what == 1 else self._lessons().parts(self, what):
            if offset < len(w):
                part = memoryview(w)[offset : offset + count - n]
                out[8 + n : 8 + n + len(part)] = part
                n += len(part)
                offset += len(part)
            offset -= len(w)
            if n == count:
                break
        self.send(frames.CHUNK, 4 + n)

    def send_error(self, code, text):
        """Send an ERROR: as much of the end of the text as a frame has room for."""
        raw = text.encode()[1 - plan.ANSWER :]
        self.link.out[4] = code
        self.link.out[5 : 5 + len(raw)] = raw
        self.send(frames.ERROR, 1 + len(raw))

    def send(self, kind, size):
        """Send the ``size`` bytes of payload in ``link.out``, with the number of the last frame that came."""
        self.link.send(kind, self.link.number, size)


def _traceback(error):
    """Return an exception's traceback, or as much as the firmware knows of it."""
    if hasattr(sys, "print_exception"):
        from io import StringIO

        text = StringIO()
        sys.print_exception(error, text)
        return text.getvalue()
    try:
        from traceback import format_exception

        return "".join(format_exception(error))
    except ImportError:
        return repr(error) + "\n"


def main(folder=""):
    """Serve on the console until the host says BYE."""
    before = runtime.heap()[0]
    source, sink, poller, window = runtime.console()
    server = Server(frames.Frames(source, sink), poller, window, folder)
    server.cost = max(0, runtime.heap()[0] - before)
    server.serve()
