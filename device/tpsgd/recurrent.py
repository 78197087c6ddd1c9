"""Recurrent layers, one or several stacked, in front of the dense ones (SPEC 1.2, 1.3).

Legend: C channels, T steps, K checkpoints, N classes of the model; n inputs (bias counted), m units of a layer.
"""

from tpsgd.modelfile import CHECKPOINT, EVERY, LAST, RANDOM, RECURRENT

_FEEDBACK = 4  # in place of a rule


def stack(network, model, z):
    """Return (number of recurrent layers, None, what :func:`run` takes but for the inputs of the next layer).

    ``z`` is a buffer for the sums of the widest layer.
    """
    k = network.k
    layers = []
    below = model.channels
    for spec in model.layers:
        if spec.kind == RECURRENT:
            layer = network.layers[len(layers)]
            m, n = layer.p[0], layer.p[1]
            layers.append(
                (k.matrix(layer.w, m, n, layer.how & 16), k.activations(n), layer.how, k.part(z, m), layer.p,
                 k.activations(m + 1), k.states(m), below)
            )  # fmt: skip
            below = m
    rule = model.rule if model.layers[0].amplitude else _FEEDBACK
    stage = (k, network.state, network.sample, model.channels, model.steps, model.checkpoints, rule,
             model.classes, tuple(layers))  # fmt: skip
    return len(layers), None, stage


def run(stage, y, rates, again=False):
    """Run the T steps through all layers and lay the last one's K checkpoints side by side for the next layer.

    ``again``: those inputs hold feedback instead; run a second time and learn from it at each checkpoint.
    """
    k, state, sample, channels, steps, count, rule, classes, layers, out = stage
    put = k.put
    forward = k.forward
    leak = k.leak
    move = k.move
    learns = chosen = -1  # the rule, where a layer learns, and the one step that does, for the rules that have one
    i = 0
    for layer in layers:
        k.rest(layer[5], layer[6], layer[4])
        if rates and rates[i]:
            learns = rule
        i += 1  # noqa: SIM113 - enumerate allocates
    if learns == LAST:
        chosen = steps - 1
    elif learns == RANDOM:
        chosen = k.draw(state, steps)
    below = None  # h of the layer before
    done = 0
    mark = steps // count - 1
    for t in range(steps):
        i = 0
        for w, x, how, z, p, h, h16, at in layers:
            move(h, x, at, p[0])
            if i:
                move(below, x, 0, at)
            else:
                put(sample, t * channels, x, channels)
            forward(w, x, how, z)
            leak(z, h16, h, p)
            if (t == chosen or learns == EVERY or (learns == CHECKPOINT and t == mark)) and rates[i]:
                k.error(h, z, p, done * classes + y if rule == CHECKPOINT else y)
                k.update(w, x, rates[i], z)
            below = h
            i += 1  # noqa: SIM113 - enumerate allocates
        if t == mark:
            if again:
                _learn(k, layers, rates, out, done * p[0])
            else:
                move(h, out, done * p[0], p[0])
            done += 1
            mark = (done + 1) * steps // count - 1


def _learn(k, layers, rates, f, j):
    """Update the layers from the last one down, whose feedback is ``f`` from j on; z is the last one's."""
    i = len(layers) - 1
    while i >= 0:
        w, x, how, z, p, _, _, _ = layers[i]
        if i < len(layers) - 1:
            k.forward(w, x, how, z)
        k.pull(f, z, p, 1 << 16 | j)
        if rates[i] >> 27 == 0:
            if rates[i]:
                k.update(w, x, rates[i], z)
            return
        k.backward(w, x, rates[i], z)
        f = x
        j = 0
        i -= 1
