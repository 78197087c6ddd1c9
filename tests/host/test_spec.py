"""docs/SPEC.md and the code say the same: tables are read from the page and held against the code."""

from __future__ import annotations

import math
import re
import struct
from pathlib import Path

import cases
import pytest

from tpsgd import adpcm, checkpoint, frames, frontspec, header, incoming, lesson, plan, serve
from tpsgd import format as device_format
from tpsgd import tape as device_tape
from tpsgd.generator import draw, mix, step
from tpsgd.softmax import TABLE
from tpsgd_host.cli import EPILOG
from tpsgd_host.link import messages, tape
from tpsgd_host.model.modelfile import KINDS, LOSSES, RESAMPLINGS, UPDATE_AT, WINDOWS

ROOT = Path(__file__).resolve().parents[2]
SPEC = (ROOT / "docs" / "SPEC.md").read_text()


def section(title: str) -> str:
    """Return the part of the page under a heading that begins so."""
    found = re.search(rf"^## {re.escape(title)}.*?(?=^## |\Z)", SPEC, re.M | re.S)
    assert found, title
    return found[0]


def rows(text: str, columns: int) -> list[list[str]]:
    """Return the rows of all tables of so many columns, heads included."""
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]
    return [row for row in cells if len(row) == columns and not set(row[0]) <= {"-", ":"}]


def layout(text: str) -> list[tuple[int, int]]:
    """Return (offset, size) of the fields whose place is a number."""
    return [(int(r[0]), int(r[1])) for r in rows(text, 3) if r[0].isdigit() and r[1].isdigit()]


def test_model_header():
    text = section("2. Model file")
    head, layer = text.split("A layer:")
    fields = layout(head)
    assert [offset for offset, _ in fields] == offsets(header.HEADER)
    assert fields[-1][0] + fields[-1][1] == header.HEADER_SIZE == struct.calcsize(header.HEADER)
    fields = layout(layer)
    assert [offset for offset, _ in fields][:-5] == offsets(header.LAYER)
    assert fields[-5] == (struct.calcsize(header.LAYER), 8)
    assert fields[-4:] == [(20 + i, 1) for i in range(4)]
    assert sum(fields[-1]) == header.LAYER_SIZE


def offsets(form: str) -> list[int]:
    """Return where the fields of a packed struct begin."""
    parts = re.findall(r"\d*[a-zA-Z]", form)
    return [struct.calcsize("<" + "".join(parts[:i])) for i in range(len(parts))]


def test_checkpoint_header():
    fields = layout(section("3. Checkpoint"))
    assert [offset for offset, _ in fields] == offsets(checkpoint.HEADER)
    assert sum(fields[-1]) == checkpoint.HEADER_SIZE == struct.calcsize(checkpoint.HEADER)
    assert all(slot in section("3. Checkpoint") for slot in checkpoint.SLOTS)


@pytest.mark.parametrize(
    ("word", "names"),
    [("kind", KINDS), ("update_at", UPDATE_AT), ("loss", LOSSES), ("windows", WINDOWS), ("resampling", RESAMPLINGS)],
)
def test_numbered_names(word, names):
    told = next(row[2] for row in rows(section("2. Model file"), 3) if row[2].startswith(f"{word}:"))
    assert re.findall(r"(\d) (\w+)", told)[: len(names)] == [(str(i), name) for i, name in enumerate(names)]


def test_update_at_is_numbered_as_in_the_device():
    assert [getattr(device_format, name.upper()) for name in UPDATE_AT] == list(range(len(UPDATE_AT)))


def test_frames_and_messages():
    text = section("4. The link")
    table = {int(r[0], 16): r[1] for r in rows(text, 4) + rows(text, 3) if r[0].startswith("0x")}
    names = ("HELLO", "START", "DATA", "READ", "BYE", "INFO", "ACK", "DONE", "CHUNK", "UNSAVED", "ERROR",
             "LISTEN", "TEACH", "PRACTISE", "UNDO", "SHOW", "LEVEL", "HEARD", "LESSON",
             "RECORD", "PIECE", "TAPE", "PUT", "PART", "PLACED")  # fmt: skip
    numbers = {
        next(getattr(m, name) for m in (frames, lesson, device_tape, incoming) if hasattr(m, name)): name
        for name in names
    }
    assert numbers | {frames.SYNC_UP: "SYNC"} == table
    assert f"0..{plan.PAYLOAD}" in text
    assert f"at most {plan.ANSWER} bytes" in text
    assert f"1..{plan.ANSWER - 4}" in text
    assert f"sync 0x{frames.SYNC:02X}" in text


def test_error_codes_are_told_and_have_hints():
    told = re.search(r"ERROR codes: (.*?)\.\n\n", section("4. The link"), re.S)[1]
    codes = [int(code) for code in re.findall(r"(?:^|, )(\d+) ", told.replace("\n", " "))]
    assert codes == sorted(messages.HINTS) == list(range(serve.NO_MODEL, incoming._OTHER_NETWORK + 1))
    assert (lesson.NO_SENSOR, lesson.NO_FRONT) == (10, 11)


def test_softmax_table():
    expected = [math.floor(255 * math.exp(-d / 16) + 0.5) for d in range(256)]
    assert list(TABLE) == expected[:100]
    assert not any(expected[100:])


def test_the_generator_never_rests_at_zero_and_draws_evenly():
    assert mix(0) == 1
    state = [mix(77)]
    counts = [0] * 20
    for _ in range(20_000):
        counts[draw(state, 20)] += 1
    assert min(counts) > 850
    s = 1
    for _ in range(1000):
        s = step(s)
        assert 0 < s < 1 << 32


def test_a_model_of_the_test_suite_reads_as_the_tables_say():
    data = cases.model_bytes(1)
    steps, channels, classes, checkpoints, rule, phases, layers = cases.describe(1)
    assert data[:4] == b"TPSG"
    assert (data[4], data[5]) == (2, len(layers))
    assert int.from_bytes(data[8:12], "little") == len(data)
    assert struct.unpack_from("<HHBBBB", data, 16) == (steps, channels, classes, checkpoints, rule, phases)


def test_the_page_of_commands_and_the_help_name_the_same_exit_codes():
    page = (ROOT / "docs" / "CLI.md").read_text().split("## Exit codes")[1].split("##")[0]
    told = set(map(int, re.findall(r"(?m)^\| (\d+) \|", page)))
    printed = set(map(int, re.findall(r"(\d+)  \S", EPILOG)))
    assert told == printed


def test_front_end_block():
    fields = layout(section("2.1 Front-end block"))
    fields = [*fields[:8], *((12 + i, 1) for i in range(8)), *fields[9:]]  # the segmenter's eight bytes are one row
    assert [offset for offset, _ in fields] == offsets(frontspec.HEAD)
    assert sum(fields[-1]) == frontspec.SIZE == struct.calcsize(frontspec.HEAD)


def test_the_steps_of_compressed_values():
    text = section("4. The link").replace("\n", " ")
    steps = re.search(r"STEP is ([\d, ]+)", text)[1]
    assert [int(one) for one in re.findall(r"\d+", steps)] == list(adpcm.STEP)
    assert [int(one) for one in re.findall(r"-?\d+", re.search(r"MOVE is ([-\d, ]+)", text)[1])] == list(tape._MOVE)
