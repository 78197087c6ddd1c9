"""Checkpoints as boards keep them (SPEC 3), read on the host."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from zlib import crc32

from tpsgd import checkpoint, serve
from tpsgd.format import NEW
from tpsgd_host.errors import ModelError
from tpsgd_host.model.modelfile import Model

MAGIC = b"TPSC"
VERSION = 1
HEADER = "<4sB3sIIIIIIII"
HEADER_SIZE = struct.calcsize(HEADER)

#: What a board's model may leave beside its file: all that goes when another model comes.
BESIDE = (serve.MODEL + NEW, *checkpoint.SLOTS)


@dataclass(frozen=True)
class Checkpoint:
    """One checkpoint; fields as in SPEC 3.

    Attributes
    ----------
    model_crc : int
        CRC-32 that ends the model file it belongs to.
    generation : int
        The higher the newer.
    weights : bytes
        Of the layers that train, as stored.
    """

    model_crc: int
    generation: int
    run_id: int
    seen: int
    total: int
    generator: int
    applied: int
    weights: bytes

    def belongs_to(self, model: Model) -> bool:
        """Whether it holds weights of ``model``."""
        layers = zip(model.weights, model.layers, strict=True)
        size = sum(w.nbytes for w, layer in layers if not layer.frozen and any(layer.shifts))
        return self.model_crc == model.crc and len(self.weights) == size


def parse_checkpoint(data: bytes, source: str) -> Checkpoint:
    """Return the checkpoint in the bytes of a file; ``source`` names it in errors.

    Raises
    ------
    ModelError
        When it is damaged, cut short or of another version.
    """
    hint = "A write that was cut short leaves such a file; the other slot holds the one before."
    if len(data) < HEADER_SIZE + 4 or data[:4] != MAGIC:
        raise ModelError(f"{source}: no checkpoint, or cut short ({len(data)} bytes)", hint)
    _, version, zeros, length, model_crc, generation, run_id, seen, total, generator, applied = struct.unpack_from(
        HEADER, data
    )
    if version != VERSION or zeros != b"\0\0\0":
        raise ModelError(f"{source}: checkpoint of format version {version}, this tool reads {VERSION}")
    if length != len(data):
        raise ModelError(f"{source}: the file has {len(data)} bytes and says {length}", hint)
    if crc32(data[:-4]) != int.from_bytes(data[-4:], "little"):
        raise ModelError(f"{source}: CRC: the file is damaged", hint)
    return Checkpoint(model_crc, generation, run_id, seen, total, generator, applied, data[HEADER_SIZE:-4])
