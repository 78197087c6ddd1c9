"""The same network on the emulated micro:bit and on the host.

The micro:bit's heap has no room to build a network from a model, so it is sent the source of the finished objects.
"""

from __future__ import annotations

from typing import Any

from tpsgd.parameters import AMPLITUDE, M, N
from tpsgd_host.bench.m0 import trim
from tpsgd_host.bench.m0.load import IMPORTS, KERNELS, LONG, load, load_softmax, send
from tpsgd_host.bench.m0.microbit import Microbit

#: A :class:`tpsgd.network.Network` of the device package, which has no types.
DeviceNetwork = Any


def built(here: DeviceNetwork) -> str:
    """Return the source of ``build()``, which fills a Network as ``Network.__init__`` would from a model.

    Parameters
    ----------
    here : tpsgd.network.Network
        The network on the host, on an engine that works on stored bytes.
    """
    layers = here.layers
    last = len(layers) - 1
    sample = f"bytearray({here.size + 1})"
    first, count = f"N.front=None;N.first=X[0];N.size={here.size}", 0
    if here.front:
        count = here.front[2]
        stage, before = {"recurrent": recurrent, "convolution": conv, "temporal": temporal}[front(here)](here)
        first = f"{before};N.front=run,({stage},X[{count}]),{count},{here.front[3]}"
    steps = [f"(W[{i}],X[{i}],{layers[i].packed},z,P[{i}],X[{i + 1}])" for i in range(count, last)]
    return f"""def build():
 global N,W
 N=Network();W=[bytearray(n)for n in {[len(layer.w) for layer in layers]}]
 X=[array('i',bytes(4*n))for n in {[layer.p[N] for layer in layers]}]
 for x in X:x[-1]=127
 z=array('i',bytes({4 * max(layer.p[M] for layer in layers)}))
 P=[array('I',p)for p in {[list(layer.p) for layer in layers]}]
 N.sample={sample}
 {first}
 N.dense=({"".join(step + "," for step in steps)});N.output=W[{last}],X[{last}],{layers[-1].packed},z,P[{last}],\
{"backward_pass" if here.output[5] else None}
 N.rates={here.rates};N.k=k;N.seen=0;N.phase_end=-1
 N.kernels=load,forward,clamp,error,softmax,update
 N.classes={here.classes}
"""


def front(here: DeviceNetwork) -> str:
    """Return the name of the module that runs the first layers, "" where they are dense."""
    return str(here.front[0].__module__).split(".")[1] if here.front else ""


def recurrent(here: DeviceNetwork) -> tuple[str, str]:
    """Return the source of ``recurrent.run``'s stage without its last item, and of the statements before it.

    ``update_at`` must not be RANDOM: the board gets no generator.
    """
    _, _, _, channels, steps, readout_steps, update_at, classes, layers, _ = here.front[1]
    made = ""
    for i, layer in enumerate(layers):
        units = layer[4][0]
        states = f"array('i',bytes({4 * units + 4})),bytearray({2 * units})"
        made += f"(W[{i}],X[{i}],{layer[2]},z,P[{i}],{states},{layer[7]}),"
    return f"k,0,N.sample,{channels},{steps},{readout_steps},{update_at},{classes},({made})", "pass"


def conv(here: DeviceNetwork) -> tuple[str, str]:
    """Return the source of ``convolution.run``'s stage without its last item, and of the statements before it.

    The layers must have targets: the board has no room for the code of feedback.
    """
    _, classes, _, layers, _, _, _ = here.front[1]
    most = max(layer[4][0] for layer in layers)
    words = f"array('i',bytes({4 * most + 4}))"
    made = ""
    source = "N.sample"
    for i, layer in enumerate(layers):
        target = f"maps[{i}]"
        patch = f"({source},X[{i}],{','.join(map(str, layer[5][2:]))})"
        made += f"(W[{i}],X[{i}],{layer[2]},z,P[{i}],{patch},{layer[6]},{target},{layer[8]},{layer[9]},o),"
        source = target
    before = f"maps=[bytearray(n)for n in {[len(layer[7]) for layer in layers]}];o=array('i',bytes({4 * most}))"
    label = f"({words},array('H',bytes({2 * most})))"
    return f"k,{classes},(load,forward,clamp,max_pool,{words}),({made}),{label},None", before


def temporal(here: DeviceNetwork) -> tuple[str, str]:
    """Return the source of ``temporal.run``'s stage without its last item, and of the statements before it."""
    _, _, silence, steps, segments, taps, _, _, packed, _, m, places, _ = here.front[1]
    kept = f"bytearray({bytes(silence)!r}),{steps},{segments},{taps}"
    return f"k,N.sample,{kept},W[0],X[0],{packed},z,{m},bytearray({len(places)})", "pass"


def move_in(board: Microbit, here: DeviceNetwork, *scripts: str) -> None:
    """Send network.py's training step, ``scripts``, ``build()`` and the kernels."""
    board.shorten = trim.shortener(LONG)
    board.run(IMPORTS)
    needed = trim.pieces("network", ["Network.train", "Network._run"])
    kernels = set(KERNELS) - {
        "copy", "reset_state", "leak", "draw", "max_pool", "track_max", "backward", "masked_error", "segment_max",
        "segment_error", "accumulate", "flush",
    }  # fmt: skip
    if here.output[5]:
        needed += trim.pieces("feedback", ["backward_pass"])
        kernels |= {"backward", "masked_error"}
    if front(here) == "recurrent":
        needed += trim.pieces("recurrent", ["_MASKED", "run", "_learn"] if "masked_error" in kernels else ["run"])
        kernels |= {"copy", "reset_state", "leak"}
        kernels -= set() if here.dense else {"clamp"}
    elif front(here) == "temporal":
        needed += trim.pieces("temporal", ["run"])
        kernels |= {"segment_max", "segment_error"}
        kernels -= set() if here.dense else {"clamp", "masked_error"}
    elif here.front:
        needed += trim.pieces("patches", ["gather"])
        needed += trim.pieces("convolution", ["_FIRST", "_forward", "_learn", "run"])
        kernels |= {"copy", "max_pool", "track_max"}
    if not any(layer.p[AMPLITUDE] for layer in here.layers):  # no layer has targets
        kernels -= {"error"}
    for piece in (*needed, *scripts, built(here)):
        send(board, piece)
    load(board, kernels | {"draw"}, trim.assembled)
    load_softmax(board)
    for name in {"clamp", "error"} - kernels:
        board.run(f"{name}=None")
