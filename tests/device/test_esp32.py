"""MicroPython on an emulated ESP32: training steps and frames with the host's bits, and what they cost in instructions.

You bring the emulator and the board's firmware, see ``tpsgd_host/bench/emulated/esp32.py``. The tests take a minute.
``TPSGD_ESP32_SLOW=1`` takes all recordings of the official test part.
"""

import os
from binascii import b2a_base64
from dataclasses import replace
from pathlib import Path

import cases
import ears
import numpy as np
import pytest
from golden import GOLDEN

from tpsgd import runtime
from tpsgd_host.bench import hearing
from tpsgd_host.bench.emulated import counts, esp32
from tpsgd_host.bench.emulated.trainer import copy_trainer
from tpsgd_host.bench.timing import network
from tpsgd_host.flashing.mpy import MpyFormat, compile_file, package_files
from tpsgd_host.training.executor import Records
from tpsgd_host.training.simulator import Simulator

pytestmark = [
    pytest.mark.skipif(esp32.missing() is not None, reason=str(esp32.missing())),
    pytest.mark.xdist_group("esp32"),  # one worker: a board is started for all tests
]

#: Most instructions: (a weight in the forward pass, its update, its update with feedback), a step of each network.
LIMITS = {
    "viper": ((25, 50, 115), {"label": 210_000, "feedback": 300_000, "RNN": 2_500_000, "TDNN": 1_800_000}),
    "native": ((4.5, 10, 15), {"label": 45_000, "feedback": 60_000, "RNN": 500_000, "TDNN": 330_000}),
}


def model_of(name):
    """Return an untrained network: 60-32-16-6 with targets of its own or with feedback, or one for spoken digits."""
    if name in ("label", "feedback"):
        model = network()
        amplitude = 100 if name == "label" else 0
        return replace(model, layers=tuple(replace(layer, amplitude=amplitude) for layer in model.layers))
    return hearing.hearing_model({"RNN": "RNN 16-32", "TDNN": "TDNN 16-23@5"}[name])


#: Numbers of engines by their names.
ENGINES = {name: number for number, name in runtime.ENGINES.items()}

#: Bytes of a model file that travel at once, and lie in one piece.
SIZE = 600

#: Model files in pieces: there is no room for one of 18 KB, and its network.
PIECES = f"""import sys
from binascii import a2b_base64
from tpsgd import describe, recurrent, temporal, convolution, convfeedback, feedback
pieces = []
class File:
    BytesIO = lambda case: File()
    def seek(self, at, whence=0):
        self.at = at + sum([len(piece) for piece in pieces]) if whence else at
        return self.at
    def read(self, n):
        data = bytearray(n)
        return bytes(data[:self.readinto(data)])
    def readinto(self, data):
        to = memoryview(data)
        done = 0
        while done < len(to):
            piece = pieces[self.at // {SIZE}][self.at % {SIZE}:][:len(to) - done]
            if not piece:
                break
            to[done:done + len(piece)] = piece
            done += len(piece)
            self.at += len(piece)
        return done
for path in list(ram.files):
    if 'header' not in path: # a board drops it each time
        ram.files.pop(path)
cases.io = File
cases.model_bytes = lambda case: case
"""


@pytest.fixture(scope="module")
def board():
    """A board with the trainer, compiled for it, and what measures."""
    with esp32.ESP32() as board:  # files lie in its memory, too
        copy_trainer(board, hearing.PROGRAM, (*hearing.AWAY, "logmel_native", "logmel_xtensawin"))
        board.run("import gc, tpsgd.kernels_viper\ngc.collect()")  # before its heap takes the memory for machine code
        counts.prepare(board)
        yield board


def simulated(model, samples):
    """Return the CRC of the weights after the samples of ``counts.PROGRAM``."""
    size = model.layout.steps * model.layout.channels
    y, i = np.arange(samples)[:, None], np.arange(size)[None]
    values = ((i * 37 + y * 11) % 255 + 1).astype(np.uint8)
    labels = (np.arange(samples) % len(model.classes)).astype(np.uint8)
    simulator = Simulator(model, "np")
    simulator.start(0, samples, fresh=True)
    list(simulator.stream(Records(np.zeros(samples, np.uint8), labels, values)))
    return f"{simulator.finish().weights_crc:08x}"


