"""Which speaker, wearer or place each sample comes from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tpsgd_host.comparison.sources import Source
from tpsgd_host.data.arrays import load_arrays
from tpsgd_host.data.layout import Layout
from tpsgd_host.data.load import TABLES
from tpsgd_host.data.npz import MAX_UNPACKED
from tpsgd_host.data.records import open_csv
from tpsgd_host.data.samples import Samples
from tpsgd_host.errors import ConfigError, DataError
from tpsgd_host.names import listing

Domains = tuple[str, ...]

#: What the recordings' names of the tasks say, by task and column.
_TASKS: dict[str, dict[str, Callable[[str], str]]] = {"fsdd": {"speaker": lambda name: name.split("_")[1]}}


def source_domains(source: Source, column: str) -> tuple[Domains, Domains]:
    """Return whom the samples of a source's training and test part are from."""
    train, test = source.problem.train, source.problem.test
    if source.data is None:
        return task_domains(source.problem.name, column, train), task_domains(source.problem.name, column, test)
    return file_domains(source.data, column, train), file_domains(source.test or source.data, column, test)


def task_domains(task: str, column: str, samples: Samples) -> Domains:
    """Return the domain of each sample of a task.

    Raises
    ------
    ConfigError
        When the task knows no such column.
    """
    known = _TASKS.get(task, {})
    if column not in known:
        names = ", ".join(f"{name}: {', '.join(columns)}" for name, columns in _TASKS.items())
        raise ConfigError(f"The task {task} has no column {column!r} to shift by.", f"There is {names}.")
    return tuple(known[column](group) for group in samples.groups)


def file_domains(path: Path, column: str, samples: Samples) -> Domains:
    """Return what a column of a data file says of each sample, at the line where the sample begins.

    Raises
    ------
    DataError
        When there is no such column, or it is empty where it is needed.
    """
    found = _table_column(path, column) if path.suffix.lower() in TABLES else _array(path, column)
    domains = tuple(found.get(int(line), "").strip() for line in samples.lines)
    if not all(domains):
        line = int(samples.lines[domains.index("")])
        raise DataError(f"{path}, line {line}: column {column!r} is empty.", "Say for every row whom it is from.")
    return domains


def _table_column(path: Path, column: str) -> dict[int, str]:
    file = open_csv(path)
    at = file.index(column, "shift", "--shift")
    return {record.line: record.fields[at] for record in file.records() if not record.problem}


def _array(path: Path, column: str) -> dict[int, str]:
    try:
        arrays = load_arrays(path, MAX_UNPACKED, (column,))
        names = list(arrays)
        values = [str(value) for value in arrays.get(column, ())]
    # A damaged file makes zipfile, zlib and numpy raise a dozen kinds of errors.
    except Exception as error:
        raise DataError(f"{path} cannot be read: {error}.") from None
    if not values:
        raise DataError(f"{path} has no array {column!r} to shift by.", f"It holds {listing(names)}.")
    return dict(enumerate(values, 1))


def without_column(path: Path, column: str, layout: Layout) -> tuple[str, ...]:
    """Return the value columns of a table whose layout names none, when one more column holds no values."""
    if path.suffix.lower() not in TABLES:
        return ()
    header = open_csv(path).header
    return tuple(name for name in header if name not in (layout.label, layout.group, column))
