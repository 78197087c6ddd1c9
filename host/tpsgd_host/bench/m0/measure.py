"""Measure the cost of the assembler engine on a Cortex-M0 in instructions. Counts repeat exactly, on any machine.

Legend: m units, n inputs of a layer, the bias counted.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import pairwise

from tpsgd.parameters import pack
from tpsgd_host.bench.m0 import trim
from tpsgd_host.bench.m0.load import IMPORTS, LONG, START, load, load_softmax, named, send
from tpsgd_host.bench.m0.microbit import INSTRUCTION_NS, Microbit, MicrobitError, emulator

#: Sizes of the measured net, inputs first, and (m, n) of its layers.
SIZES = (60, 32, 16, 6)
NET = tuple((m, n + 1) for n, m in pairwise(SIZES))
PARAMETERS = sum(m * n for m, n in NET)

#: Row lengths for measuring kernels: a multiple of eight, one more, and the length in the net's first layer.
ROWS = (32, 33, 61)

HOW_TAKEN = (
    f"instructions: QEMU -icount, {INSTRUCTION_NS} ns of the board's clock each, interrupts off; "
    "a MAC or weight: 16 rows less one row, two calls; heap: gc.mem_alloc before and after"
)

#: Times two calls, because the clock is coarse, with interrupts off.
CLOCK = """from utime import ticks_us as us
from machine import disable_irq as off,enable_irq as on
def took(f,a,b,c,d):
 s=off()
 t=us();f(a,b,c,d);f(a,b,c,d);t=us()-t
 on(s)
 return t
"""

#: A kernel that does nothing, and the interpreter's own time: reading the clock, sixteen attributes, sixteen locals.
INTERPRETER = """@micropython.asm_thumb
def empty(r0,r1,r2,r3):
 mov(r0,0)
def clock():
 s=off();t=us();t=us()-t;on(s);return t
class O:pass
N=O();N.seen=0
def attributes(N):
 s=off();t=us();{attributes};t=us()-t;on(s);return t
def locals(N):
 s=off();t=us();{locals};t=us()-t;on(s);return t
""".format(attributes=";".join(["N.seen"] * 16), locals=";".join(["N"] * 16))

#: Builds the layers. All share one weight buffer of the first layer's size, because three buffers do not fit.
BUILD = """def build(N):
 w=bytearray({bytes})
 for i in range({bytes}):w[i]=i*77&63|96
 x=array('i',bytes({inputs}));z=array('i',bytes(128));N.first=x;D=[]
 for m,n,q in {net}:
  x[-1]=127;a=array('i',bytes(4*m+4))
  D.append((w,x,q,z,array('I',(m,n,100,0,0,12345)),a));x=a
 return D
"""

FILL = """def fill(N,D):
 N.seen=0;N.phase_end=-1;N.front=None;N.size=60;N.sample=bytearray(61)
 for i in range(60):N.sample[i]=i*37%255+1
 N.rates=[d[2]+4 for d in D];N.dense=D[:2];N.output=D[2][:5]+(None,)
 N.kernels=load,forward,clamp,error,softmax,update
"""

GO = """def go(N):
 micropython.heap_lock()
 for y in range(8):
  s=off();t=us();N.train(y%6);t=us()-t;on(s)
  print(t)
 micropython.heap_unlock()
"""

#: The part of a model that ``Network`` reads, short enough for the board's heap.
MODEL = """class O:
 kind=0
 def nbytes(s):return 2*s.units*(s.inputs+1)
def spec(u,i,l,a,t):
 s=O();s.units=u;s.inputs=i;s.leak=l;s.amplitude=a;s.frozen=s.l1=0;s.shift=5;s.shifts=t
 return s
def model(t,c,K,r,n,L):
 s=O();s.seed=77;s.total=0;s.steps=t;s.channels=c;s.readout_steps=K;s.update_at=r;s.classes=n;s.layers=L
 return s
