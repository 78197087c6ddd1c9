"""Where the patches of a conv layer lie in the map that it reads (SPEC 1.2).

Legend: D depth of the map; x a patch, as the engine keeps activations.
"""


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
    above, left = border(spec)
    down = (rows + 2 * above - spec.rows) // spec.stride + 1
    across = (width // depth + 2 * left - spec.columns) // spec.stride + 1
    if down < spec.pool or across < 1:
        return None
    together = spec.pool if across > 1 else 1
    return (depth, together, down // spec.pool, across // together) if across >= together else None


def border(spec):
    """Return the rows and columns of zeros on each side of the map that a layer reads."""
    return (spec.rows // 2, spec.columns // 2) if spec.padded else (0, 0)


def gather(load, patch, row, column):
    """Load the patch that a filter reads at a position.

    ``patch`` is (map, x, pieces, bytes of a piece, bytes of a row of the map, its rows, stride in rows, stride in
    bytes, border in rows, border in bytes, zeros for what lies outside the map or None without a border).
    """
    source, x, lines, span, width, height, stride, across, above, left, silence = patch
    row = row * stride - above
    begin = column * across - left
    if silence is None:
        begin += row * width
        for j in range(lines):
            load(source, begin + j * width, x, (j * span) << 16 | span)
        return
    end = begin + span
    n = (end if end < width else width) - (begin if begin > 0 else 0)
    before = -begin if begin < 0 else 0  # activations outside the map, on either side
    after = span - before - n
    for j in range(lines):
        at = j * span
        if not 0 <= row + j < height:
            load(silence, 0, x, at << 16 | span)
            continue
        if before:
            load(silence, 0, x, at << 16 | before)
        at += before
        load(source, (row + j) * width + begin + before, x, at << 16 | n)
        if after:
            load(silence, 0, x, (at + n) << 16 | after)


def scatter(accumulate, patch, ring, ring_rows, row, column):
    """Add what a patch holds to the map that it was loaded from, of which ``ring`` has ``ring_rows`` rows."""
    _, x, lines, span, width, height, stride, across, above, left, _ = patch
    row = row * stride - above
    begin = column * across - left
    end = begin + span
    n = (end if end < width else width) - (begin if begin > 0 else 0)
    before = -begin if begin < 0 else 0
    for j in range(lines):
        if 0 <= row + j < height:
            accumulate(x, ring, (row + j) % ring_rows * width + begin + before, (j * span + before) << 16 | n)
