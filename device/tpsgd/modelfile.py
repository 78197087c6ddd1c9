"""Read a model file (SPEC 2). Everything that bounds memory is checked before anything is allocated for it.

Legend: C channels, T steps, K readout steps, N classes, P phases, n inputs and m units of a layer.
"""

import struct

from tpsgd.format import (
    CONV,
    DENSE,
    EVERY,
    FROZEN,
    MAX_CLASSES,
    MAX_INPUTS,
    MAX_LAYERS,
    MAX_PHASES,
    MAX_POOLED,
    MAX_READOUT_STEPS,
    MAX_SEGMENT_STEPS,
    MAX_SEGMENTS,
    MAX_STEPS,
    MAX_UNITS,
    OUTPUT,
    PADDED,
    RECURRENT,
    TEMPORAL,
)
from tpsgd.runtime import crc32

MAGIC = b"TPSG"
VERSION = 2
FRONT, PROTOTYPES = 1, 2  # added to the version: with a front-end block, with prototypes
HEADER = "<4sBBHIIHHBBBBBBHIIfI"
HEADER_SIZE = 44
LAYER = "<BBHHBBBBBB"
LAYER_SIZE = 24

_CHUNK = 256


class ModelError(ValueError):
    """The file is no model of this version, or it is damaged."""


class LayerSpec:
    """One layer of a model file. Fields are as in SPEC 2; ``shifts`` are the P update shifts."""

    def __init__(self, raw, at, phases):
        (self.kind, flags, self.units, self.inputs, self.shift, self.leak, self.amplitude, self.loss, self.l1,
         self.regions) = struct.unpack_from(LAYER, raw, at)  # fmt: skip
        self.frozen = flags & FROZEN
        self.padded = flags & PADDED
        self.shifts = bytes(raw[at + 12 : at + 12 + phases])
        self.rows, self.columns, self.stride, self.pool = raw[at + 20 : at + LAYER_SIZE]
        _check(flags <= (FROZEN | PADDED if self.kind == CONV else FROZEN), "layer flags", flags)
        _check(not any(raw[at + 12 + phases : at + 20]), "shifts after the last phase")
        _check(1 <= self.units <= MAX_UNITS, "units", self.units)
        _check(1 <= self.inputs <= MAX_INPUTS, "inputs", self.inputs)
        _check(self.shift <= 15 and max(self.shifts) <= 15, "shift")
        if self.kind == OUTPUT:
            _check(self.amplitude == self.loss == self.l1 == 0, "target of an output layer")
        else:
            most = 0 if self.kind == TEMPORAL else 127
            _check(self.amplitude <= most, "target amplitude", self.amplitude)
            _check(self.loss <= (self.amplitude > 0), "loss", self.loss)
            _check((1 <= self.l1 <= 127) if self.loss else self.l1 == 0, "l1 constant", self.l1)
        _check(self.leak <= 7 if self.kind == RECURRENT else self.leak == 0, "leak", self.leak)
        self.segments = 0
        kernel = (self.rows, self.columns, self.stride, self.pool, self.regions)
        if self.kind == TEMPORAL:
            self.segments, self.regions = self.regions, 0
            _check(self.rows and 1 <= self.segments <= MAX_SEGMENTS and not any(kernel[1:4]), "kernel", kernel)
            return
        if self.kind == CONV:
            right = min(kernel[:4]) > 0 and (self.regions > 0) == (self.amplitude > 0)
            right = right and (not self.padded or self.rows & self.columns & 1)
            _check(right and self.regions <= 15, "kernel", kernel)
        else:
            _check(not any(kernel), "kernel", kernel)

    def cells(self):
        """Return the number of weights, biases included."""
        return self.units * (self.inputs + 1)

    def learns(self):
        """Return whether it learns in some phase."""
        return not self.frozen and max(self.shifts) > 0

    def nbytes(self):
        """Return the bytes its weights take, in the file and in memory."""
        return self.cells() * (1 if self.frozen else 2)


