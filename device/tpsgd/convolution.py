"""Conv layers in front of the dense ones: a filter's patch is its input, the strongest position of a region learns.

Maps between layers are stored activations, one byte each on every engine (SPEC 1.2, 1.3).

Legend: N classes of the model; D depth of the map that a layer reads; n inputs (bias counted), m filters of a layer.
"""

from tpsgd.modelfile import CONV

_FRESH = 1 << 16  # for pool: the first position of its window


def geometry(spec, rows, width):
    """Return (D, columns that pooling takes together, rows and columns of the pooled map), or None.

    Parameters
    ----------
    spec : modelfile.LayerSpec
    rows, width : int
        Of the map that the layer reads: rows of ``width = columns*D`` activations. None: the kernel does not fit it.
    """
    depth, rest = divmod(spec.inputs, spec.rows * spec.columns)
    if rest or not depth or width % depth:
        return None
    down = (rows - spec.rows) // spec.stride + 1
    across = (width // depth - spec.columns) // spec.stride + 1
    if down < spec.pool or across < 1:
        return None
    together = spec.pool if across > 1 else 1
    return (depth, together, down // spec.pool, across // together) if across >= together else None


def buffers(model, word):
    """Return what the conv layers take besides weights, parameters and inputs, as ``plan.buffers`` does."""
    sizes = []
    rows, width = model.steps, model.channels
    most = 0
    for i, spec in enumerate(model.layers):
        if spec.kind == CONV:
            _, _, rows, columns = geometry(spec, rows, width)
            width = columns * spec.units
            most = max(most, spec.units)
            sizes.append(("map %d" % i, rows * width + (model.layers[i + 1].kind != CONV)))
    sizes.append(("filters", 2 * word * (most + 1) + 2 * most + 4 * most))
    return sizes


def stack(network, model, z):
    """Return (number of conv layers, the last map, what :func:`run` takes but for the inputs of the next layer).

    ``z`` is a buffer for the sums of the widest layer.
    """
    k = network.k
    specs = [spec for spec in model.layers if spec.kind == CONV]
    most = max([spec.units for spec in specs])
    only = k.sums(most)
    layers = []
    source, rows, width = network.sample, model.steps, model.channels
    for i, spec in enumerate(specs):
        layer = network.layers[i]
        m, n = layer.p[0], layer.p[1]
        depth, together, down, across = geometry(spec, rows, width)
        target = bytearray(down * across * m + (i == len(specs) - 1))  # the last one has room for a bias
        lines, span = spec.rows, spec.columns * depth
        if span == width:  # the patch lies in one piece
            lines, span = 1, lines * span
        shape = (m, lines, span, width, spec.stride * width, spec.stride * depth, spec.pool, together, down, across,
                 min(spec.regions, down), min(spec.regions, across))  # fmt: skip
        layers.append(
            (k.matrix(layer.w, m, n, layer.how & 16), k.activations(n), layer.how, k.part(z, m), layer.p,
             k.part(only, m), shape, source, target)
        )  # fmt: skip
        source, rows, width = target, down, across * m
    tools = (k.put, k.forward, k.clamp, k.pool, k.best, k.move, k.activations(most + 1), k.activations(most + 1),
             k.places(most))  # fmt: skip
    return len(specs), target, (k, model.classes, tools, tuple(layers))


def run(stage, y, rates):
    """Run the sample through all conv layers, region after region; with ``rates`` each region learns."""
    k, classes, tools, layers, out = stage
    i = 0
    for layer in layers:
        rate = rates[i] if rates else 0
        down, across = layer[6][10], layer[6][11]
        for region in range(down * across):
            _forward(tools, layer, region // across, region % across, rate)
            if rate:
                _learn(k, tools, layer, region * classes + y, rate)
        i += 1  # noqa: SIM113 - enumerate allocates
    if layer[8] is not out:
        k.put(layer[8], 0, out, len(layer[8]) - 1)


def _forward(tools, layer, g, f, rate):
    """Fill region (g, f) of a layer's map; with a ``rate`` find where each filter is strongest."""
    put, forward, clamp, pool, best, move, a, top, where = tools
    w, x, how, z, p, _, shape, source, target = layer
    m, lines, span, line, down, across, height, width, rows, columns, regions, beside = shape
    found = 0
    for r in range(g * rows // regions, (g + 1) * rows // regions):
        for c in range(f * columns // beside, (f + 1) * columns // beside):
            fresh = _FRESH
            for i in range(height * width):
                at = (r * height + i // width) * down + (c * width + i % width) * across
                for j in range(lines):
                    put(source, at + j * line, x, (j * span) << 16 | span)
                forward(w, x, how, z)
                clamp(z, a, p)
                pool(a, target, (r * columns + c) * m, fresh | m)
                fresh = 0
                if rate:
                    if not found:
                        move(a, top, 0, m)
                        found = 1
                    best(a, top, where, at << 11 | m)


def _learn(k, tools, layer, column, rate):
    """Update each filter where it was strongest, towards the targets of ``column``."""
    put, top, where = tools[0], tools[7], tools[8]
    update = k.update
    w, x, _, z, p, only, shape, source, _ = layer
    lines, span, line = shape[1], shape[2], shape[3]
    k.error(top, z, p, column)
    for i in range(shape[0]):
        e = z[i]
        if e:
            at = int(where[i])
            for j in range(lines):
                put(source, at + j * line, x, (j * span) << 16 | span)
            only[i] = e
            update(w, x, rate, only)
            only[i] = 0
