"""What a board loads when it starts."""

from __future__ import annotations

import subprocess

import pytest
from networks import conv_model, recurrent_model

from tpsgd_host.bench.hearing import hearing_model
from tpsgd_host.bench.starting import measure_start
from tpsgd_host.bench.step_picture import plot_steps
from tpsgd_host.bench.steps import Step, steps_of_virtual
from tpsgd_host.bench.timing import network
from tpsgd_host.boards.virtual import interpreter_mpy
from tpsgd_host.flashing.mpy import MpyFormat
from tpsgd_host.flashing.virtual import virtual_files

ALWAYS = {
    "buffers", "checkpoint", "format", "frames", "generator", "modelfile", "network", "parameters", "plan", "runtime",
    "serve", "softmax",
}  # fmt: skip
#: Starts as main.py does, and prints the modules that are loaded then.
LOAD = """
import sys
from tpsgd import frames, serve
server = serve.Server(frames.Frames(None, None), None, 0)
server.load()
print(*[name[6:] for name in sys.modules if name[:6] == "tpsgd."])
"""
#: Begins a run anew, when the model file is as it was, and when it is another.
AGAIN = """
crc = server.network.crc()
server.network.train(0)
with open("model.tpsgd", "rb") as file:
    serve.reload(file, server.model_crc, server.network.weights())
print(server.network.crc() == crc, "tpsgd.header" in sys.modules)
raw = bytearray(open("model.tpsgd", "rb").read())
raw[-9] ^= 1
for raw in (raw, b"", b"\\0\\0\\0\\0"):
    with open("model.tpsgd", "wb") as file:
        file.write(raw)
    with open("model.tpsgd", "rb") as file:
        try:
            serve.reload(file, server.model_crc, server.network.weights())
        except ValueError as error:
            print(error)
"""


def run(folder, model, interpreter, program):
    """Return the words of each line that a program prints on a flashed board."""
    (folder / "tpsgd").mkdir()
    for name, data in virtual_files(model, MpyFormat.of(interpreter_mpy())).items():
        (folder / name).write_bytes(data)
    command = [interpreter, "-X", "heapsize=256k", "-c", program]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60)
    assert not done.stderr
    return [line.split() for line in done.stdout.splitlines()]


@pytest.mark.parametrize(
    ("model", "needed"),
    [
        (recurrent_model(6, 16, 3, 12, 4, 100), {"recurrent"}),
        (recurrent_model(6, 16, 3, 12, 4, 0), {"recurrent", "feedback"}),
        (hearing_model("TDNN 16-23@5"), {"temporal", "feedback"}),
        (conv_model(), {"convolution", "patches"}),
        (conv_model(feedback=True), {"convolution", "patches", "convfeedback", "feedback"}),
    ],
    ids=["RNN, label", "RNN, feedback", "TDNN with a front end", "CNN, label", "CNN, feedback"],
)
def test_a_board_loads_only_what_its_model_needs(model, needed, tmp_path, interpreter):
    (loaded,) = run(tmp_path, model, interpreter, LOAD)
    engine = {name for name in loaded if name.startswith(("kernels_", "native_", "described"))}
    if (
        "described" in engine
    ):  # the trainer in C has the steps of all layers: their code is dropped, and its own kernels
        needed = needed & {"patches"}
    assert len(engine) == 1
    assert set(loaded) - engine == ALWAYS | needed


def test_a_run_that_begins_anew_reads_the_weights_without_the_checks(tmp_path, interpreter):
    _, same, *refused = run(tmp_path, recurrent_model(6, 16, 3, 12, 4, 0), interpreter, LOAD + AGAIN)
    assert same == ["True", "False"]
    said = "model file: it is not the one that was loaded, or it is damaged now"
    assert refused == [said.split()] * 3


def test_bench_start_says_heap_and_modules(interpreter):
    source, compiled, rnn = [start for start in measure_start() if start.where == "virtual"]
    assert (source.form, compiled.form) == (".py", ".mpy")
    for start in (source, compiled, rnn):
        assert [part.name for part in start.parts] == ["nothing", "import", "engine", "model", "first sample"]
        heaps = [part.heap for part in start.parts]
        assert heaps == sorted(heaps)
        assert start.seconds > 0
    assert set(rnn.modules) - set(compiled.modules) <= {"recurrent", "feedback"}
    assert "serve" in source.modules


def test_bench_step_splits_a_step_and_draws_it(tmp_path, interpreter):
    found = list(steps_of_virtual(network((8, 6, 3)), lambda text: None))
    assert {s.engine for s in found} <= {"viper", "native"} and found
    for s in found:
        assert s.unit == "ns"
        assert 0 <= s.kernels <= s.step > 0 and s.link >= 0
    found.append(Step("ESP32", "native", found[0].network, "instructions", 39_400, 3_000, 9_000))
    plot_steps(found, tmp_path / "step.svg")
    drawn = (tmp_path / "step.svg").read_text()
    assert drawn.count("<!-- native -->") >= 1 and "thousand instructions" in drawn
