"""The distance of two vectors of stored activations (SPEC 1.11), and the module that computes it best here."""

#: What the test of a distance function must give.
ANSWERS = (0, 84, 768, 2208, 2120)


def distance(a, b, n):
    """Return the sum of the differences of the first ``n`` bytes of ``a`` and ``b``, without their signs."""
    total = 0
    for j in range(n):
        total += abs(a[j] - b[j])
    return total


def fastest(k):
    """Return the distance function that suits the engine ``k`` and computes what :func:`distance` computes."""
    found = None
    name = k.NAME
    try:
        if name == "native":
            found = k.distance
        elif name == "thumb":
            from tpsgd.distance_thumb import distance as found
        elif name == "viper":
            from tpsgd.distance_viper import distance as found
        elif name == "np":
            from tpsgd.distance_np import distance as found
    except (ImportError, MemoryError, SyntaxError, ValueError):  # not copied to the board: slower, and the same bits
        pass
    return found if found and right(found) else distance


def right(function):
    """Return whether a distance function passes a test."""
    a = bytearray([i * 37 + 1 & 255 for i in range(23)])
    b = bytearray([(i * 91 ^ 85) & 255 for i in range(23)])
    a[3], b[3], a[4], b[4] = 1, 255, 255, 1
    said = function(a, b, 0), function(a, b, 1), function(a, b, 5), function(a, b, 23), function(b, a, 22)
    return said == ANSWERS
