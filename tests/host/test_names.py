"""Names that others gave: none of them decides where a file is written."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from networks import model

from tpsgd_host.errors import ModelError
from tpsgd_host.model.modelfile import parse_model
from tpsgd_host.names import MAX_FILE_NAME, file_name, has_control

HOSTILE = [
    "../../PWN", "/etc/passwd", "..", ".", "", "a\0b", "x" * 255, "CON", "nul.txt", "C:\\boot", "~/.bashrc", "-rf",
    ".ssh", "a/b", "a\\b", "a\nb", "手" * 85, "\u202egnp.exe",
]  # fmt: skip


def is_one_file(name: str) -> bool:
    """Whether a name stays in its folder on any file system, is no option and not hidden."""
    path = Path(name)
    plain = name.isascii() and all(c.isalnum() or c in "._-" for c in name)
    return plain and path.name == name and name[0] not in ".-" and 0 < len(name) <= MAX_FILE_NAME + 1


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_becomes_the_name_of_one_file(name, tmp_path):
    made = file_name(name, "model")
    assert is_one_file(made)
    (tmp_path / f"{made}-trained.tpsgd").write_bytes(b"")
    assert [path.name for path in tmp_path.iterdir()] == [f"{made}-trained.tpsgd"]


@given(st.text(max_size=300))
def test_any_name_does(name):
    assert is_one_file(file_name(name, "model"))


def test_ordinary_names_stay():
    assert [file_name(name, "run") for name in ("wand", "a b", "v1.2_x-3", "Größe")] == [
        "wand",
        "a-b",
        "v1.2_x-3",
        "Gr-e",
    ]


@pytest.mark.parametrize("bad", ["a\nb", "a\x1b[2J", "a\x9d0;x", "a\u2028b", "\x7f"])
def test_a_model_file_whose_names_hold_control_characters_is_refused(bad):
    assert has_control(bad)
    for made in ({"name": bad}, {"classes": ("rest", bad, "tap")}):
        from dataclasses import replace

        with pytest.raises(ModelError, match="control characters"):
            parse_model(replace(model(), **made).to_bytes(), "it")
