"""A folder with data, and a virtual board that holds a model for them."""

from __future__ import annotations

import pytest
from commands import call
from motions import write_motions


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with data, as the current one, and a virtual board of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TPSGD_VIRTUAL", str(tmp_path / "board"))
    write_motions(tmp_path / "train.csv", 90, 1)
    write_motions(tmp_path / "test.csv", 30, 2)
    return tmp_path


@pytest.fixture
def flashed(place, interpreter):
    """A virtual board with a model for the motions."""
    call("new", "motion", "--data", "train.csv", "--network", "rnn", "--hidden", "12", "--steps", "10")
    call("quantize", "motion.toml", "--data", "train.csv")
    call("flash", "motion.tpsgd", "--board", "virtual")
    return place
