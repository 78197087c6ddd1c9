"""A thousand samples give one CRC on every engine. The assembler engine runs on the emulated micro:bit."""

import subprocess
import sys
from pathlib import Path

import pytest

from tpsgd import kernels_plain as plain
from tpsgd.network import Network
from tpsgd_host.bench.m0 import trim, twin
from tpsgd_host.bench.m0.measure import MODEL
from tpsgd_host.bench.m0.microbit import Microbit, missing

DEVICE = Path(__file__).resolve().parents[2] / "device"

#: The project's generator draws the weights, then each sample and its class. The results are folded into r.
SAMPLES = """def thousand(N,W):
 s=array('I',[2026]);r=0;x=N.sample
 for w in W:
  for i in range(0,len(w),2):
   w[i]=draw(s,256);w[i+1]=96+draw(s,65)
 for _ in range(1000):
  for i in range(len(x)-1):x[i]=1+draw(s,255)
  r=(r*31+N.train(draw(s,N.classes)))%65521
 c=0
 for w in W:c=crc32(w,c)
 print(c&0xffffffff,r)
"""

#: Rows of 41 and 13; of 33 and 33, with two readout steps at which each sample is learned.
NETS = {
    "CNN": "conv(model(6,5,0,0,3,[spec(4,6,0,127,b'\\x08'),spec(3,16,0,0,b'\\x07')]),(3,2,1,2,2,0))",
    "CNN of feedback": "conv(model(6,5,0,0,3,[spec(3,4,0,0,b'\\x08'),spec(3,27,0,0,b'\\x08'),spec(3,12,0,0,b'\\x07')]),"
    "(2,2,1,1,0,0),(3,3,1,2,0,1))",
    "two recurrent layers": "stacked(model(5,6,2,1,3,[spec(6,12,1,100,b'\\x09'),spec(5,11,2,80,b'\\x09'),"
    "spec(3,10,0,0,b'\\x07')]))",
    "RNN of feedback": "stacked(model(4,5,2,1,3,[spec(6,11,1,0,b'\\x09'),spec(3,12,0,0,b'\\x07')]))",
    "TDNN": "temporal(model(9,3,0,0,3,[spec(7,12,0,0,b'\\x08'),spec(3,14,0,0,b'\\x07')]),4,2)",
    "MLP of feedback": "model(1,30,0,0,4,[spec(10,30,0,0,b'\\x08'),spec(7,10,0,0,b'\\x08'),spec(4,7,0,0,b'\\x07')])",
    "MLP": "model(1,40,0,0,4,[spec(12,40,0,100,b'\\x08'),spec(4,12,0,0,b'\\x07')])",
    "RNN": "stacked(model(5,16,2,1,4,[spec(16,32,1,100,b'\\x09'),spec(4,32,0,0,b'\\x07')]))",
}

#: The emulated micro:bit has no room for the code of these. The shared suite runs on an emulated RP2040, too.
TOO_LARGE = ("CNN of feedback",)

#: Functions that make the first layers of a model recurrent, temporal, or conv layers with the given kernels.
FRONT = """def stacked(m):
    for s in m.layers[:-1]:
        s.kind = 1
    m.layers[-1].kind = 2
    return m
def temporal(m, rows, segments):
    m.layers[0].kind = 4
    m.layers[0].rows = rows
    m.layers[0].segments = segments
    m.layers[-1].kind = 2
    return m
def conv(m, *kernels):
    for s, kernel in zip(m.layers, kernels):
        s.kind = 3
        s.rows, s.columns, s.stride, s.pool, s.regions, s.padded = kernel
        s.learns = lambda: True
    m.layers[-1].kind = 2
    return m
"""

#: Runs on CPython and on MicroPython. Its arguments are the device folder and the engine.
PROGRAM = """import sys
from array import array
sys.path.insert(0, sys.argv[1])
from tpsgd import runtime
from tpsgd.generator import draw
from tpsgd.network import Network
from tpsgd.runtime import crc32
k = runtime.engine(int(sys.argv[2]))
{front}
N = Network({net}, k)
thousand(N, N.weights())
"""


def elsewhere(program, folder, net, engine):
    """Return what the program prints on an interpreter."""
    script = folder / "thousand.py"
    script.write_text(MODEL + SAMPLES + PROGRAM.format(net=net, front=FRONT))
    said = subprocess.run([program, script, DEVICE, str(engine)], capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr
    return said.stdout.strip()


def on_the_microbit(net):
    """Return what the emulated micro:bit prints."""
    names = {}
    exec(MODEL + FRONT, names)
    here = Network(eval(net, names), plain)
    with Microbit() as board:
        twin.move_in(board, here, *trim.pieces("runtime", ["crc32"]), SAMPLES)
        return board.run("build()\nthousand(N,W)", 300)


@pytest.mark.skipif(missing() is not None, reason=str(missing()))
@pytest.mark.parametrize("name", NETS)
def test_a_thousand_samples_give_one_crc_on_every_engine(name, tmp_path, interpreter):
    net = NETS[name]
    said = {
        "plain, CPython": elsewhere(sys.executable, tmp_path, net, 1),
        "np, CPython": elsewhere(sys.executable, tmp_path, net, 2),
        "plain, MicroPython": elsewhere(interpreter, tmp_path, net, 1),
        "viper, MicroPython": elsewhere(interpreter, tmp_path, net, 4),
    }
    if name not in TOO_LARGE:
        said["thumb, micro:bit"] = on_the_microbit(net)
    assert len(set(said.values())) == 1, said
    assert len(next(iter(said.values())).split()) == 2
