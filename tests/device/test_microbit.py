"""The assembler engine on an emulated Cortex-M0: right bits, counted instructions, a network trained in 9.3 KB."""

import csv
import random
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import microbit
import numpy as np
import pytest
import trim

ROOT = Path(__file__).resolve().parents[2]
DEVICE = ROOT / "device" / "tpsgd"
WAND = ROOT.parent / "shared" / "data" / "wand"

sys.path.insert(0, str(ROOT / "device"))

from tpsgd import kernels_plain as plain  # noqa: E402 - found where the line above says
from tpsgd.network import Network  # noqa: E402

pytestmark = pytest.mark.skipif(microbit.missing() is not None, reason=str(microbit.missing()))

KERNELS = ("forward", "update", "put", "move", "rest", "clamp", "leak", "error", "_softmax", "draw")

#: The reference net of the project, and its update shift and forward shift here.
NET = ((32, 61), (16, 33), (6, 17))

#: Long names of network.py that the firmware's own names stand for while it is on the board.
LONG = [
    "checkpoints",
    "phase_end",
    "dense",
    "output",
    "sample",
    "_run",
    "_run_recurrent",
    "rates",
    "kernels",
    "first",
    "size",
    "result",
    "forward",
    "update",
    "clamp",
    "_softmax",
    "softmax",
    "Network",
    "train",
    "seen",
    "error",
    "channels",
    "recurrent",
    "layers",
]

START = "from array import array\nimport micropython,gc\n"

#: Two calls at a time, for the clock's sake, and no timer interrupt among them.
CLOCK = """from utime import ticks_us as us
from machine import disable_irq as off,enable_irq as on
def took(f,a,b,c,d):
 s=off()
 t=us();f(a,b,c,d);f(a,b,c,d);t=us()-t
 on(s)
 return t
"""


def instructions(us):
    """Return how many instructions so many microseconds are."""
    return us * 1000 / microbit.INSTRUCTION_NS


@pytest.fixture
def board():
    with microbit.Microbit() as board:
        yield board


def send(board, piece):
    """Have a piece compiled at the top of the largest free block, so that what it leaves does not cut the heap up."""
    said = board.run("gc.collect()\nmicropython.mem_info()")
    free = 16 * int(re.search(r"max free sz: (\d+)", said)[1])
    for factor in (2, 3, 4, 6, 100):
        pad = max(0, free - 1500 - factor * len(piece))
        board.run(f"pad=bytearray({pad})")
        try:
            board.run(piece, 10)
            return
        except microbit.MicrobitError as error:
            if "MemoryError" not in str(error) or pad == 0:
                raise
        finally:
            board.run("pad=0\ngc.collect()")


def load(board, names=KERNELS, source=trim.pieces, run=None):
    """Send kernels, the longest first, while there is room to compile it."""
    for piece in sorted(source(DEVICE / "kernels_thumb.py", names), key=len, reverse=True):
        if run:
            run(piece)
        else:
            send(board, piece)


def send_softmax(board):
    """Send softmax and its table, which the board need not keep twice."""
    board.run("".join(trim.pieces(DEVICE / "softmax.py", ["TABLE"])))
    board.run("".join(trim.pieces(DEVICE / "kernels_thumb.py", ["_table", "softmax"])))
    board.run("del TABLE\ngc.collect()")


def rows(dice, m, n, frozen):
    """Return random weights of one layer, some at the ends of their range, as stored."""
    ends = [256, 257, 300, 65200, 65534, 65535]
    values = [dice.choice(ends) if dice.random() < 0.25 else dice.randint(256, 65535) for _ in range(m * n)]
    return bytes([v >> 8 for v in values]) if frozen else b"".join([v.to_bytes(2, "little") for v in values])


def words(stored):
    """Return stored activations as the assembler engine keeps them."""
    return [b - 128 for b in stored]


@pytest.fixture(params=[trim.pieces, trim.assembled], ids=["compiled there", "assembled here"])
def source(request):
    return request.param


