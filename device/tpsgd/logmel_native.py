"""The kernels of ``logmel`` in C: a native module, ``logmel_ARCH``. They allocate nothing. Legend as there."""

from tpsgd import native
from tpsgd.logmel import HALF_BAND, LOG, NOISE

#: The module; three of its functions take a table more than others do, because code on an ESP32 has no bytes to read.
KERNELS = native.load("logmel")
_take_logs, _take_noise, _halve = KERNELS.take_logs, KERNELS.take_noise, KERNELS.halve


def take_logs(sums, frames, at, p):
    """Store C logarithms from byte ``at`` of ``frames`` on; return the largest."""
    return _take_logs(sums, frames, at, p, LOG)


def take_noise(frames, level, c, count):
    """Take the power of the noise, whose level is ``level``, off the first ``count`` frames."""
    _take_noise(frames, level, c, count, NOISE)


def halve(source, target, places, count):
    """Copy ``count`` int16 at half the rate."""
    _halve(source, target, places, count, HALF_BAND)


KERNELS.take_logs, KERNELS.take_noise, KERNELS.halve = take_logs, take_noise, halve
