"""Samples as a network reads them: stored activations, one byte per value, held in memory once however they are split.

Shapes: D samples in memory, S samples of a part, T steps, C channels, N classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from tpsgd_host.data.samples import BadRow, Samples
from tpsgd_host.data.scaling import Scaling
from tpsgd_host.data.words import Picked, Words

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class EncodedSamples:
    """Labelled samples as stored activations; parts of one set share the memory.

    Attributes
    ----------
    data : ndarray of uint8, shape (D, T*C)
        Stored activations of the whole set, ``x + 128``.
    rows : ndarray of uint32, shape (S,)
        Rows of ``data`` that hold the samples of this part.
    labels : ndarray of uint8, shape (S,)
        Index into ``classes``; 255 where unknown.
    classes : tuple of str
        The N class names.
    groups : sequence of str
        The recording of each of the S samples.
    lines : ndarray of int64, shape (S,)
        Line (or row, from 1) of the file where each sample begins.
    bad_rows : tuple of BadRow
        Rows that were skipped.
    source : str
        The file, as the user named it.
    """

    data: Bytes = field(repr=False)
    rows: npt.NDArray[np.uint32] = field(repr=False)
    labels: Bytes = field(repr=False)
    classes: tuple[str, ...]
    groups: Sequence[str] = field(repr=False)
    lines: npt.NDArray[np.int64] = field(repr=False)
    bad_rows: tuple[BadRow, ...] = ()
    source: str = ""

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, index: npt.NDArray[np.int64]) -> EncodedSamples:
        """Return the samples at ``index``, in that order; the activations are shared."""
        return replace(
            self, rows=self.rows[index], labels=self.labels[index], groups=Picked(self.groups, index),
            lines=self.lines[index],
        )  # fmt: skip

    def activations(self, index: npt.NDArray[np.int64] | slice) -> Bytes:
        """Return the stored activations of some samples, shape (r, T*C)."""
        return self.data[self.rows[index]]


def encoded(samples: Samples | EncodedSamples, scaling: Scaling) -> EncodedSamples:
    """Return samples as stored activations."""
    if isinstance(samples, EncodedSamples):
        return samples
    return EncodedSamples(
        scaling.encode(samples.values), np.arange(len(samples), dtype=np.uint32), samples.labels, samples.classes,
        Words(samples.groups), samples.lines, samples.bad_rows, samples.source,
    )  # fmt: skip
