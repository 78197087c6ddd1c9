"""The model file as the host writes and reads it."""

from __future__ import annotations

from dataclasses import replace
from zlib import crc32

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import model

from tpsgd_host.errors import ModelError
from tpsgd_host.model.modelfile import Model, load_model, memory, parse_model

NAMES = st.text(min_size=1, max_size=20).filter(
    lambda text: len(text.encode(errors="replace")) < 200 and text.isprintable()
)


def same(a: Model, b: Model) -> bool:
    """Same."""
    return (
        replace(a, scaling=b.scaling, weights=b.weights) == b
        and (a.scaling.offset == b.scaling.offset).all()
        and (a.scaling.gain == b.scaling.gain).all()
        and all(
            (v == w).all() and v.dtype.itemsize == w.dtype.itemsize for v, w in zip(a.weights, b.weights, strict=True)
        )
    )


@pytest.mark.parametrize("recurrent", [False, True])
@pytest.mark.parametrize("frozen", [False, True])
def test_what_is_written_is_read(recurrent: bool, frozen: bool) -> None:
    """What is written is read."""
    given_ = model(recurrent, frozen)
    assert same(given_, parse_model(given_.to_bytes(), "x"))


@settings(max_examples=50)
@given(
    st.lists(NAMES, min_size=3, max_size=3, unique=True), NAMES, st.integers(1, 2**32 - 1), st.booleans(),
    st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.floats(0, 1000, width=32), st.data(),
)  # fmt: skip
def test_round_trip(
    classes: list[str], name: str, seed: int, recurrent: bool, window: int, total: int, rate: float, data: st.DataObject
) -> None:
    """Round trip."""
    base = model(recurrent)
    raw = data.draw(st.binary(min_size=base.weights[0].size, max_size=base.weights[0].size))
    first = (np.frombuffer(raw, np.uint8).astype(np.uint16) * 256 + 255).clip(256).reshape(base.weights[0].shape)
    layout = replace(base.layout, windows="recording", columns=(), window=window, rate=rate, label=name)
    made = replace(
        base, classes=tuple(classes), name=name, seed=seed, layout=layout, total=total,
        weights=(first.astype("<u2"), *base.weights[1:]),
    )  # fmt: skip
    assert same(made, parse_model(made.to_bytes(), "x"))


def test_save_and_load(tmp_path) -> None:  # type: ignore[no-untyped-def]
    """Save and load."""
    model().save(tmp_path / "m.tpsgd")
    assert same(model(), load_model(tmp_path / "m.tpsgd"))
    assert [path.name for path in tmp_path.iterdir()] == ["m.tpsgd"]
    with pytest.raises(ModelError, match="cannot read"):
        load_model(tmp_path / "other.tpsgd")


def test_weights_of_a_board_are_taken_back() -> None:
    """Weights of a board are taken back."""
    one, other = model(frozen=True), model(frozen=True, seed=8)
    raw = b"".join(w.tobytes() for w in other.weights)
    assert one.with_weights(raw).weights_crc == other.weights_crc != one.weights_crc
    with pytest.raises(ModelError):
        one.with_weights(raw + b"\0")


FILES = [model().to_bytes(), model(recurrent=True, frozen=True).to_bytes()]


def _signed(data: bytes) -> bytes:
    return data[:-4] + crc32(data[:-4]).to_bytes(4, "little")


@settings(max_examples=400)
@given(st.sampled_from(FILES), st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=3))
def test_changed_bytes_are_refused_or_make_another_model(data: bytes, changes: list[tuple[int, int]]) -> None:
    """Changed bytes are refused or make another model."""
    raw = bytearray(data)
    for at, value in changes:
        raw[at % (len(raw) - 4)] = value
    if bytes(raw) != data:
        with pytest.raises(ModelError):
            parse_model(bytes(raw), "x")  # the CRC says so
    try:
        made = parse_model(_signed(bytes(raw)), "x")
    except ModelError:
        return
    assert same(
        made, parse_model(made.to_bytes(), "x")
    )  # with a corrected CRC: everything that is accepted can be written
    assert memory(made).total > 0


@given(st.sampled_from(FILES), st.integers(0, 2000))
def test_cut_short_is_refused(data: bytes, length: int) -> None:
    """Cut short is refused."""
    with pytest.raises(ModelError):
        parse_model(data[: length % len(data)], "x")


@given(st.binary(max_size=300))
def test_any_bytes_are_refused(data: bytes) -> None:
    """Any bytes are refused."""
    with pytest.raises(ModelError):
        parse_model(b"TPSG\x01" + data, "x")


def test_a_weight_below_its_range_is_refused() -> None:
    """A weight below its range is refused."""
    made = model(frozen=True)
    for index, bad in ((0, 255), (1, 0)):
        weights = [w.copy() for w in made.weights]
        weights[index][0, 0] = bad
        with pytest.raises(ModelError, match="out of its range"):
            parse_model(replace(made, weights=tuple(weights)).to_bytes(), "x")
