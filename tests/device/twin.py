"""The same network on the emulated micro:bit and here: what its heap has no room to make of a model is sent made."""

from tpsgd_host.bench.m0 import trim
from tpsgd_host.bench.m0.load import IMPORTS, KERNELS, LONG, load, load_softmax, send


def built(here):
    """Return the source of ``build()``, which makes of Network what its __init__ makes of a model.

    Parameters
    ----------
    here : tpsgd.network.Network
        The network on the host, on an engine of stored bytes.
    """
    layers = here.layers
    last = len(layers) - 1
    steps = [f"(W[{i}],X[{i}],{layer.how},z,P[{i}],X[{i + 1}])" for i, layer in enumerate(layers[:-1])]
    units = layers[0].p[0]
    first = f"N.first=X[0];N.size={here.size}"
    if here.checkpoints:
        head, steps = steps[0], steps[1:]
        first = f"N.recurrent={head[1:-6]},array('i',bytes({4 * units + 4})),bytearray({2 * units}),X[1]"
    return f"""def build():
 global N,W
 N=Network();W=[bytearray(n)for n in {[len(layer.w) for layer in layers]}]
 X=[array('i',bytes(4*n))for n in {[layer.p[1] for layer in layers]}]
 for x in X:x[-1]=127
 z=array('i',bytes({4 * max(layer.p[0] for layer in layers)}))
 P=[array('I',p)for p in {[list(layer.p) for layer in layers]}]
 {first}
 N.dense=({"".join(step + "," for step in steps)});N.output=W[{last}],X[{last}],{layers[-1].how},z,P[{last}]
 N.rates={here.rates};N.k=k;N.seen=0;N.phase_end=-1
 N.kernels=put,forward,clamp,error,softmax,update
 N.checkpoints={here.checkpoints};N.steps={here.steps};N.channels={here.channels}
 N.classes={here.classes};N.rule={here.rule};N.sample=bytearray({here.size + 1})
"""


def move_in(board, here, *scripts):
    """Send network.py's training step, ``scripts``, ``build()`` and the kernels."""
    board.shorten = trim.shortener(LONG)
    board.run(IMPORTS)
    methods = ["Network.train", "Network._run"] + ["Network._run_recurrent"] * bool(here.checkpoints)
    for piece in trim.pieces("network", methods):
        send(board, piece)
    for script in scripts:
        send(board, script)
    send(board, built(here))
    recurrent = ("move", "rest", "leak")
    kernels = [name for name in KERNELS if here.checkpoints or name not in recurrent]
    load(board, [name for name in kernels if not here.checkpoints or here.dense or name != "clamp"], trim.assembled)
    load_softmax(board)
    if here.checkpoints and not here.dense:
        board.run("clamp=None")
