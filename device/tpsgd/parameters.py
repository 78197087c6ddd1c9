"""What a kernel is told about its layer: an array of parameters, and one packed integer for the hot kernels."""

#: Indices of a layer's parameters p, uint32: units m, inputs n with the bias, target amplitude A (0: none of its own),
#: constant of l1 (0: l2), leak k, start of the targets' generator.
M, N, AMPLITUDE, L1, LEAK, BASE = 0, 1, 2, 3, 4, 5

#: Number of parameters.
COUNT = 6

#: Bits of a packed integer: the mask of its shift, the bit of a frozen layer, the place of the feedback shift r.
SHIFT = 15
FROZEN = 16
FEEDBACK = 27


def pack(m, n, frozen=0, shift=0, feedback=0):
    """Return what the kernels ``forward``, ``update`` and ``backward`` need of a layer, as one integer below 2**30.

    Parameters
    ----------
    m, n : int
        Units, and inputs with the bias; 11 bits each.
    frozen : {0, 1}
    shift : int
        S for ``forward``, s for ``update`` and ``backward``; 4 bits.
    feedback : int
        r for ``backward``; 3 bits. 0: the layer sends no feedback.
    """
    return feedback << 27 | m << 16 | n << 5 | frozen << 4 | shift
