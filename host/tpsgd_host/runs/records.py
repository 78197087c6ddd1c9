"""The records of a run by number: a number always gives the same record.

Shapes: R records, T steps, C channels.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import overload
from zlib import crc32

import numpy as np
import numpy.typing as npt

from tpsgd_host.data.encoded import EncodedSamples, encoded
from tpsgd_host.data.layout import Layout
from tpsgd_host.data.order import epochs
from tpsgd_host.data.raw import Raw, raw_of, to_bytes
from tpsgd_host.data.rejects import BadRows
from tpsgd_host.data.samples import Samples
from tpsgd_host.errors import ConfigError
from tpsgd_host.model.modelfile import Model
from tpsgd_host.training.executor import STRETCH, TEST, TRAIN, Bytes, Records
from tpsgd_host.training.varied import varied

#: The operation on the samples of each part.
OPS = (TRAIN, TEST)

_NO_LINES = np.empty(0, np.int64)

#: Maximum records in a run, because boards count them in 32 bits.
MAX_RECORDS = 0xFFFFFFFF


@dataclass(frozen=True)
class Presentation:
    """Which samples a run presents to the network, and in which order.

    Attributes
    ----------
    train : Samples or EncodedSamples
    test : Samples, EncodedSamples or None
        Held-out samples, classified after every ``test_every`` epochs and after the last.
    epochs : int
        Passes through ``train``; 0 only classifies ``test``.
    shuffle_seed : int
        Seed of the order of each epoch, and of the variation; 0 keeps file order.
    variation : {"none", "words", "motion"}
        How training samples are varied before they are learned (SPEC 1.13).
    """

    train: Samples | EncodedSamples
    test: Samples | EncodedSamples | None
    epochs: int
    shuffle_seed: int
    test_every: int = 1
    variation: str = "none"

    def __post_init__(self) -> None:
        if self.results > MAX_RECORDS:
            raise ConfigError(
                f"{self.epochs:,} epochs over {len(self.train):,} samples are {self.results:,} records; a run has at "
                f"most {MAX_RECORDS:,}",
                "Use fewer epochs: --epochs 20 is plenty once the accuracy no longer rises.",
            )

    def tested(self, epoch: int) -> bool:
        """Whether the held-out samples are classified after ``epoch`` (from 1)."""
        return self.test is not None and (epoch % self.test_every == 0 or epoch >= self.epochs)

    @property
    def total(self) -> int:
        """Number of training samples in the whole run."""
        return self.epochs * len(self.train)

    @property
    def results(self) -> int:
        """Number of results in the whole run, training and test."""
        passes = -(-self.epochs // self.test_every) or 1
        return self.total + (passes * len(self.test) if self.test else 0)


class RunRecords:
    """The records of a run, numbered from 0 across epochs; epochs count from 1.

    Attributes
    ----------
    model : Model
        The model for which they are encoded.
    epochs : int
        Number of epochs; 1 where the presentation only classifies.
    raw : list of Raw
        For each part, the recordings that a board makes its samples of; empty if it gets samples.
    """

    def __init__(self, model: Model, presentation: Presentation) -> None:
        self.raw: list[Raw] = []
        self.model = model
        self.presentation = presentation
        self.epochs = max(1, presentation.epochs)
        parts = presentation.train, presentation.test
        self._parts = [encoded(part, model.scaling) for part in parts if part is not None]
        self._orders = self._begin()
        self._epoch, self._order = 0, np.arange(0)

    @property
    def total(self) -> int:
        """Number of training samples in the whole run."""
        return self.presentation.total

    def bounds(self, epoch: int) -> tuple[int, int]:
        """Return the numbers of the epoch's first record, and of the one after its last."""
        train, tests = self._sizes()
        first = (epoch - 1) * train + (epoch - 1) // self.presentation.test_every * tests
        return first, first + train + tests * self._tested(epoch)

    def records(self, first: int, end: int) -> Records:
        """Return records ``first`` to ``end`` (exclusive), which may span epochs."""
        ops, labels, _ = self.facts(first, end)
        places = list(self._places(first, end))
        data = [self._shown(*place) for place in places]
        raw = None
        if self.raw:
            lines = [(part, int(line)) for part, index, _ in places for line in self._parts[part].lines[index]]
            raw = _RawBytes(self.raw, lines)
        return Records(ops, labels, np.concatenate([self._parts[0].data[:0], *data]), raw)

    def send_raw(self, layout: Layout, bad_rows: BadRows) -> None:
        """Have records carry the recordings as a sensor gives them, besides the samples.

        Raises
        ------
        ConfigError, DataError
            When the model, or a file, does not allow it.
        """
        self.raw = [raw_of(Path(part.source), layout, bad_rows) for part in self._parts]

    def facts(self, first: int, end: int) -> tuple[Bytes, Bytes, npt.NDArray[np.int64]]:
        """Return ops, labels and data file lines of records ``first`` to ``end``."""
        places = list(self._places(first, end))
        ops = [np.full(len(index), OPS[part], np.uint8) for part, index, _ in places]
        labels = [self._parts[part].labels[index] for part, index, _ in places]
        lines = [self._parts[part].lines[index] for part, index, _ in places]
        none = np.empty(0, np.uint8)
        return np.concatenate([none, *ops]), np.concatenate([none, *labels]), np.concatenate([_NO_LINES, *lines])

    def crc(self) -> int:
        """Return a CRC-32 over the activations and labels of both parts, to detect changed data."""
        crc = 0
        for part in self._parts:
            for first in range(0, len(part), STRETCH):
                crc = crc32(part.activations(slice(first, first + STRETCH)).tobytes(), crc)
            crc = crc32(part.labels.tobytes(), crc)
        return crc

    def _shown(self, part: int, index: npt.NDArray[np.int64], seen: int) -> Bytes:
        """Return the activations of records as they are sent: those to learn are varied, after ``seen`` others."""
        data = self._parts[part].activations(index)
        how = self.presentation
        return data if part else varied(how.variation, self.model.layout, data, how.shuffle_seed, seen)

    def _places(self, first: int, end: int) -> Iterator[tuple[int, npt.NDArray[np.int64], int]]:
        """Yield the positions of records: part (0 training, 1 test), indices in it, samples learned before them."""
        epoch = 1 + bisect_right(range(1, self.epochs + 1), first, key=lambda epoch: self.bounds(epoch)[1])
        while first < end and epoch <= self.epochs:
            start, stop = self.bounds(epoch)
            train = start + self._sizes()[0]
            if first < train:
                seen = (epoch - 1) * self._sizes()[0] + first - start
                yield 0, self._order_of(epoch)[first - start : min(end, train) - start], seen
            if end > train and stop > train:
                yield 1, np.arange(max(first, train) - train, min(end, stop) - train), epoch * self._sizes()[0]
            first = min(end, stop)
            epoch += 1

    def _sizes(self) -> tuple[int, int]:
        train = len(self._parts[0]) if self.presentation.epochs else 0
        return train, len(self._parts[1]) if len(self._parts) > 1 else 0

    def _tested(self, epoch: int) -> bool:
        return len(self._parts) > 1 and (self.presentation.tested(epoch) or not self.presentation.epochs)

    def _begin(self) -> Iterator[npt.NDArray[np.int64]]:
        return epochs(self._sizes()[0], self.epochs, self.presentation.shuffle_seed)

    def _order_of(self, epoch: int) -> npt.NDArray[np.int64]:
        """Return the order of an epoch's training samples; each follows from the last, so going back starts over."""
        if epoch < self._epoch:
            self._orders, self._epoch = self._begin(), 0
        while self._epoch < epoch:
            self._order = next(self._orders)
            self._epoch += 1
        return self._order


class _RawBytes(Sequence[bytes | None]):
    """The recordings of records; each is read when it is needed, and by a simulator never."""

    def __init__(self, raw: Sequence[Raw], lines: Sequence[tuple[int, int]]) -> None:
        self._raw, self._lines = raw, lines

    def __len__(self) -> int:
        return len(self._lines)

    @overload
    def __getitem__(self, index: int) -> bytes | None: ...
    @overload
    def __getitem__(self, index: slice) -> _RawBytes: ...
    def __getitem__(self, index: int | slice) -> bytes | _RawBytes | None:
        if isinstance(index, slice):
            return _RawBytes(self._raw, self._lines[index])
        part, line = self._lines[index]
        values = self._raw[part].values(line)
        return None if values is None else to_bytes(values)


def cut(records: Records, first: int, end: int) -> Records:
    """Return a slice of records."""
    raw = None if records.raw is None else records.raw[first:end]
    return Records(records.ops[first:end], records.labels[first:end], records.data[first:end], raw)
