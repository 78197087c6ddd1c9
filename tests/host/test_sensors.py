"""The sensors that are known, and the sensor.py that flash writes for them."""

from __future__ import annotations

import subprocess
import sys
import types

import pytest
from commands import call, fails
from sensors import GESTURES, SOUND, write_gestures
from sounds import speech, write_wav

from tpsgd_host.boards.sensors import load_sensor, load_sensors, parse_pins, sensor_program
from tpsgd_host.boards.virtual import find_interpreter
from tpsgd_host.data.load import load_samples
from tpsgd_host.errors import ConfigError
from tpsgd_host.model.build import build_model
from tpsgd_host.model.parsing import parse_config

FRONTS = {"sound": parse_config(SOUND, "m.toml").layout.front, "motion": parse_config(GESTURES, "m.toml").layout.front}


@pytest.fixture
def models(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_wav(tmp_path / "words" / "a" / "1.wav", speech(8000, 1)[4000:8000])
    write_wav(tmp_path / "words" / "b" / "1.wav", speech(8000, 1, 2)[4000:8000])
    write_gestures(tmp_path / "g.csv")
    for name, text, data in (("words", SOUND, "words"), ("moves", GESTURES, "g.csv")):
        config = parse_config(text, "m.toml")
        build_model(config, load_samples(data, config.layout)).save(tmp_path / f"{name}.tpsgd")
    return tmp_path


#: test_microphones.py has the others.
KNOWN = [
    name for name, one in load_sensors().items() if one.system == "micropython" and name not in ("stream", "analog")
]


@pytest.mark.parametrize("name", KNOWN)
def test_each_sensor_opens_with_its_pins_and_the_models_rate(name, monkeypatch):
    """Constructor arguments only, on stand-ins for machine and the drivers: there is no such hardware here."""
    made = []

    class Thing:
        RX, MONO = 1, 2

        def __init__(self, *given, **named):
            made.append((given, named))

        def writeto_mem(self, *given): ...

    machine = types.ModuleType("machine")
    machine.I2S = machine.I2C = Thing
    machine.Pin = lambda number: number
    monkeypatch.setitem(sys.modules, "machine", machine)
    time = types.ModuleType("time")
    time.ticks_ms = time.ticks_us = lambda: 0
    time.ticks_diff = lambda a, b: a - b
    time.ticks_add = lambda a, b: a + b
    monkeypatch.setitem(sys.modules, "time", time)
    sensor = load_sensor(name)
    if sensor.install:
        driver = types.ModuleType(sensor.install)
        setattr(driver, sensor.install.upper(), Thing)
        monkeypatch.setitem(sys.modules, sensor.install, driver)
    for module in ("tpsgd.imu", "tpsgd.microphone"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    pins = {pin: 10 + i for i, pin in enumerate(sensor.pins)}
    space = {}
    exec(sensor_program(sensor, pins, FRONTS[sensor.kind]), space)
    capture = space["open"]()
    assert (capture.rate, capture.channels) == ((16000, 1) if sensor.kind == "sound" else (100, 3))
    if sensor.kind == "sound":
        monkeypatch.setattr("select.poll", lambda: types.SimpleNamespace(register=lambda *given: None))
        capture.start()
        assert made[-1][1] | pins == made[-1][1] and made[-1][1]["rate"] == 16000
    else:
        assert made[0][1].items() >= pins.items()
    for module in ("tpsgd.imu", "tpsgd.microphone"):
        sys.modules.pop(module, None)


def test_pins_are_read():
    assert parse_pins("sck=18, ws=19,sd=20") == {"sck": 18, "ws": 19, "sd": 20}
    for wrong in ("sck", "sck=x", "sck=1,sck=2", "=3", "sck=-1"):
        with pytest.raises(ConfigError, match="cannot be read"):
            parse_pins(wrong)


def test_a_button_is_a_pin_besides_the_sensors(monkeypatch):
    levels = []

    class Pin:
        IN, PULL_UP = 1, 2

        def __init__(self, *given):
            assert given == (14, 1, 2)

        def value(self):
            return levels.pop(0)

    machine = types.ModuleType("machine")
    machine.Pin = Pin
    monkeypatch.setitem(sys.modules, "machine", machine)
    space = {}
    exec(sensor_program(load_sensor("stream"), {"button": 14}, FRONTS["sound"]), space)
    levels += [0, 1]
    assert [space["button"](), space["button"]()] == [True, False]


def test_what_does_not_fit_is_refused():
    with pytest.raises(ConfigError, match="no sensor is called 'inmp44'"):
        load_sensor("inmp44")
    with pytest.raises(ConfigError, match=r"has the pins sck=..,ws=..,sd=.."):
        sensor_program(load_sensor("i2s"), {"sck": 1}, FRONTS["sound"])
    with pytest.raises(ConfigError, match="needs a motion sensor"):
        sensor_program(load_sensor("i2s"), {}, FRONTS["motion"])
    with pytest.raises(ConfigError, match="no front end"):
        sensor_program(load_sensor("i2s"), {}, None)


def test_flash_writes_the_virtual_boards_sensor_and_keeps_what_a_user_changed(models, interpreter):
    board = models / "board"
    call("flash", "words.tpsgd", "--board-dir", "board", "--heap", "400k")
    assert "Stream(8000, 1)" in (board / "sensor.py").read_text()
    call("flash", "moves.tpsgd", "--board-dir", "board")
    assert "Stream(100, 3)" in (board / "sensor.py").read_text()
    (board / "sensor.py").write_text("def open():\n    return 3\n")
    call("flash", "words.tpsgd", "--board-dir", "board")
    assert "return 3" in (board / "sensor.py").read_text()
    call("flash", "words.tpsgd", "--board-dir", "board", "--sensor", "stream")
    assert "Stream(8000, 1)" in (board / "sensor.py").read_text()
    assert "no pins" in fails(3, "flash", "words.tpsgd", "--board-dir", "board", "--sensor", "i2s")


def test_a_real_board_gets_the_sensor_that_is_named(models):
    said = call("flash", "words.tpsgd", "--board", "pico", "--dry-run", "--sensor", "i2s", "--pins", "sck=1,ws=2,sd=3")
    assert "sensor.py" in said
    assert "sensor.py" not in call("flash", "words.tpsgd", "--board", "pico", "--dry-run")
    assert "none is named" in fails(3, "flash", "words.tpsgd", "--board", "pico", "--dry-run", "--pins", "sck=1")
    said = fails(3, "flash", "words.tpsgd", "--board", "rp2040-circuitpython", "--dry-run", "--sensor", "i2s")
    assert "needs MicroPython" in said
    pins = ("--sensor", "pdm-circuitpython", "--pins", "clock=1,data=2")
    assert "sensor.py" in call("flash", "words.tpsgd", "--board", "rp2040-circuitpython", "--dry-run", *pins)
    assert "needs CircuitPython" in fails(3, "flash", "words.tpsgd", "--board", "pico", "--dry-run", *pins)


def test_the_command_lists_them():
    said = call("sensors")
    assert all(name in said for name in load_sensors())
    assert '"install": "lsm6dsox"' in call("sensors", "--json")


ROOM = """
import time
from tpsgd.microphone import Room
room = Room(16000, 4096)
print(room.lost(64, 64), room.lost(0, 64))
time.sleep_ms(150)
print(room.lost(64, 64))
time.sleep_ms(250)
print(room.lost(64, 64))
room.emptied()
print(room.lost(10, 64))
from tpsgd.imu import Motion
def fill(buffer):
    buffer[0] = 7
m = Motion(fill, 100, 1)
m.start()
b = [0]
n = [m.readinto(b), m.readinto(b)]
time.sleep_ms(11)
n.append(m.readinto(b))
time.sleep_ms(45)
print(n, b, m.overruns, m.readinto(b), m.overruns, m.readinto(b), 0 <= m.jitter < 10000)
"""


def test_losses_are_found_by_the_clock(interpreter):
    """On MicroPython, with its own clock: 4096 samples at 16 kHz are 256 ms."""
    from boards import DEVICE

    done = subprocess.run(
        [find_interpreter(), "-c", ROOM], capture_output=True, text=True, env={"MICROPYPATH": str(DEVICE.parent)}
    )
    assert done.stdout.splitlines() == [
        "False False", "False", "True", "False", "[1, 0, 1] [7] 0 1 1 0 True",
    ], done.stderr  # fmt: skip
