"""Recurrent layers, one or several stacked, in front of the dense ones (SPEC 1.2, 1.3).

Legend: C channels, T steps, K readout steps, N classes of the model; n inputs (bias counted), m units of a layer.
"""

from tpsgd.format import EVERY, LAST, RANDOM, READOUT, RECURRENT
from tpsgd.parameters import AMPLITUDE, FEEDBACK, FROZEN, M, N

_ERROR_ABOVE = 4  # in place of ``update_at``: the layers learn from feedback
_MASKED = 1 << 16  # for masked_error


def stack(network, model, z):
    """Return (number of recurrent layers, None, what :func:`run` takes except the inputs of the next layer).

    ``z`` is a buffer for the sums of the widest layer.
    """
    k = network.k
    layers = []
    below = model.channels
    for spec in model.layers:
        if spec.kind == RECURRENT:
            layer = network.layers[len(layers)]
            p = layer.p
            m, n = p[M], p[N]
            layers.append(
                (k.matrix(layer.w, m, n, layer.packed & FROZEN), k.activations(n), layer.packed, k.view(z, m), p,
                 k.activations(m + 1), k.states(m), below)
            )  # fmt: skip
            below = m
    update_at = model.update_at if network.layers[0].p[AMPLITUDE] else _ERROR_ABOVE
    stage = (k, network.state, network.sample, model.channels, model.steps, model.readout_steps, update_at,
             model.classes, tuple(layers))  # fmt: skip
    return len(layers), None, stage


def run(stage, y, rates, again=False):
    """Run the T steps through all layers. The last one's K readout states go side by side to the next layer's inputs.

    ``again``: those inputs hold feedback instead. Run a second time and learn from it at each readout step.
    """
    k, state, sample, channels, steps, count, update_at, classes, layers, out = stage
    load = k.load
    forward = k.forward
    leak = k.leak
    copy = k.copy
    learns = chosen = -1  # ``update_at`` where a layer learns, and the one step that does, where there is only one
    i = 0
    for _, _, _, _, p, h, h16, _ in layers:
        k.reset_state(h, h16, p)
        if rates and rates[i]:
            learns = update_at
        i += 1  # noqa: SIM113 - enumerate allocates
    if learns == LAST:
        chosen = steps - 1
    elif learns == RANDOM:
        chosen = k.draw(state, steps)
    below = None  # h of the layer below
    done = 0
    mark = steps // count - 1
    for t in range(steps):
        i = 0
        for w, x, packed, z, p, h, h16, at in layers:
            m = p[M]
            copy(h, x, at, m)
            if i:
                copy(below, x, 0, at)
            else:
                load(sample, t * channels, x, channels)
            forward(w, x, packed, z)
            leak(z, h16, h, p)
            if (t == chosen or learns == EVERY or (learns == READOUT and t == mark)) and rates[i]:
                k.error(h, z, p, done * classes + y if update_at == READOUT else y)
                k.update(w, x, rates[i], z)
            below = h
            i += 1  # noqa: SIM113 - enumerate allocates
        if t == mark:
            if again:
                _learn(k, layers, rates, out, done * m)
            else:
                copy(h, out, done * m, m)
            done += 1
            mark = (done + 1) * steps // count - 1


def _learn(k, layers, rates, f, at):
    """Update the layers from the last one down. Its feedback is ``f`` from ``at`` on; z holds its sums."""
    i = len(layers) - 1
    while i >= 0:
        w, x, packed, z, p, _, _, _ = layers[i]
        if i < len(layers) - 1:
            k.forward(w, x, packed, z)
        k.masked_error(f, z, p, _MASKED | at)
        if rates[i] >> FEEDBACK == 0:
            if rates[i]:
                k.update(w, x, rates[i], z)
            return
        k.backward(w, x, rates[i], z)
        f = x
        at = 0
        i -= 1
