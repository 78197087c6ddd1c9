"""Convolution over time, and the maximum of each filter in each of K segments, in front of the dense layers.

SPEC 1.2 and 1.3. Of the steps only the places of the maxima are kept. A filter learns there, from a patch of the
sample.

Legend: C channels, T steps of the model, K segments; n inputs (bias counted), m filters of the layer.
"""

from tpsgd.parameters import FROZEN, M, N


def buffers(model):
    """Return what the layer takes besides weights, parameters and inputs, as ``plan.buffers`` does."""
    spec = model.layers[0]
    return [("places", spec.segments * spec.units), ("silence", model.channels)]


def stack(network, model, z):
    """Return (1, None, what :func:`run` takes except the inputs of the next layer).

    ``z`` is a buffer for the sums of the widest layer.
    """
    k = network.k
    spec = model.layers[0]
    layer = network.layers[0]
    p = layer.p
    m, n = p[M], p[N]
    silence = bytearray(model.channels)
    for i in range(model.channels):
        silence[i] = 128
    stage = (k, network.sample, silence, model.steps, spec.segments, spec.rows,
             k.matrix(layer.w, m, n, layer.packed & FROZEN), k.activations(n), layer.packed, k.view(z, m), m,
             bytearray(spec.segments * m))  # fmt: skip
    return 1, None, stage


def run(stage, y, rates, again=False):  # noqa: ARG001 - other kinds have targets
    """Run over the T steps. The K*m maxima go to the inputs of the next layer.

    ``again``: those inputs hold feedback instead; learn from it, each filter at its place in each segment.
    """
    k, sample, silence, steps, segments, taps, w, x, packed, z, m, places, out = stage
    load = k.load
    channels = len(silence)
    end = 0
    for c in range(segments):
        begin = end
        end = (c + 1) * steps // segments
        for t in range(begin, end):
            place = (t - begin) << 22 | c * m << 11 | m  # as segment_max and segment_error take it
            if again and not k.segment_error(out, places, z, place):
                continue
            first = t + 1 - taps  # step of the patch; the patch begins before the sample where it is negative
            if first < 0:
                for j in range(-first):
                    load(silence, 0, x, (j * channels) << 16 | channels)
                load(sample, 0, x, (-first * channels) << 16 | (t + 1) * channels)
            else:
                load(sample, first * channels, x, taps * channels)
            if again:
                k.update(w, x, rates[0], z)
            else:
                k.forward(w, x, packed, z)
                k.segment_max(z, out, places, place)
