"""Conv layers in front of the dense ones: a filter's input is a patch, and it learns at the strongest of a region.

A map between layers holds stored activations, one byte each on every engine (SPEC 1.2, 1.3).

Legend: N classes of the model; D depth of the map that a layer reads; n inputs (bias counted), m filters of a layer.
"""

from tpsgd.format import CONV
from tpsgd.parameters import FROZEN, M, N

_FIRST = 1 << 16  # for max_pool: the first position of a pooling window


def geometry(spec, rows, width):
    """Return how a layer moves over the map that it reads, or None where its kernel does not fit.

    Parameters
    ----------
    spec : modelfile.LayerSpec
    rows, width : int
        Of that map: rows of ``width = columns*D`` activations.

    Returns
    -------
    depth, pooled_columns, map_rows, map_columns : int
        D; how many columns of positions pooling takes together; the shape of the layer's own map, after pooling.
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
    """Return (number of conv layers, the last map, what :func:`run` takes except the inputs of the next layer).

    ``z`` is a buffer for the sums of the widest layer.
    """
    k = network.k
    specs = [spec for spec in model.layers if spec.kind == CONV]
    most = max([spec.units for spec in specs])
    only = k.accumulators(most)  # errors of which all but one are 0: one filter learns at a time
    layers = []
    source, rows, width = network.sample, model.steps, model.channels
    for i, spec in enumerate(specs):
        layer = network.layers[i]
        p = layer.p
        m, n = p[M], p[N]
        depth, together, map_rows, map_columns = geometry(spec, rows, width)
        target = bytearray(map_rows * map_columns * m + (i == len(specs) - 1))  # the last one has room for a bias
        lines, span = spec.rows, spec.columns * depth
        if span == width:  # the patch lies in one piece
            lines, span = 1, lines * span
        shape = (m, lines, span, width, spec.stride * width, spec.stride * depth, spec.pool, together, map_rows,
                 map_columns)  # fmt: skip
        layers.append(
            (k.matrix(layer.w, m, n, layer.packed & FROZEN), k.activations(n), layer.packed, k.view(z, m), p,
             k.view(only, m), shape, source, target, min(spec.regions, map_rows), min(spec.regions, map_columns))
        )  # fmt: skip
        source, rows, width = target, map_rows, map_columns * m
    tools = (k.load, k.forward, k.clamp, k.max_pool, k.track_max, k.copy, k.activations(most + 1),
             k.activations(most + 1), k.positions(most))  # fmt: skip
    return len(specs), target, (k, model.classes, tools, tuple(layers))


def run(stage, y, rates):
    """Run the sample through all conv layers, region after region. With ``rates`` each layer learns in each region."""
    k, classes, tools, layers, out = stage
    i = 0
    for layer in layers:
        rate = rates[i] if rates else 0
        _, _, _, _, _, _, _, _, target, down, across = layer
        for region in range(down * across):
            _forward(tools, layer, region // across, region % across, rate)
            if rate:
                _learn(k, tools, layer, region * classes + y, rate)
        i += 1  # noqa: SIM113 - enumerate allocates
    if target is not out:
        k.load(target, 0, out, len(target) - 1)


def _forward(tools, layer, g, f, rate):
    """Fill region (g, f) of a layer's map. With a ``rate``, find where in it each filter is strongest."""
    load, forward, clamp, max_pool, track_max, copy, a, top, where = tools
    w, x, packed, z, p, _, shape, source, target, regions_down, regions_across = layer
    m, lines, span, width, down, across, pool_rows, pool_columns, rows, columns = shape
    found = 0
    for r in range(g * rows // regions_down, (g + 1) * rows // regions_down):
        for c in range(f * columns // regions_across, (f + 1) * columns // regions_across):
            first = _FIRST
            for i in range(pool_rows * pool_columns):
                at = (r * pool_rows + i // pool_columns) * down + (c * pool_columns + i % pool_columns) * across
                for j in range(lines):
                    load(source, at + j * width, x, (j * span) << 16 | span)
                forward(w, x, packed, z)
                clamp(z, a, p)
                max_pool(a, target, (r * columns + c) * m, first | m)
                first = 0
                if rate:
                    if not found:
                        copy(a, top, 0, m)
                        found = 1
                    track_max(a, top, where, at << 11 | m)


def _learn(k, tools, layer, column, rate):
    """Update each filter where it was strongest, towards the targets of ``column``."""
    load, _, _, _, _, _, _, top, where = tools
    update = k.update
    w, x, _, z, p, only, shape, source, _, _, _ = layer
    m, lines, span, width, _, _, _, _, _, _ = shape
    k.error(top, z, p, column)
    for i in range(m):
        e = z[i]
        if e:
            at = int(where[i])
            for j in range(lines):
                load(source, at + j * width, x, (j * span) << 16 | span)
            only[i] = e
            update(w, x, rate, only)
            only[i] = 0
