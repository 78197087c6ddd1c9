"""MicroPython on an emulated RP2040: the shared suite, and the cycles of a kernel and of a training step.

You bring the board's image and the emulator, see ``tpsgd_host/bench/emulated/rp2040.py``. The tests take two to six
minutes. ``TPSGD_RP2040_SLOW=1`` also runs those that take the emulator many minutes each.
"""

import ast
import os
from pathlib import Path

import cases
import ears
import pytest
import sources

from tpsgd import frontend, kernels_plain, network, runtime
from tpsgd_host.bench.emulated import rp2040
from tpsgd_host.native import build

ROOT = Path(__file__).resolve().parents[2]
DEVICE = ROOT / "device" / "tpsgd"
SHARED = ROOT / "tests" / "shared"

pytestmark = [
    pytest.mark.skipif(rp2040.missing() is not None, reason=str(rp2040.missing())),
    pytest.mark.xdist_group("rp2040"),  # one worker: a board is started for all tests
]

#: (module, test) of the shared suite.
SUITE = [
    (path.stem, node.name)
    for path in sorted(SHARED.glob("test_*.py"))
    for node in ast.parse(path.read_text(encoding="utf-8")).body
    if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
]

#: Minutes of bytecode each; the two engines' locked tests compare with the same table as the unlocked ones.
SLOW = {
    "test_golden_plain",
    "test_plain_front_ends",
    "test_golden_viper",
    "test_golden_thumb",
    "test_golden_native",
    "test_flipped_byte_is_refused",
    "test_truncated_model_is_refused",
    "test_bad_field_with_a_right_crc",
}

#: Counts the cycles from the call of a function to its return, in 24 bits, with interrupts off. The call itself counts.
CLOCK = """import gc, machine
from machine import mem32
machine.freq(125000000)
mem32[0xE000E010] = 0
mem32[0xE000E014] = 0xFFFFFF
mem32[0xE000E018] = 0
mem32[0xE000E010] = 5
def took(f, a, b, c, d):
    gc.collect()
    on = machine.disable_irq()
    t = mem32[0xE000E018]
    f(a, b, c, d)
    t = t - mem32[0xE000E018] & 0xFFFFFF
    machine.enable_irq(on)
    return t
"""

KERNELS = """def kernels(number, m, n):
    k = runtime.engine(number)
    w = bytearray([(i * 151 % 254) + 1 for i in range(2 * m * n)])
    x = k.activations(n)
    k.load(bytes([(i * 37 % 255) + 1 for i in range(n)]), 0, x, n - 1)
    z = k.accumulators(m)
    matrix = k.matrix(w, m, n, 0)
    forward = took(k.forward, matrix, x, pack(m, n, 0, 5), z)
    for i in range(m):
        z[i] = i * 13 % 200 - 99
    print(forward, took(k.update, matrix, x, pack(m, n, 0, 8), z))
"""

#: Runs on the host and on the board: a network with deterministic weights and samples.
STEP = """class Spec:
    frozen = l1 = loss = padded = 0
    shift, stride = 5, 1
    def __init__(self, kind, units, inputs, leak, amplitude, s, rows=0, segments=0, columns=0, pool=0, regions=0):
        self.kind, self.units, self.inputs, self.leak, self.amplitude = kind, units, inputs, leak, amplitude
        self.rows, self.segments = rows, segments
        self.columns, self.pool, self.regions = columns, pool, regions
        self.shifts = bytes([s])
    def learns(self):
        return True
    def nbytes(self):
        return 2 * self.units * (self.inputs + 1)
class Model:
    seed, total = 7, 0
    def __init__(self, steps, channels, readout_steps, update_at, *layers):
        self.steps, self.channels, self.readout_steps, self.update_at = steps, channels, readout_steps, update_at
        self.layers = [Spec(*layer) for layer in layers]
        self.classes = layers[-1][1]
def fill(net):
    for layer in net.layers:
        w = layer.w
        for i in range(0, len(w), 2):
            v = 32896 + i * 40503 % 6007 - 3003
            w[i] = v & 255
            w[i + 1] = v >> 8
def show(net, y):
    for i in range(len(net.sample) - 1):
        net.sample[i] = (i * 37 + y * 11) % 255 + 1
"""

