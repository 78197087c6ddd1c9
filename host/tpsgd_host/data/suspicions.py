"""Find likely mistakes in a table, each with its remedy.

Shapes: R rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from tpsgd_host.data.records import is_number
from tpsgd_host.data.roles import Column
from tpsgd_host.data.scaling import slips
from tpsgd_host.data.windows import Recording
from tpsgd_host.errors import DataError
from tpsgd_host.names import listing

MEASURED = 12  # different labels with a decimal point; more mean measurements
MIXED = 3  # times as many recordings as names; more mean that their rows alternate
LONG = 1000  # readings in a recording; a longer one may hold several events
TO_SPLIT = 3  # recordings of a class: for learning, for choosing rates, for testing
UNEVEN = 10  # times as many samples of one class as of another
RUN = 5  # consecutive rows of one label, and
RUNS = 3  # returns of a label, on average: typical of readings, not of samples
ALIKE = 0.5  # of the distance between any two rows of a class; closer neighbours follow each other in time
_LEAST_ROWS = 50  # to measure how neighbours differ


@dataclass(frozen=True)
class Suspicion:
    """A likely mistake, and its remedy."""

    fact: str
    mend: str


@dataclass(frozen=True)
class Table:
    """A table whose columns have known roles.

    Attributes
    ----------
    lines : sequence of int, length R
        Line of each row in the file.
    labels : sequence of str, length R
    recordings : sequence of Recording
        Runs of one label, and of one group where there is a group column.
    values : sequence of Column
    groups : sequence of str, length R
        Cells of the group column; empty without one.
    """

    source: str
    lines: Sequence[int]
    label: str
    labels: Sequence[str]
    group: str
    recordings: Sequence[Recording]
    values: Sequence[Column]
    groups: Sequence[str]


def suspect(table: Table) -> Iterator[Suspicion]:
    """Yield likely mistakes.

    Raises
    ------
    DataError
        When the label is a measurement.
    """
    _check_label(table)
    yield from _no_numbers(table)
    yield from _slips(table)
    if table.group:
        yield from _mixed(table)
        yield from _long(table)
    else:
        yield from _readings_as_rows(table)
    yield from _classes(table)


def _check_label(table: Table) -> None:
    names = sorted({label for label in table.labels if label})
    fractions = [name for name in names if is_number(name) and not float(name).is_integer()]
    if len(names) > MEASURED and 2 * len(fractions) > len(names):
        raise DataError(
            f"{table.source}: column {table.label!r} holds {len(names)} different numbers "
            f"({listing(fractions, 3)}): a measurement, not a class.",
            "Name the column of the class with --label, or first turn each range of the measurement into a word.",
        )


def _no_numbers(table: Table) -> Iterator[Suspicion]:
    for column in table.values:
        bad = np.flatnonzero(np.isnan(column.values)) if column.values is not None else np.empty(0, np.int64)
        if len(bad):
            rows = f"{len(bad):,} row{'s' if len(bad) > 1 else ''}, first on line {table.lines[int(bad[0])]}"
            yield Suspicion(
                f"column {column.name!r} holds no finite number in {rows}",
                "leave them out with --bad-rows skip when you quantize, simulate or stream",
            )


def _slips(table: Table) -> Iterator[Suspicion]:
    for column in table.values:
        if column.values is None:
            continue
        for i in slips(column.values)[:1].tolist():
            yield Suspicion(
                f"column {column.name!r} has {column.values[i]:g} on line {table.lines[i]}, far from all others",
                "remove that row; the input scaling ignores such a reading, and the network sees it clamped",
            )


def _mixed(table: Table) -> Iterator[Suspicion]:
    names = len(set(zip(table.groups, table.labels, strict=True)))
    if len(table.recordings) >= MIXED * names:
        yield Suspicion(
            f"{len(table.recordings):,} recordings, but only {names:,} different values of {table.group!r} and label: "
            "rows of different recordings alternate, and each change starts a new one",
            f"sort the rows by {table.group!r} and keep their order within it, or name another column with --group",
        )


def _long(table: Table) -> Iterator[Suspicion]:
    longest = max(table.recordings, key=len)
    if len(longest) >= LONG:
        yield Suspicion(
            f"recordings are long: {longest.name!r} has {len(longest):,} readings, but makes only one sample",
            f"cut windows with --window N; or, if {table.group!r} says who or where, name the recordings' column "
            f"with --group, and test on others with --leave-out {table.group}=NAME",
        )


def _readings_as_rows(table: Table) -> Iterator[Suspicion]:
    """Yield a suspicion where rows seem to follow each other in time, but count as separate samples."""
    rows, runs = len(table.labels), len(table.recordings)
    in_runs = rows >= RUN * runs and runs >= RUNS * len(set(table.labels))
    if rows >= _LEAST_ROWS and (in_runs or _neighbours_alike(table)):
        yield Suspicion(
            f"each of {rows:,} rows counts as a sample, but each row is much like the one before it: they seem to be "
            "readings of recordings",
            "name the column of the recording with --group, or cut windows with --window N; "
            "else parts of the same recording are used for both learning and testing",
        )


def _neighbours_alike(table: Table) -> bool:
    """Return whether rows are closer to the next row of their class than to others of that class."""
    if not table.values or any(c.values is None for c in table.values):
        return False
    values = np.stack([c.values for c in table.values if c.values is not None], axis=1)
    values = (values - np.nanmean(values, axis=0)) / np.maximum(np.nanstd(values, axis=0), 1e-300)
    labels = np.array(table.labels, object)
    following = np.flatnonzero(labels[1:] == labels[:-1])
    order = np.random.default_rng(1).permutation(len(labels))
    order = order[np.argsort(labels[order].astype(str), kind="stable")]
    pairs = np.flatnonzero(labels[order[1:]] == labels[order[:-1]])
    if not len(following) or not len(pairs):
        return False
    near = np.nanmean(np.abs(values[following + 1] - values[following]))
    apart = np.nanmean(np.abs(values[order[pairs + 1]] - values[order[pairs]]))
    return bool(near < ALIKE * apart)


def _classes(table: Table) -> Iterator[Suspicion]:
    counts = (
        Counter(r.label for r in table.recordings if r.label) if table.group else Counter(filter(None, table.labels))
    )
    what = "recording" if table.group else "row"
    few = [name for name, count in counts.items() if count < TO_SPLIT]
    if few:
        yield Suspicion(
            f"fewer than {TO_SPLIT} {what}s of {listing(few, 6)}; learning, choosing rates and testing need one each",
            "record more, or leave out these rows",
        )
    if not counts:
        return
    (most, top), (least, bottom) = counts.most_common()[0], counts.most_common()[-1]
    if top >= UNEVEN * bottom:
        yield Suspicion(
            f"{top:,} {what}s of {most!r} and {bottom:,} of {least!r}: always answering {most!r} is right for "
            f"{top / counts.total():.0%}",
            f"record more of {least!r}, or leave out some of {most!r}; look at the recall of each class",
        )
