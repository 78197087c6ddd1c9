"""What a kernel is told about its layer: an array of parameters, and one packed integer for the hot kernels."""

#: Indices of a layer's parameters p, uint32: units m, inputs n with the bias, target amplitude A (0: none of its own),
#: constant of l1 (0: l2), leak k, start of the targets' generator.
M, N, AMPLITUDE, L1, LEAK, BASE = 0, 1, 2, 3, 4, 5

#: Number of parameters.
COUNT = 6

#: Bits of a packed integer: the mask of its shift, the bit of a frozen layer, the place of the feedback shift r. Where
#: a layer sends feedback, the bit of a frozen one says that the feedback is rounded to nearest.
SHIFT = 15
FROZEN = NEAREST = 16
FEEDBACK = 27


def pack(m, n, frozen=0, shift=0, feedback=0):
    """Return what the kernels ``forward``, ``update`` and ``backward`` need of a layer, as one integer below 2**30.

    Parameters
    ----------
    m, n : int
        Units, and inputs with the bias; 11 bits each.
    frozen : {0, 1}
        For ``backward``: 1 rounds the feedback to nearest.
    shift : int
        S for ``forward``, s for ``update`` and ``backward``; 4 bits.
    feedback : int
        r for ``backward``; 3 bits. 0: the layer sends no feedback.
    """
    return feedback << 27 | m << 16 | n << 5 | frozen << 4 | shift


def feedback(shift, conv, to_conv):
    """Return what :func:`pack` adds for the feedback that a layer of forward shift ``shift`` sends (SPEC 1.3).

    ``conv``, ``to_conv``: whether it and the layer before it are conv layers.
    """
    r = shift if conv else shift - 3 if to_conv else shift - 1
    return pack(0, 0, conv, 0, max(1, min(7, r)))
