"""Vary the samples of a run before they are learned, so that a network learns more than it is shown (SPEC 1.13).

Shapes: R samples, T steps, C channels.
"""

from __future__ import annotations

from array import array

import numpy as np

from tpsgd import variation
from tpsgd.generator import draw, mix
from tpsgd_host.data.layout import Layout
from tpsgd_host.model.prototypes import VARIATIONS
from tpsgd_host.native.binding import library
from tpsgd_host.training.executor import Bytes

ONE_IN = 10  # samples, one stays as it is

# These draws come from a stream of their own, so that they do not correlate with the order of the same seed.
_STREAM = 0x000E0000


def varied(kind: str, layout: Layout, data: Bytes, seed: int, first: int) -> Bytes:
    """Return training samples as they are learned.

    Parameters
    ----------
    kind : {"none", "words", "motion"}
    layout : Layout
        It has T and C.
    data : ndarray of uint8, shape (R, T*C)
        Stored activations.
    seed : int
        The run's shuffle seed.
    first : int
        Number of the first of them among the training samples of the run, from 0.

    Returns
    -------
    ndarray of uint8, shape (R, T*C)
    """
    if kind == "none" or not len(data):
        return data
    source, target = np.ascontiguousarray(data), np.empty(data.shape, np.uint8)
    number, base, lib = VARIATIONS.index(kind), int(mix(seed ^ _STREAM)), library()
    if lib is not None:
        lib.tpsgd_vary_run(
            number, layout.steps, layout.channels, base, first & 0xFFFFFFFF, source.ctypes.data, len(source),
            target.ctypes.data,
        )  # fmt: skip
        return target
    vary, scratch = variation.kernel(number, "plain"), variation.parameters(layout.steps, layout.channels)
    for r, sample in enumerate(source):
        state = array("I", [mix(base + first + r)])
        if draw(state, ONE_IN):
            vary(memoryview(sample), memoryview(target[r]), scratch, state)
        else:
            target[r] = sample
    return target