@pytest.mark.parametrize("engine", LIMITS)
def test_kernels(board, record_property, engine):
    found = counts.count_kernels(board, engine)
    print(f"{engine}: {found}")
    costs = found.forward, found.update, found.backward
    record_property("instructions", costs)
    assert all(cost < most for cost, most in zip(costs, LIMITS[engine][0], strict=True))


@pytest.mark.parametrize("name", ["label", "feedback", "RNN", "TDNN"])
@pytest.mark.parametrize("engine", LIMITS)
def test_a_training_step(board, record_property, engine, name):
    model = model_of(name)
    found = counts.count_step(board, model, engine)
    print(f"{name}, {engine}: {found}")
    record_property("instructions", found.most)
    assert found.crc == simulated(model, counts.SAMPLES)
    assert found.most < LIMITS[engine][1][name]


def test_a_thousand_samples(board):
    model = model_of("feedback")
    assert counts.count_step(board, model, "native", 1000).crc == simulated(model, 1000)


@pytest.fixture(scope="module", params=["viper", "native"])
def listener(request):
    """(engine, board) of one that has the code of this engine alone: memory for machine code is short."""
    with esp32.ESP32() as board:
        hearing.prepare(board, request.param)
        yield request.param, board


#: Most instructions: a frame, and the last one of a word with its sample.
HEARING = {"viper": (250_000, 400_000), "native": (130_000, 170_000)}


def test_hearing(listener, record_property):
    engine, board = listener
    *costs, heap = hearing.on_emulated(board)(hearing.hearing_model("RNN 16-32"), engine)
    frame, last, forward = [cost // esp32.INSTRUCTION_NS for cost in costs]
    print(f"{engine}: a frame takes {frame} instructions, the last one {last}, forward {forward}, {heap} bytes")
    record_property("frame", frame)
    assert frame < HEARING[engine][0]
    assert last < HEARING[engine][1]
    assert heap < 5000


@pytest.mark.parametrize(("rate", "count"), [(8000, 12), (16000, 4)])
def test_hears_and_learns_words_as_the_host(listener, data_dir, tmp_path, rate, count):
    engine, board = listener
    if os.environ.get("TPSGD_ESP32_SLOW"):
        count = 200
    recordings = ears.official(data_dir, count, rate)
    assert ears.there(board, recordings, rate, ENGINES[engine]) == ears.here(recordings, rate, tmp_path)


def test_native_gives_the_golden_table():
    """Every kind of layer, with the heap locked, on a board that has all its memory for that."""
    layers = ("convolution", "convfeedback", "patches")
    unused = ("kernels_plain", "logmel", "frontend", "segmenter", "tape", "answer", "ring", "raw", "distance")
    with esp32.ESP32() as board:
        number = int(board.run("import sys\nprint(sys.implementation._mpy)"))
        board.make_folder("tpsgd")
        for path, data in package_files(MpyFormat.of(number)).items():
            name = Path(path).stem
            if "viper" not in name and (name in layers or name not in (*hearing.AWAY, *unused)):
                board.write(path, data)
        board.write("cases.mpy", compile_file("cases.py", Path(cases.__file__).read_bytes(), "xtensawin"))
        board.run("import cases\nfrom tpsgd import runtime\nk = runtime.engine(6)\n" + PIECES)
        for case in range(cases.CASES):
            board.run("import gc\npieces.clear()\ngc.collect()")
            data = cases.model_bytes(case)
            for at in range(0, len(data), SIZE):
                board.run(f"pieces.append(a2b_base64({b2a_base64(data[at : at + SIZE])!r}))")
            got = board.run(f"print(*cases.train({case}, k, locked=True))", 300).split()
            assert tuple(map(int, got)) == GOLDEN[case], f"case {case}"
