"""Keeps every taught sample as data, so that what a board has learned can be studied, and learned again.

Where the host hears what the board hears, it keeps the sound or the readings themselves; else the sample that the board
sends. Shapes: T steps, C channels.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from tpsgd_host.data.frontend import LogMel
from tpsgd_host.data.layout import Layout
from tpsgd_host.data.motion import readings_of
from tpsgd_host.data.playing import Piece
from tpsgd_host.data.records import TABLES
from tpsgd_host.recording.cutter import Cut, Cutter
from tpsgd_host.recording.store import SampleTable, Store, TableFile, WavFolder, check_label

#: Words to remember that were heard on the host and may get a label.
REMEMBERED = 20

#: The host takes a word for the board's if the activations differ by no more than this, on average: where values were
#: lost, host and board have not the same idea of quiet.
NEAR = 8.0


class Overheard:
    """Lets the host hear what is played to a board: the same words, cut in the same way.

    Parameters
    ----------
    layout : Layout
        Of the board's model.
    """

    def __init__(self, layout: Layout) -> None:
        assert layout.front is not None
        self._cutter = Cutter(layout.front, 1 if layout.hears else layout.channels, layout.steps)
        self._cuts: deque[Cut] = deque(maxlen=REMEMBERED)  # the player's thread adds, the lesson's looks

    def hear(self, pieces: Iterable[Piece]) -> Iterator[Piece]:
        """Hand pieces on, having heard them."""
        for piece in pieces:
            if piece.lost:
                self._cutter.lose()
            self._cuts.extend(self._cutter.take(piece.values))
            yield piece

    def find(self, sample: bytes) -> Cut | None:
        """Return the word of which the board has made a sample; None if none fits."""
        x = np.frombuffer(sample, np.uint8).astype(np.int64)
        best, found = NEAR, None
        for cut in tuple(self._cuts):
            if len(cut.sample) != len(x):
                continue
            away = float(np.abs(np.frombuffer(cut.sample, np.uint8) - x).mean())
            if away <= best:
                best, found = away, cut
        return found


class Keeper:
    """Keeps the taught samples of a lesson, beside those that are there already.

    Parameters
    ----------
    data : Path
        A folder for sound, else a table. Samples of sounds that the host did not hear go into a table of this name.
    layout : Layout
        Of the board's model.
    classes : sequence of str
        Their names are labels.
    overheard : Overheard, optional
        Where the host hears what the board hears.

    Attributes
    ----------
    path : Path
        Where the data are.
    """

    def __init__(self, data: Path, layout: Layout, classes: Sequence[str], overheard: Overheard | None = None) -> None:
        assert layout.front is not None
        self._layout, self._front, self._overheard = layout, layout.front, overheard
        self._stores: dict[Path, Store] = {}
        self._added: list[Store] = []
        as_sound = layout.hears and overheard is not None and data.suffix.lower() not in TABLES
        self.path = data if as_sound else _table(data)
        for name in classes:
            check_label(name)
        self._open(self.path)

    @property
    def counts(self) -> Counter[str]:
        """Samples of each label in the data, earlier ones included."""
        return sum((+store.counts for store in self._stores.values()), Counter())

    def add(self, sample: bytes, label: str) -> str:
        """Keep a sample, T*C stored activations; return its name."""
        cut = self._overheard.find(sample) if self._overheard else None
        values = cut.values if cut else None
        if self.path == _table(self.path) and isinstance(self._front, LogMel):
            values = None
        activations = np.frombuffer(sample, np.uint8).reshape(self._layout.steps, self._layout.channels)
        if isinstance(self._front, LogMel):
            path = self.path if values is not None else _table(self.path)
            values = values if values is not None else activations.astype(np.int16) - np.int16(128)
        else:
            path = self.path
            values = values if values is not None else readings_of(activations, self._front)
        store = self._open(path)
        name = store.add(values, label)
        self._added.append(store)
        return name

    def undo(self) -> str:
        """Remove the sample that was kept last; return its label, empty if there is none."""
        return self._added.pop().undo() if self._added else ""

    def _open(self, path: Path) -> Store:
        """Return what keeps samples at ``path``."""
        if path not in self._stores:
            self._stores[path] = self._store(path)
        return self._stores[path]

    def _store(self, path: Path) -> Store:
        layout, front = self._layout, self._front
        if isinstance(front, LogMel):
            if path == _table(path):
                return SampleTable(path, layout.steps, layout.channels, layout.label)
            return WavFolder(path, front.rate)
        columns = layout.columns or tuple(f"c{i + 1}" for i in range(layout.channels))
        return TableFile(path, columns, front.counts, layout.label, layout.group or "take")


def _table(path: Path) -> Path:
    return path if path.suffix.lower() in TABLES else path.with_name(path.name + ".csv")
