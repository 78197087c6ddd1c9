"""Arrays: shapes, labels, and files that mean harm."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tpsgd_host.data.layout import Layout
from tpsgd_host.data.load import load_samples
from tpsgd_host.data.samples import Samples
from tpsgd_host.errors import DataError

LAYOUT = Layout(steps=2, channels=3)
X = np.arange(24, dtype=np.int16).reshape(4, 6)
Y = np.array([0, 1, 1, 0])


@pytest.fixture
def save(tmp_path: Path):
    """Return a function that saves arrays and returns the path."""

    def to_file(**arrays: Any) -> Path:
        path = tmp_path / "data.npz"
        np.savez_compressed(path, **arrays)
        return path

    return to_file


def refusal(path: Path, layout: Layout = LAYOUT) -> str:
    with pytest.raises(DataError) as caught:
        load_samples(path, layout)
    return f"{caught.value.message} | {caught.value.hint}"


@pytest.mark.parametrize("values", ["x", "X", "values", "data", "images"])
@pytest.mark.parametrize("labels", ["y", "labels", "label", "target"])
def test_names_of_the_arrays(save, values, labels):
    samples = load_samples(save(**{values: X, labels: Y}), LAYOUT)
    np.testing.assert_array_equal(samples.values, X.reshape(4, 2, 3))
    assert samples.values.dtype == np.float64
    assert samples.classes == ("0", "1") and samples.labels.tolist() == [0, 1, 1, 0]
    assert samples.groups == ("row 1", "row 2", "row 3", "row 4")
    assert samples.lines.tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("shape", "steps", "channels"),
    [((4, 6), 2, 3), ((4, 2, 3), 2, 3), ((4, 2, 3), 1, 6), ((4, 2, 3), 6, 1), ((4, 6), 6, 1)],
)
def test_shapes(save, shape, steps, channels):
    samples = load_samples(save(x=X.reshape(shape), y=Y), Layout(steps, channels))
    np.testing.assert_array_equal(samples.values, X.reshape(4, steps, channels))


def test_swapped_axes_are_refused_not_reshaped(save):
    message = refusal(save(x=X.reshape(4, 3, 2), y=Y))
    assert "transpose(0, 2, 1)" in message


@pytest.mark.parametrize("shape", [(24,), (3, 8), (2, 2, 3, 2), (8, 3), (6, 2, 2)])
def test_wrong_shapes(save, shape):
    message = refusal(save(x=X.reshape(shape), y=Y))
    assert str(shape) in message and "(samples, 2, 3) or (samples, 6)" in message


@pytest.mark.parametrize("dtype", ["U3", "S3", "complex128", "datetime64[s]", "float64,int8"])
def test_values_that_are_no_numbers(save, dtype):
    assert "must be numbers" in refusal(save(x=np.zeros((4, 6), dtype), y=Y))


@pytest.mark.parametrize(
    "labels", [Y, Y.astype(np.uint8), Y.astype(float), Y == 1, Y.reshape(4, 1), Y.astype(str), Y.astype("S1")]
)
def test_labels_of_many_types(save, labels):
    samples = load_samples(save(x=X, y=labels), LAYOUT)
    assert samples.classes == ("0", "1") and samples.labels.tolist() == [0, 1, 1, 0]


@pytest.mark.parametrize("labels", [Y[:3], np.eye(2)[Y], np.array(3), Y / 2, Y * 1j, np.full(4, np.nan)])
def test_labels_that_are_none(save, labels):
    assert "the labels" in refusal(save(x=X, y=labels))


def test_one_hot_labels_get_a_hint(save):
    assert "argmax" in refusal(save(x=X, y=np.eye(2)[Y]))


def test_classes_name_integer_labels(save):
    samples = load_samples(save(x=X, y=Y, classes=np.array(["up", "down", "rest"])), LAYOUT)
    assert samples.classes == ("up", "down", "rest") and samples.labels.tolist() == [0, 1, 1, 0]
    other = load_samples(save(x=X, y=Y, classes=np.array(["up", "down"])), LAYOUT, classes=("down", "up"))
    assert other.labels.tolist() == [1, 0, 0, 1]


def test_integer_classes_are_the_labels_themselves(save):
    samples = load_samples(save(x=X, y=Y + 1, classes=np.array([1, 2])), LAYOUT)
    assert samples.classes == ("1", "2") and samples.labels.tolist() == [0, 1, 1, 0]


def test_numbers_as_names_are_counted_from_the_first(save):
    samples = load_samples(save(x=X, y=Y, classes=np.array(["1", "0"])), LAYOUT)
    assert samples.labels.tolist() == [0, 1, 1, 0]


@pytest.mark.parametrize(
    "classes", [np.array(["a"]), np.array(["a", "a"]), np.array(["a", ""]), np.array([]), np.array([["a", "b"]])]
)
def test_classes_that_do_not_fit(save, classes):
    assert "classes" in refusal(save(x=X, y=Y, classes=classes))


def test_groups(save):
    assert load_samples(save(x=X, y=Y, groups=np.array([7, 7, 8, 8])), LAYOUT).groups == ("7", "7", "8", "8")
    assert "the groups" in refusal(save(x=X, y=Y, groups=np.array(["a"])))


def test_missing_arrays(save):
    message = refusal(save(readings=X, y=Y))
    assert "no array of values" in message and "readings, y" in message
    assert "no array of labels" in refusal(save(x=X))
    assert load_samples(save(x=X), LAYOUT, require_labels=False).labels.tolist() == [255] * 4


def test_values_that_are_not_finite(save):
    x = X.astype(float)
    x[2, 1] = np.nan
    path = save(x=x, y=Y)
    assert "row 3: a value is not a finite" in refusal(path)
    samples = load_samples(path, LAYOUT, bad_rows="skip")
    assert samples.lines.tolist() == [1, 2, 4] and [row.line for row in samples.bad_rows] == [3]


def test_no_samples(save):
    assert "no samples" in refusal(save(x=np.zeros((0, 6)), y=np.zeros(0)))


def test_pickled_objects_are_never_loaded(tmp_path):
    class Bomb:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "exploded",))

    path = tmp_path / "data.npz"
    bomb = np.empty(1, object)
    bomb[0] = Bomb()
    np.savez(path, x=bomb, y=Y)
    assert "cannot be read" in refusal(path)
    assert not (tmp_path / "exploded").exists()


def test_not_an_archive(tmp_path):
    path = tmp_path / "data.npz"
    assert "no file" in refusal(path)
    path.write_bytes(b"")
    assert "cannot be read" in refusal(path)
    with path.open("wb") as file:
        np.save(file, X)
    assert "cannot be read" in refusal(path)
    path.unlink()
    path.mkdir()
    assert "cannot be read" in refusal(path)


def with_header(path: Path, header: str) -> Path:
    """Write an archive whose ``x`` has this header and no data."""
    text = header.encode().ljust(117) + b"\n"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text)
    return path


@pytest.mark.parametrize(
    "header",
    [
        "{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000, 6)}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (-4, 6)}",
        "{'descr': '|O', 'fortran_order': False, 'shape': (4, 6)}",
        "{'descr': 'nonsense', 'fortran_order': False, 'shape': (4, 6)}",
        "((((((((((",
    ],
)
def test_headers_that_lie(tmp_path, header):
    assert "cannot be read" in refusal(with_header(tmp_path / "data.npz", header))


def test_text_that_is_no_text(save):
    broken = np.array(["a", "b", "c", "\ud800"])
    assert "not Unicode" in refusal(save(x=X, y=broken))
    beyond = np.frombuffer(b"\xff\xff\xff\x7f" * 4, "<U1")
    assert "not Unicode" in refusal(save(x=X, y=beyond))
    assert "not Unicode" in refusal(save(x=X, y=Y, groups=np.full(4, b"\xff")))


def seed_file(compress: bool) -> bytes:
    buffer = io.BytesIO()
    (np.savez_compressed if compress else np.savez)(
        buffer, x=X.astype(np.float32), y=Y, groups=np.array(list("aabb")), classes=np.array(["u", "d"])
    )
    return buffer.getvalue()


SEEDS = (seed_file(False), seed_file(True))


@settings(max_examples=400)
@given(
    seed=st.sampled_from(SEEDS),
    edits=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=8),
    end=st.floats(0, 1) | st.just(1.0),
)
def test_damaged_files_are_read_or_refused(write, seed, edits, end):
    content = bytearray(seed)
    for place, byte in edits:
        content[min(int(place * len(content)), len(content) - 1)] = byte
    path = write(bytes(content[: int(end * len(content))]), "data.npz")
    check(path)


@settings(max_examples=300)
@given(
    edits=st.lists(st.tuples(st.integers(0, 250), st.integers(0, 255)), min_size=1, max_size=6),
    which=st.sampled_from(["x", "y", "groups", "classes"]),
)
def test_damaged_arrays_in_a_sound_archive(write, edits, which):
    """The archive's own checksum stops random damage early; this gets past it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(SEEDS[0])) as old, zipfile.ZipFile(buffer, "w") as new:
        for name in old.namelist():
            member = bytearray(old.read(name))
            for place, byte in edits if name == f"{which}.npy" else []:
                member[place % len(member)] = byte
            new.writestr(name, bytes(member))
    check(write(buffer.getvalue(), "data.npz"))


def check(path: Path) -> Samples | None:
    """Load a damaged file: a refusal or sound samples."""
    try:
        samples = load_samples(path, LAYOUT, bad_rows="skip")
    except DataError as error:
        str(error).encode()
        return None
    assert samples.values.shape == (len(samples), 2, 3) and np.isfinite(samples.values).all()
    assert max(samples.labels) < len(samples.classes)
    "".join((*samples.classes, *samples.groups)).encode()
    return samples
