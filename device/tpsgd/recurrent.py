"""Recurrent layers, one or several stacked, in front of the dense ones (SPEC 1.2, 1.3).

Legend: C channels, T steps, K checkpoints, N classes of the model; n inputs (bias counted), m units of a layer.
"""

from tpsgd.modelfile import CHECKPOINT, EVERY, LAST, RANDOM, RECURRENT


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
    stage = (k, network.state, network.sample, model.channels, model.steps, model.checkpoints, model.rule,
             model.classes, tuple(layers))  # fmt: skip
    return len(layers), None, stage


def run(stage, y, rates):
    """Run the T steps through all layers and lay the last one's K checkpoints side by side for the next layer."""
    k, state, sample, channels, steps, count, rule, classes, layers, out = stage
    put = k.put
    forward = k.forward
    leak = k.leak
    move = k.move
    learns = chosen = -1  # the rule, where a layer learns, and the one step that does, for the rules that have one
    i = 0
    for layer in layers:
        k.rest(layer[5], layer[6], layer[4])
        move(layer[5], layer[1], layer[7], layer[4][0])
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
            if i:
                move(below, x, 0, at)
            else:
                put(sample, t * channels, x, channels)
            forward(w, x, how, z)
            leak(z, h16, h, p)
            if (t == chosen or learns == EVERY or (learns == CHECKPOINT and t == mark)) and rates[i]:
                k.error(h, z, p, done * classes + y if rule == CHECKPOINT else y)
                k.update(w, x, rates[i], z)
            move(h, x, at, p[0])
            below = h
            i += 1  # noqa: SIM113 - enumerate allocates
        if t == mark:
            move(h, out, done * p[0], p[0])
            done += 1
            mark = (done + 1) * steps // count - 1