def test_forward_and_update(board, source):
    dice = random.Random(4)
    board.run(START)
    load(board, ("forward", "update"), source)
    for m, n, frozen, shift in ((3, 1, 0, 1), (2, 8, 0, 5), (1, 3, 1, 0), (3, 13, 0, 9), (4, 6, 1, 15), (2, 16, 1, 4)):
        stored = bytes([dice.randint(1, 255) for _ in range(n - 1)] + [255])
        w = bytearray(rows(dice, m, n, frozen))
        how = m << 16 | n << 5 | frozen << 4 | shift
        e = [dice.choice([0, -254, 254, dice.randint(-254, 254)]) for _ in range(m)]
        z = plain.sums(m)
        plain.forward(w, stored, how, z)
        board.run(f"w=bytearray({bytes(w)!r})\nx=array('i',{words(stored)})\nz=array('i',bytes({4 * m}))")
        assert board.run(f"print(forward(w,x,{how},z),list(z))").strip() == f"0 {list(z)}"
        if shift and not frozen:
            plain.update(w, stored, how, e)
            assert board.run(f"z=array('i',{e})\n_=update(w,x,{how},z)\nprint(list(w))").strip() == str(list(w))


def test_error(board, source):
    dice = random.Random(5)
    board.run(START)
    load(board, ("error",), source)
    for column, l1 in ((0, 0), (7, 25)):
        m = 35
        p = [m, 0, 100, l1, 2, 0x9E3779B9 + column]
        a = bytes([dice.choice([28, 228, dice.randint(1, 255)]) for _ in range(m)])
        e = plain.sums(m)
        plain.error(a, e, p, column)
        board.run(f"p=array('I',{p})\na=array('i',{words(a)})\ne=array('i',bytes({4 * m}))")
        assert board.run(f"_=error(a,e,p,{column})\nprint(list(e))").strip() == str(list(e))


def test_rest_leak_and_clamp(board, source):
    dice = random.Random(6)
    board.run(START)
    load(board, ("rest", "leak", "clamp"), source)
    m = 7
    z = [dice.randint(-400, 400) for _ in range(m)]
    p = [m, 0, 0, 0, 2, 0]
    h16, h, a = bytearray(2 * m), bytearray(m), bytearray(m)
    plain.rest(h, h16, p)
    board.run(f"p=array('I',{p})\nz=array('i',{z})\nh=array('i',{z})\na=array('i',{z})\ng=bytearray({2 * m})")
    assert board.run("_=rest(h,g,p)\nprint(list(g),list(h))").strip() == f"{list(h16)} {words(h)}"
    for _ in range(3):
        plain.leak(z, h16, h, p)
        assert board.run("_=leak(z,g,h,p)\nprint(list(g),list(h))").strip() == f"{list(h16)} {words(h)}"
    plain.clamp(z, a, p)
    assert board.run("_=clamp(z,a,p)\nprint(list(a))").strip() == str(words(a))


def test_softmax(board, source):
    dice = random.Random(7)
    m = 7
    board.run(START)
    load(board, ("_softmax",), source)
    send_softmax(board)
    board.run(f"p=array('I',{[m, 0, 0, 0, 0, 0]})")
    for y, spread in ((255, 60), (0, 60), (6, 2), (3, 10**6)):
        e = plain.sums(m)
        for i in range(m):
            e[i] = dice.randint(-spread, spread)
        board.run(f"z=array('i',{list(e)})")
        result = plain.softmax(e, [m], y)
        assert board.run(f"print(softmax(z,p,{y}),list(z))").strip() == f"{result} {list(e)}"


def test_put_move_and_draw(board, source):
    board.run(START)
    load(board, ("put", "move", "draw"), source)
    board.run("a=array('i',bytes(20))\n_=put(bytearray(b'abcdefg'),2,a,4)\nz=array('i',bytes(20))\n_=move(a,z,1,3)")
    assert board.run("print(list(a),list(z))").strip() == f"{[*words(b'cdef'), 0]} {[0, *words(b'cde'), 0]}"
    state = [12345]
    drawn = [plain.draw(state, 1000) for _ in range(5)]
    board.run("s=array('I',[12345])")
    assert board.run("print([draw(s,1000)for _ in range(5)],s[0])").strip() == f"{drawn} {state[0]}"


