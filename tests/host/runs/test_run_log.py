"""The log: what is written is read back, and damage is named."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tpsgd_host.errors import DataError
from tpsgd_host.runs.events import BoardText, EpochEnded, Note, RunEnded, RunStarted, SampleResult, from_dict, to_dict
from tpsgd_host.runs.log import LogWriter, read_log

text = st.text(st.characters(), max_size=20)  # lone surrogates too: a board prints what it likes
counts = st.integers(0, 2**53 - 1)
shares = st.none() | st.floats(0, 1)
json_dicts = st.dictionaries(text, st.none() | st.booleans() | counts | text | st.lists(counts, max_size=3), max_size=3)
seconds = st.floats(0, 1e9)
events = st.one_of(
    st.builds(RunStarted, json_dicts),
    st.builds(
        SampleResult,
        index=counts,
        epoch=counts,
        kind=st.sampled_from(["train", "test"]),
        label=st.integers(0, 255),
        predicted=st.integers(0, 254),
        p_true=st.integers(0, 127),
        line=counts,
    ),
    st.builds(EpochEnded, counts, shares, shares, shares, shares, counts, seconds),
    st.builds(BoardText, text),
    st.builds(Note, text),
    st.builds(
        RunEnded,
        st.sampled_from(["complete", "interrupted", "failed"]),
        st.none() | st.integers(0, 2**32 - 1),
        counts,
        seconds,
        shares,
        shares,
        st.none() | st.just([[1, 0], [2, 3]]),
        json_dicts,
    ),
)


def write(folder: Path, items: list[Any]) -> Path:
    """Write events as a fresh log and return its path."""
    for name in ("log.jsonl", "log.csv"):
        (folder / name).unlink(missing_ok=True)
    writer = LogWriter(folder)
    for event in items:
        writer.write(event)
    writer.close()
    return folder / "log.jsonl"


@given(st.lists(events, max_size=8))
def test_what_is_written_is_read(tmp_path: Path, items: list[Any]) -> None:
    """Any events come back equal."""
    assert list(read_log(write(tmp_path, items))) == items


@given(st.lists(events, min_size=1, max_size=5), st.data())
def test_a_truncated_log_loses_its_last_line_only(tmp_path: Path, items: list[Any], data: st.DataObject) -> None:
    """A log cut anywhere gives the events before the cut."""
    path = write(tmp_path, items)
    whole = path.read_bytes()
    cut = data.draw(st.integers(0, len(whole)))
    path.write_bytes(whole[:cut])
    read = list(read_log(path))
    assert read == items[: len(read)]
    assert len(read) >= whole[:cut].count(b"\n")


@given(st.lists(events, min_size=1, max_size=4), st.data())
def test_a_mutated_log_raises_data_error_or_nothing(tmp_path: Path, items: list[Any], data: st.DataObject) -> None:
    """Whatever bytes are put into a log, DataError is all that a reader sees."""
    path = write(tmp_path, items)
    mutated = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(mutated)))
        end = min(len(mutated), at + data.draw(st.integers(0, 3)))
        mutated[at:end] = data.draw(
            st.binary(max_size=4) | st.sampled_from([b"\n", b"9" * 400, b"NaN", b"-", b"[" * 9])
        )
    path.write_bytes(mutated)
    try:
        list(read_log(path))
    except DataError as error:
        assert "line" in error.message


@pytest.mark.parametrize(
    ("line", "what"),
    [
        (b"{", "not JSON"),
        (b"\xff", "not UTF-8"),
        (b"[1]", "not an object"),
        (b'{"event":"other"}', "unknown event 'other'"),
        (b'{"event":["note"]}', "unknown event"),
        (b'{"event":"note"}', "note: text is missing"),
        (b'{"event":"note","text":NaN}', "NaN"),
        (b'{"event":"note","text":1}', "note: text is 1"),
        (b'{"event":"started","config":[]}', "config is []"),
        (b"[" * 100_000, ""),
        (b"1" * 10_000, ""),
    ],
)
def test_damage_names_file_and_line(tmp_path: Path, line: bytes, what: str) -> None:
    """A damaged line is an error, unless it is the last."""
    path = tmp_path / "log.jsonl"
    good = b'{"event":"note","text":"a"}\n'
    path.write_bytes(good + line + b"\n" + good)
    with pytest.raises(DataError) as caught:
        list(read_log(path))
    assert f"{path}, line 2: " in caught.value.message
    assert what in caught.value.message
    path.write_bytes(good + line + b"\n")
    assert list(read_log(path)) == [Note("a")]


def test_a_missing_log_is_a_data_error(tmp_path: Path) -> None:
    """The message says which file."""
    with pytest.raises(DataError, match=r"log\.jsonl cannot be read"):
        list(read_log(tmp_path / "log.jsonl"))


@pytest.mark.parametrize("value", [True, -1, 1.5, "1", None, 128, 10**30])
def test_fields_out_of_range_are_refused(value: object) -> None:
    """A p_true is a whole number of 0..127."""
    raw = to_dict(SampleResult(0, 1, "train", 1, 1, 100, 2))
    with pytest.raises(ValueError, match="p_true"):
        from_dict({**raw, "p_true": value})


def test_unknown_keys_are_passed_over() -> None:
    """A later version may say more."""
    assert from_dict({"event": "note", "text": "a", "colour": "red"}) == Note("a")


def test_numpy_numbers_are_written(tmp_path: Path) -> None:
    """Labels come straight out of arrays."""
    result = SampleResult(np.int64(3), 1, "test", np.uint8(2), np.int32(1), np.int16(90), np.int64(7))  # type: ignore[arg-type]
    assert list(read_log(write(tmp_path, [result]))) == [SampleResult(3, 1, "test", 2, 1, 90, 7)]


def test_table_names_classes(tmp_path: Path) -> None:
    """log.csv has class names, quoted where they need it."""
    start = RunStarted({"classes": ["left, fast", "right"]})
    write(tmp_path, [start, SampleResult(0, 1, "train", 0, 1, 127, 2), SampleResult(1, 1, "test", 255, 1, 0, 3)])
    with (tmp_path / "log.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["label"] for row in rows] == ["left, fast", "255"]
    assert [row["predicted"] for row in rows] == ["right", "right"]
    assert [row["correct"] for row in rows] == ["0", "0"]
    assert [row["loss"] for row in rows] == ["0.0000", "5.5373"]


@pytest.mark.parametrize("tail", [b"", b'{"event":"no', b"rubbish\n", b"\0\0\0", b'{"event":"note","text":"b"}'])
def test_a_log_is_carried_on_behind_a_torn_line(tmp_path: Path, tail: bytes) -> None:
    """The torn line goes, an unterminated whole one stays, and the table agrees with the log."""
    first, second = (SampleResult(i, 1, "train", 0, 0, 90, i + 2) for i in range(2))
    path = write(tmp_path, [RunStarted({"classes": ["a"]}), first])
    path.write_bytes(path.read_bytes() + tail)
    (tmp_path / "log.csv").write_text("torn")
    writer = LogWriter(tmp_path)
    writer.write(second)
    writer.close()
    between = [Note("b")] if tail.endswith(b"}") else []
    assert list(read_log(path))[1:] == [first, *between, second]
    lines = (tmp_path / "log.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == ["index", "0", "1"]
    assert lines[2].split(",")[4] == "a"


def test_lines_are_flushed_at_once(tmp_path: Path) -> None:
    """A reader sees a line as soon as it is written."""
    writer = LogWriter(tmp_path)
    writer.write(Note("a"))
    assert json.loads((tmp_path / "log.jsonl").read_text()) == {"event": "note", "text": "a"}
    writer.close()
