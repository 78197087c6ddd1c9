"""Conv layers that learn from feedback, from the last one back (SPEC 1.3).

A layer's own map holds what the next layer asks for. The feedback to the layer before is summed up in a ring of rows,
as many as a row of windows reaches, and overwrites that layer's map row by row.

Legend: n inputs (bias counted), m filters of a layer.
"""

from tpsgd.parameters import FEEDBACK
from tpsgd.patches import gather, scatter


def learn(stage, rates):
    """Update the layers that learn; the last map holds feedback."""
    i = len(stage[1])
    while i:
        i -= 1
        if not rates[i]:
            return
        _learn_layer(stage, i, rates[i])


def _learn_layer(stage, i, rate):
    """Update layer ``i``, window after window. Where ``rate`` has a feedback shift, overwrite the map below."""
    k, layers, rings, ring, f, largest, places, zeros = stage
    w, x, packed, z, _, patch, shape, target, _, _, _ = layers[i]
    m, pool_rows, pool_columns, rows, columns = shape
    load = k.load
    segment_error = k.segment_error
    ring_rows = rings[i] if rate >> FEEDBACK else 0  # rows in use
    count = pool_rows * pool_columns
    _, _, _, _, _, height, stride, _, above, _, _ = patch
    done = 0  # rows of the map below that hold feedback
    for r in range(rows):
        if ring_rows:
            done = _empty(k, layers[i - 1], patch, ring, ring_rows, done, r * pool_rows * stride - above)
        for c in range(columns):
            load(target, (r * columns + c) * m, f, m)
            if not segment_error(f, zeros, z, m):  # no filter has an error here; else z has all of them
                continue
            if count > 1:
                for j in range(count):
                    gather(load, patch, r * pool_rows + j // pool_columns, c * pool_columns + j % pool_columns)
                    k.forward(w, x, packed, z)
                    k.segment_max(z, largest, places, j << 22 | m)
            for j in range(count):
                if count > 1 and not segment_error(f, places, z, j << 22 | m):
                    continue
                row = r * pool_rows + j // pool_columns
                column = c * pool_columns + j % pool_columns
                gather(load, patch, row, column)
                if ring_rows:
                    k.backward(w, x, rate, z)
                    scatter(k.accumulate, patch, ring, ring_rows, row, column)
                else:
                    k.update(w, x, rate, z)
    if ring_rows:
        _empty(k, layers[i - 1], patch, ring, ring_rows, done, height)


def _empty(k, below, patch, ring, ring_rows, row, end):
    """Move the rows from ``row`` to ``end`` (exclusive) out of the ring, into the map below; return the next row."""
    _, _, _, _, width, _, _, _, _, _, _ = patch
    m, _, _, _, columns = below[6]
    while row < end:
        for c in range(columns):
            k.flush(ring, row % ring_rows * width + c * m, below[7], (row * width + c * m) << 11 | m)
        row += 1
    return row