def test_instructions_of_a_weight(board, record_property):
    board.run(START + CLOCK)
    load(board, ("forward", "update"), trim.assembled)
    board.run("w=bytearray(2*16*61)\nx=array('i',bytes(244))\nz=array('i',range(1,33))")
    board.run("for i in range(61):x[i]=i*37%255-127\nfor i in range(len(w)):w[i]=i*77&63|96")

    def cost(kernel, n):
        """Return the instructions a cell, from the difference between 16 rows and one."""
        more, one = [int(board.run(f"print(took({kernel},w,x,{m << 16 | n << 5 | 9},z))")) for m in (16, 1)]
        return instructions(more - one) / (2 * 15 * n)

    for n in (32, 33, 61):
        board.run("z=array('i',range(1,33))")
        update = cost("update", n)
        forward = cost("forward", n)
        print(f"rows of {n}: forward {forward:.2f} instructions/MAC, update {update:.2f} instructions/weight")
        record_property(f"n{n}", [forward, update])
        assert forward <= 6
        assert update <= 12


def test_instructions_of_a_training_step(board, record_property):
    """The whole step of 60-32-16-6 by network.py itself.

    Interpreter, kernels, network.py and the net do not fit into 9.3 KB together, so the three layers' weights lie in
    one buffer of the first one's size here; no instruction depends on that.
    """
    run, short = board.run, trim.shortener(LONG)
    board.run = lambda script, seconds=120: run(short(script), seconds)
    board.run(START + "from utime import ticks_us as us\nfrom machine import disable_irq as off,enable_irq as on")
    board.run("pad=bytearray(3904)")
    load(board, ("forward", "update"), trim.assembled, board.run)
    for piece in trim.pieces(DEVICE / "network.py", ["Network.train", "Network._run"]):
        board.run(piece)
    board.run(f"""def build(N):
 w=bytearray(3904)
 for i in range(3904):w[i]=i*77&63|96
 x=array('i',bytes(244));z=array('i',bytes(128));N.first=x;D=[]
 for m,n in {NET}:
  x[-1]=127;a=array('i',bytes(4*m+4))
  D.append((w,x,m<<16|n<<5|5,z,array('I',(m,n,100,0,0,12345)),a));x=a
 return D
""")
    board.run("""def fill(N,D):
 N.seen=0;N.phase_end=-1;N.checkpoints=0;N.size=60;N.sample=bytearray(61)
 for i in range(60):N.sample[i]=i*37%255+1
 N.rates=[d[2]+4 for d in D];N.dense=D[:2];N.output=D[2][:5]
 N.kernels=put,forward,clamp,error,softmax,update
""")
    board.run("""def go(N):
 micropython.heap_lock()
 for y in range(8):
  s=off();t=us();N.train(y%6);t=us()-t;on(s)
  print(t)
 micropython.heap_unlock()
""")
    load(board, ("put", "clamp", "error", "_softmax"), trim.assembled, board.run)
    send_softmax(board)
    counts = [
        instructions(int(us)) for us in board.run("pad=0\ngc.collect()\nN=Network()\nfill(N,build(N))\ngo(N)").split()
    ]
    print(f"training step of 60-32-16-6: {min(counts):.0f} to {max(counts):.0f} instructions")
    record_property("step", counts)
    assert max(counts) <= 71_000


def described(kind, **given):
    """Return a layer as a model file's reader does, with what a network needs of it."""
    layer = SimpleNamespace(kind=kind, frozen=0, shift=5, leak=0, amplitude=0, l1=0, shifts=b"\x09", **given)
    layer.nbytes = lambda: 2 * layer.units * (layer.inputs + 1)
    return layer


