"""Layers that learn from the error of the layer behind them, through its weights (SPEC 1.3, feedback).

The inputs of the layer behind are overwritten with what it asks for: no buffer is needed that was not there.
"""


def chain(network, model, steps, count):
    """Return what :func:`sweep` takes, or None where no layer learns from feedback.

    ``steps`` are the dense layers and the output as ``Network`` has them, behind ``count`` others.
    """
    last = len(model.layers) - 1
    i = last
    layers = []
    while i >= count:
        w, x, _, z, p = steps[i - count]
        layers.append((i, w, x, z, p))
        i -= 1
        if i < 0 or model.layers[i].amplitude:
            break
    k = network.k
    return (sweep, (k.backward, k.pull, k.update, tuple(layers), network.front))


def sweep(parts, rates, y):
    """Update the output, whose error lies in its z, and all layers before it that learn from feedback."""
    backward, pull, update, layers, front = parts
    f = None
    for i, w, x, z, p in layers:
        if f is not None:
            pull(f, z, p, 0)
        if rates[i] >> 27 == 0:
            update(w, x, rates[i], z)
            return
        backward(w, x, rates[i], z)
        f = x
    front[0](front[1], y, rates, True)