"""


@dataclass(frozen=True)
class KernelCost:
    """Instructions of the kernels that take most of the time.

    Attributes
    ----------
    n : int
        Length of the rows.
    forward : float
        Per multiply-accumulate.
    update : float
        Per weight.
    backward : float
        Per weight, updated and used for feedback.
    """

    n: int
    forward: float
    update: float
    backward: float


@dataclass(frozen=True)
class Share:
    """How the instructions of a training step divide.

    Attributes
    ----------
    kernels : float
        In all kernels of a step, each from its first instruction to its last.
    call : float
        In the interpreter, to call a kernel with four arguments.
    attribute : float
        In the interpreter, to read an attribute of an object.
    """

    kernels: float
    call: float
    attribute: float


@dataclass(frozen=True)
class StepCost:
    """A training step of the net ``SIZES``, run by network.py itself.

    Attributes
    ----------
    instructions : tuple of float
        For each of eight steps, the interpreter's included.
    heap : int
        Heap bytes that training keeps, objects included, code not.
    share : Share
    """

    instructions: tuple[float, ...]
    heap: int
    share: Share


def instructions(us: float) -> float:
    """Return the number of instructions in ``us`` microseconds."""
    return us * 1000 / INSTRUCTION_NS


def measure_kernels(board: Microbit, rows: Sequence[int] = ROWS) -> list[KernelCost]:
    """Measure forward, update and backward for rows of each length in ``rows``, up to 61, on a fresh board."""
    board.run(START + CLOCK)
    load(board, ("forward", "update", "backward"), trim.assembled)
    board.run("w=bytearray(2*16*61)\nx=array('i',bytes(244))\nz=array('i',range(1,33))")
    board.run("for i in range(61):x[i]=i*37%255-127\nfor i in range(len(w)):w[i]=i*77&63|96")

    def cost(kernel: str, n: int, r: int = 0) -> float:
        more, one = [int(board.run(f"print(took({kernel},w,x,{pack(m, n, 0, 9, r)},z))")) for m in (16, 1)]
        return instructions(more - one) / (2 * 15 * n)

    found = []
    for n in rows:
        board.run("z=array('i',range(1,33))")  # forward has left its sums there
        update = cost("update", n)
        backward = cost("backward", n, 4)
        found.append(KernelCost(n, cost("forward", n), update, backward))
    return found


def measure_step(board: Microbit) -> tuple[float, ...]:
    """Return the instructions of eight training steps, on a fresh board.

    Interpreter, kernels, network.py and the net do not fit into 9.3 KB together. So the three layers share one weight
    buffer of the first one's size, which changes no instruction.
    """
    board.shorten = trim.shortener(LONG)
    size = 2 * NET[0][0] * NET[0][1]
    board.run(START + "from utime import ticks_us as us\nfrom machine import disable_irq as off,enable_irq as on")
    board.run(f"pad=bytearray({size})")
    load(board, ("forward", "update"), trim.assembled, board.run)
    for piece in trim.pieces("network", ["Network.train", "Network._run"]):
        board.run(piece)
    board.run(BUILD.format(bytes=size, inputs=4 * NET[0][1], net=[(m, n, pack(m, n, 0, 5)) for m, n in NET]))
    board.run(FILL)
    board.run(GO)
    load(board, ("load", "clamp", "error", "_softmax"), trim.assembled, board.run)
    load_softmax(board)
    board.run(named("AMPLITUDE"))  # last, because the heap is tight: earlier it would split the largest block
    said = board.run("pad=0\ngc.collect()\nN=Network()\nfill(N,build(N))\ngo(N)")
    return tuple(instructions(int(us)) for us in said.split())


def measure_heap(board: Microbit) -> int:
    """Return the heap bytes that training the net keeps, on a fresh board; objects count, code does not.

    The weights, 3,904 bytes in one piece, do not fit beside the source, so their blocks are added to the count.
    """
    board.shorten = trim.shortener(LONG)
    board.run(IMPORTS)
    pieces = trim.pieces("network", ["Layer.__init__", "Network.__init__"])
    pieces += trim.pieces("parameters", ["pack"])
    pieces += trim.pieces("kernels_thumb", ["activations"])
    pieces += trim.pieces("buffers", ["accumulators", "view", "matrix"])
    for piece in pieces:
        send(board, piece)
    send(board, MODEL)
    board.run("load=forward=clamp=error=softmax=update=None\ndef mix(x):return 12345")
    board.run("Network.begin=lambda s,t:None\nmodules=lambda m:(None,None)\n" + named("N", "FROZEN"))
    layers = ",".join(f"spec({m},{n - 1},0,{0 if m == SIZES[-1] else 100},b'\\x09')" for m, n in NET)
    board.run(f"m=model(1,{SIZES[0]},0,0,{SIZES[-1]},[{layers}])")
    board.run("O.nbytes=lambda s:0")
    used = board.run("gc.collect()\na=gc.mem_alloc()\nN=Network(m,k)\ngc.collect()\nprint(gc.mem_alloc()-a)")
    return int(used) + sum(16 * ((2 * m * n + 15) // 16) for m, n in NET)


def _of_four(module: str, names: Collection[str]) -> list[str]:
    """Return assembled kernels that all take four arguments, so that each call costs the same."""
    return [piece.replace("(r0,r1,r2):", "(r0,r1,r2,r3):") for piece in trim.assembled(module, names)]


def measure_share(board: Microbit) -> Share:
    """Measure each kernel as a training step calls it, and the interpreter's share, on a fresh board.

    There is room for the weights of 8 rows; each further row costs as much as the second to the eighth.
    """
    size = 2 * 8 * NET[0][1]
    board.run(START)
    board.run(f"w=bytearray({size})")
    load(board, ("forward", "update", "load", "clamp", "error", "_softmax"), _of_four, board.run)
    load_softmax(board)
    board.run(CLOCK)
    board.run(INTERPRETER)
    board.run("x=array('i',bytes(244))\nz=array('i',bytes(128))\na=array('i',bytes(132))\nsample=bytes(61)")
    board.run(f"for i in range({size}):w[i]=i*77&63|96")
    board.run("for i in range(60):x[i]=i*37%255-127")

    def cost(call: str) -> float:
        return instructions(int(board.run(f"print({call})")))

    clock = cost("clock()")
    call = (cost("took(empty,w,x,0,z)") - clock) / 2
    attribute = (cost("attributes(N)") - cost("locals(N)")) / 16

    def kernel(name: str, arguments: str) -> float:
        board.run("z=array('i',range(1,33))")  # rows without an error are skipped
        return (cost(f"took({name},{arguments})") - clock) / 2 - call

    def matrix(name: str, m: int, n: int, shift: int) -> float:
        some = kernel(name, f"w,x,{pack(min(m, 8), n, 0, shift)},z")
        if m <= 8:
            return some
        return some + (m - 8) / 7 * (some - kernel(name, f"w,x,{pack(1, n, 0, shift)},z"))

    total = kernel("load", "sample,0,x,60")
    for m, n in NET:
        board.run(f"p=array('I',({m},{n},100,0,0,12345))")
        total += matrix("forward", m, n, 5) + matrix("update", m, n, 9)
        if m == SIZES[-1]:
            total += kernel("_softmax", "z,p,1,_table")
        else:
            total += kernel("clamp", "z,a,p,0") + kernel("error", "a,z,p,1")
    return Share(total, call, attribute)


def step_cost() -> StepCost:
    """Measure a training step on several boards in turn, because one has no room for all of it."""
    with Microbit() as board:
        counts = measure_step(board)
    with Microbit() as board:
        heap = measure_heap(board)
    with Microbit() as board:
        return StepCost(counts, heap, measure_share(board))


def kernel_costs(rows: Sequence[int] = ROWS) -> list[KernelCost]:
    """Measure the kernels on a fresh board."""
    with Microbit() as board:
        return measure_kernels(board, rows)


def versions() -> dict[str, str]:
    """Return the versions of the emulator and of the board's MicroPython."""
    with Microbit() as board:
        said = board.run("import os\nprint(os.uname().version)")
    if not said:
        raise MicrobitError("the emulated board does not report its version")
    return {"qemu": emulator(), "micropython": said.splitlines()[-1]}
