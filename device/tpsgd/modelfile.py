"""Read a model file (SPEC 2): check everything that bounds memory before anything is allocated for it.

Legend: C channels, T steps, K checkpoints, N classes, P phases, n inputs and m units of a layer.
"""

import struct
from os import remove

from tpsgd.runtime import crc32

MAGIC = b"TPSG"
VERSION = 2
HEADER = "<4sBBHIIHHBBBBBBHIIfI"
HEADER_SIZE = 44
LAYER = "<BBHHBBBBBB"
LAYER_SIZE = 24

DENSE, RECURRENT, OUTPUT, CONV = 0, 1, 2, 3
LAST, CHECKPOINT, RANDOM, EVERY = 0, 1, 2, 3

NEW = ".new"  # behind the path of a model file: another that is about to take its place (SPEC 1.8)

_CHUNK = 256


class ModelError(ValueError):
    """A file that is no model of this version, or a damaged one."""


class LayerSpec:
    """One layer as its file describes it: fields as in SPEC 2, ``shifts`` the P update shifts."""

    def __init__(self, raw, at, phases):
        (self.kind, flags, self.units, self.inputs, self.shift, self.leak, self.amplitude, self.loss, self.l1,
         self.regions) = struct.unpack_from(LAYER, raw, at)  # fmt: skip
        self.frozen = flags & 1
        self.shifts = bytes(raw[at + 12 : at + 12 + phases])
        self.rows, self.columns, self.stride, self.pool = raw[at + 20 : at + LAYER_SIZE]
        _check(flags < 2, "layer flags")
        _check(not any(raw[at + 12 + phases : at + 20]), "shifts behind the last phase")
        _check(1 <= self.units <= 1024, "units", self.units)
        _check(1 <= self.inputs <= 1039, "inputs", self.inputs)
        _check(self.shift <= 15 and max(self.shifts) <= 15, "shift")
        if self.kind == OUTPUT:
            _check(self.amplitude == self.loss == self.l1 == 0, "target of an output layer")
        else:
            _check((self.kind == CONV) <= self.amplitude <= 127, "target amplitude", self.amplitude)
            _check(self.loss <= (self.amplitude > 0), "loss", self.loss)
            _check((1 <= self.l1 <= 127) if self.loss else self.l1 == 0, "l1 constant", self.l1)
        _check(self.leak <= 7 if self.kind == RECURRENT else self.leak == 0, "leak", self.leak)
        window = (self.rows, self.columns, self.stride, self.pool, self.regions)
        _check(self.regions <= 15 and (min(window) > 0 if self.kind == CONV else not any(window)), "kernel", window)

    def cells(self):
        """Return the number of weights, biases counted."""
        return self.units * (self.inputs + 1)

    def nbytes(self):
        """Return the bytes its weights take, in the file and in memory."""
        return self.cells() * (1 if self.frozen else 2)


