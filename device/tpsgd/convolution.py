"""Conv layers in front of the dense ones: a filter's input is a patch of a map.

A map between layers holds stored activations, one byte each on every engine (SPEC 1.2, 1.3). With targets of its own a
filter learns where it is strongest in each region; how it learns from feedback is in ``convfeedback``.

Legend: N classes of the model; D depth of the map that a layer reads; n inputs (bias counted), m filters of a layer.
"""

from tpsgd.format import CONV
from tpsgd.parameters import FROZEN, M, N
from tpsgd.patches import border, gather, geometry

_FIRST = 1 << 16  # for max_pool: the first position of a pooling window


def _shapes(model):
    """Return (spec, rows, width of the map that it reads, its geometry) of each conv layer."""
    found = []
    rows, width = model.steps, model.channels
    for spec in model.layers:
        if spec.kind == CONV:
            shape = geometry(spec, rows, width)
            found.append((spec, rows, width, shape))
            rows, width = shape[2], shape[3] * spec.units
    return found


def _ring(shapes, i):
    """Return how many rows of feedback to the layer before conv layer ``i`` sums up at a time; 0 where none is sent."""
    spec, rows, _, _ = shapes[i]
    if i and not spec.amplitude and spec.learns() and shapes[i - 1][0].learns():
        return min(rows, (spec.pool - 1) * spec.stride + spec.rows)
    return 0


def _silent(shapes):
    """Return the bytes of the longest piece of a patch that can lie outside a map."""
    return max([spec.columns * shape[0] if spec.padded else 0 for spec, _, _, shape in shapes])


def buffers(model, word):
    """Return what the conv layers take besides weights, parameters and inputs, as ``plan.buffers`` does."""
    sizes = []
    shapes = _shapes(model)
    for i, (spec, _, _, shape) in enumerate(shapes):
        last = i == len(shapes) - 1
        sizes.append(("map %d" % i, shape[2] * shape[3] * spec.units + last))
    most = max([spec.units for spec, _, _, _ in shapes])
    silent = _silent(shapes)
    if silent:
        sizes.append(("padding", silent))
    if shapes[0][0].amplitude:
        sizes.append(("filters", 2 * word * (most + 1) + 2 * most + 4 * most))
    elif spec.learns():
        sizes.append(("filters", 2 * word * (most + 1) + 2 * most))
        ring = max([_ring(shapes, i) * shapes[i][2] for i in range(len(shapes))])
        if ring:
            sizes.append(("feedback rows", ring))
    else:
        sizes.append(("filters", word * (most + 1)))
    return sizes


def stack(network, model, z):
    """Return (number of conv layers, the last map, what :func:`run` takes except the inputs of the next layer).

    ``z`` is a buffer for the sums of the widest layer.
    """
    k = network.k
    shapes = _shapes(model)
    most = max([spec.units for spec, _, _, _ in shapes])
    silent = _silent(shapes)
    silence = bytearray(silent) if silent else None
    for i in range(silent):
        silence[i] = 128
    layers = []
    # errors of which all but one are 0: with targets of their own, filters learn one at a time
    only = k.accumulators(most) if shapes[0][0].amplitude else None
    source = network.sample
    for i, (spec, height, width, (depth, together, rows, columns)) in enumerate(shapes):
        layer = network.layers[i]
        m, n = layer.p[M], layer.p[N]
        target = bytearray(rows * columns * m + (i == len(shapes) - 1))  # the last one has room for a bias
        lines, span = spec.rows, spec.columns * depth
        above, left = border(spec)
        if span == width and not spec.padded and not _ring(shapes, i):  # the patch lies in one piece
            lines, span = 1, lines * span
        x = k.activations(n)
        patch = (source, x, lines, span, width, height, spec.stride, spec.stride * depth, above, left * depth,
                 silence if spec.padded else None)  # fmt: skip
        layers.append(
            (k.matrix(layer.w, m, n, layer.packed & FROZEN), x, layer.packed, k.view(z, m), layer.p, patch,
             (m, spec.pool, together, rows, columns), target, min(spec.regions, rows) or 1,
             min(spec.regions, columns) or 1, None if only is None else k.view(only, m))
        )  # fmt: skip
        source = target
    a = k.activations(most + 1)
    label = learn = None
    if shapes[0][0].amplitude:
        label = k.activations(most + 1), k.positions(most)  # largest activations, and where they are
    elif spec.learns():
        from tpsgd import convfeedback

        rings = [_ring(shapes, i) for i in range(len(shapes))]
        ring = max([rings[i] * shapes[i][2] for i in range(len(shapes))])
        learn = (convfeedback.learn,
                 (k, layers, tuple(rings), bytearray(ring) if ring else None, a, k.activations(most + 1),
                  bytearray(most), bytearray(most)))  # fmt: skip
        convfeedback.silence(learn[1])
    tools = (k.load, k.forward, k.clamp, k.max_pool, a)
    return len(shapes), target, (k, model.classes, tools, tuple(layers), label, learn)


def run(stage, y, rates, again=False):
    """Run the sample through all conv layers, region after region. With ``rates`` each layer learns in each region.

    ``again``: the inputs of the next layer hold feedback instead; learn from it.
    """
    k, classes, tools, layers, label, learn, out = stage
    target = layers[-1][7]
    if again:
        if target is not out:
            k.max_pool(out, target, 0, _FIRST | len(target) - 1)
        learn[0](learn[1], rates)
        return
    i = 0
    for layer in layers:
        rate = rates[i] if rates and label else 0
        for region in range(layer[8] * layer[9]):
            _forward(k, tools, layer, region, label if rate else None)
            if rate:
                _learn(k, layer, label, region * classes + y, rate)
        i += 1  # noqa: SIM113 - enumerate allocates
    if target is not out:
        k.load(target, 0, out, len(target) - 1)


def _forward(k, tools, layer, region, label):
    """Fill a region of a layer's map. With ``label``, find where in it each filter is strongest."""
    load, forward, clamp, max_pool, a = tools
    w, x, packed, z, p, patch, shape, target, down, across, _ = layer
    m, pool_rows, pool_columns, rows, columns = shape
    if label:
        top, where = label
        positions = columns * pool_columns
    g = region // across
    f = region % across
    found = 0
    for r in range(g * rows // down, (g + 1) * rows // down):
        for c in range(f * columns // across, (f + 1) * columns // across):
            first = _FIRST
            for i in range(pool_rows * pool_columns):
                row = r * pool_rows + i // pool_columns
                column = c * pool_columns + i % pool_columns
                gather(load, patch, row, column)
                forward(w, x, packed, z)
                clamp(z, a, p)
                max_pool(a, target, (r * columns + c) * m, first | m)
                first = 0
                if label:
                    if not found:
                        k.copy(a, top, 0, m)
                        found = 1
                    k.track_max(a, top, where, (row * positions + column) << 11 | m)


def _learn(k, layer, label, column, rate):
    """Update each filter where it was strongest, towards the targets of ``column``."""
    top, where = label
    w, x, _, z, p, patch, shape, _, _, _, only = layer
    m, _, pool_columns, _, columns = shape
    k.error(top, z, p, column)
    for i in range(m):
        e = z[i]
        if e:
            at = int(where[i])
            gather(k.load, patch, at // (columns * pool_columns), at % (columns * pool_columns))
            only[i] = e
            k.update(w, x, rate, only)
            only[i] = 0
