"""Every example runs as its README says: device code on the real interpreter, on a virtual board."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from commands import call

from tpsgd_host.model.modelfile import load_model

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"

#: A board's module ``machine`` with an MPU-6050 that is moved, and a button that is held from reading 10 to 130.
MACHINE = """
import struct
taken = [0]
class Pin:
    IN = PULL_UP = 1
    def __init__(self, number, *how):
        self.number = number
    def value(self):
        return 0 if 10 < taken[0] <= 130 else 1
class I2C:
    def __init__(self, bus, sda, scl):
        self.set = {}
    def writeto_mem(self, address, register, data):
        assert address == 0x68
        self.set[register] = data
    def readfrom_mem_into(self, address, register, raw):
        assert (address, register, self.set[0x6B], self.set[0x1C]) == (0x68, 0x3B, bytes(1), bytes([8]))
        taken[0] += 1
        if taken[0] > 200:
            raise KeyboardInterrupt
        raw[:] = struct.pack(">hhh", -32768, 100 * taken[0], 8192)
"""


@pytest.fixture
def own_sensor(tmp_path, monkeypatch, interpreter):
    """The example's folder with a board made as its README says."""
    shutil.copytree(EXAMPLES / "own_sensor", tmp_path / "own_sensor")
    monkeypatch.chdir(tmp_path / "own_sensor")
    commands = re.search(r"```\n(.*?)```", Path("README.md").read_text(), re.S)[1].splitlines()
    for command in commands[:-1]:
        program, *arguments = command.split()
        if program == "tpsgd-host":
            call(*arguments)
        else:
            subprocess.run(command.split(), check=True)
    assert commands[-1] == "tpsgd-host monitor --board-dir board"
    return tmp_path / "own_sensor"


def test_own_sensor_learns_simulated_gestures_and_remembers_them(own_sensor):
    said = call("monitor", "--board-dir", "board").splitlines()
    assert said[0].startswith("sensor: SIMULATED")
    assert "teaching: circle" in said
    right, of = map(int, re.fullmatch(r"simulated: (\d+) of (\d+) windows recognized", said[-1]).groups())
    assert right >= 0.9 * of >= 30
    again = call("monitor", "--board-dir", "board").splitlines()
    taught = sum(line.startswith("learned") for line in said)
    assert again[1] == f"going on after {taught} samples learned before"
    call("quantize", "model.toml", "--data", "example.csv", "-o", "again.tpsgd")
    assert load_model(own_sensor / "again.tpsgd") is not None


def test_own_sensor_takes_an_accelerometer_that_is_there(own_sensor, interpreter):
    (own_sensor / "board" / "machine.py").write_text(MACHINE)
    path = Path("board/sensors.py")
    path.write_text(path.read_text().replace("PERIOD = 40", "PERIOD = 1"))
    program = "import sys; sys.path.insert(0, ''); import main"
    done = subprocess.run([interpreter, "-c", program], cwd="board", capture_output=True, text=True, timeout=60)
    text, ended, _ = done.stdout.partition("Traceback")
    assert ended, done
    said = text.splitlines()
    assert said[0] == "sensor: MPU-6050; button at pin 14"
    assert sum(line.startswith("learned rest") for line in said) == 3  # 120 readings: at 50, 75 and 100
    assert said[-1].startswith("looks like rest")


def test_own_sensor_tells_of_one_that_does_not_answer(own_sensor, interpreter):
    machine = MACHINE.replace("assert address == 0x68", "raise OSError(19)")
    (own_sensor / "board" / "machine.py").write_text(machine)
    program = "import sys; sys.path.insert(0, ''); from sensors import find; find(('rest', 'wave', 'circle'))"
    done = subprocess.run([interpreter, "-c", program], cwd="board", capture_output=True, text=True, timeout=60)
    assert done.stdout.startswith("sensor: SIMULATED movements and button, no MPU-6050 at pins 4 (data)"), done


def run(*command):
    """Run an example with this Python; return what it printed."""
    pytest.importorskip("sktime", reason="the gesture task needs sktime: pip install 'tpsgd[demo]'")
    done = subprocess.run([sys.executable, *map(str, command)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_python_api_prints_what_its_readme_shows():
    text = run(EXAMPLES / "python_api" / "study.py")
    shown = re.search(r"```\n( +gesture: .*?)```", read("python_api/README.md"), re.S)[1]
    assert [line.rstrip() for line in text.splitlines()] == shown.splitlines()
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in text.splitlines() if line.startswith("│")]
    assert [row[0] for row in rows] == ["0", "1", "2", "3", "4"]
    assert all(float(row[-2]) == pytest.approx(sum(map(float, row[1:6])) / 5, abs=0.06) for row in rows)


def test_own_loss_takes_part_in_the_comparison():
    text = run(EXAMPLES / "own_loss" / "own_loss.py", "--seeds", 2, "--epochs", 4)
    rows = [line.split() for line in text.splitlines() if " ± " in line]
    assert [row[:3] for row in rows] == [["tpSGD,", "floats,", word] for word in (rows[0][2], "l1", "l2")]
    means = [float(row[row.index("±") - 1]) for row in rows]
    assert "soft l1" in text and means[0] not in means[1:], "a loss of its own"
    assert all(mean > 40 for mean in means)


def test_adapt_prints_what_its_readme_shows():
    text = run(EXAMPLES / "adapt" / "compare.py")
    assert text.splitlines() == re.findall(r"```\n( +learn.*?)```", read("adapt/README.md"), re.S)[0].splitlines()
    ram = [int(line.split()[3]) for line in text.splitlines()[1:]]
    assert ram[1] < 0.75 * ram[0]


def test_adapt_does_what_its_readme_says(tmp_path, monkeypatch, interpreter):
    pytest.importorskip("sktime", reason="the gesture task needs sktime: pip install 'tpsgd[demo]'")
    monkeypatch.chdir(tmp_path)
    commands, said = re.findall(r"```\n(.*?)```", read("adapt/README.md"), re.S)[:2]
    printed = [call(*line.split("#")[0].split()[1:]) for line in commands.splitlines()]
    assert said in printed[2]
    assert float(re.search(r"prequential ([\d.]+)%", printed[-1])[1]) > 90


def test_adapts_two_models_differ_in_one_line():
    both = [set(read(f"adapt/{name}.toml").splitlines()[1:]) for name in ("all", "frozen")]
    assert both[0] - both[1] == {'name = "all"'}
    assert {line.split("#")[0].strip() for line in both[1] - both[0]} == {'name = "frozen"', "frozen = true"}


def test_every_example_is_tested_and_has_a_readme():
    assert sorted(path.name for path in EXAMPLES.iterdir()) == ["adapt", "own_loss", "own_sensor", "python_api"]
    for path in EXAMPLES.iterdir():
        assert len(read(f"{path.name}/README.md").splitlines()) < 40


def read(name):
    """Return the text of an example's file."""
    return (EXAMPLES / name).read_text(encoding="utf-8")
