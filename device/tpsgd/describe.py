"""Describe a network to the trainer in C: the structures of trainer.c, filled in with addresses of buffers.

The bytes hold pointers, so a board's garbage collector sees that the buffers are in use: they need no other holder.
"""

import struct

from tpsgd.format import CONV, RECURRENT, TEMPORAL
from tpsgd.parameters import AMPLITUDE, BASE, FEEDBACK, FROZEN, L1, LEAK, SHIFT, M, N, feedback
from tpsgd.softmax import TABLE

#: ``tpsgd_network`` without its layers, ``tpsgd_layer``, and what follows for layers of a kind: ``tpsgd_state``,
#: ``tpsgd_segments``, ``tpsgd_patches``. The update shifts of the present phase are the first bytes of all.
NETWORK = "16B8P4H2B"
LAYER = "3PI2H8B"
MORE = {RECURRENT: "2P", TEMPORAL: "P2B", CONV: "P15H"}


def size(form):
    """Return the bytes of a structure where another one follows."""
    word = struct.calcsize("P")
    return (struct.calcsize(form) + word - 1) // word * word


def describe(network, model, address):
    """Return the description of a network whose buffers exist; ``address`` returns that of a buffer."""
    kind = model.layers[0].kind
    more = _more(network, model, address, kind)
    layers = size(NETWORK)
    rest = layers + size(LAYER) * len(model.layers)
    out = bytearray(rest + len(more) * (size(MORE[kind]) if more else 0))
    inputs = _inputs(network, kind)
    top = places = where = ring = 0
    if kind == CONV:
        top, places, where, ring = _shared(network, address)
    struct.pack_into(
        NETWORK, out, 0, *([0] * 16), address(network.sample), address(network.output[3]), address(network.state),
        address(TABLE), top, places, where, ring, len(model.layers), model.steps, model.channels, model.classes,
        model.readout_steps, model.update_at,
    )  # fmt: skip
    for i, spec in enumerate(model.layers):
        layer = network.layers[i]
        p, packed = layer.p, layer.packed
        conv = 1 if spec.kind == CONV else 0
        sent = feedback(spec.shift, conv, i > 0 and model.layers[i - 1].kind == CONV) >> FEEDBACK
        at = 0
        if i < len(more):
            at = rest + i * size(MORE[kind])
            struct.pack_into(MORE[kind], out, at, *more[i])
            at += address(out)
        struct.pack_into(
            LAYER, out, layers + i * size(LAYER), address(layer.w), address(inputs[i]), at, p[BASE], p[M], p[N],
            spec.kind, packed & FROZEN, packed & SHIFT, p[LEAK], p[AMPLITUDE], p[L1], sent, conv,
        )  # fmt: skip
    return out


def _inputs(network, kind):
    """Return the inputs x of each layer."""
    found = []
    if kind == TEMPORAL:
        found.append(network.front[1][7])
    elif kind == RECURRENT:
        found += [layer[1] for layer in network.front[1][8]]
    elif kind == CONV:
        found += [layer[1] for layer in network.front[1][3]]
    found += [layer[1] for layer in network.dense]
    found.append(network.output[1])
    return found


def _more(network, model, address, kind):
    """Return what follows for each layer of the first kind."""
    if kind == RECURRENT:
        return [(address(layer[6]), address(layer[5])) for layer in network.front[1][8]]
    if kind == TEMPORAL:
        stage = network.front[1]
        return [(address(stage[11]), stage[5], stage[4])]
    if kind == CONV:
        return [_patches(network, model, address, i) for i in range(network.front[3])]
    return []


def _patches(network, model, address, i):
    """Return ``tpsgd_patches`` of a conv layer."""
    stage = network.front[1]
    layer = stage[3][i]
    _, _, _, _, _, patch, (_, height, width, rows, columns), target, regions, beside, _ = layer
    _, _, _, _, line, below, stride, across, above, left, _ = patch
    spec = model.layers[i]
    span = spec.inputs // spec.rows
    ring = stage[5][1][2][i] if stage[5] else 0
    across = min(across, 65535)  # a longer way is never taken
    return (
        address(target), spec.rows, span, line, below, stride, across, above, left, height, width, rows, columns,
        regions, beside, ring,
    )  # fmt: skip


def _shared(network, address):
    """Return the addresses of what the conv layers share: largest activations, their places, positions, the ring."""
    _, _, tools, _, label, learn, _ = network.front[1]
    if label:
        return address(label[0]), 0, address(label[1]), 0
    if learn:
        _, _, _, ring, _, largest, places, _ = learn[1]
        return address(largest), address(places), 0, address(ring) if ring else 0
    return address(tools[4]), 0, 0, 0
