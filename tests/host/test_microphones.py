"""Microphones at an ADC, and CircuitPython's: on stand-ins that keep what their documentation says; no chip was met."""

from __future__ import annotations

import ctypes
import subprocess
import sys
import types
from array import array

import pytest
from boards import DEVICE
from sensors import SOUND

from tpsgd import analog, chunks
from tpsgd_host.boards.sensors import load_sensor, sensor_program
from tpsgd_host.boards.virtual import find_interpreter
from tpsgd_host.model.parsing import parse_config

FRONT = parse_config(SOUND, "m.toml").layout.front


class Chip:
    """The ADC and a DMA channel of an RP2040, as their datasheet and MicroPython's rp2.DMA have them."""

    ADC = 0x4004C000

    def __init__(self):
        self.registers = {self.ADC + at: 0 for at in (analog.CS, analog.FCS, analog.DIV)}
        self.fifo = [5, 6]  # left of an earlier user
        self.running = False
        self.count = self.write = 0
        self.ctrl = {}
        self.closed = False

    def __getitem__(self, address):
        if address == self.ADC + analog.FIFO:
            return self.fifo.pop(0)
        if address == self.ADC + analog.FCS:
            return len(self.fifo) << 16 | self.registers[address]
        return self.registers[address]

    def __setitem__(self, address, value):
        self.registers[address] = value

    def pack_ctrl(self, **fields):
        return fields

    def config(self, read, write, count, ctrl, trigger):
        assert read == self.ADC + analog.FIFO and trigger and not self.fifo
        assert write % (1 << ctrl["ring_size"]) == 0, "the ring wraps at a multiple of its size"
        assert (ctrl["size"], ctrl["inc_read"], ctrl["inc_write"], ctrl["ring_sel"]) == (1, False, True, True)
        assert ctrl["treq_sel"] == 36  # DREQ_ADC
        self.write, self.count, self.ctrl = write, count, ctrl

    def close(self):
        self.closed = True

    def convert(self, values):
        """Let the ADC convert; DMA stores what it gives."""
        assert self.registers[self.ADC + analog.CS] & analog.START_MANY
        assert self.registers[self.ADC + analog.FCS] & (analog.FIFO_ENABLE | analog.FIFO_ASKS)
        size = 1 << self.ctrl["ring_size"]
        for value in values:
            ctypes.c_uint16.from_address(self.write).value = value
            following = self.write + 2
            self.write = following - size if following % size == 0 else following
            self.count -= 1


@pytest.fixture
def chip(monkeypatch):
    chip = Chip()
    pins = []
    machine = types.ModuleType("machine")
    machine.mem32, machine.Pin, machine.ADC = chip, lambda number: number, pins.append
    rp2 = types.ModuleType("rp2")
    rp2.DMA = lambda: chip
    uctypes = types.ModuleType("uctypes")
    uctypes.addressof = lambda b: ctypes.addressof((ctypes.c_char * len(b)).from_buffer(b))
    uctypes.bytearray_at = lambda at, n: memoryview((ctypes.c_char * n).from_address(at)).cast("B")
    for module in (machine, rp2, uctypes):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    chip.pins = pins
    return chip


def test_an_analog_microphone_gives_each_conversion_once(chip):
    space = {}
    exec(sensor_program(load_sensor("analog"), {"adc": 27}, FRONT), space)
    capture = space["open"]()
    assert (capture.rate, capture.channels) == (16000, 1)
    buffer = array("h", bytes(2 * analog.BLOCK))
    capture.start()
    assert chip.pins == [27]
    assert chip[chip.ADC + analog.CS] >> analog.INPUT & 7 == 1
    assert chip[chip.ADC + analog.DIV] == 2999 << 8  # 48 MHz / 3000
    assert capture.readinto(buffer) == 0
    came, taken = 0, []
    for n in (10, 200, 1, 3000, 4000, 1100):  # more than the ring in all
        chip.convert([(came + i) % 4096 for i in range(n)])
        came += n
        while n := capture.readinto(buffer):
            assert n <= analog.BLOCK
            taken += buffer[:n].tolist()
    assert taken == [(i % 4096) * 16 - 32768 for i in range(came)]
    assert capture.overruns == 0
    capture.stop()
    assert chip.closed and not chip[chip.ADC + analog.CS] & analog.START_MANY


