"""Layers that learn from the error of the layer behind them, through its weights (SPEC 1.3, feedback).

The inputs of the layer behind are overwritten with what it asks for: no buffer is needed that was not there.
"""


def sweep(network, rates, y):
    """Update the output, whose error lies in its z, and all layers before it that learn from feedback."""
    k = network.k
    w, x, _, z, _, _ = network.output
    i = len(rates) - 1
    left = len(network.dense)
    while left and rates[i] >> 27:
        k.backward(w, x, rates[i], z)
        f = x
        i -= 1
        left -= 1
        w, x, _, z, p, _ = network.dense[left]
        k.pull(f, z, p, 0)
    if rates[i] >> 27:
        k.backward(w, x, rates[i], z)
        network.front[0](network.front[1], y, rates, True)
    else:
        k.update(w, x, rates[i], z)
