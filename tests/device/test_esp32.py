"""MicroPython on an emulated ESP32: training steps and frames with the host's bits, and what they cost in instructions.

You bring the emulator and the board's firmware, see ``tpsgd_host/bench/emulated/esp32.py``. The tests take a minute.
``TPSGD_ESP32_SLOW=1`` takes all recordings of the official test part.
"""

import os

import ears
import numpy as np
import pytest

from tpsgd_host.bench import hearing
from tpsgd_host.bench.emulated import esp32
from tpsgd_host.bench.timing import network
from tpsgd_host.training.executor import Records
from tpsgd_host.training.simulator import Simulator

pytestmark = [
    pytest.mark.skipif(esp32.missing() is not None, reason=str(esp32.missing())),
    pytest.mark.xdist_group("esp32"),  # one worker: a board is started for all tests
]

SAMPLES = 12

#: Trains on samples that the host makes as well; prints the CRC of the weights and the most microseconds of a step.
TRAIN = f"""import gc, time
from tpsgd import modelfile, network, runtime
gc.collect()
with open('model.tpsgd', 'rb') as file:
    model = modelfile.Model(file)
    net = network.build(file, model, runtime.engine(4))
most = 0
for y in range({SAMPLES}):
    for i in range(len(net.sample) - 1):
        net.sample[i] = (i * 37 + y * 11) % 255 + 1
    t = time.ticks_us()
    net.train(y % net.classes)
    most = max(most, time.ticks_diff(time.ticks_us(), t))
print('%08x' % net.crc(), most)
net = model = None
gc.collect()
"""


@pytest.fixture(scope="module")
def board():
    """A board with the trainer, compiled for it."""
    with esp32.ESP32() as board:
        hearing.copy_trainer(board)
        yield board


def simulated(model):
    """Return the CRC of the weights after the samples of ``TRAIN``."""
    size = model.layout.steps * model.layout.channels
    values = [[(i * 37 + y * 11) % 255 + 1 for i in range(size)] for y in range(SAMPLES)]
    labels = np.arange(SAMPLES, dtype=np.uint8) % len(model.classes)
    simulator = Simulator(model, "np")
    simulator.start(0, SAMPLES, fresh=True)
    list(simulator.stream(Records(np.zeros(SAMPLES, np.uint8), labels, np.array(values, np.uint8))))
    return f"{simulator.finish().weights_crc:08x}"


@pytest.mark.parametrize(
    ("name", "most"), [("60-32-16-6", 300_000), ("RNN 16-32", 2_500_000), ("TDNN 16-23@5", 1_800_000)]
)
def test_a_training_step(board, record_property, name, most):
    model = network() if name == "60-32-16-6" else hearing.hearing_model(name)
    board.write("model.tpsgd", model.to_bytes())
    crc, microseconds = board.run(TRAIN, 300).split()
    instructions = int(microseconds) * 1000 // esp32.INSTRUCTION_NS
    print(f"{name}: a training step takes at most {instructions} instructions")
    record_property("instructions", instructions)
    assert crc == simulated(model)
    assert instructions < most


def test_hearing(board, record_property):
    model = hearing.hearing_model("RNN 16-32")
    frame, last, forward, heap = hearing.on_emulated(board)(model, "viper")
    print(f"a frame takes {frame // 8} instructions, the last one {last // 8}, forward {forward // 8}, {heap} bytes")
    record_property("frame", frame // 8)
    assert frame // 8 < 240_000
    assert last // 8 < 350_000
    assert heap < 5000


@pytest.mark.parametrize(("rate", "count"), [(8000, 12), (16000, 4)])
def test_hears_and_learns_words_as_the_host(board, data_dir, tmp_path, rate, count):
    if os.environ.get("TPSGD_ESP32_SLOW"):
        count = 200
    recordings = ears.official(data_dir, count, rate)
    assert ears.there(board, recordings, rate, 4) == ears.here(recordings, rate, tmp_path)
