"""A model file as the trainer needs it (SPEC 2); ``header`` reads and checks it."""

import struct

from tpsgd import runtime
from tpsgd.runtime import crc32

_CHUNK = 256

#: Where the length of the header is in a file.
_LENGTH_AT = 6


class ModelError(ValueError):
    """The file is no model of this version, or it is damaged."""


class LayerSpec:
    """One layer of a model file. Fields are as in SPEC 2; ``shifts`` are the P update shifts."""

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
        from tpsgd import header

        try:
            header.read(self, file, LayerSpec)
            self.crc = _crc(file)
        except ValueError as error:
            raise ModelError("model file: bad " + str(error)) from None
        finally:
            del header
            runtime.forget(("header", "frontspec"))

    def weights(self, file, buffers):
        """Read the weights into ``buffers``, one bytearray per layer."""
        _read(file, self.header, buffers)


def reload(file, crc, buffers):
    """Read the weights again from the model file that had this ``crc``. This needs no memory for checks."""
    try:
        right = _crc(file) == crc
    except ValueError:
        right = False
    if not right:
        raise ModelError("model file: it is not the one that was loaded, or it is damaged now")
    file.seek(_LENGTH_AT)
    raw = file.read(2)
    _read(file, raw[0] | raw[1] << 8, buffers)


def _read(file, at, buffers):
    """Read ``buffers`` from offset ``at`` on."""
    file.seek(at)
    for buffer in buffers:
        if file.readinto(buffer) != len(buffer):
            raise ModelError("model file: bad length while reading weights")


def _crc(file):
    """Return the CRC-32 that ends a file; raise ValueError where it is not the CRC of its bytes."""
    left = file.seek(0, 2) - 4
    file.seek(0)
    crc = 0
    while left > 0:
        raw = file.read(min(_CHUNK, left))
        if not raw:
            raise ValueError("length while checking")
        crc = crc32(raw, crc)
        left -= len(raw)
    raw = file.read(4)
    if len(raw) != 4 or struct.unpack("<I", raw)[0] != crc & 0xFFFFFFFF:
        raise ValueError("CRC: the file is damaged")
    return crc & 0xFFFFFFFF
