"""What microphones give as int16, readable; ``narrow_viper`` does the same faster."""

import struct


def narrow(source, target, count, shift):
    """Store ``count`` int32 of ``source``, moved right by ``shift`` bits and cut off at int16, in ``target``."""
    for i in range(count):
        x = struct.unpack_from("<i", source, 4 * i)[0] >> shift
        target[i] = max(-32768, min(32767, x))


def centre(source, target, at, count):
    """Store ``count`` values of 12 bits, uint16 from the ``at``-th of ``source`` on, in ``target``: half is 0."""
    for i in range(count):
        target[i] = (struct.unpack_from("<H", source, 2 * (at + i))[0] << 4) - 32768
