"""Read samples from NumPy's .npz. The file is not trusted, and nothing in it is ever unpickled.

Shapes: S samples, F = T*C values, T steps, C channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tpsgd_host.data.arrays import Array, TooLargeError, load_arrays
from tpsgd_host.data.labels import MAX_CLASSES, NamedSamples, class_names
from tpsgd_host.data.layout import Layout
from tpsgd_host.data.rejects import Rejects
from tpsgd_host.data.scaling import LARGEST
from tpsgd_host.data.words import RowNames
from tpsgd_host.errors import DataError
from tpsgd_host.names import listing

VALUES = ("x", "X", "values", "data", "images")
LABELS = ("y", "labels", "label", "target")
GROUPS = ("groups",)
CLASSES = ("classes",)

MAX_UNPACKED = 2 << 30  # bytes as float64, because a small file can unpack to any size


def read_npz(path: str | Path, layout: Layout, rejects: Rejects, require_labels: bool = True) -> NamedSamples:
    """Read samples that are stored as arrays.

    Parameters
    ----------
    path : str or Path
        ``x`` (or ``X``, ``values``, ``data``, ``images``) has shape (S, T*C) or (S, T, C); where T or C is
        1, any (S, H, W) of as many values. ``y`` (or ``labels``, ``label``, ``target``) holds S integers or names,
        ``groups`` S recordings (optional), ``classes`` the names of integer labels (optional).
    layout : Layout
        Only T and C are used, because the arrays are already cut into samples.
    rejects : Rejects
        Receives rows whose values are not finite numbers; rows count from 1.
    require_labels : bool
        Whether a file without labels is an error.

    Returns
    -------
    NamedSamples

    Raises
    ------
    DataError
        If the file is damaged, or its arrays are not what the layout needs.
    """
    source = str(path)
    arrays = _load(path)
    x = _first(arrays, VALUES)
    if x is None:
        raise _missing(source, "values", VALUES, arrays)
    values = _values(source, x, layout)
    y = _first(arrays, LABELS)
    if y is None and require_labels:
        raise _missing(source, "labels", LABELS, arrays)
    classes = _first(arrays, CLASSES)
    declared = () if classes is None else _declared(source, classes)
    labels = [""] * len(values) if y is None else _words(source, "labels", y, len(values))
    if y is not None and classes is not None and y.dtype.kind not in "US" and classes.dtype.kind in "US":
        labels = _numbered(source, labels, declared)
    group = _first(arrays, GROUPS)
    rows = np.arange(1, len(values) + 1, dtype=np.int64)
    groups = RowNames("row", rows) if group is None else _words(source, "groups", group, len(values))
    keep = _good_rows(values, labels, rejects, require_labels)
    if len(keep) == len(values):
        return NamedSamples(values, labels, groups, rows, declared)
    kept = RowNames("row", rows[keep]) if group is None else [groups[i] for i in keep]
    return NamedSamples(values[keep], [labels[i] for i in keep], kept, rows[keep], declared)


def describe_npz(path: str | Path) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Return the shape of a file's values, (S, F) or (S, T, C), and its classes in order.

    Raises
    ------
    DataError
        If the file is damaged, lacks values or labels, or they cannot be samples.
    """
    source, arrays = str(path), _load(path)
    x, y, classes = (_first(arrays, names) for names in (VALUES, LABELS, CLASSES))
    if x is None or y is None:
        what, names = ("values", VALUES) if x is None else ("labels", LABELS)
        raise _missing(source, what, names, arrays)
    if x.ndim not in (2, 3) or 0 in x.shape:
        raise DataError(
            f"{source}: the values have shape {x.shape}.",
            "Save them as (samples, values) or (samples, steps, channels).",
        )
    if classes is not None:
        return x.shape, _declared(source, classes)
    return x.shape, class_names(sorted(set(_words(source, "labels", y, len(x)))), source)


def _good_rows(
    values: npt.NDArray[np.float64], labels: Sequence[str], rejects: Rejects, require_labels: bool
) -> npt.NDArray[np.int64]:
    """Return the usable rows; reject the others."""
    finite = np.all(np.abs(values) <= LARGEST, axis=(1, 2)).tolist()
    keep = []
    for i, label in enumerate(labels):
        if not finite[i]:
            rejects.add(i + 1, "a value is not a finite float32 number")
        elif require_labels and not label:
            rejects.add(i + 1, "the label is empty")
        else:
            keep.append(i)
    return np.array(keep, np.int64)


