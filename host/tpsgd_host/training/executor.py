"""The interface of what carries out a run, a board or the simulator. A run's driver knows nothing else.

Shapes: R records, T steps, C channels.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from tpsgd_host.errors import BoardError

TRAIN, TEST = 0, 1

#: The value that stands for probability 1 in a result.
MAX_P = 127

#: Records held in memory at a time while a run reads its source.
STRETCH = 4096

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Records:
    """Samples to apply, in order (SPEC 4).

    Attributes
    ----------
    ops : ndarray of uint8, shape (R,)
        0 train, 1 test.
    labels : ndarray of uint8, shape (R,)
        Class; 255 where unknown (test only).
    data : ndarray of uint8, shape (R, T*C)
        Stored activations, ``x + 128``.
    raw : sequence of (bytes or None), length R, or None
        What a board is sent in place of ``data``, if not None, to make the sample itself.
    """

    ops: Bytes
    labels: Bytes
    data: Bytes
    raw: Sequence[bytes | None] | None = None

    def __len__(self) -> int:
        return len(self.ops)


def checked(results: Bytes, classes: int) -> Bytes:
    """Return results, shape (r, 2), after a check that a network of ``classes`` classes can give them.

    Raises
    ------
    BoardError
        A class or a probability is out of range.
    """
    for predicted, p_y in results[(results[:, 0] >= classes) | (results[:, 1] > MAX_P)]:
        raise BoardError(
            f"a result has class {predicted} and probability {p_y}/127, but the model has classes 0 to {classes - 1}",
            "the board's program may be damaged: flash it again with tpsgd-host flash MODEL",
        )
    return results


@dataclass(frozen=True)
class Outcome:
    """State of the trainer after a run.

    Attributes
    ----------
    applied, seen : int
        Number of records applied in this run, and of training samples among them.
    weights_crc : int
        CRC-32 over all weight bytes as stored.
    details : dict
        What else the executor knows: engine, heap in use, bytes of training state.
    """

    applied: int
    seen: int
    weights_crc: int
    details: dict[str, object]


class RecordSource(Protocol):
    """All records of a run, numbered from 0; the same numbers always give the same records."""

    @property
    def total(self) -> int:
        """Number of training samples in the whole run."""

    def records(self, first: int, end: int) -> Records:
        """Return the records number ``first`` to ``end`` (exclusive)."""


class Executor(Protocol):
    """Applies a run's records to a network."""

    def begin(self, run_id: int, source: RecordSource, fresh: bool) -> None:
        """Begin a run over records of ``source``; ``fresh``: with the model's own weights, else the present ones."""

    def apply(self, first: int, end: int) -> Iterator[Bytes]:
        """Apply the next records, ``first`` to ``end`` (exclusive).

        Yields
        ------
        ndarray of uint8, shape (r, 2)
            Results in order, as they arrive: predicted class and p_y.
        """

    def finish(self) -> Outcome:
        """End the run, save the weights if the executor does that, and return its state."""

    def weights(self) -> bytes:
        """Return the present weight bytes of all layers, as stored."""


class RecordExecutor(ABC):
    """An :class:`Executor` for subclasses that take records as they are passed: a board, a simulator."""

    _source: RecordSource

    @abstractmethod
    def start(self, run_id: int, total: int, fresh: bool) -> None:
        """Begin a run of ``total`` training samples; ``fresh``: from the model's own weights, else the present ones."""

    @abstractmethod
    def stream(self, records: Records) -> Iterator[Bytes]:
        """Apply records in order; yield results as they arrive, arrays (r, 2) of predicted class and p_y."""

    def begin(self, run_id: int, source: RecordSource, fresh: bool) -> None:
        """Begin a run over the records of ``source``."""
        self._source = source
        self.start(run_id, source.total, fresh)

    def apply(self, first: int, end: int) -> Iterator[Bytes]:
        """Apply the run's records ``first`` to ``end`` (exclusive); yield their results as they arrive."""
        for at in range(first, end, STRETCH):
            yield from self.stream(self._source.records(at, min(end, at + STRETCH)))
