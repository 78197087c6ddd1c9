"""Checkpoints in two slots that survive a power cut (SPEC 3): a write goes to the older slot, the newer stays whole."""

import struct

from tpsgd import runtime
from tpsgd.runtime import crc32

MAGIC = b"TPSC"
VERSION = 1
HEADER = "<4sB3sIIIIIIII"
HEADER_SIZE = 40
SLOTS = ("slot0.ckpt", "slot1.ckpt")

_CHUNK = 256


class Checkpoint:
    """The header of a checkpoint: fields as in SPEC 3, and its file name in ``path``."""

    def __init__(self, path, raw):
        self.path = path
        (_, _, _, self.length, self.model_crc, self.generation, self.run_id, self.seen, self.total, self.state,
         self.applied) = struct.unpack(HEADER, raw)  # fmt: skip


def read(path, size):
    """Return the :class:`Checkpoint` in a file, or None where it is not a valid checkpoint of ``size`` bytes."""
    try:
        with open(path, "rb") as file:
            raw = file.read(HEADER_SIZE)
            if len(raw) != HEADER_SIZE or raw[:4] != MAGIC or raw[4] != VERSION or any(raw[5:8]):
                return None
            checkpoint = Checkpoint(path, raw)
            if checkpoint.length != size or file.seek(0, 2) != size:
                return None
            file.seek(HEADER_SIZE)
            crc = crc32(raw)
            left = size - HEADER_SIZE - 4
            while left:
                raw = file.read(min(_CHUNK, left))
                if not raw:
                    return None
                crc = crc32(raw, crc)
                left -= len(raw)
            return checkpoint if struct.pack("<I", crc & 0xFFFFFFFF) == file.read(4) else None
    except OSError:
        return None


def size(network):
    """Return the bytes of a checkpoint of ``network``."""
    return HEADER_SIZE + sum([len(w) for w in _trained(network)]) + 4


def newest(folder, network, model_crc, run_id=None, max_applied=0xFFFFFFFF):
    """Return the valid checkpoint of the highest generation that belongs to the model, or None.

    With a ``run_id`` only checkpoints of that run count, and only those of at most ``max_applied`` records.
    """
    best = None
    for name in SLOTS:
        found = read(folder + name, size(network))
        if not found or found.model_crc != model_crc or (best and found.generation <= best.generation):
            continue
        if run_id is None or (found.run_id == run_id and found.applied <= max_applied):
            best = found
    return best


def load(checkpoint, network):
    """Load a checkpoint's weights, counters and generator into ``network``."""
    with open(checkpoint.path, "rb") as file:
        file.seek(HEADER_SIZE)
        for w in _trained(network):
            if file.readinto(w) != len(w):
                raise OSError("checkpoint ends early")
    network.resume(checkpoint.seen, checkpoint.total, checkpoint.state)


def save(folder, network, model_crc, run_id, applied):
    """Write ``network`` to the older slot and return the new generation.

    Raises
    ------
    OSError
        When the slot cannot be written. The other slot stays as it was.
    """
    counts = run_id, network.seen, network.total, network.state[0], applied
    path, generation, header = begin(folder, network, model_crc, *counts)
    runtime.store(_write, path, header, network)
    return generation


def begin(folder, network, model_crc, *counts):
    """Return path, generation and header of the next checkpoint; ``counts`` are the header's fields from run id on."""
    last = newest(folder, network, model_crc)
    generation = last.generation + 1 if last else 1
    name = SLOTS[0]
    if last and last.path == folder + name:
        name = SLOTS[1]
    header = struct.pack(HEADER, MAGIC, VERSION, b"\0\0\0", size(network), model_crc, generation, *counts)
    return folder + name, generation, header


def _write(path, header, network):
    """Write a slot and flush it to the flash."""
    crc = crc32(header)
    with open(path, "wb") as file:
        file.write(header)
        for w in _trained(network):
            file.write(w)
            crc = crc32(w, crc)
        file.write(struct.pack("<I", crc & 0xFFFFFFFF))
        file.flush()
    runtime.sync()


def forget(folder, slots=SLOTS):
    """Remove both slots."""
    from os import remove

    for name in slots:
        try:
            remove(folder + name)
        except OSError:
            pass


def _trained(network):
    """Return the weight buffers of the layers that learn."""
    return [layer.w for layer in network.layers if any(layer.shifts)]
