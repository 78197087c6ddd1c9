"""Read the header of a model file (SPEC 2). All that bounds memory is checked before anything is allocated for it.

``modelfile.Model`` drops this module once it has read a file: on a board the checks take more memory than the model.

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

MAGIC = b"TPSG"
VERSION = 2
FRONT, PROTOTYPES = 1, 2  # added to the version: with a front-end block, with prototypes
HEADER = "<4sBBHIIHHBBBBBBHIIfI"
HEADER_SIZE = 44
LAYER = "<BBHHBBBBBB"
LAYER_SIZE = 24


def read(model, file, Layer):
    """Set the attributes of ``model`` from its ``file``, all but its CRC; ``Layer()`` makes one of its layers.

    Raises
    ------
    ValueError
        When something is out of range, with what and its value.
    """
    size = file.seek(0, 2)
    file.seek(0)
    raw = file.read(HEADER_SIZE)
    _check(len(raw) == HEADER_SIZE and raw[:4] == MAGIC, "magic: this is no model file")
    (_, version, count, model.header, model.length, model.seed, model.steps, model.channels, model.classes,
     model.readout_steps, model.update_at, model.phases, model.windows, model.resampling, model.scales, model.window,
     model.hop, model.rate, model.total) = struct.unpack(HEADER, raw)  # fmt: skip
    _check(VERSION <= version <= VERSION + FRONT + PROTOTYPES, "format version", version)
    _check(model.length == size, "length: the file has %d bytes and says" % size, model.length)
    _check(1 <= count <= MAX_LAYERS, "number of layers", count)
    _check(1 <= model.phases <= MAX_PHASES, "phases", model.phases)
    _check(model.seed > 0, "seed", 0)
    _check(1 <= model.steps <= MAX_STEPS and 1 <= model.channels <= MAX_INPUTS, "steps and channels")
    _check(2 <= model.classes <= MAX_CLASSES, "classes", model.classes)
    _check(model.update_at <= EVERY, "update_at", model.update_at)
    #: How the host varies training samples before it sends them.
    model.variation = model.windows >> 4
    model.windows &= 15
    _check(model.windows <= 1 and model.variation <= 2 and model.resampling <= 1, "windows")
    _check(model.scales in (1, model.channels), "scales", model.scales)
    #: The front end and the prototypes, or None.
    model.front = model.prototypes = None
    at = HEADER_SIZE + LAYER_SIZE * count
    if version - VERSION & FRONT:
        _read_front(model, file, at)
        at += model.front.size
    if version - VERSION & PROTOTYPES:
        _read_prototypes(model, file, at)
        at += model.prototypes.size
    model.strings = at + 8 * model.scales
    _check(model.strings <= model.header <= size - 4 and model.header % 4 == 0, "header length", model.header)
    file.seek(HEADER_SIZE)
    raw = file.read(LAYER_SIZE * count)
    model.layers = [Layer() for _ in range(count)]
    for i in range(count):
        _read_layer(model.layers[i], raw, LAYER_SIZE * i, model.phases)
    _check_chain(model)
    #: Where the prototypes begin in the file.
    model.vectors = model.header + sum([layer.nbytes() for layer in model.layers])
    _check(model.vectors + _prototype_bytes(model) + 4 == size, "length", size)
    _check_strings(model, file)


def _read_layer(layer, raw, at, phases):
    """Read a layer from offset ``at`` of ``raw``; refuse it where it is out of range by itself."""
    (layer.kind, flags, layer.units, layer.inputs, layer.shift, layer.leak, layer.amplitude, layer.loss, layer.l1,
     layer.regions) = struct.unpack_from(LAYER, raw, at)  # fmt: skip
    layer.frozen = flags & FROZEN
    layer.padded = flags & PADDED
    layer.shifts = bytes(raw[at + 12 : at + 12 + phases])
    layer.rows, layer.columns, layer.stride, layer.pool = raw[at + 20 : at + LAYER_SIZE]
    _check(flags <= (FROZEN | PADDED if layer.kind == CONV else FROZEN), "layer flags", flags)
    _check(not any(raw[at + 12 + phases : at + 20]), "shifts after the last phase")
    _check(1 <= layer.units <= MAX_UNITS, "units", layer.units)
    _check(1 <= layer.inputs <= MAX_INPUTS, "inputs", layer.inputs)
    _check(layer.shift <= 15 and max(layer.shifts) <= 15, "shift")
    if layer.kind == OUTPUT:
        _check(layer.amplitude == layer.loss == layer.l1 == 0, "target of an output layer")
    else:
        most = 0 if layer.kind == TEMPORAL else 127
        _check(layer.amplitude <= most, "target amplitude", layer.amplitude)
        _check(layer.loss <= (layer.amplitude > 0), "loss", layer.loss)
        _check((1 <= layer.l1 <= 127) if layer.loss else layer.l1 == 0, "l1 constant", layer.l1)
    _check(layer.leak <= 7 if layer.kind == RECURRENT else layer.leak == 0, "leak", layer.leak)
    layer.segments = 0
    kernel = (layer.rows, layer.columns, layer.stride, layer.pool, layer.regions)
    if layer.kind == TEMPORAL:
        layer.segments, layer.regions = layer.regions, 0
        _check(layer.rows and 1 <= layer.segments <= MAX_SEGMENTS and not any(kernel[1:4]), "kernel", kernel)
        return
    if layer.kind == CONV:
        right = min(kernel[:4]) > 0 and (layer.regions > 0) == (layer.amplitude > 0)
        right = right and (not layer.padded or layer.rows & layer.columns & 1)
        _check(right and layer.regions <= 15, "kernel", kernel)
    else:
        _check(not any(kernel), "kernel", kernel)


def _read_front(model, file, at):
    """Read the front-end block."""
    from tpsgd.frontspec import SIZE, FrontSpec

    file.seek(at)
    raw = file.read(SIZE)
    _check(len(raw) == SIZE, "front end: length", len(raw))
    more = (raw[2] | raw[3] << 8) - SIZE
    _check(0 <= more <= 4 * MAX_INPUTS, "front end: size", more + SIZE)
    model.front = FrontSpec(raw + file.read(more), model.channels)


def _read_prototypes(model, file, at):
    """Read the prototypes block."""
    from tpsgd.protospec import SIZE, ProtoSpec

    file.seek(at)
    raw = file.read(SIZE)
    _check(len(raw) == SIZE, "prototypes: length", len(raw))
    more = (raw[0] | raw[1] << 8) - SIZE
    _check(more >= 0, "prototypes: size", more + SIZE)
    model.prototypes = ProtoSpec(raw + file.read(more), model.classes)


def _prototype_bytes(model):
    """Return the bytes of the prototypes after the weights; refuse them where a layer before the output learns."""
    if not model.prototypes:
        return 0
    frozen = [layer.frozen for layer in model.layers]
    _check(all(frozen[:-1]), "prototypes: a layer before the output learns")
    return model.prototypes.count * model.layers[-1].inputs


def _check_chain(model):
    """Refuse layers that do not fit each other."""
    inputs = model.steps * model.channels
    last = len(model.layers) - 1
    rows, width, depth = model.steps, model.channels, 0  # of the map that a conv layer reads
    below = model.channels
    before = first = model.layers[0].kind
    feedback = False
    for i, layer in enumerate(model.layers):
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
            most = min(MAX_READOUT_STEPS, model.steps)
            _check(1 <= model.readout_steps <= most, "readout steps", model.readout_steps)
            _check(layer.inputs == below + layer.units, "inputs of layer", i)
            below = layer.units
            inputs = model.readout_steps * below
        elif kind == TEMPORAL:
            longest = -(-model.steps // layer.segments)
            _check(layer.inputs == layer.rows * model.channels, "inputs of layer", i)
            _check(layer.rows <= model.steps, "kernel of layer", i)
            _check(layer.segments <= model.steps and longest <= MAX_SEGMENT_STEPS, "segments of layer", i)
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
    _check(model.layers[last].units == model.classes, "units of the output layer", model.layers[last].units)
    _check((first == RECURRENT) == (model.readout_steps > 0), "readout steps", model.readout_steps)


def _check_strings(model, file):
    """Refuse strings that do not end where the weights begin."""
    at = model.strings
    left = 3 + model.classes
    named = False
    while left:
        file.seek(at)
        raw = file.read(1)
        _check(at < model.header and len(raw) == 1, "strings")
        _check(left > model.classes or named or raw[0], "empty class name")
        at += 1 + raw[0]
        left -= 1
        if left == 0 and not named:
            file.seek(at)
            raw = file.read(2)
            _check(at + 2 <= model.header, "strings")
            left = raw[0] | raw[1] << 8
            _check(left in (0, model.channels, model.steps * model.channels), "column names", left)
            named = True
            at += 2
    _check(at <= model.header < at + 4, "header length", model.header)


def _check(right, what, value=None):
    if not right:
        raise ValueError(what + ("" if value is None else " " + str(value)))
