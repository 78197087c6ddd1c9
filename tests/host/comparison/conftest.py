"""Problems that are real and small."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tpsgd_host.comparison import task_problem
from tpsgd_host.errors import DependencyError


def _short(name):
    """Return a task's problem for a few epochs, or skip the test."""
    try:
        return replace(task_problem(name), epochs=8)
    except DependencyError as error:
        pytest.skip(f"{error.message} {error.hint}")


@pytest.fixture(scope="session")
def gesture():
    """BasicMotions, for a few epochs, by a temporal layer."""
    return _short("gesture")


@pytest.fixture(scope="session")
def gesture_rnn():
    """The same by a recurrent layer, which may have targets of its own."""
    return _short("gesture-rnn")