def model_of(specs, steps, channels, checkpoints, rule, classes, total=0):
    """Return what :class:`Network` reads of a model."""
    return SimpleNamespace(
        seed=77, classes=classes, steps=steps, channels=channels, checkpoints=checkpoints, rule=rule, layers=specs,
        total=total,
    )  # fmt: skip


#: The same in as few words as the board has room for.
MODEL = """class O:
 def nbytes(s):return 2*s.units*(s.inputs+1)
def spec(u,i,l,a,t):
 s=O();s.units=u;s.inputs=i;s.leak=l;s.amplitude=a;s.frozen=s.l1=0;s.shift=5;s.shifts=t
 return s
def model(t,c,K,r,n,L):
 s=O();s.seed=77;s.total=0;s.steps=t;s.channels=c;s.checkpoints=K;s.rule=r;s.classes=n;s.layers=L
 return s
"""


#: A line is a class (255: only predict) and a sample, two characters a byte; an empty one asks for the weights.
LOOP = """def fill():
 s=array('I',[9])
 for w in W:
  for i in range(0,len(w),2):
   w[i]=draw(s,256);w[i+1]=120+draw(s,17)
def go():
 print('go')
 s=N.sample
 while 1:
  t=input()
  if not t:break
  for i in range(len(s)-1):s[i]=(ord(t[2*i+3])-48)*16+ord(t[2*i+4])-48
  y=int(t[:3])
  print(N._run(y,None if y==255 else N.rates))
 for w in W:
  for v in w:print('%02x'%v,end='')
 print()
"""

short_of = trim.shortener(LONG)


