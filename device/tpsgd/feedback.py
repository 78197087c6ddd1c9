"""Layers that learn from the error of the layer above, through its weights (SPEC 1.3, feedback).

The feedback overwrites the inputs of the layer above, so it needs no buffer of its own.
"""

from tpsgd.parameters import FEEDBACK


def backward_pass(network, rates, y):
    """Update the output layer, whose error lies in its z, and all layers below it that learn from feedback."""
    k = network.k
    w, x, _, z, _, _ = network.output
    i = len(rates) - 1
    left = len(network.dense)
    while left and rates[i] >> FEEDBACK:
        k.backward(w, x, rates[i], z)
        f = x
        i -= 1
        left -= 1
        w, x, _, z, p, _ = network.dense[left]
        k.masked_error(f, z, p, 0)
    if rates[i] >> FEEDBACK:
        k.backward(w, x, rates[i], z)
        run, stage, _, _ = network.front
        run(stage, y, rates, True)
    else:
        k.update(w, x, rates[i], z)