NETS = {
    "60-32-16-6": "Model(1, 60, 0, 0, (0, 32, 60, 0, 100, 8), (0, 16, 32, 0, 100, 8), (2, 6, 16, 0, 0, 8))",
    "RNN 16-32 last": "Model(20, 16, 4, 0, (1, 32, 48, 1, 100, 9), (2, 6, 128, 0, 0, 8))",
    "RNN 16-32 readout": "Model(20, 16, 4, 1, (1, 32, 48, 1, 100, 9), (2, 6, 128, 0, 0, 8))",
    "60-32-16-6 feedback": "Model(1, 60, 0, 0, (0, 32, 60, 0, 0, 8), (0, 16, 32, 0, 0, 8), (2, 6, 16, 0, 0, 8))",
    "RNN 16-32 feedback": "Model(20, 16, 4, 1, (1, 32, 48, 1, 0, 9), (2, 6, 128, 0, 0, 8))",
    "CNN 8x8-12@3x3/2-16@2x2 label": "Model(8, 8, 0, 0, (3, 12, 9, 0, 127, 9, 3, 0, 3, 2, 3),"
    " (3, 16, 48, 0, 127, 9, 2, 0, 2, 1, 2), (2, 10, 64, 0, 0, 8))",
    "CNN 8x8-12@3x3/2-16@2x2 feedback": "Model(8, 8, 0, 0, (3, 12, 9, 0, 0, 9, 3, 0, 3, 2),"
    " (3, 16, 48, 0, 0, 9, 2, 0, 2, 1), (2, 10, 64, 0, 0, 8))",
    "TDNN 16-23 feedback": "Model(20, 16, 0, 0, (4, 23, 80, 0, 0, 9, 5, 4), (2, 6, 92, 0, 0, 8))",
}

NUMBERS = {name: number for number, name in runtime.ENGINES.items()}

#: Most cycles allowed: (forward per weight, update per weight, a training step of each net). The interpreter's part of
#: a step varies by a tenth with the names that are loaded, so the limits leave room.
LIMITS = {
    "viper": (29, 64, (330e3, 1500e3, 1850e3, 370e3, 3250e3, 5900e3, 4000e3, 2500e3)),
    "thumb": (8, 15, (100e3, 490e3, 580e3, 117e3, 1120e3, 4800e3, 2950e3, 900e3)),
    "native": (6.0, 12.0, (55e3, 260e3, 320e3, 59e3, 450e3, 350e3, 340e3, 380e3)),
}


@pytest.fixture(scope="module")
def board(tmp_path_factory):
    """A board with the trainer and the shared suite in its flash.

    The models of the cases are files there: making one takes the emulator longer than training it.
    """
    with rp2040.RP2040() as board:
        board.run("import os\nos.mkdir('tpsgd')")
        for path in sorted(DEVICE.glob("*.py")):
            board.copy(path, "tpsgd/" + path.name)
        for module in build.MODULES:
            board.copy(build.path("armv6m", module), f"tpsgd/{module}_armv6m.mpy")
        for path in sorted(SHARED.glob("*.py")):
            board.copy(path, path.name)
        made = tmp_path_factory.mktemp("models") / "model"
        for case in range(cases.CASES):
            made.write_bytes(cases.model_bytes(case))
            board.copy(made, f"case{case}")
        board.run("import cases, gc\nfrom tpsgd import runtime\nfrom tpsgd.parameters import pack")
        board.run("def made(case):\n with open('case%d' % case, 'rb') as f: return f.read()\ncases.model_bytes = made")
        board.run(CLOCK + KERNELS)
        board.run("from tpsgd.network import Network\n" + STEP)
        yield board


def test_makes_the_models_that_the_host_makes(board, tmp_path):
    board.run("import sys\ndel sys.modules['cases']\nimport cases as fresh")
    for case in (0, 1):
        assert board.run(f"print(fresh.model_bytes({case}) == made({case}))") == "True\n"
    board.run("sys.modules['cases'] = cases\ndel fresh\ngc.collect()")


