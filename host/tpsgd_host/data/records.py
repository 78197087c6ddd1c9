"""Read a CSV file as text: encoding, delimiter, header, and records with their line numbers."""

from __future__ import annotations

import codecs
import csv
import io
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tpsgd_host.errors import DataError
from tpsgd_host.files import open_file
from tpsgd_host.names import listing, suggestion

DELIMITERS = (",", ";", "\t")

#: Maximum characters of a record; 65,535 values, the most in a map, take a quarter of it.
MAX_RECORD = 4 << 20

#: Suffixes of tables.
TABLES = (".csv", ".tsv", ".txt")


@dataclass(frozen=True)
class Record:
    """A record: the line on which it begins, its fields, and what is wrong with it (empty if nothing)."""

    line: int
    fields: list[str]
    problem: str = ""


@dataclass(frozen=True)
class CsvFile:
    """A CSV file whose header has been read.

    Attributes
    ----------
    source : str
        The file, as the user named it.
    header : tuple of str
        Column names, all different.
    delimiter : str
        Comma, semicolon or tab.
    """

    source: str
    header: tuple[str, ...]
    delimiter: str

    def records(self) -> Iterator[Record]:
        """Read the file again and yield the records after the header; skip blank lines."""
        records = _records(self.source, self.delimiter)
        next(records)
        wanted = len(self.header)
        for record in records:
            if record.problem or len(record.fields) == wanted:
                yield record
            else:
                yield Record(record.line, record.fields, _wrong_count(record.fields, wanted))

    def no_rows(self) -> DataError:
        """Return the error to raise for a file without rows."""
        return DataError(f"{self.source} has a header and no rows.", "Record some data first.")

    def index(self, name: str, role: str, option: str) -> int:
        """Return the index of a column.

        Parameters
        ----------
        name : str
            The column.
        role : str
            Its role, for the message, such as ``"label"``.
        option : str
            The option that names another column.

        Raises
        ------
        DataError
            If there is no such column.
        """
        if name in self.header:
            return self.header.index(name)
        if len(self.header) == 1:
            raise DataError(
                f"{self.source} has only one column, {self.header[0]!r}, and no column {name!r}.",
                "Columns are separated by commas, semicolons or tabs.",
            )
        raise DataError(
            f"{self.source} has no column {name!r}, which should be the {role}.",
            f"Its columns: {listing(self.header)}.{suggestion(name, self.header)} Name another with {option}.",
        )


def open_csv(path: str | Path) -> CsvFile:
    """Read a file and its header.

    Raises
    ------
    DataError
        If it cannot be read, is not text, is empty, or has no usable header.
    """
    source = str(path)
    delimiter = _sniff(source)
    head = next(_records(source, delimiter), None)
    if head is None:
        raise DataError(f"{source} is empty.", "The first line must name the columns.")
    if head.problem:
        raise DataError(f"{source}, line {head.line}: {head.problem}.", "The first line must name the columns.")
    header = tuple(name.strip() or f"column {number}" for number, name in enumerate(head.fields, 1))
    _check_header(source, header)
    return CsvFile(source, header, delimiter)


class _Lines:
    """The lines of a file as text, without its byte order mark, read on demand.

    Attributes
    ----------
    taken : int
        Characters read since it was set to 0. These are the characters of a record, whose fields may span many lines.
    """

    def __init__(self, source: str, file: IO[bytes]) -> None:
        self._source = source
        self._text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
        self._number = 0
        self.taken = 0

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        try:
            line = self._text.readline(MAX_RECORD + 1)
        except UnicodeDecodeError:
            raise _not_text(self._source) from None
        if not line:
            raise StopIteration
        self._number += 1
        self.taken += len(line)
        if self.taken > MAX_RECORD:
            raise DataError(
                f"{self._source}, line {self._number}: a row has more than {MAX_RECORD} characters.",
                "Is a line break missing, or is a quote not closed?",
            )
        return line


def _open(source: str) -> IO[bytes]:
    try:
        return open_file(source)
    except FileNotFoundError:
        raise DataError(f"There is no file {source!r}.", "Check the name and the folder.") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL inside the name
        reason = getattr(error, "strerror", None) or str(error)
        raise DataError(f"{source} cannot be read: {reason}.", "Name a CSV file.") from None


def _not_text(source: str) -> DataError:
    """Return the error for a file that is not UTF-8; it names the first wrong byte."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    at = 0
    with _open(source) as file:
        while piece := file.read(1 << 16):
            pending = len(decoder.getstate()[0])
            try:
                decoder.decode(piece)
            except UnicodeDecodeError as error:
                at += error.start - pending
                found = f"byte 0x{error.object[error.start]:02x} at position {at}"
                break
            at += len(piece)
        else:
            found = "it ends inside a character"
    return DataError(f"{source} is not UTF-8 text: {found}.", 'Save it from the spreadsheet as "CSV UTF-8".')


def _records(source: str, delimiter: str) -> Iterator[Record]:
    """Yield every record that is not blank, the header included."""
    with _open(source) as file:
        lines = _Lines(source, file)
        reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True)
        while True:
            line = reader.line_num + 1
            lines.taken = 0
            try:
                fields = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield Record(line, [], f"not readable as CSV ({error})")
                continue
            if len(fields) > 1 or (fields and fields[0].strip()):
                yield Record(line, fields)


def _sniff(source: str) -> str:
    """Return the delimiter with which header and first record agree best."""

    def score(delimiter: str) -> tuple[bool, bool, int]:
        records = _records(source, delimiter)
        counts = [len(record.fields) for record, _ in zip(records, range(2), strict=False)]
        return max(counts, default=0) > 1 and counts[0] > 1, len(set(counts)) == 1, counts[0] if counts else 0

    return max(DELIMITERS, key=score)


def _check_header(source: str, header: tuple[str, ...]) -> None:
    """Raise for a first line that is data, or that names a column twice."""
    numbers = [name for name in header if is_number(name)]
    if len(numbers) < len(header) and 2 * len(numbers) >= len(header) and not _counted(numbers):
        raise DataError(
            f"{source} seems to have no header: its first line reads {listing(header, 6)}.",
            "Add a first line that names the columns, such as x,y,z,label.",
        )
    if len(numbers) == len(header):
        raise DataError(
            f"{source} has no header: its first line holds only numbers ({listing(header, 4)}).",
            "Add a first line that names the columns, such as x,y,z,label.",
        )
    twice = [name for name, count in Counter(header).items() if count > 1]
    if twice:
        raise DataError(f"{source} has more than one column named {twice[0]!r}.", "Give each column a different name.")


def _counted(numbers: list[str]) -> bool:
    """Return whether the column names are 0, 1, 2, ... or 1, 2, 3, ..., as in a table that was saved without names."""
    return numbers in ([str(i + first) for i in range(len(numbers))] for first in (0, 1))


def is_number(text: str) -> bool:
    """Return whether a field reads as a number, NaN and infinity included."""
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text  # Python would accept 1_000; no other program does


def _wrong_count(fields: list[str], wanted: int) -> str:
    """Describe a record with too few or too many fields, and the quote that may be the cause."""
    reason = f"{len(fields)} fields where the header has {wanted}"
    if any("\n" in text or "\r" in text for text in fields):
        reason += ' (a quote " that opens here is not closed on this line)'
    return reason
