"""What carries a run out: a board at the end of a link, or the simulator. A run's driver knows no more than this.

Shapes: R records, T steps, C channels.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from tpsgd_host.errors import BoardError

TRAIN, TEST = 0, 1

#: The probability 1 in a result.
MAX_P = 127

#: Records that are in memory at a time while a run goes over its source.
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
        Class, or 255 where unknown (test only).
    data : ndarray of uint8, shape (R, T*C)
        Stored activations, ``x + 128``.
    """

    ops: Bytes
    labels: Bytes
    data: Bytes

    def __len__(self) -> int:
        return len(self.ops)


def checked(results: Bytes, classes: int) -> Bytes:
    """Return results, shape (r, 2), that a network of ``classes`` classes can have.

    Raises
    ------
    BoardError
        A class or a probability is out of range.
    """
    for predicted, p_y in results[(results[:, 0] >= classes) | (results[:, 1] > MAX_P)]:
        raise BoardError(
            f"a result says class {predicted} with probability {p_y}/127; the model has classes 0 to {classes - 1}",
            "the board's program may be damaged: flash it again with tpsgd-host flash MODEL",
        )
    return results


@dataclass(frozen=True)
class Outcome:
    """State of the trainer after a run.

    Attributes
    ----------
    applied, seen : int
        Records applied in this run, and the training samples among them.
    weights_crc : int
        CRC-32 over all weight bytes as stored.
    details : dict
        What the executor knows besides: engine, heap in use, bytes of training state.
    """

    applied: int
    seen: int
    weights_crc: int
    details: dict[str, object]


class RecordSource(Protocol):
    """All records of a run by their numbers, from 0: the same records however often they are asked for."""

    @property
    def total(self) -> int:
        """Training samples of the whole run."""

    def records(self, first: int, end: int) -> Records:
        """Return the records number ``first`` to ``end`` (exclusive)."""


class Executor(Protocol):
    """Something that trains."""

    def begin(self, run_id: int, source: RecordSource, fresh: bool) -> None:
        """Begin a run over ``source``'s records; ``fresh``: with the model's own weights, else the present ones."""

    def apply(self, first: int, end: int) -> Iterator[Bytes]:
        """Apply the run's records number ``first`` to ``end`` (exclusive), the next ones.

        Yields
        ------
        ndarray of uint8, shape (r, 2)
            Results as they come, in order: predicted class and p_y.
        """

    def finish(self) -> Outcome:
        """End the run, keep the weights where the executor keeps them, and say how things stand."""

    def weights(self) -> bytes:
        """Return the present weight bytes as stored, all layers."""


class RecordExecutor(ABC):
    """An :class:`Executor` over something that takes records as they are handed to it: a board, a simulator."""

    _source: RecordSource

    @abstractmethod
    def start(self, run_id: int, total: int, fresh: bool) -> None:
        """Begin a run of ``total`` training samples; ``fresh``: from the model's own weights, else from the present."""

    @abstractmethod
    def stream(self, records: Records) -> Iterator[Bytes]:
        """Apply records in order; yield their results as they come, arrays (r, 2) of predicted class and p_y."""

    def begin(self, run_id: int, source: RecordSource, fresh: bool) -> None:
        """Begin a run over the records of ``source``."""
        self._source = source
        self.start(run_id, source.total, fresh)

    def apply(self, first: int, end: int) -> Iterator[Bytes]:
        """Apply the run's records number ``first`` to ``end`` (exclusive); yield their results as they come."""
        for at in range(first, end, STRETCH):
            yield from self.stream(self._source.records(at, min(end, at + STRETCH)))
