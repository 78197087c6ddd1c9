"""How much memory a model takes to train: every buffer, before one of them exists.

The array engine's temporaries and views are not counted.
"""

from tpsgd import parameters
from tpsgd.format import CONV, RECURRENT, TEMPORAL

#: Bytes that an engine keeps for an activation, by its name.
WORDS = {"plain": 1, "np": 4, "viper": 1, "thumb": 4, "native": 1}

#: Largest payload of a frame, and the frame around it (SPEC 4).
PAYLOAD = 200
FRAME = PAYLOAD + 8

#: Largest payload that the board sends: smaller, because a board has less RAM than a host.
ANSWER = 120

#: Results that the board keeps until the host has confirmed them.
RESULTS = 32


def buffers(model, word=1):
    """Return [(purpose, bytes), ...], one entry for each buffer that training allocates.

    The weights come first, layer after layer. ``word`` is a value of :data:`WORDS`.
    """
    sizes = [("weights %d" % i, layer.nbytes()) for i, layer in enumerate(model.layers)]
    sizes.append(("sample", model.steps * model.channels + 1))
    before = None
    for i, layer in enumerate(model.layers):
        sizes.append(("parameters %d" % i, 4 * parameters.COUNT))
        if layer.kind == RECURRENT:
            sizes.append(("state %d" % i, 2 * layer.units))
            sizes.append(("activations %d" % i, word * (layer.units + 1)))
        # a first dense layer, or one after the last map, reads stored bytes where they lie
        if layer.kind in (RECURRENT, CONV, TEMPORAL) or word > 1 or (i and before != CONV):
            sizes.append(("inputs %d" % i, word * (layer.inputs + 1)))
        before = layer.kind
    if model.layers[0].kind == CONV:
        from tpsgd import convolution

        sizes += convolution.buffers(model, word)
    elif model.layers[0].kind == TEMPORAL:
        from tpsgd import temporal

        sizes += temporal.buffers(model)
    sizes.append(("sums and errors", 4 * max([layer.units for layer in model.layers])))
    sizes.append(("generator", 4))
    return sizes


def link_buffers():
    """Return the buffers of the link in the same form."""
    return [("receive", FRAME), ("send", ANSWER + 8), ("results", 2 * RESULTS)]


def total(sizes):
    """Return the sum of the bytes in ``sizes``."""
    return sum([size for _, size in sizes])
