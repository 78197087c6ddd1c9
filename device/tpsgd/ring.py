"""Taught samples in two slots that survive a power cut (SPEC 3.1), as checkpoints do."""

import struct

from tpsgd import runtime
from tpsgd.runtime import crc32

MAGIC = b"TPSR"
VERSION = 1
HEADER = "<4sBBHIII"
HEADER_SIZE = 20
SLOTS = ("taught0.ring", "taught1.ring")

_CHUNK = 256


def _width(taught):
    """Return the bytes of a sample in the file."""
    return 1 + taught.size + (len(taught.samples[0]) if taught.varied else 0)


def _read(path, width, model_crc):
    """Return (generation, samples) of a slot that is valid and belongs to the model; (0, 0) of another."""
    try:
        with open(path, "rb") as file:
            size = file.seek(0, 2)
            file.seek(0)
            raw = file.read(HEADER_SIZE)
            if len(raw) != HEADER_SIZE or raw[:6] != MAGIC + bytes((VERSION, 0)):
                return 0, 0
            _, _, _, count, length, crc, generation = struct.unpack(HEADER, raw)
            if length != size or size != HEADER_SIZE + count * width + 4 or crc != model_crc:
                return 0, 0
            crc = crc32(raw)
            left = size - HEADER_SIZE - 4
            while left:
                raw = file.read(min(_CHUNK, left))
                if not raw:
                    return 0, 0
                crc = crc32(raw, crc)
                left -= len(raw)
            return (generation, count) if struct.pack("<I", crc & 0xFFFFFFFF) == file.read(4) else (0, 0)
    except OSError:
        return 0, 0


def _newest(folder, taught, model_crc):
    """Return (generation, samples, path) of the newest valid slot; generation 0: there is none."""
    found = []
    for name in SLOTS:
        generation, count = _read(folder + name, _width(taught), model_crc)
        found.append((generation, count, folder + name))
    return found[1 if found[1][0] > found[0][0] else 0]


def load(folder, taught, model_crc):
    """Take the newest samples that fit from the newest valid slot, if there is one."""
    generation, count, path = _newest(folder, taught, model_crc)
    if not generation:
        return
    first = max(0, count - taught.slots)
    with open(path, "rb") as file:
        file.seek(HEADER_SIZE + first * _width(taught))
        for _ in range(count - first):
            y = file.read(1)[0]
            i = taught.kept
            file.readinto(taught.answer.inputs if taught.compact else taught.data[i])
            if taught.varied:
                file.readinto(taught.samples[i])
            if y < taught.network.classes:  # else the sample is overwritten by the next
                taught.put(i, y)


def save(folder, taught, model_crc):
    """Write the taught samples to the older slot.

    Raises
    ------
    OSError
        When the slot cannot be written. The other slot stays as it was.
    """
    generation, _, path = _newest(folder, taught, model_crc)
    name = SLOTS[0]
    if generation and path == folder + name:
        name = SLOTS[1]
    length = HEADER_SIZE + taught.kept * _width(taught) + 4
    header = struct.pack(HEADER, MAGIC, VERSION, 0, taught.kept, length, model_crc, generation + 1)
    taught.set_aside()
    try:
        runtime.store(_write, folder + name, header, taught)
    finally:
        taught.put_back()


def _write(path, header, taught):
    """Write a slot, the oldest sample first, and flush it to the flash."""
    crc = crc32(header)
    last = 0
    with open(path, "wb") as file:
        file.write(header)
        for _ in range(taught.kept):
            i = taught.after(last)
            last = taught.numbers[i]
            inputs = taught.inputs_of(i)
            parts = (bytes((taught.labels[i],)), inputs) + ((taught.samples[i],) if taught.varied else ())
            for part in parts:
                file.write(part)
                crc = crc32(part, crc)
        file.write(struct.pack("<I", crc & 0xFFFFFFFF))
        file.flush()
    runtime.sync()