class Model:
    """The header of a model file. Attributes are as in SPEC 2; ``crc`` is the one that ends the file.

    Parameters
    ----------
    file : binary file, seekable
        It stays open; :meth:`weights` reads it again.

    Raises
    ------
    ModelError
        When the file is not a whole and valid model.
    """

    def __init__(self, file):
        size = file.seek(0, 2)
        file.seek(0)
        raw = file.read(HEADER_SIZE)
        _check(len(raw) == HEADER_SIZE and raw[:4] == MAGIC, "magic: this is no model file")
        (_, version, count, self.header, self.length, self.seed, self.steps, self.channels, self.classes,
         self.readout_steps, self.update_at, self.phases, self.windows, self.resampling, self.scales, self.window,
         self.hop, self.rate, self.total) = struct.unpack(HEADER, raw)  # fmt: skip
        _check(VERSION <= version <= VERSION + FRONT + PROTOTYPES, "format version", version)
        _check(self.length == size, "length: the file has %d bytes and says" % size, self.length)
        _check(1 <= count <= MAX_LAYERS, "number of layers", count)
        _check(1 <= self.phases <= MAX_PHASES, "phases", self.phases)
        _check(self.seed > 0, "seed", 0)
        _check(1 <= self.steps <= MAX_STEPS and 1 <= self.channels <= MAX_INPUTS, "steps and channels")
        _check(2 <= self.classes <= MAX_CLASSES, "classes", self.classes)
        _check(self.update_at <= EVERY, "update_at", self.update_at)
        #: How the host varies training samples before it sends them.
        self.variation = self.windows >> 4
        self.windows &= 15
        _check(self.windows <= 1 and self.variation <= 2 and self.resampling <= 1, "windows")
        _check(self.scales in (1, self.channels), "scales", self.scales)
        #: The front end and the prototypes, or None.
        self.front = self.prototypes = None
        at = HEADER_SIZE + LAYER_SIZE * count
        if version - VERSION & FRONT:
            self._read_front(file, at)
            at += self.front.size
        if version - VERSION & PROTOTYPES:
            self._read_prototypes(file, at)
            at += self.prototypes.size
        self.strings = at + 8 * self.scales
        _check(self.strings <= self.header <= size - 4 and self.header % 4 == 0, "header length", self.header)
        file.seek(HEADER_SIZE)
        raw = file.read(LAYER_SIZE * count)
        self.layers = [LayerSpec(raw, LAYER_SIZE * i, self.phases) for i in range(count)]
        self._check_chain()
        #: Where the prototypes begin in the file.
        self.vectors = self.header + sum([layer.nbytes() for layer in self.layers])
        _check(self.vectors + self._prototype_bytes() + 4 == size, "length", size)
        self._check_strings(file)
        self.crc = _check_crc(file, size)

    def _read_front(self, file, at):
        """Read the front-end block."""
        from tpsgd.frontspec import SIZE, FrontSpec

        file.seek(at)
        raw = file.read(SIZE)
        _check(len(raw) == SIZE, "front end: length", len(raw))
        more = (raw[2] | raw[3] << 8) - SIZE
        _check(0 <= more <= 4 * MAX_INPUTS, "front end: size", more + SIZE)
        try:
            self.front = FrontSpec(raw + file.read(more), self.channels)
        except ValueError as error:
            raise ModelError("model file: bad " + str(error)) from None

    def _read_prototypes(self, file, at):
        """Read the prototypes block."""
        from tpsgd.protospec import SIZE, ProtoSpec

        file.seek(at)
        raw = file.read(SIZE)
        _check(len(raw) == SIZE, "prototypes: length", len(raw))
        more = (raw[0] | raw[1] << 8) - SIZE
        _check(more >= 0, "prototypes: size", more + SIZE)
        try:
            self.prototypes = ProtoSpec(raw + file.read(more), self.classes)
        except ValueError as error:
            raise ModelError("model file: bad " + str(error)) from None

    def _prototype_bytes(self):
        """Return the bytes of the prototypes after the weights; refuse them where a layer before the output learns."""
        if not self.prototypes:
            return 0
        frozen = [layer.frozen for layer in self.layers]
        _check(all(frozen[:-1]), "prototypes: a layer before the output learns")
        return self.prototypes.count * self.layers[-1].inputs

    def _check_chain(self):
        """Refuse layers that do not fit each other."""
        inputs = self.steps * self.channels
        last = len(self.layers) - 1
        rows, width, depth = self.steps, self.channels, 0  # of the map that a conv layer reads
        below = self.channels
        before = first = self.layers[0].kind
        feedback = False
        for i, layer in enumerate(self.layers):
            kind = layer.kind
            _check((kind == OUTPUT) == (i == last) and kind <= TEMPORAL, "kind of layer", i)
            _check(kind in (DENSE, OUTPUT) or kind == before, "conv or recurrent layer after another kind", i)
            _check(kind != TEMPORAL or i == 0, "temporal layer after another", i)
            if i and kind != OUTPUT:
                _check(feedback <= (layer.amplitude == 0), "target after a layer that learns from feedback", i)
                _check(kind != before or kind == DENSE or feedback == (layer.amplitude == 0), "target in a stack", i)
            feedback = layer.amplitude == 0
            before = kind
            if kind == RECURRENT:
                most = min(MAX_READOUT_STEPS, self.steps)
                _check(1 <= self.readout_steps <= most, "readout steps", self.readout_steps)
                _check(layer.inputs == below + layer.units, "inputs of layer", i)
                below = layer.units
                inputs = self.readout_steps * below
            elif kind == TEMPORAL:
                longest = -(-self.steps // layer.segments)
                _check(layer.inputs == layer.rows * self.channels, "inputs of layer", i)
                _check(layer.rows <= self.steps, "kernel of layer", i)
                _check(layer.segments <= self.steps and longest <= MAX_SEGMENT_STEPS, "segments of layer", i)
                inputs = layer.segments * layer.units
            elif kind == CONV:
                from tpsgd.patches import geometry

                found = geometry(layer, rows, width)
                _check(found and depth in (0, found[0]), "kernel of layer", i)
                _check(rows * width <= 65535, "map before layer", i)
                _, together, rows, columns = found
                if not layer.amplitude:
                    _check(layer.pool * together <= MAX_POOLED, "pooling in layer", i)
                depth = layer.units
                width = columns * depth
                inputs = rows * width
            else:
                _check(layer.inputs == inputs, "inputs of layer", i)
                inputs = layer.units
        _check(self.layers[last].units == self.classes, "units of the output layer", self.layers[last].units)
        _check((first == RECURRENT) == (self.readout_steps > 0), "readout steps", self.readout_steps)

    def _check_strings(self, file):
        """Refuse strings that do not end where the weights begin."""
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
        """Read the weights into ``buffers``, one bytearray per layer."""
        file.seek(self.header)
        for buffer in buffers:
            _check(file.readinto(buffer) == len(buffer), "length while reading weights")


def _check(right, what, value=None):
    if not right:
        raise ModelError("model file: bad " + what + ("" if value is None else " " + str(value)))


def _check_crc(file, size):
    """Return the CRC-32 that ends a file; refuse the file where it is not the CRC of its bytes."""
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
