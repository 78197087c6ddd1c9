"""Add a class to a trained network: its model file is written again, whole or not at all (SPEC 1.8).

Legend: N classes before; n inputs of the output layer, the bias counted.
"""

import struct
from os import remove

from tpsgd import plan, runtime
from tpsgd.format import MAX_CLASSES, NEW
from tpsgd.header import HEADER_SIZE, LAYER_SIZE
from tpsgd.modelfile import Model
from tpsgd.runtime import crc32

MAX_NAME = 255  # bytes of a class name
_CHUNK = 256


def add(path, network, classes, name):
    """Write the model file again: ``network`` as it is now, with a class ``name`` after its ``classes``.

    After any of these errors the model file is as it was, or can be recovered.

    Raises
    ------
    ValueError
        When the name cannot be added, or the output layer is frozen.
    MemoryError
        When the larger network would not fit.
    OSError
        When the file cannot be written.
    """
    raw = _checked(classes, name)
    with open(path, "rb") as file:
        model = Model(file)
        if model.layers[-1].frozen:
            raise ValueError("the output layer is frozen: it cannot learn a new class")
        try:
            runtime.store(_write, path + NEW, file, model, network, raw)
            _check_room(path + NEW, model, plan.WORDS[network.k.NAME])
        except (OSError, MemoryError, ValueError):
            _discard(path + NEW)
            raise
    _settle(path)


def recover(path):
    """Replace a model file that is missing or torn by the new one; return whether there was a valid new one."""
    try:
        with open(path + NEW, "rb") as file:
            Model(file)
    except (OSError, ValueError):
        return False
    runtime.may_write()
    _settle(path)
    return True


def _settle(path):
    """Copy the new file, which is whole, over the model file; then remove the new file.

    Renaming is not safe: a power cut while FAT renames can leave two names for the same blocks.
    """
    try:
        with open(path + NEW, "rb") as file, open(path, "wb") as out:
            _copy(file, 0, file.seek(0, 2), out, 0)
            out.flush()
        runtime.sync()
        remove(path + NEW)
    except OSError:  # no room for two files of the new size, but for one
        from os import rename

        _discard(path)
        rename(path + NEW, path)
        runtime.sync()


def row(w, count, n):
    """Return the weights of the new row as stored: the mean of the ``count`` rows in ``w``, n weights each."""
    mean = bytearray(2 * n)
    for j in range(n):
        u = 0
        for at in range(2 * j, 2 * n * count, 2 * n):
            u += w[at] | w[at + 1] << 8
        struct.pack_into("<H", mean, 2 * j, u // count)
    return mean


def _checked(classes, name):
    """Return the bytes of a class name; raise ValueError where it cannot be added."""
    if not isinstance(name, str):
        raise ValueError("a class name is a str, not %r" % (name,))
    raw = name.encode()
    if not 0 < len(raw) <= MAX_NAME:
        raise ValueError("a class name of %d bytes; it has 1 to %d" % (len(raw), MAX_NAME))
    if name in classes:
        raise ValueError("there is a class %r already" % (name,))
    if len(classes) >= MAX_CLASSES:
        raise ValueError("there are %d classes, the most that a model has" % len(classes))
    return raw


def _write(path, file, model, network, name):
    """Write the new model file. Everything except the weights is copied from the old ``file``."""
    count = model.classes
    at = model.strings
    for _ in range(3 + count):
        at = _after_string(file, at)
    file.seek(at)
    end = at + 2
    for _ in range(struct.unpack("<H", file.read(2))[0]):
        end = _after_string(file, end)
    body = HEADER_SIZE + LAYER_SIZE * len(model.layers)
    start = body
    block = b""
    if model.prototypes:
        start = model.strings - 8 * model.scales
        block = _with_scale(model.prototypes)
        body = start - model.prototypes.size
    header = end + 1 + len(name) + len(block) - (start - body)
    pad = -header % 4
    header += pad
    if header > 0xFFFF:
        raise ValueError("the names and scales of the model would take %d bytes, 65535 is the most" % header)
    file.seek(0)
    head = bytearray(file.read(HEADER_SIZE + LAYER_SIZE * len(model.layers)))
    n = model.layers[-1].inputs + 1
    struct.pack_into("<HI", head, 6, header, header - model.header + model.length + 2 * n)
    head[20] = count + 1
    struct.pack_into("<H", head, len(head) - LAYER_SIZE + 2, count + 1)
    if block:
        _quicken(head)
    with open(path, "wb") as out:
        crc = _append(out, head, 0)
        crc = _copy(file, len(head), body, out, crc)
        crc = _append(out, block, crc)
        crc = _copy(file, start, at, out, crc)
        crc = _append(out, bytes((len(name),)) + name, crc)
        crc = _copy(file, at, end, out, crc)
        crc = _append(out, bytes(pad), crc)
        for w in network.weights():
            crc = _append(out, w, crc)
        crc = _append(out, row(network.layers[-1].w, count, n), crc)
        crc = _copy(file, model.vectors, model.length - 4, out, crc)
        out.write(struct.pack("<I", crc & 0xFFFFFFFF))
        out.flush()
    runtime.sync()


def _with_scale(spec):
    """Return a prototypes block with a scale for a new class."""
    from tpsgd.protospec import pack

    return pack(spec, spec.scales + (spec.mean_scale(),))  # noqa: RUF005 - old interpreters


def _quicken(head):
    """Let the output learn fast enough for a new class in the bytes of the header and its layers."""
    from tpsgd.protospec import NEW_SHIFT

    for i in range(len(head) - LAYER_SIZE + 12, len(head) - LAYER_SIZE + 20):
        head[i] = min(head[i], NEW_SHIFT)


def _check_room(path, old, word):
    """Read the new file back; raise MemoryError where its network would not fit in place of the old one."""
    with open(path, "rb") as file:
        need = plan.total(plan.buffers(Model(file), word)) - plan.total(plan.buffers(old, word))
    free = runtime.heap()[1]
    if free and need > free:
        raise MemoryError("another class needs %d bytes, %d are free" % (need, free))


def _after_string(file, at):
    """Return the offset after the string at ``at``."""
    file.seek(at)
    return at + 1 + file.read(1)[0]


def _copy(file, at, end, out, crc):
    """Copy bytes ``at`` to ``end`` of a file in small pieces; return the CRC, continued from ``crc``."""
    file.seek(at)
    while at < end:
        raw = file.read(min(_CHUNK, end - at))
        crc = _append(out, raw, crc)
        at += len(raw)
    return crc


def _append(out, raw, crc):
    """Write ``raw``; return the CRC, continued from ``crc``."""
    out.write(raw)
    return crc32(raw, crc)


def _discard(path):
    try:
        remove(path)
    except OSError:
        pass