def _load(path: str | Path) -> dict[str, Array]:
    """Return the file's arrays; those without a known name are empty."""
    known = {*VALUES, *LABELS, *GROUPS, *CLASSES}
    try:
        return load_arrays(path, MAX_UNPACKED, known)
    except TooLargeError as error:
        raise DataError(f"{path} cannot be read: {error}.", "Split it.") from None
    except FileNotFoundError:
        raise DataError(f"There is no file {str(path)!r}.", "Check the name and the folder.") from None
    # A damaged file makes zipfile, zlib and numpy raise a dozen kinds of errors; a list of them would soon be outdated.
    except Exception as error:
        reason = f"{error}".partition("\n")[0] or type(error).__name__
        raise DataError(
            f"{path} cannot be read as .npz: {reason.rstrip('.')}.",
            "Save it again with numpy.savez_compressed(path, x=..., y=...); arrays of objects cannot be read.",
        ) from None


def _first(arrays: dict[str, Array], names: Sequence[str]) -> Array | None:
    return next((arrays[name] for name in names if name in arrays), None)


def _missing(source: str, what: str, names: Sequence[str], arrays: dict[str, Array]) -> DataError:
    return DataError(
        f"{source} has no array of {what}.",
        f"Name it one of {', '.join(names)}. The file has: {listing(sorted(arrays)) or 'nothing'}.",
    )


def _values(source: str, x: Array, layout: Layout) -> npt.NDArray[np.float64]:
    """Return the values as (S, T, C)."""
    T, C = layout.steps, layout.channels
    wants = f"{source}: the values have shape {x.shape}, but the model needs (samples, {T}, {C}) or (samples, {T * C})"
    if x.dtype.kind not in "biuf":
        raise DataError(f"{source}: the values have type {x.dtype}; they must be numbers.", "Save integers or floats.")
    if x.ndim not in (2, 3) or np.prod(x.shape[1:], dtype=object) != T * C:
        raise DataError(f"{wants}.", f"Each sample must have {T * C} values.")
    # Reshaping (C, T) to (T, C) would raise no error, but mix up the channels.
    if x.ndim == 3 and x.shape[1:] != (T, C) and T != 1 and C != 1:
        hint = f"Swap the axes: x.transpose(0, 2, 1) has shape {(len(x), T, C)}." if x.shape[1:] == (C, T) else ""
        raise DataError(f"{wants}.", hint or f"If the order of its values is right, save it as {(len(x), T * C)}.")
    if len(x) == 0:
        raise DataError(f"{source} holds no samples.", "Record some data first.")
    with np.errstate(all="ignore"):
        return x.astype(np.float64).reshape(len(x), T, C)


def _declared(source: str, classes: Array) -> tuple[str, ...]:
    """Return the class names that the file declares."""
    names = tuple(_words(source, "classes", classes, classes.size)) if classes.ndim == 1 else ()
    if not 1 <= len(names) <= MAX_CLASSES or len(set(names)) < len(names) or "" in names:
        raise DataError(f"{source}: 'classes' must hold 1 to {MAX_CLASSES} different names.")
    return names


def _numbered(source: str, words: list[str], declared: tuple[str, ...]) -> list[str]:
    """Return the class names for integer labels, which count from 0."""
    numbers = [int(word) for word in words]
    if any(not 0 <= number < len(declared) for number in numbers):
        raise DataError(
            f"{source}: the labels go from {min(numbers)} to {max(numbers)}, but 'classes' has {len(declared)} names.",
            f"Label 0 is the first name, {len(declared) - 1} is the last.",
        )
    return [declared[number] for number in numbers]


def _words(source: str, what: str, array: Array, count: int) -> list[str]:
    """Return ``count`` integers or strings as strings."""
    if array.size != count or array.ndim == 0 or array.shape[0] != count:
        raise DataError(
            f"{source}: the {what} have shape {array.shape}, but there are {count} samples.",
            "Save one label per sample; for one-hot rows, y.argmax(axis=1)." if what == "labels" else "",
        )
    flat = array.reshape(count)
    kind = flat.dtype.kind
    if kind == "f" and np.isfinite(flat).all() and (np.abs(flat) < 2**53).all() and (flat == np.floor(flat)).all():
        flat, kind = flat.astype(np.int64), "i"
    if kind in "biu":
        return [str(int(item)) for item in flat]
    if kind not in "US":
        raise DataError(f"{source}: the {what} have type {array.dtype}.", "Save integers or strings.")
    try:
        words = [bytes(item).decode() if kind == "S" else str(item) for item in flat]
        "".join(words).encode()  # an array can hold code points that are no characters
    except (ValueError, SystemError):  # SystemError comes from numpy, for code points past the last
        raise DataError(f"{source}: the {what} hold text that is not Unicode.", "Save integers or strings.") from None
    return [word.strip() for word in words]
