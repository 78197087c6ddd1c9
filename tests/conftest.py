"""What all tests share: the interpreter, a flashed board, a small model. A skip says what would make it run."""

from __future__ import annotations

import gc
import signal
from pathlib import Path

import pytest

from tpsgd_host.boards.virtual import find_interpreter
from tpsgd_host.errors import DependencyError

ROOT = Path(__file__).resolve().parents[1]

# A shell's background job ignores Ctrl-C, and so would every program that a test starts from one.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Spread the whole suite over the cores; tests that are named on the command line run in this process."""
    whole = config.args_source is config.ArgsSource.TESTPATHS
    options = config.option
    if whole and not hasattr(config, "workerinput") and getattr(options, "numprocesses", 0) is None:
        options.numprocesses = "auto"
        options.dist = "loadgroup"


@pytest.fixture(scope="module", autouse=True)
def _old_objects_are_left_alone() -> None:
    """Have the garbage collector skip what exists before a module's tests.

    The device program collects garbage whenever it counts its heap. In this process that would go through all of
    the objects of NumPy, scikit-learn and pytest each time: a quarter of a second, some thousand times.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def interpreter() -> str:
    """Path of MicroPython's unix port."""
    try:
        return find_interpreter()
    except DependencyError as error:
        pytest.skip(f"{error.message}: {error.hint}")


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Folder of recorded data that no package ships."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no folder {folder.name} beside the project: put fsdd, wand and mnist there")
    return folder