@pytest.mark.parametrize("engine", LIMITS)
def test_cycles_of_a_kernel(board, engine, record_property):
    number = NUMBERS[engine]
    m, n = 32, 61
    forward, update = [int(cycles) / (m * n) for cycles in board.run(f"kernels({number}, {m}, {n})").split()]
    print(f"{engine}, {m} rows of {n}: forward {forward:.2f} cycles a weight, update {update:.2f}")
    record_property("forward", forward)
    record_property("update", update)
    assert forward < LIMITS[engine][0]
    assert update < LIMITS[engine][1]


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("engine", LIMITS)
def test_a_training_step(board, engine, name, record_property):
    here = {}
    exec(STEP, here)
    net = network.Network(eval(NETS[name], here), kernels_plain)
    here["fill"](net)
    results = []
    for y in range(6):
        here["show"](net, y)
        results.append(net.train(y))
    number = NUMBERS[engine]
    board.run(f"net = 0\nk = runtime.engine({number})\nmodel = {NETS[name]}\ngc.collect()\na = gc.mem_alloc()")
    board.run("net = getattr(k, 'network', Network)(model, k)")
    heap = int(board.run("gc.collect()\nprint(gc.mem_alloc() - a)\nfill(net)"))
    board.run("got = [0]\ndef train(y, *_): got[0] = net.train(y)\ndef nothing(y, *_): got[0] = y")
    call = int(board.run("print(took(nothing, 0, 0, 0, 0))"))
    cycles = []
    for y, result in enumerate(results):
        took, got = board.run(f"show(net, {y})\nprint(took(train, {y}, 0, 0, 0), got[0])").split()
        cycles.append(int(took) - call)
        assert int(got) == result
    assert int(board.run("print(net.crc())")) == net.crc()
    print(f"{name}, {engine}: a training step takes {max(cycles)} cycles, the network {heap} bytes of heap")
    record_property("cycles", max(cycles))
    record_property("heap", heap)
    assert max(cycles) < LIMITS[engine][2][list(NETS).index(name)]


@pytest.mark.parametrize(("engine", "most"), [(4, 0.15), (6, 0.10)])
def test_the_front_end_at_8_khz(board, record_property, engine, most):
    """A frame, its place in the word, and the sample at the end of a word of 40 frames; frames equal the host's."""
    board.run("k = net = model = end = a = 0\nimport sources as fe\nfrom tpsgd import frontend\ngc.collect()")
    board.run(f"k = runtime.engine({engine})\nmodel = fe.sound(0)\nx = bytearray(321)\nfrontend.build(model, k, x)")
    board.run("gc.collect()\na = gc.mem_alloc()")
    heap = int(board.run("end = frontend.build(model, k, x)\ngc.collect()\nprint(gc.mem_alloc() - a)"))
    board.run("source = fe.Source(8000)\nsource.t = 4100")
    board.run("def push():\n source.fill(end.buffer, 64)\n return took(lambda a, b, c, d: end.push(64), 0, 0, 0, 0)")
    board.run("for _ in range(4): push()")
    frame = int(board.run("print(push() + push())"))
    got = board.run("print(bytes(end.segmenter.frames[:16]))").strip()
    board.run("end.shape[0] = 40")
    word = int(
        board.run("print(took(lambda a, b, c, d: end.kernels.word(a, b, c), end.segmenter.frames, x, end.shape, 0))")
    )
    plain = frontend.build(sources.sound(0), kernels_plain, bytearray(321))
    source = sources.Source(8000)
    source.t = 4100
    for _ in range(6):
        source.fill(plain.buffer, 64)
        plain.push(64)
    assert got == repr(bytes(plain.segmenter.frames[:16]))
    share = frame * 8000 / 128 / 125e6
    print(f"a frame takes {frame} cycles, {share:.1%} of 125 MHz; a word's sample {word}; the front end {heap} bytes")
    record_property("frame", frame)
    assert share < most
    assert word < 0.05 * 125e6
    assert heap + 336 <= 4096  # objects and the network's sample included


@pytest.mark.parametrize("engine", [5, 6])
@pytest.mark.parametrize(("rate", "count"), [(8000, 12), (16000, 4)])
def test_hears_and_learns_words_as_the_host(board, data_dir, tmp_path, rate, count, engine):
    if os.environ.get("TPSGD_RP2040_SLOW"):
        count = 200
    recordings = ears.official(data_dir, count, rate)
    assert ears.there(board, recordings, rate, engine) == ears.here(recordings, rate, tmp_path)


@pytest.mark.parametrize(("module", "name"), SUITE)
def test_shared_suite(board, module, name):
    if name in SLOW and not os.environ.get("TPSGD_RP2040_SLOW"):
        pytest.skip("slow there: TPSGD_RP2040_SLOW=1 runs it")
    board.run(f"import {module} as suite\nfrom test_golden import SkipTest\ngc.collect()")
    script = f"try:\n suite.{name}()\n print('passed')\nexcept SkipTest as e:\n print('skip:', e)"
    said = board.run(script, 3600).strip().splitlines()[-1]  # what a test prints comes before
    if said.startswith("skip: "):
        pytest.skip(said[6:])
    assert said == "passed"
