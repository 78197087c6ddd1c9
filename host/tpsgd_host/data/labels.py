"""Turn labels as a file spells them into class numbers.

Shapes: S samples, T steps, C channels.
"""

from __future__ import annotations

import re
import reprlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tpsgd_host.data.rejects import Rejects
from tpsgd_host.data.samples import UNKNOWN, Samples
from tpsgd_host.errors import DataError
from tpsgd_host.names import listing, suggestion

MAX_CLASSES = 255
MAX_BYTES = 255  # maximum length of a class name in the model file

_NUMBER = re.compile(r"[+-]?[0-9]{1,15}(\.[0-9]{0,30})?([eE][+-]?[0-9]{1,2})?", re.ASCII)


@dataclass(frozen=True)
class NamedSamples:
    """Samples whose classes are given by name.

    Attributes
    ----------
    values : ndarray of float64, shape (S, T, C)
    labels : sequence of str
        Class name of each sample; empty where unknown.
    groups : sequence of str
        Recording of each sample.
    lines : ndarray of int64, shape (S,)
    classes : tuple of str
        The classes in the order in which the file declares them; empty if it declares none.
    """

    values: npt.NDArray[np.float64]
    labels: Sequence[str]
    groups: Sequence[str]
    lines: npt.NDArray[np.int64]
    classes: tuple[str, ...] = ()


def whole(label: str) -> int | None:
    """Return the integer that a label spells (``3``, ``3.0``, ``3.000e+00``), or None."""
    if not _NUMBER.fullmatch(label):
        return None
    number = float(label)
    return int(number) if number.is_integer() and abs(number) < 2**53 else None


def unify(labels: Sequence[str], classes: Sequence[str] | None = None) -> list[str]:
    """Spell labels of integer classes in one way: 3.0 is the class 3.

    Parameters
    ----------
    labels : sequence of str
    classes : sequence of str, optional
        The model's classes; if they are integers, a label takes the spelling of its class. Without them, labels that
        are all integers are spelled as integers.

    Returns
    -------
    list of str
    """
    distinct = set(labels) - {""}
    numbers = [whole(name) for name in (distinct if classes is None else classes)]
    if None in numbers:
        return list(labels)
    if classes is None:
        spelling = {name: str(whole(name)) for name in distinct}
    else:
        by_number = dict(zip(numbers, classes, strict=True))
        spelling = {name: by_number.get(whole(name), name) for name in distinct - set(classes)}
    return [spelling.get(label, label) for label in labels]


def class_names(labels: Sequence[str], source: str) -> tuple[str, ...]:
    """Return the distinct labels: in numeric order if all are integers, else sorted.

    Raises
    ------
    DataError
        If there are more labels than a model can have classes.
    """
    distinct = sorted(set(labels) - {""})
    if len(distinct) > MAX_CLASSES:
        raise DataError(
            f"{source}: {len(distinct)} different labels, but a model has at most {MAX_CLASSES} classes.",
            f"The first are {listing(distinct, 4)}. If another column holds the class, name it with --label.",
        )
    numbers = {name: whole(name) for name in distinct}
    return tuple(sorted(distinct, key=lambda name: numbers[name] or 0) if None not in numbers.values() else distinct)


def to_samples(named: NamedSamples, classes: Sequence[str] | None, rejects: Rejects) -> Samples:
    """Number the classes.

    Parameters
    ----------
    named : NamedSamples
        Labels already unified with ``classes``.
    classes : sequence of str or None
        The model's classes; by default those of the file.
    rejects : Rejects
        Receives samples whose label is none of the classes.

    Returns
    -------
    Samples
    """
    names = tuple(classes) if classes is not None else named.classes or class_names(named.labels, rejects.source)
    for name in names:
        if len(name.encode()) > MAX_BYTES:
            raise DataError(f"{rejects.source}: the label {reprlib.repr(name)} is longer than {MAX_BYTES} bytes.")
    keep, codes = number_labels(named, names, rejects)
    rejects.require(len(keep))
    return Samples(
        values=named.values[keep],
        labels=codes,
        classes=names,
        groups=tuple(named.groups[i] for i in keep),
        lines=named.lines[keep],
        bad_rows=rejects.rows,
        source=rejects.source,
    )


def number_labels(
    named: NamedSamples, names: Sequence[str], rejects: Rejects, other: int | None = None
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint8]]:
    """Return which samples have a known label or none, shape (r,), and their class numbers, 255 for none.

    Parameters
    ----------
    names : sequence of str
        The classes.
    rejects : Rejects
        Receives the others.
    other : int, optional
        The class that the others have instead.
    """
    number = {name: index for index, name in enumerate(names)} | {"": UNKNOWN}
    unknown = -1 if other is None else other
    codes = np.array([number.get(label, unknown) for label in named.labels], np.int64)
    for i in np.flatnonzero(codes < 0):
        label = named.labels[int(i)]
        near = suggestion(label, names) or " tpsgd-host adapt --add-class NAME gives a trained model one more class."
        hint = f"The classes: {listing(names)}.{near}"
        rejects.add(int(named.lines[i]), f"the label {reprlib.repr(label)} is none of the {len(names)} classes", hint)
    keep = np.flatnonzero(codes >= 0)
    return keep, codes[keep].astype(np.uint8)
