"""The run's log: one event per line (``log.jsonl``), and a table of the sample results (``log.csv``).

Each line is passed to the operating system at once and in one piece, so a killed process loses no line, and at worst
leaves the last one incomplete.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import IO, Any

import numpy as np

from tpsgd_host.errors import DataError
from tpsgd_host.files import cannot_write, open_file, replacing, write_atomic
from tpsgd_host.runs.events import Event, RunStarted, SampleResult, class_names, from_dict, to_dict
from tpsgd_host.runs.sinks import Sink

#: Maximum bytes of a line; the config of a run of 255 classes takes a hundredth of it.
MAX_LINE = 16 << 20

CSV_HEADER = ("index", "epoch", "kind", "line", "label", "predicted", "p_true", "correct", "loss")


# A lone surrogate in a board's text is written as an escape, which JSON can read back.
ENCODING_ERRORS = "backslashreplace"


def dump_json(value: object, indent: int | None = None) -> str:
    """Return ``value`` as one line of JSON, or indented; accepts paths and NumPy's numbers, refuses NaN."""
    separators = None if indent else (",", ":")
    return json.dumps(value, ensure_ascii=False, allow_nan=False, indent=indent, separators=separators, default=_plain)


def write_json(path: Path, value: object) -> None:
    """Write ``value`` as indented JSON, atomically."""
    write_atomic(path, f"{dump_json(value, indent=2)}\n".encode("utf-8", ENCODING_ERRORS))


def _plain(value: object) -> object:
    if isinstance(value, (np.generic, np.ndarray)):
        return value.tolist()
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")


def read_log(path: Path) -> Iterator[Event]:
    """Yield the events of a ``log.jsonl``; an incomplete last line is ignored.

    Raises
    ------
    DataError
        When the file cannot be read, or a line other than the last is damaged.
    """
    return (event for event, _ in _lines(path))


def _lines(path: Path) -> Iterator[tuple[Event, int]]:
    """Yield each event, and the offset after its line and newline."""
    try:
        with open_file(path) as file:
            yield from _parsed(file, path)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error


def _parsed(file: IO[bytes], path: Path) -> Iterator[tuple[Event, int]]:
    end = 0
    for number, line in enumerate(iter(lambda: file.readline(MAX_LINE + 1), b""), 1):
        end += len(line)
        if len(line) > MAX_LINE:
            raise DataError(f"{path}, line {number}: more than {MAX_LINE} bytes", "This is not the log of a run.")
        try:
            event = _parse(line)
        except ValueError as error:
            if not file.read(1):
                return
            hint = "The log was changed after the run; delete the line to read the rest."
            raise DataError(f"{path}, line {number}: {error}", hint) from error
        yield event, end


def _parse(line: bytes) -> Event:
    try:
        return from_dict(json.loads(line.decode("utf-8"), parse_constant=_refuse))
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON ({error.msg}, column {error.colno})") from error
    except UnicodeDecodeError as error:
        raise ValueError("not UTF-8") from error
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _refuse(word: str) -> None:
    raise ValueError(f"{word} is not a number")


class LogWriter:
    """Appends events to ``log.jsonl`` and their table to ``log.csv``.

    It continues an existing log: an incomplete last line is cut off, and the table is written again from the log. In
    the same pass the events that are there go to ``sinks``.
    """

    def __init__(self, folder: Path, sinks: Sequence[Sink] = ()) -> None:
        self._log = folder / "log.jsonl"
        self._table = folder / "log.csv"
        self._names: tuple[str, ...] = ()
        self._files: list[io.FileIO] = []
        try:
            with closing(self._open()) as events:
                for event in events:
                    for sink in sinks:
                        sink.handle(event)
        except BaseException:
            self.close()
            raise

    def _open(self) -> Generator[Event]:
        """Open both files; yield the events that are there."""
        try:
            # Unbuffered, so every line reaches the operating system before the next event, and none waits.
            self._files.append(self._log.open("ab", 0))
            self._lock()
            end = 0
            with replacing(self._table) as table:
                table.write(_row(CSV_HEADER).encode())
                for event, end in _lines(self._log):  # noqa: B007  (only the last end is used)
                    table.write(self._csv(event).encode("utf-8", ENCODING_ERRORS))
                    yield event
            _cut(self._log, end)
            self._files.append(self._table.open("ab", 0))
        except OSError as error:
            raise cannot_write(self._log.parent, error) from error

    def _lock(self) -> None:
        """Lock the log for this process; the operating system unlocks it when the process ends, in whatever way."""
        try:
            from fcntl import LOCK_EX, LOCK_NB, flock
        except ImportError:  # not POSIX
            return
        try:
            flock(self._files[0].fileno(), LOCK_EX | LOCK_NB)
        except OSError as error:
            hint = "Wait for it, or stop it with Ctrl-C; then try again."
            raise DataError(f"{self._log} is being written by another process: the run is on", hint) from error

    def write(self, event: Event) -> None:
        """Append one event."""
        try:
            _write(self._files[0], dump_json(to_dict(event)) + "\n")
            if row := self._csv(event):
                _write(self._files[1], row)
        except OSError as error:
            raise cannot_write(self._log, error) from error

    def sync(self) -> None:
        """Make sure that everything is on the disk."""
        try:
            for file in self._files:
                os.fsync(file.fileno())
        except OSError as error:
            raise cannot_write(self._log, error) from error

    def close(self) -> None:
        """Close both files; closing again does nothing."""
        for file in self._files:
            file.close()

    def _csv(self, event: Event) -> str:
        """Return the event's line in the table, empty if it has none; take the class names from a config."""
        if isinstance(event, RunStarted):
            self._names = class_names(event.config)
        if not isinstance(event, SampleResult):
            return ""
        head = (event.index, event.epoch, event.kind, event.line)
        names = (self._name(event.label), self._name(event.predicted))
        return _row((*head, *names, event.p_true, int(event.correct), f"{event.loss:.4f}"))

    def _name(self, label: int) -> str:
        return self._names[label] if label < len(self._names) else str(label)


def _write(file: io.FileIO, line: str) -> None:
    """Append a line, completely or not at all: a nearly full disk accepts a part of it before it reports an error."""
    data = line.encode("utf-8", ENCODING_ERRORS)
    written = 0
    try:
        while written < len(data):
            written += file.write(data[written:])
    except OSError:
        file.truncate(os.fstat(file.fileno()).st_size - written)
        raise


def _row(values: tuple[Any, ...]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(values)
    return text.getvalue()


def _cut(path: Path, end: int) -> None:
    """Cut the log after the last complete event, and make sure that it ends with a newline."""
    with path.open("rb+") as file:
        file.truncate(end)
        file.seek(max(end - 1, 0))
        if end and file.read(1) != b"\n":
            file.write(b"\n")
