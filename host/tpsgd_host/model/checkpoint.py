"""Read the checkpoints that boards write (SPEC 3)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

from tpsgd import checkpoint, serve
from tpsgd.format import NEW
from tpsgd_host.errors import ModelError
from tpsgd_host.files import read_file
from tpsgd_host.model.modelfile import MAX_FILE, Model, stored
from tpsgd_host.model.same import learning_weights, learns

MAGIC = b"TPSC"
VERSION = 1
HEADER = "<4sB3sIIIIIIII"
HEADER_SIZE = struct.calcsize(HEADER)

#: Files that a model may leave beside its own on a board; they are deleted when another model comes.
BESIDE = (serve.MODEL + NEW, *checkpoint.SLOTS)


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint; its fields are those of SPEC 3.

    Attributes
    ----------
    model_crc : int
        CRC-32 at the end of the model file to which it belongs.
    generation : int
        Higher is newer.
    weights : bytes
        Weights of the layers that learn, as stored.
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
        return self.model_crc == model.crc and len(self.weights) == len(learning_weights(model))

    def apply_to(self, model: Model) -> Model:
        """Return ``model``, to which it belongs, with its weights."""
        at, parts = 0, []
        for layer, w in zip(model.layers, model.weights, strict=True):
            if learns(layer):
                parts.append(self.weights[at : at + w.nbytes])
                at += w.nbytes
            else:
                parts.append(stored(w))
        return model.with_weights(b"".join(parts))


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint's file.

    Raises
    ------
    ModelError
        When it cannot be read, or :func:`parse_checkpoint` refuses it.
    """
    try:
        data = read_file(path, MAX_FILE)
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror}", "Name a checkpoint, such as slot0.ckpt.") from None
    return parse_checkpoint(data, str(path))


def parse_checkpoint(data: bytes, source: str) -> Checkpoint:
    """Return the checkpoint in the bytes of a file; ``source`` names it in errors.

    Raises
    ------
    ModelError
        When it is damaged, cut short or of another version.
    """
    hint = "An interrupted write leaves such a file; the other slot holds the previous checkpoint."
    if len(data) < HEADER_SIZE + 4 or data[:4] != MAGIC:
        raise ModelError(f"{source}: not a checkpoint, or cut short ({len(data)} bytes)", hint)
    _, version, zeros, length, model_crc, generation, run_id, seen, total, generator, applied = struct.unpack_from(
        HEADER, data
    )
    if version != VERSION or zeros != b"\0\0\0":
        raise ModelError(f"{source}: the checkpoint has format version {version}, but this tool reads {VERSION}")
    if length != len(data):
        raise ModelError(f"{source}: the file has {len(data)} bytes, but its header says {length}", hint)
    if crc32(data[:-4]) != int.from_bytes(data[-4:], "little"):
        raise ModelError(f"{source}: wrong CRC: the file is damaged", hint)
    return Checkpoint(model_crc, generation, run_id, seen, total, generator, applied, data[HEADER_SIZE:-4])
