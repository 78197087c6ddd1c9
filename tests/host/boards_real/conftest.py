"""Fixtures for boards that are real in all but their hardware."""

from __future__ import annotations

import cases
import pytest
from terminal import TerminalBoard


@pytest.fixture
def terminal_board(tmp_path, interpreter):
    """A bare board with MicroPython at a pseudo-terminal."""
    with TerminalBoard(interpreter, tmp_path / "flash") as board:
        yield board


@pytest.fixture
def model_file(tmp_path):
    """A small model."""
    path = tmp_path / "m.tpsgd"
    path.write_bytes(cases.model_bytes(1))
    return path