class Model:
    """The header of a model file; attributes as in SPEC 2.

    ``crc`` is the one that ends the file, ``front`` the module that runs its conv or recurrent layers, or None.

    Parameters
    ----------
    file : binary file, seekable
        Left where it is; :meth:`weights` reads it again.
    """

    def __init__(self, file):
        size = file.seek(0, 2)
        file.seek(0)
        raw = file.read(HEADER_SIZE)
        _check(len(raw) == HEADER_SIZE and raw[:4] == MAGIC, "magic: this is no model file")
        (_, version, count, self.header, self.length, self.seed, self.steps, self.channels, self.classes,
         self.checkpoints, self.rule, self.phases, self.windows, self.resampling, self.scales, self.window, self.hop,
         self.rate, self.total) = struct.unpack(HEADER, raw)  # fmt: skip
        _check(version == VERSION, "format version", version)
        _check(self.length == size, "length: the file has %d bytes and says" % size, self.length)
        _check(1 <= count <= 8, "number of layers", count)
        _check(1 <= self.phases <= 8, "phases", self.phases)
        _check(self.seed > 0, "seed", 0)
        _check(1 <= self.steps <= 4096 and 1 <= self.channels <= 1039, "steps and channels")
        _check(2 <= self.classes <= 255, "classes", self.classes)
        _check(self.rule <= EVERY, "rule", self.rule)
        _check(self.windows <= 1 and self.resampling <= 1, "windows")
        _check(self.scales in (1, self.channels), "scales", self.scales)
        self.strings = HEADER_SIZE + LAYER_SIZE * count + 8 * self.scales
        _check(self.strings <= self.header <= size - 4 and self.header % 4 == 0, "header length", self.header)
        raw = file.read(LAYER_SIZE * count)
        self.layers = [LayerSpec(raw, LAYER_SIZE * i, self.phases) for i in range(count)]
        self._check_chain()
        _check(self.header + sum([layer.nbytes() for layer in self.layers]) + 4 == size, "length", size)
        self._check_strings(file)
        self.crc = _check_crc(file, size)

    def _check_chain(self):
        """Refuse layers that do not fit each other."""
        inputs = self.steps * self.channels
        last = len(self.layers) - 1
        rows, width, depth = self.steps, self.channels, 0  # of the map that a conv layer reads
        below = self.channels
        before = first = self.layers[0].kind
        feedback = False
        self.front = _module(first)
        for i, layer in enumerate(self.layers):
            kind = layer.kind
            _check((kind == OUTPUT) == (i == last) and kind <= CONV, "kind of layer", i)
            _check(kind in (DENSE, OUTPUT) or kind == before, "conv or recurrent layer behind another kind", i)
            if i and kind != OUTPUT:
                _check(feedback <= (layer.amplitude == 0), "target behind a layer that learns from feedback", i)
                _check(kind != RECURRENT or feedback == (layer.amplitude == 0), "target in a stack", i)
            feedback = layer.amplitude == 0
            before = kind
            if kind == RECURRENT:
                _check(1 <= self.checkpoints <= 16 and self.checkpoints <= self.steps, "checkpoints", self.checkpoints)
                _check(layer.inputs == below + layer.units, "inputs of layer", i)
                below = layer.units
                inputs = self.checkpoints * below
            elif kind == CONV:
                found = self.front.geometry(layer, rows, width)
                _check(found and depth in (0, found[0]), "kernel of layer", i)
                _check(rows * width <= 65535, "map before layer", i)
                _, _, rows, columns = found
                depth = layer.units
                width = columns * depth
                inputs = rows * width
            else:
                _check(layer.inputs == inputs, "inputs of layer", i)
                inputs = layer.units
        if last and not self.layers[-2].amplitude:
            import tpsgd.feedback  # noqa: F401 - before the memory of a network is counted
        _check(self.layers[last].units == self.classes, "units of the output layer", self.layers[last].units)
        _check((first == RECURRENT) == (self.checkpoints > 0), "checkpoints", self.checkpoints)

    def _check_strings(self, file):
        """Walk over the strings and see that they end where the weights begin."""
        at = self.strings
        left = 3 + self.classes
        named = False
        while left:
            file.seek(at)
            raw = file.read(1)
            _check(at < self.header and len(raw) == 1, "strings")
            _check(left > self.classes or named or raw[0], "empty class name")
            at += 1 + raw[0]
            left -= 1
            if left == 0 and not named:
                file.seek(at)
                raw = file.read(2)
                _check(at + 2 <= self.header, "strings")
                left = raw[0] | raw[1] << 8
                _check(left in (0, self.channels, self.steps * self.channels), "column names", left)
                named = True
                at += 2
        _check(at <= self.header < at + 4, "header length", self.header)

    def weights(self, file, buffers):
        """Read the weights into ``buffers``, one bytearray a layer."""
        file.seek(self.header)
        for buffer in buffers:
            _check(file.readinto(buffer) == len(buffer), "length while reading weights")


def load_or_recover(path, wrong, load, *args):
    """Call ``load`` with ``args``; where it raises ``wrong``, again with what a power cut left (SPEC 1.8), if anything.

    What was left goes, once there is a model.
    """
    try:
        load(*args)
    except wrong:
        from tpsgd import newclass

        if not newclass.recover(path):
            raise
        load(*args)
    try:
        remove(path + NEW)
    except OSError:
        pass


def _module(kind):
    """Return the module that runs layers of a kind in front of the dense ones, or None; loaded when it is needed."""
    if kind == RECURRENT:
        from tpsgd import recurrent

        return recurrent
    if kind == CONV:
        from tpsgd import convolution

        return convolution
    return None


def _check(right, what, value=None):
    if not right:
        raise ModelError("model file: bad " + what + ("" if value is None else " " + str(value)))


def _check_crc(file, size):
    """Return the CRC-32 that ends a file, having compared it with the file's bytes."""
    file.seek(0)
    crc = 0
    left = size - 4
    while left:
        raw = file.read(min(_CHUNK, left))
        _check(raw, "length while checking")
        crc = crc32(raw, crc)
        left -= len(raw)
    said = struct.unpack("<I", file.read(4))[0]
    _check(said == crc & 0xFFFFFFFF, "CRC: the file is damaged")
    return said
