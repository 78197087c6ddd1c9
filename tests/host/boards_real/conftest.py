"""Fixtures for boards that are real in all but their hardware."""

from __future__ import annotations

import sys
from pathlib import Path

import cases
import pytest
from terminal import TerminalBoard

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # test_commands has the commands' data and runner


@pytest.fixture
def terminal_board(tmp_path, interpreter):
    """A bare board with MicroPython behind a pseudo-terminal."""
    with TerminalBoard(interpreter, tmp_path / "flash") as board:
        yield board


@pytest.fixture
def model_file(tmp_path):
    """A small model."""
    path = tmp_path / "m.tpsgd"
    path.write_bytes(cases.model_bytes(1))
    return path
