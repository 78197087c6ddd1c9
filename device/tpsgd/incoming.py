"""Weights that a host puts on the board (SPEC 4.3). Loaded when a host does so."""

import struct
from os import remove

from tpsgd import checkpoint, runtime
from tpsgd.frames import RefusedError
from tpsgd.generator import mix
from tpsgd.runtime import crc32

PUT, PART, PLACED = 0x0E, 0x0F, 0x8D

_NO_MODEL, _BAD_FRAME, _BAD_FILE, _OTHER_NETWORK = 1, 5, 7, 13


def carry_out(server, kind):
    """Carry out PUT or PART."""
    link = server.link
    if server.network is None:
        raise RefusedError(_NO_MODEL, "no network to put weights into")
    if link.length < (16 if kind == PUT else 5):
        raise RefusedError(_BAD_FRAME, "frame 0x%02x is too short" % kind)
    if kind == PUT:
        server.end_lesson()
        server.taken = -1
        server.lesson = Incoming(server, *struct.unpack_from("<IIII", link.payload, 4))
        server.lesson.begin()
        return
    _present(server).take(struct.unpack_from("<I", link.payload, 4)[0], memoryview(link.payload)[8 : 4 + link.length])


def answer(server, _kind):
    """Send PLACED. A request that was refused is refused again."""
    found = _present(server)
    if found.wrong:
        raise RefusedError(*found.wrong)
    struct.pack_into("<III", server.link.out, 4, found.taken, found.generation, server.network.crc())
    server.send(PLACED, 12)


def _present(server):
    """Return what PUT began."""
    found = server.lesson
    if not isinstance(found, Incoming):
        raise RefusedError(_BAD_FRAME, "weights without their PUT")
    return found


class Incoming:
    """A checkpoint that the host sends: it is written to the older slot, and loaded when it is whole.

    Parameters
    ----------
    server : serve.Server
    seen, total, state : int
        What the checkpoint says of them; with ``state`` 0 the generator is in its first one.
    crc : int
        The weights' CRC that the network is to have.

    Attributes
    ----------
    taken : int
        Bytes of weights that have come.
    generation : int
        That of the checkpoint, once it is whole and loaded.
    wrong : tuple or None
        Code and text of why it was refused.
    """

    budget = -1  # it is no lesson, though it stands in its place

    def __init__(self, server, seen, total, state, crc):
        network = server.network
        self.wrong = self.file = None
        self.taken = self.generation = 0
        self._server = server
        self._wanted = crc
        self._left = checkpoint.size(network) - checkpoint.HEADER_SIZE - 4
        self._layer = self._at = 0  # where the weights go that come next
        self._crc = 0  # of the weights so far, frozen ones included
        state = state or mix(network.seed)
        counts = 0, seen, total, state, 0
        self._path, self._next, self._header = checkpoint.begin(server.folder, network, server.model_crc, *counts)
        self._sum = crc32(self._header)  # of the file so far

    def begin(self):
        """Begin the file."""
        try:
            runtime.store(self._open)
        except OSError as error:
            self._unwritten(error)
        self.take(0, b"")  # where no layer learns, nothing is missing

    def _open(self):
        self.file = open(self._path, "wb")  # noqa: SIM115 - it is open until the last byte
        self.file.write(self._header)

    def take(self, offset, data):
        """Write the next bytes of weights; with the last one, load them."""
        if self.wrong:
            raise RefusedError(*self.wrong)
        if self.file is None:
            raise RefusedError(_BAD_FRAME, "the weights are complete, or were given up")
        if offset != self.taken or len(data) > self._left:
            text = "weights from %d on, %d bytes: %d have come, %d are missing"
            self._refuse(_BAD_FRAME, text % (offset, len(data), self.taken, self._left))
        self._count(data)
        try:
            self.file.write(data)
            self._sum = crc32(data, self._sum)
            self.taken += len(data)
            self._left -= len(data)
            if not self._left:
                self._finish()
        except OSError as error:
            self._unwritten(error)

    def _count(self, data):
        """Let the weights' CRC pass over ``data``, and over the layers that the host does not send."""
        layers = self._server.network.layers
        data = memoryview(data)
        while self._layer < len(layers):
            layer = layers[self._layer]
            if any(layer.shifts):
                part = data[: len(layer.w) - self._at]
                data = data[len(part) :]
                self._at += len(part)
            else:
                part = layer.w
                self._at = len(part)
            self._crc = crc32(part, self._crc)
            if self._at < len(layer.w):
                return
            self._layer += 1
            self._at = 0

    def _finish(self):
        """End the file and load it; refuse weights of another network."""
        crc = self._crc & 0xFFFFFFFF
        if crc != self._wanted:
            self._refuse(_OTHER_NETWORK, "the weights have CRC %08x here, not %08x" % (crc, self._wanted))
        file = self.file
        file.write(struct.pack("<I", self._sum & 0xFFFFFFFF))
        file.flush()
        file.close()
        runtime.sync()
        server = self._server
        last = checkpoint.newest(server.folder, server.network, server.model_crc)
        if not last or last.generation != self._next:
            self._refuse(_BAD_FILE, "the weights were written, and read back they are not the same")
        self.file = None
        server.restore(last)
        self.generation = self._next

    def _unwritten(self, error):
        self._refuse(_BAD_FILE, "the weights cannot be written: errno %s" % (error.args or (5,))[0])

    def _refuse(self, code, text):
        self.deafen()
        self.wrong = code, text
        raise RefusedError(code, text)

    def deafen(self):
        """Give up weights that are not whole; the slot is free again."""
        file = self.file
        if file:
            self.file = None
            try:
                file.close()
                remove(self._path)
            except OSError:
                pass