def test_ram_of_the_reference_net(board, record_property):
    """Everything that training 60-32-16-6 keeps on the heap, objects counted, code not."""
    run, short = board.run, trim.shortener(LONG)
    board.run = lambda script, seconds=120: run(short(script), seconds)
    board.run(
        "from array import array\nimport micropython,gc\nimport __main__ as k\nLAST,CHECKPOINT,RANDOM,EVERY=0,1,2,3"
    )
    pieces = trim.pieces(DEVICE / "network.py", ["Layer.__init__", "Network.__init__"])
    pieces += trim.pieces(DEVICE / "kernels_thumb.py", ["activations"])
    pieces += trim.pieces(DEVICE / "kernels_plain.py", ["sums", "part", "matrix"])
    for piece in pieces:
        send(board, piece)
    send(board, MODEL)
    board.run("put=forward=clamp=error=softmax=update=None\ndef mix(x):return 12345")
    board.run("Network.begin=lambda s,t:None")
    board.run("m=model(1,60,0,0,6,[spec(32,60,0,100,b'\\x09'),spec(16,32,0,100,b'\\x09'),spec(6,16,0,0,b'\\x09')])")
    board.run("O.nbytes=lambda s:0")  # 3,904 bytes in one piece are too much next to the source; they are added below
    script = "gc.collect()\na=gc.mem_alloc()\nN=Network(m,k)\ngc.collect()\nprint(gc.mem_alloc()-a)"
    used = int(board.run(script)) + sum([16 * ((2 * m * n + 15) // 16) for m, n in NET])
    print(f"60-32-16-6 in training: {used} bytes of heap, {used / 2582:.2f} a parameter")
    record_property("bytes", used)
    assert used <= 6.5 * 1024


#: Update shifts of the recurrent layer and of the output.
SHIFTS = (9, 7)


def gestures(steps):
    """Return [(class, stored activations), ...] of the wand's recordings, shuffled."""
    found = []
    for label, name in enumerate(("wingardium", "flippendo", "negative")):
        recordings = {}
        with (WAND / f"{name}.csv").open(newline="") as file:
            reader = csv.reader(file)
            next(reader)
            for row in reader:
                recordings.setdefault(row[0], []).append([float(v) for v in row[2:]])
        for recording in recordings.values():
            table = np.array(recording)
            cuts = range(0, len(table) - 299, 300) if name == "negative" else [0]
            for cut in cuts:
                part = table[cut : cut + 300] if name == "negative" else table
                at = np.linspace(0, len(part) - 1, steps)
                found.append((label, np.array([np.interp(at, range(len(part)), c) for c in part.T]).T))
    every = np.concatenate([v for _, v in found])
    offset, gain = every.mean(axis=0), 42 / every.std(axis=0)
    samples = []
    for label, values in found:
        x = np.clip(np.floor((values - offset) * gain + 0.5), -127, 127).astype(int) + 128
        samples.append((label, bytes(x.ravel().tolist())))
    random.Random(1).shuffle(samples)
    return samples


@pytest.mark.skipif(not WAND.exists(), reason=f"no gesture recordings in {WAND}")
def test_trains_a_gesture_rnn_in_nine_kilobytes(board, record_property):
    steps, channels, units, checkpoints = 12, 6, 16, 4
    samples = gestures(steps)
    train, test = samples[len(samples) // 4 :] * 3, samples[: len(samples) // 4]
    layers = [
        described(1, units=units, inputs=channels + units),
        described(2, units=3, inputs=checkpoints * units),
    ]
    layers[0].leak, layers[0].amplitude = 1, 100
    layers[0].shifts, layers[1].shifts = [bytes([s]) for s in SHIFTS]
    here = Network(model_of(layers, steps, channels, checkpoints, 0, 3), plain)
    state = [9]
    for layer in here.layers:
        for at in range(0, len(layer.w), 2):
            layer.w[at] = plain.draw(state, 256)
            layer.w[at + 1] = 120 + plain.draw(state, 17)

    run = board.run
    board.run = lambda script, seconds=120: run(short_of(script), seconds)
    board.run(
        "from array import array\nimport micropython,gc\nimport __main__ as k\nLAST,CHECKPOINT,RANDOM,EVERY=0,1,2,3"
    )
    for piece in trim.pieces(DEVICE / "network.py", ["Network._run", "Network._run_recurrent"]):
        send(board, piece)
    send(board, LOOP)
    n, reads = channels + units + 1, checkpoints * units + 1
    hows = [layer.how for layer in here.layers]
    send(
        board,
        f"""def build():
 global N,W
 N=Network();W=[bytearray({2 * units * n}),bytearray({2 * 3 * reads})]
 x,h,o,z=[array('i',bytes(4*n))for n in ({n},{units + 1},{reads},{units})]
 x[-1]=o[-1]=127
 N.recurrent=W[0],x,{hows[0]},z,array('I',{list(here.layers[0].p)}),h,bytearray({2 * units}),o
 N.dense=();N.output=W[1],o,{hows[1]},z,array('I',{list(here.layers[1].p)})
 N.rates={[how & -16 | s for how, s in zip(hows, SHIFTS, strict=True)]};N.k=k
 N.kernels=put,forward,clamp,error,softmax,update
 N.checkpoints={checkpoints};N.steps={steps};N.channels={channels};N.classes=3;N.rule=0
 N.sample=bytearray({steps * channels + 1})
""",
    )
    load(board, KERNELS, trim.assembled)
    send_softmax(board)
    build = "gc.collect()\na=gc.mem_alloc()\nbuild()\ngc.collect()\na=gc.mem_alloc()-a\nfill()\nprint(a)\ngo()"
    free = int(board.run("gc.collect()\nprint(gc.mem_free())"))
    used = int(board.begin(short_of(build), "go\n"))

    def answer(y, sample):
        return int(board.say(f"{y:03}" + "".join([chr(48 + (b >> 4)) + chr(48 + (b & 15)) for b in sample])))

    for y, sample in train:
        here.sample[:-1] = sample
        assert answer(y, sample) == here.train(y)
    right = sum([answer(255, sample) >> 8 == y for y, sample in test])
    assert bytes.fromhex(board.end()) == b"".join(here.weights())
    accuracy = right / len(test)
    print(
        f"wand gestures, RNN {channels}-{units}, K={checkpoints}: {accuracy:.1%} of {len(test)} after {len(train)} "
        f"samples; {used} bytes of heap for the network, {free} were free with the trainer loaded"
    )
    record_property("accuracy", accuracy)
    assert accuracy >= 0.8
