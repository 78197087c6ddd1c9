"""The layout that docs/DESIGN.md describes, read from the imports: layers, no circles, few rooms."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import tpsgd_host

ROOT = Path(__file__).resolve().parents[2]
MAX_ROOMS = 20

UPSIDE_DOWN = """[importlinter]
root_package = tpsgd_host

[importlinter:contract:layers]
name = data above commands
type = layers
containers = tpsgd_host
layers =
    data
    commands
"""


def lint_imports(folder, *options):
    """Check the contracts of a folder's configuration; return exit code and report."""
    program = "import sys; from importlinter.cli import lint_imports_command; sys.exit(lint_imports_command())"
    command = [sys.executable, "-c", program, "--no-cache", *options]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
    return done.returncode, done.stdout + done.stderr


def test_imports_go_down_and_not_in_circles():
    code, report = lint_imports(ROOT)
    assert code == 0, report
    assert " 0 broken" in report


def test_an_import_upwards_is_found(tmp_path):
    (tmp_path / "contracts.ini").write_text(UPSIDE_DOWN)
    code, report = lint_imports(tmp_path, "--config", "contracts.ini")
    assert code == 1, report
    assert "1 broken" in report


def test_the_host_has_few_rooms():
    folder = Path(tpsgd_host.__file__).parent
    rooms = sorted(path.parent.name for path in folder.glob("*/__init__.py"))
    assert 10 < len(rooms) <= MAX_ROOMS, f"{len(rooms)} packages: {', '.join(rooms)}"


def imported(path):
    """Return the names of the modules that a file imports."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            yield node.module or ""
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def test_no_test_module_imports_another():
    # What two of them need is in a module beside them, or a fixture in conftest.py.
    modules = [path for part in ("host", "device", "campaigns") for path in ROOT.glob(f"tests/{part}/**/*.py")]
    assert len(modules) > 50
    assert not [(path.name, name) for path in modules for name in imported(path) if name.startswith("test_")]
