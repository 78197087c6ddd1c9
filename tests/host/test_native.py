"""Native modules: each compiles, and the one for this machine trains on the interpreter as the golden table says."""

from __future__ import annotations

import shutil
import subprocess
import zlib
from pathlib import Path

import pytest

import tpsgd
from tpsgd.describe import LAYER, NETWORK, size
from tpsgd_host.bench.timing import network
from tpsgd_host.boards.connect import connect
from tpsgd_host.boards.virtual import interpreter_mpy
from tpsgd_host.flashing import virtual
from tpsgd_host.flashing.flash import flash
from tpsgd_host.flashing.mpy import MpyFormat, native_modules
from tpsgd_host.native.build import MADE_WITH, MODULES, SHIPPED, TARGETS, build, compiler, path, same_compiler
from tpsgd_host.native.mpyfile import ARCHITECTURES, number

DEVICE = Path(tpsgd.__file__).parent
SHARED = Path(__file__).resolve().parents[1] / "shared"


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize("arch", TARGETS)
def test_a_module_compiles_for_its_processor(arch, module):
    if compiler(arch) is None:
        pytest.skip(f"install {TARGETS[arch].prefix}gcc to run this test")
    assert build(arch, module)[:4] == bytes((ord("M"), 6, ARCHITECTURES[arch] << 2 | 3, 31))


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize("arch", SHIPPED)
def test_the_module_in_the_package_is_the_one_that_its_sources_make(arch, module):
    if not same_compiler(arch):
        pytest.skip(f"install {TARGETS[arch].prefix}gcc {MADE_WITH[TARGETS[arch].prefix]} to run this test")
    assert path(arch, module).read_bytes() == build(arch, module), "python firmware/modules.py brings it along"


def test_the_package_has_the_modules_that_are_shipped_and_no_other():
    shipped = [(arch, path(arch, module)) for arch in SHIPPED for module in MODULES]
    assert {file.name for file in DEVICE.glob("*.mpy")} == {file.name for _, file in shipped}
    for arch, file in shipped:
        data = file.read_bytes()
        assert data[:4] == bytes((ord("M"), 6, ARCHITECTURES[arch] << 2 | 3, 31))
        assert zlib.crc32(data) == 0x2144DF1C


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
    for module in MODULES:
        (tmp_path / f"device/tpsgd/{module}_x64.mpy").write_bytes(build("x64", module))
    command = [interpreter, str(tmp_path / "tests/shared/run.py"), "native", "every_engine", "a_class_more"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout
    assert "passed  test_golden_native" in done.stdout
    assert "passed  test_native_allocates_nothing" in done.stdout
    assert "passed  test_native_front_ends" in done.stdout
    assert "passed  test_distances_are_right_on_every_engine" in done.stdout
    assert "passed  test_a_class_more_keeps_what_was_taught" in done.stdout  # it builds a network again


#: Loads files that are damaged or for other chips; the interpreter would take some of them for code.
DAMAGED = """import random, sys
COUNT = int(sys.argv[2])
from tpsgd import runtime
name = sys.argv[1]
whole = open(name, "rb").read()
random.seed(5)
taken = 0
for i in range(COUNT):
    data = bytearray(whole)
    kind = i % 4
    if kind == 0:
        data[random.randrange(4)] ^= 1 << random.randrange(8)
    elif kind == 1:
        data = data[:random.randrange(len(data))]
    elif kind == 2:
        data[random.randrange(len(data))] ^= 1 << random.randrange(8)
    else:
        data[2] = random.choice((0, 1, 3, 4, 5, 7, 8, 9, 10, 11, 40)) << 2 | 3
        if random.randrange(2):
            data = data[:-4]
            data += (runtime.crc32(data) & 0xFFFFFFFF).to_bytes(4, "little")
    with open(name, "wb") as file:
        file.write(data)
    try:
        runtime.engine(6)
        taken += 1
    except ImportError:
        pass
print("taken", taken)
with open(name, "wb") as file:
    file.write(whole)
for i in range(20):
    assert runtime.engine(6).NUMBER == 6
    del sys.modules["tpsgd.kernels_native"], sys.modules["tpsgd.native_x64"]
print(runtime.engine().NAME)
"""


def test_a_damaged_or_foreign_module_is_refused_and_the_next_engine_trains(interpreter, tmp_path):
    if compiler("x64") is None or interpreter_mpy() != 6 | 3 << 8 | ARCHITECTURES["x64"] << 10:
        pytest.skip("needs gcc and an interpreter of x86-64 that takes mpy v6.3")
    shutil.copytree(DEVICE, tmp_path / "tpsgd")
    module = tmp_path / "tpsgd/native_x64.mpy"
    module.write_bytes(build("x64"))
    (tmp_path / "damaged.py").write_text(DAMAGED)
    command = [interpreter, "damaged.py", str(module), "100"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-1000:]
    assert "taken 0\nnative\n" in done.stdout
    assert done.stdout.count("is damaged: flash the board again") == 100


#: A network of 128,000 bytes, and two heaps (KB): in one only other engines than the trainer in C have room for it.
LARGE, NO_ROOM, SOME_ROOM = (784, 80, 10), 184, 224


@pytest.fixture
def takes_module(interpreter):
    if not native_modules(MpyFormat.of(interpreter_mpy())):
        pytest.skip("needs an interpreter of x86-64 that takes mpy v6.3")


@pytest.mark.parametrize(
    ("sizes", "heap", "engine"),
    [
        ((60, 32, 16, 6), 256, "native"), ((60, 32, 16, 6), 64, "viper"),
        (LARGE, SOME_ROOM, "native"), (LARGE, NO_ROOM, "viper"),
    ],
)  # fmt: skip
def test_the_virtual_board_trains_in_c_where_its_heap_has_room(takes_module, tmp_path, sizes, heap, engine):
    model = network(sizes)
    model.save(tmp_path / "m.tpsgd")
    report = flash(tmp_path / "m.tpsgd", folder=tmp_path / "board", heap=heap * 1024)
    assert (report.engine, report.model_crc) == (engine, model.crc)
    assert (tmp_path / "board/tpsgd/native_x64.mpy").read_bytes() == path("x64").read_bytes()
    assert ("no room" in report.why_not_native) == (engine == "viper")


def test_an_interpreter_for_which_there_is_no_module_trains_with_another_engine(interpreter, tmp_path, monkeypatch):
    monkeypatch.setattr(virtual, "interpreter_mpy", lambda: 0)
    network().save(tmp_path / "m.tpsgd")
    report = flash(tmp_path / "m.tpsgd", folder=tmp_path / "board", heap=256 * 1024)
    assert not list((tmp_path / "board/tpsgd").glob("native_*"))
    assert report.engine != "native"
    assert report.why_not_native == "the board's .mpy format is unknown, or CircuitPython's own"


def test_a_module_that_is_not_whole_is_left_alone_and_another_engine_trains(takes_module, tmp_path):
    network().save(tmp_path / "m.tpsgd")
    flash(tmp_path / "m.tpsgd", folder=tmp_path / "board", heap=256 * 1024)
    module = tmp_path / "board/tpsgd/native_x64.mpy"
    module.write_bytes(module.read_bytes()[:-100])
    with connect("virtual", folder=tmp_path / "board") as board:
        assert board.info.engine == "viper"
