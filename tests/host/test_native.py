"""Native modules: their files, which board gets which, and what an interpreter does with a damaged one."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

import tpsgd
from tpsgd.describe import LAYER, NETWORK, size
from tpsgd_host.boards.virtual import interpreter_mpy
from tpsgd_host.flashing.mpy import MpyFormat, circuitpython_files, native_module, package_files
from tpsgd_host.native.build import SHIPPED, TARGETS, build, compiler, path
from tpsgd_host.native.mpyfile import ARCHITECTURES, number

DEVICE = Path(tpsgd.__file__).parent
ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("arch", TARGETS)
def test_a_module_built_again_is_the_same_file(arch):
    if compiler(arch) is None:
        pytest.skip(f"apt-get install {TARGETS[arch].prefix or 'x86_64-linux-gnu-'}gcc runs this test")
    made = build(arch)
    assert made[:4] == bytes((ord("M"), 6, ARCHITECTURES[arch] << 2 | 3, 31))
    if arch in SHIPPED:
        assert made == path(arch).read_bytes(), "python firmware/modules.py"


def test_the_files_are_those_of_the_targets():
    assert {p.name for p in DEVICE.glob("*.mpy")} == {f"native_{arch}.mpy" for arch in SHIPPED}
    assert set(TARGETS) == set(ARCHITECTURES) >= set(SHIPPED)
    for arch in SHIPPED:
        data = path(arch).read_bytes()
        assert data[:4] == bytes((ord("M"), 6, ARCHITECTURES[arch] << 2 | 3, 31))
        assert len(data) < 24576


@pytest.mark.parametrize("version", [(6, 3), (6, 2), (5, 3)])
@pytest.mark.parametrize("arch", ["", "x86", "armv6", "armv7em", "xtensa", "rv64imc", *ARCHITECTURES])
def test_a_board_gets_its_own_module_and_no_other(arch, version):
    given = {name for name in package_files(MpyFormat(*version, arch)) if "/native_" in name}
    fits = arch in SHIPPED and version == (6, 3)
    assert given == ({f"tpsgd/native_{arch}.mpy"} if fits else set())
    assert set(native_module(MpyFormat(*version, arch))) == given


def test_a_board_of_an_unknown_kind_gets_none():
    for files in (package_files(None), circuitpython_files()):
        assert not [name for name in files if "/native_" in name]


def test_numbers_in_the_file():
    assert [number(n) for n in (0, 127, 128, 16384)] == [b"\0", b"\x7f", b"\x81\0", b"\x81\x80\0"]


def test_the_engine_knows_the_sizes_of_the_structures():
    text = (DEVICE / "kernels_native.py").read_text()
    assert f"{size(NETWORK)} << 16 | {size(LAYER)} if sys.maxsize >> 32" in text
    assert "60 << 16 | 28" in text  # 58 bytes and 26, at 32 bits


def board(folder: Path, interpreter: str) -> None:
    """Write the device package as the virtual board has it."""
    (folder / "tpsgd").mkdir()
    for name, data in package_files(MpyFormat.of(interpreter_mpy())).items():
        (folder / name).write_bytes(data)


def chosen(folder: Path, interpreter: str) -> str:
    """Return what the trainer says when it chooses an engine."""
    command = [interpreter, "-c", "from tpsgd import runtime; print(runtime.engine().NAME)"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    return done.stdout + done.stderr


def test_the_virtual_board_takes_its_module(interpreter, tmp_path):
    board(tmp_path, interpreter)
    assert chosen(tmp_path, interpreter) == "native\n"


@pytest.mark.parametrize("arch", ["armv6m", "xtensawin", "rv32imc"])
def test_a_module_for_another_chip_falls_back_with_a_line(interpreter, tmp_path, arch):
    board(tmp_path, interpreter)
    data = bytearray(path("x64").read_bytes())
    data[2] = ARCHITECTURES[arch] << 2 | 3
    (tmp_path / "tpsgd/native_x64.mpy").write_bytes(data)
    said = chosen(tmp_path, interpreter)
    assert said.startswith("engine native does not fit this firmware and is not used: incompatible .mpy")
    assert said.endswith("\nviper\n")


def test_without_the_module_the_next_engine_is_taken(interpreter, tmp_path):
    board(tmp_path, interpreter)
    (tmp_path / "tpsgd/native_x64.mpy").unlink()
    assert chosen(tmp_path, interpreter) == "viper\n"


DAMAGED = """
import sys
fell_back = 0
for i in range(1000):
    sys.modules.pop("tpsgd.native_x64", None)
    with open("heads", "rb") as file:
        file.seek(4 * i)
        head = file.read(4)
    with open("tpsgd/native_x64.mpy", "r+b") as file:
        file.write(head)
    try:
        __import__("tpsgd.native_x64")
    except (ImportError, SyntaxError, ValueError):  # as runtime.engine
        fell_back += 1
print("fell back:", fell_back)
"""


def test_a_thousand_damaged_and_foreign_heads_fall_back(interpreter, tmp_path):
    """The interpreter refuses them all, before it looks at the code.

    (`flash` verifies each file by its hash: a file that is damaged further on is never left on a board.)
    """
    board(tmp_path, interpreter)
    dice = random.Random(7)
    heads = b""
    for i in range(1000):
        head = bytearray(path("x64").read_bytes()[:4])
        if i % 3:
            head[i % 3 - 1] ^= dice.randrange(1, 256)  # magic or version
        else:
            head[2] = dice.choice(
                [arch for arch in range(1, 13) if arch != ARCHITECTURES["x64"]]
            ) << 2 | dice.randrange(4)
        heads += head
    (tmp_path / "heads").write_bytes(heads)
    (tmp_path / "run.py").write_text(DAMAGED)
    done = subprocess.run(
        [interpreter, "run.py"], cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "fell back: 1000\n"


def test_the_command_compares(tmp_path):
    if compiler("x64") is None:
        pytest.skip("apt-get install gcc runs this test")
    command = [sys.executable, str(ROOT / "firmware/modules.py"), "--check", "x64"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
