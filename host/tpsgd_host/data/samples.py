"""Samples in the sensor's units.

Shapes: S samples, T steps, C channels, N classes.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

UNKNOWN = 255  # the class of a sample without a label, also on the link


@dataclass(frozen=True)
class BadRow:
    """A row that could not be used: its line in the file (1 is the header) and the reason."""

    line: int
    reason: str


@dataclass(frozen=True, repr=False)
class Samples:
    """Labelled samples in the sensor's own units.

    Attributes
    ----------
    values : ndarray of float64, shape (S, T, C)
    labels : ndarray of uint8, shape (S,)
        Index into ``classes``; 255 where unknown.
    classes : tuple of str
        The N class names.
    groups : tuple of str
        The recording of each of the S samples; a recording must not be split between training and test.
    lines : ndarray of int64, shape (S,)
        Line (or row, from 1) of the file where each sample begins.
    bad_rows : tuple of BadRow
        Rows that were skipped.
    source : str
        The file, as the user named it.
    """

    values: npt.NDArray[np.float64]
    labels: npt.NDArray[np.uint8]
    classes: tuple[str, ...]
    groups: tuple[str, ...]
    lines: npt.NDArray[np.int64]
    bad_rows: tuple[BadRow, ...] = field(default=())
    source: str = ""

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        steps, channels = self.values.shape[1:]
        return f"<{len(self)} Samples of {steps} x {channels} values, {len(self.classes)} classes, from {self.source}>"

    def take(self, index: npt.NDArray[np.int64]) -> Samples:
        """Return the samples at ``index``, in that order."""
        return replace(
            self,
            values=self.values[index],
            labels=self.labels[index],
            groups=tuple(self.groups[i] for i in index),
            lines=self.lines[index],
        )


def joined(one: Samples, other: Samples) -> Samples:
    """Return the samples of both."""
    return replace(
        one, values=np.concatenate([one.values, other.values]), labels=np.concatenate([one.labels, other.labels]),
        groups=one.groups + other.groups, lines=np.concatenate([one.lines, other.lines]),
    )  # fmt: skip
