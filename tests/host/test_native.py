"""Native modules: each compiles, and the one for this machine trains on the interpreter as the golden table says."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

import tpsgd
from tpsgd.describe import LAYER, NETWORK, size
from tpsgd_host.boards.virtual import interpreter_mpy
from tpsgd_host.native.build import TARGETS, build, compiler
from tpsgd_host.native.mpyfile import ARCHITECTURES, number

DEVICE = Path(tpsgd.__file__).parent
SHARED = Path(__file__).resolve().parents[1] / "shared"


@pytest.mark.parametrize("arch", TARGETS)
def test_a_module_compiles_for_its_processor(arch):
    if compiler(arch) is None:
        pytest.skip(f"install {TARGETS[arch].prefix}gcc to run this test")
    assert build(arch)[:4] == bytes((ord("M"), 6, ARCHITECTURES[arch] << 2 | 3, 31))


def test_numbers_in_the_file():
    assert [number(n) for n in (0, 127, 128, 16384)] == [b"\0", b"\x7f", b"\x81\0", b"\x81\x80\0"]


def test_the_engine_knows_the_sizes_of_the_structures():
    text = (DEVICE / "kernels_native.py").read_text()
    assert f"{size(NETWORK)} << 16 | {size(LAYER)} if sys.maxsize >> 32" in text


def test_the_interpreter_trains_with_the_module(interpreter, tmp_path):
    if compiler("x64") is None or interpreter_mpy() != 6 | 3 << 8 | ARCHITECTURES["x64"] << 10:
        pytest.skip("needs gcc and an interpreter of x86-64 that takes mpy v6.3")
    shutil.copytree(DEVICE, tmp_path / "device" / "tpsgd")
    shutil.copytree(SHARED, tmp_path / "tests" / "shared")
    (tmp_path / "device/tpsgd/native_x64.mpy").write_bytes(build("x64"))
    command = [interpreter, str(tmp_path / "tests/shared/run.py"), "native", "every_engine"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout
    assert "passed  test_golden_native" in done.stdout
    assert "passed  test_native_allocates_nothing" in done.stdout
