"""Save recordings: in a folder of WAV files with a folder per label, or in a table with a row per reading.

Both add to existing data, and contain only complete recordings at any moment.
"""

from __future__ import annotations

import csv
import io
import os
import wave
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

from tpsgd_host.data.playing import Values
from tpsgd_host.data.wav import find_recordings
from tpsgd_host.errors import ConfigError, DataError
from tpsgd_host.files import cannot_write, write_atomic
from tpsgd_host.names import has_control, listing


class Store(Protocol):
    """Saves recordings; ``counts`` has their number per label."""

    counts: Counter[str]

    def add(self, values: Values, label: str) -> str:
        """Save a recording, shape (R, C); return its name."""

    def undo(self) -> str:
        """Remove the last recording, and return its label; empty if there is none."""


class WavFolder:
    """A folder for each label, with numbered files.

    Parameters
    ----------
    folder : Path
        Created with the first recording.
    rate : int
        Samples per second.
    """

    def __init__(self, folder: Path, rate: int) -> None:
        if folder.exists() and not folder.is_dir():
            raise DataError(f"{folder} is a file; sound is kept in a folder of WAV files.", "Name another folder.")
        self._folder, self._rate = folder, rate
        self._added: list[tuple[Path, str]] = []
        there = find_recordings(folder) if folder.is_dir() and any(folder.rglob("*.wav")) else []
        self.counts: Counter[str] = Counter(one.label for one in there)

    def add(self, values: Values, label: str) -> str:
        """Save a recording, shape (R, 1); return its name."""
        place = self._folder / check_label(label)
        buffer = io.BytesIO()
        with wave.open(buffer, "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(self._rate)
            file.writeframes(values.astype("<i2").tobytes())
        try:
            place.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise cannot_write(place, error) from error
        path = place / f"{_next_number(place.glob('*.wav')):04d}.wav"
        write_atomic(path, buffer.getvalue())
        self._added.append((path, label))
        self.counts[label] += 1
        return path.relative_to(self._folder).as_posix()

    def undo(self) -> str:
        """Remove the file that was added last; return its label."""
        if not self._added:
            return ""
        path, label = self._added.pop()
        path.unlink(missing_ok=True)
        self.counts[label] -= 1
        return label


class TableFile:
    """A CSV: label, take, and one column per channel.

    Parameters
    ----------
    path : Path
    columns : tuple of str
        Of the channels.
    counts : float
        A number in the table times this is a reading.
    label, group : str
        Names of the first two columns.
    """

    def __init__(self, path: Path, columns: tuple[str, ...], counts: float, label: str, group: str) -> None:
        self._scale = counts
        self._file = _Appended(path, [label, group, *columns])
        takes = {(row[0], row[1]) for row in self._file.there if len(row) > 1}
        self.counts: Counter[str] = Counter(label for label, _ in takes)

    def add(self, values: Values, label: str) -> str:
        """Append a recording, shape (R, C); return its name."""
        take = f"{check_label(label)}-{self.counts[label] + 1}"
        rows = [[label, take, *(f"{x / self._scale:.6g}" for x in reading)] for reading in values.tolist()]
        self._file.append(rows, label)
        self.counts[label] += 1
        return take

    def undo(self) -> str:
        """Cut the last recording off the file; return its label."""
        label = self._file.cut()
        if label:
            self.counts[label] -= 1
        return label


class SampleTable:
    """A CSV with a row per sample: its label and the T*C activations. For sound of which a board sends no recording.

    Parameters
    ----------
    path : Path
    steps, channels : int
        T and C.
    label : str
        Name of the first column.
    """

    def __init__(self, path: Path, steps: int, channels: int, label: str) -> None:
        columns = tuple(f"s{t}_{c}" for t in range(steps) for c in range(channels))
        self._file = _Appended(path, [label, *columns])
        self.counts: Counter[str] = Counter(row[0] for row in self._file.there if row)

    def add(self, values: Values, label: str) -> str:
        """Append a sample, activations -127 to 127, shape (T, C); return its name."""
        self._file.append([[check_label(label), *values.ravel().tolist()]], label)
        self.counts[label] += 1
        return f"{label}-{self.counts[label]}"

    def undo(self) -> str:
        """Cut the last sample off the file; return its label."""
        label = self._file.cut()
        if label:
            self.counts[label] -= 1
        return label


class _Appended:
    """A CSV to whose end whole recordings are appended; ``there``: the rows that it had, without the header."""

    def __init__(self, path: Path, header: list[str]) -> None:
        self._path, self._header = path, header
        self._added: list[tuple[int, str]] = []
        self.there: list[list[str]] = []
        if path.exists():
            self._read()

    def _read(self) -> None:
        with self._path.open(newline="", encoding="utf-8") as file:
            rows = csv.reader(file)
            header = next(rows, [])
            if header != self._header:
                raise DataError(
                    f"{self._path} has the columns {listing(header)}, these recordings have {listing(self._header)}.",
                    "Record to another file.",
                )
            self.there = list(rows)

    def append(self, rows: Iterable[Sequence[object]], label: str) -> None:
        """Append the rows of a recording."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            size = self._path.stat().st_size if self._path.exists() else 0
            if not size:
                writer.writerow(self._header)
            writer.writerows(rows)
            with self._path.open("ab") as file:
                file.write(text.getvalue().encode())
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise cannot_write(self._path, error) from error
        self._added.append((size, label))

    def cut(self) -> str:
        """Cut the last recording off the file; return its label, empty if there is none."""
        if not self._added:
            return ""
        size, label = self._added.pop()
        os.truncate(self._path, size)
        return label


def check_label(label: str) -> str:
    """Return a label that can name a folder.

    Raises
    ------
    ConfigError
        When it cannot.
    """
    if not label or label[0] in "._" or "/" in label or "\\" in label or has_control(label) or len(label) > 100:
        raise ConfigError(f"the label {label!r} cannot name a folder", "Use letters and digits, such as yes.")
    return label


def _next_number(paths: Iterable[Path]) -> int:
    numbers = [int(path.stem) for path in paths if path.stem.isdecimal()]
    return max(numbers, default=0) + 1
