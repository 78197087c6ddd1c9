"""``tpsgd-host inspect``: model files and checkpoints."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from zlib import crc32

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from networks import conv_model, model, stacked_model

from tpsgd_host.cli import cli
from tpsgd_host.commands.inspect import inspect
from tpsgd_host.errors import ModelError
from tpsgd_host.model.checkpoint import parse_checkpoint
from tpsgd_host.model.modelfile import memory, stored


def checkpoint_bytes() -> bytes:
    """Checkpoint bytes."""
    made = model(frozen=True)
    weights = stored(made.weights[0]) + stored(made.weights[2])
    head = struct.pack("<4sB3sIIIIIIII", b"TPSC", 1, b"\0\0\0", 44 + len(weights), made.crc, 6, 11, 40, 100, 99, 50)
    return head + weights + crc32(head + weights).to_bytes(4, "little")


def test_a_model_is_shown_whole(tmp_path: Path) -> None:
    """A model is shown whole."""
    made = model(recurrent=True)
    made.save(tmp_path / "m.tpsgd")
    text = CliRunner().invoke(cli, ["inspect", str(tmp_path / "m.tpsgd")], catch_exceptions=False).output
    for part in ("small", "rest, wave, tap", f"{made.crc:08x}", f"{made.weights_crc:08x}", f"{memory(made).total:,}"):
        assert part in text
    assert max(map(len, text.splitlines())) <= 80


def test_conv_and_stacked_models_are_shown(tmp_path: Path) -> None:
    """Kernel, pooling and the map that is left; the shape in a word."""
    conv_model().save(tmp_path / "c.tpsgd")
    text = CliRunner().invoke(cli, ["inspect", str(tmp_path / "c.tpsgd")], catch_exceptions=False).output
    for part in ("CNN 12x10x2-6@3x3/2-5@2x3s2-7-3", "3 x 3 x 2, stride 1, pooled by 2 to 5 x 4 x 6", "map 1"):
        assert part in text
    assert max(map(len, text.splitlines())) <= 80
    said = json.loads(
        CliRunner().invoke(cli, ["inspect", str(tmp_path / "c.tpsgd"), "--json"], catch_exceptions=False).output
    )
    assert [layer["kernel"] for layer in said["layers"]] == [[3, 3], [2, 3], None, None]
    stacked_model().save(tmp_path / "s.tpsgd")
    text = CliRunner().invoke(cli, ["inspect", str(tmp_path / "s.tpsgd")], catch_exceptions=False).output
    assert "RNN 4-9-6-3 K=2" in text and "updated at readout" in text


def test_a_model_as_json(tmp_path: Path) -> None:
    """A model as json."""
    made = model(frozen=True)
    made.save(tmp_path / "m.tpsgd")
    said = json.loads(
        CliRunner().invoke(cli, ["inspect", str(tmp_path / "m.tpsgd"), "--json"], catch_exceptions=False).output
    )
    assert said["crc_hex"] == f"{made.crc:08x}"
    assert [layer["frozen"] for layer in said["layers"]] == [False, True, False]
    assert said["memory"]["total"] == memory(made).total
    assert said["data"]["columns"] == list(made.layout.columns)


def test_a_checkpoint_is_known_by_its_bytes(tmp_path: Path) -> None:
    """A checkpoint is known by its bytes."""
    (tmp_path / "slot0.ckpt").write_bytes(checkpoint_bytes())
    said = json.loads(CliRunner().invoke(cli, ["inspect", str(tmp_path / "slot0.ckpt"), "--json"]).output)
    assert (said["kind"], said["generation"], said["run_id"], said["seen"], said["total"]) == (
        "checkpoint",
        6,
        11,
        40,
        100,
    )
    found = parse_checkpoint(checkpoint_bytes(), "x")
    assert found.belongs_to(model(frozen=True))
    assert not found.belongs_to(model(frozen=True, seed=8))


@given(st.integers(0, 10**4), st.integers(1, 255))
def test_a_damaged_checkpoint_is_refused(at: int, flip: int) -> None:
    """A damaged checkpoint is refused."""
    raw = bytearray(checkpoint_bytes())
    raw[at % len(raw)] ^= flip
    with pytest.raises(ModelError):
        parse_checkpoint(bytes(raw), "x")
    with pytest.raises(ModelError):
        parse_checkpoint(checkpoint_bytes()[: at % len(raw)], "x")


def test_no_file(tmp_path: Path) -> None:
    """No file."""
    with pytest.raises(ModelError, match="cannot read"):
        inspect(tmp_path / "m.tpsgd")
