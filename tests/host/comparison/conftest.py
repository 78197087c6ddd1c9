"""Problems that are real and small."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tpsgd_host.comparison import task_problem
from tpsgd_host.errors import DependencyError


@pytest.fixture(scope="session")
def gesture():
    """BasicMotions, for a few epochs."""
    try:
        return replace(task_problem("gesture"), epochs=8)
    except DependencyError as error:
        pytest.skip(f"{error.message} {error.hint}")