def test_what_dma_wrote_over_is_an_overrun_and_sound_goes_on(chip):
    capture = analog.AnalogMicrophone(26)
    buffer = array("h", bytes(2 * analog.BLOCK))
    capture.start()
    chip.convert([1] * 4095)
    assert capture.readinto(buffer) == analog.BLOCK and capture.overruns == 0
    chip.convert([2] * 4095)
    assert (capture.readinto(buffer), capture.overruns) == (0, 1)
    chip.convert([3] * 5)
    assert capture.readinto(buffer) == 5 and set(buffer[:5]) == {3 * 16 - 32768}
    chip.count = 0  # all transfers are done, after hours
    assert (capture.readinto(buffer), capture.overruns) == (0, 2)
    assert chip.count == analog.TRANSFERS


CENTRE = """
from array import array
from tpsgd import narrow, narrow_viper
x = array("H", range(0, 4096, 5))
y, z = array("h", bytes(1600)), array("h", bytes(1600))
narrow.centre(x, y, 7, 800)
narrow_viper.centre(x, z, 7, 800)
print(y == z, y[0], y[799])
"""


def test_compiled_and_readable_kernels_give_the_same(interpreter):
    done = subprocess.run(
        [find_interpreter(), "-c", CENTRE], capture_output=True, text=True, env={"MICROPYPATH": str(DEVICE.parent)}
    )
    assert done.stdout.split() == ["True", str(35 * 16 - 32768), str(806 * 5 * 16 - 32768)], done.stderr


@pytest.fixture
def circuitpython(monkeypatch):
    made = []

    class PDMIn:
        short = 0

        def __init__(self, clock, data, *, sample_rate, bit_depth, mono=True, oversample=64):
            assert bit_depth == 16
            made.append((clock, data, sample_rate))

        def record(self, destination, length):
            assert destination.typecode == "H"
            for i in range(length - self.short):
                destination[i] = 32768 + i % 100
            return length - self.short

        def deinit(self):
            made.append("off")

    class BufferedIn(PDMIn):
        def __init__(self, pin, *, sample_rate):
            made.append((pin, sample_rate))

        def readinto(self, buffer, loop=False):
            return self.record(buffer, len(buffer))

    for name, fields in (("audiobusio", {"PDMIn": PDMIn}), ("analogbufio", {"BufferedIn": BufferedIn})):
        module = types.ModuleType(name)
        vars(module).update(fields)
        monkeypatch.setitem(sys.modules, name, module)
    microcontroller = types.ModuleType("microcontroller")
    microcontroller.pin = types.SimpleNamespace(GPIO3="three", GPIO4="four")
    monkeypatch.setitem(sys.modules, "microcontroller", microcontroller)
    made.append(PDMIn)
    return made


@pytest.mark.parametrize(
    ("name", "pins", "opened"),
    [
        ("pdm-circuitpython", {"clock": 3, "data": 4}, ("three", "four", 16000)),
        ("analog-circuitpython", {"adc": 4}, ("four", 16000)),
    ],
)
def test_circuitpythons_microphones_record_chunks_and_count_the_gaps(circuitpython, name, pins, opened):
    space = {}
    exec(sensor_program(load_sensor(name), pins, FRONT), space)
    capture = space["open"]()
    assert circuitpython[-1] == opened
    buffer = array("h", bytes(2 * chunks.BLOCK))
    capture.start()
    taken = []
    while len(taken) < 24000:
        n = capture.readinto(buffer)
        taken += buffer[:n].tolist()
    assert taken == [i % 100 for i in range(24000)]
    assert capture.overruns == 1
    capture.readinto(buffer)
    assert capture.overruns == 2, "between two chunks it does not hear"
    circuitpython[0].short = 7
    capture.start()
    assert (capture.readinto(buffer), capture.overruns) == (0, 3), "a chunk with a gap is dropped"
    capture.stop()
    assert circuitpython[-1] == "off"
