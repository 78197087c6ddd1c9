"""Buffers of a network, for the engines that work on stored bytes and words; the array engine has its own.

Legend as in ``kernels_plain``.
"""

from array import array


def activations(n, over=None):
    """Return a buffer for ``n - 1`` activations, 0 at first, and the bias: the one given as ``over``, if any."""
    x = bytearray(n) if over is None else over
    for j in range(n - 1):
        x[j] = 128
    x[n - 1] = 255
    return x


def accumulators(m):
    """Return a buffer for ``m`` sums or errors."""
    return array("i", bytes(4 * m))


def view(z, m):  # noqa: ARG001 - an array engine needs m
    """Return the first ``m`` words of ``z``."""
    return z


def states(m):
    """Return a buffer for the states of ``m`` leaky units."""
    return bytearray(2 * m)


def matrix(w, m, n, frozen):  # noqa: ARG001 - an array engine needs the shape
    """Return what :func:`forward` and :func:`update` take for the weight bytes ``w``."""
    return w


def positions(m):
    """Return a buffer for ``m`` positions in a map, 0..65535."""
    return array("H", bytes(2 * m))
