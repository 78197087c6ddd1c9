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


def _ring_bytes(shapes):
    """Return the bytes of the largest ring of rows."""
    return max([_ring(shapes, i) * shapes[i][2] for i in range(len(shapes))])


def buffers(model, word):
    """Return what the conv layers take besides weights, parameters and inputs, as ``plan.buffers`` does."""
    shapes = _shapes(model)
    last = shapes[-1][0]
    sizes = []
    for i, (spec, _, _, shape) in enumerate(shapes):
        sizes.append(("map %d" % i, shape[2] * shape[3] * spec.units + (spec is last)))
    most = _most(shapes)
    if _silent(shapes):
        sizes.append(("padding", _silent(shapes)))
    if last.amplitude:
        sizes.append(("filters", 2 * word * (most + 1) + 2 * most + 4 * most))
    elif last.learns():
        sizes.append(("filters", 2 * word * (most + 1) + 2 * most))
        if _ring_bytes(shapes):
            sizes.append(("feedback rows", _ring_bytes(shapes)))
    else:
        sizes.append(("filters", word * (most + 1)))
    return sizes


def stack(network, model, z):
    """Return (number of conv layers, the last map, what :func:`run` takes except the inputs of the next layer).

    ``z`` is a buffer for the sums of the widest layer.
    """
    k = network.k
    shapes = _shapes(model)
    last = shapes[-1][0]
    most = _most(shapes)
    layers = _layers(network, shapes, z)
    a = k.activations(most + 1)
    label = learn = None
    if last.amplitude:
        label = k.activations(most + 1), k.positions(most)  # largest activations, and where they are
    elif last.learns():
        from tpsgd import convfeedback

        rings = tuple([_ring(shapes, i) for i in range(len(shapes))])
        learn = (convfeedback.learn,
                 (k, layers, rings, _zeros(_ring_bytes(shapes)), a, k.activations(most + 1), bytearray(most),
                  bytearray(most)))  # fmt: skip
    tools = (k.load, k.forward, k.clamp, k.max_pool, a)
    return len(shapes), layers[-1][7], (k, model.classes, tools, layers, label, learn)


def _most(shapes):
    """Return the number of filters of the layer that has most."""
    return max([spec.units for spec, _, _, _ in shapes])


def _zeros(n):
    """Return ``n`` stored activations of 0, or None."""
    if not n:
        return None
    x = bytearray(n)
    for i in range(n):
        x[i] = 128
    return x


def _layers(network, shapes, z):
    """Return a tuple of what each layer needs.

    (weights, x, packed, z, parameters, patch, (m, rows and columns of a window, rows and columns of the map), the map,
    regions in both directions, errors of which all but one are 0).
    """
    k = network.k
    silence = _zeros(_silent(shapes))
    last = shapes[-1][0]
    only = k.accumulators(_most(shapes)) if last.amplitude else None  # with targets, filters learn one at a time
    layers = []
    source = network.sample
    for i, (spec, height, width, (depth, together, rows, columns)) in enumerate(shapes):
        layer = network.layers[i]
        m, n = layer.p[M], layer.p[N]
        target = bytearray(rows * columns * m + (spec is last))  # the last one has room for a bias
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
    return tuple(layers)


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
