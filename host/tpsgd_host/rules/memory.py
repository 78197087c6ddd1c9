"""How many bytes a rule needs to train, one sample at a time: the least that its structure allows.

Counted are weights and every number that must be kept while another is computed; not the code, nor the interpreter. A
dense or conv layer is updated in place, so no rule keeps a gradient for it; the gradient of a recurrent layer is summed
over the steps while its weights are still read, so backpropagation through time keeps one.
"""

from __future__ import annotations

from tpsgd_host.rules.architecture import Architecture, LayerShape


def training_bytes(rule: str, architecture: Architecture, float_bytes: int = 4) -> int:
    """Return the RAM for training in bytes.

    Parameters
    ----------
    rule : str
        One of :data:`tpsgd_host.rules.RULES`.
    float_bytes : int
        Bytes of a number.

    Notes
    -----
    ====== ===================================================================================================
    rule   beside the weights
    ====== ===================================================================================================
    tpsgd  what a forward pass needs: targets are drawn again when they are needed
    frozen the same
    drtp   the same, and a random matrix (N, size) a hidden layer
    dfa    all layers' inputs and slopes (a recurrent layer's at its readout steps), and random matrices
    bp     all layers' inputs and slopes, at all steps; gradient of recurrent layers
    fa     as bp, and a random matrix of the size of the weights for each layer that an error goes through
    ====== ===================================================================================================
    """
    weights = sum(layer.parameters for layer in architecture.layers)
    passing = _passing(architecture)
    training = [i for i, layer in enumerate(architecture.layers[:-1]) if not layer.frozen]
    if rule in ("tpsgd", "frozen") or not training:
        kept = 0
    elif rule == "drtp":
        kept = _projections(architecture)
    elif rule == "dfa":
        kept = _projections(architecture) + _kept(architecture, architecture.readout_steps, training)
    elif rule in ("bp", "fa"):
        reached = list(range(training[0], len(architecture.layers) - 1))
        kept = _kept(architecture, architecture.steps, reached)
        kept += sum(_gradient(architecture.layers[i]) for i in training)
        if rule == "fa":
            kept += _carriers(architecture, training[0])
    else:
        raise ValueError(f"rule {rule!r} is none")
    return float_bytes * (weights + passing + kept)


def _passing(architecture: Architecture) -> int:
    """Return the numbers that a forward pass keeps at once: the sample, states, and the widest layer's two sides."""
    outputs = architecture.outputs()
    given = architecture.steps * architecture.channels
    widest = states = 0
    for layer, size in zip(architecture.layers, outputs, strict=True):
        if layer.kind == "recurrent":
            states += 3 * layer.units  # state, sums, and the state before
        else:
            widest = max(widest, given + size)
        given = architecture.readout_steps * layer.units if layer.kind == "recurrent" else size
    return architecture.steps * architecture.channels + states + widest


def _kept(architecture: Architecture, steps: int, layers: list[int]) -> int:
    """Return inputs and slopes of layers, those of recurrent ones at so many steps."""
    images = architecture.images()
    total = 0
    for i in layers:
        layer = architecture.layers[i]
        if layer.kind == "recurrent":
            total += steps * (layer.inputs + layer.units)
        elif layer.kind == "temporal":
            total += architecture.steps * architecture.channels + layer.segments * layer.units  # the maxima alone
        elif layer.kind == "conv":
            rows, columns, depth = images[i]
            before, after = layer.pixels(rows, columns)
            total += rows * columns * depth + before * after * layer.units
        else:
            total += layer.inputs + layer.units
    return total


def _gradient(layer: LayerShape) -> int:
    return layer.parameters if layer.kind == "recurrent" else 0


def _projections(architecture: Architecture) -> int:
    """Return the numbers in matrices from the classes to every hidden layer that trains."""
    total = 0
    for layer, size in zip(architecture.layers[:-1], architecture.outputs(), strict=False):
        if not layer.frozen:
            total += architecture.classes * (
                architecture.readout_steps * layer.units if layer.kind == "recurrent" else size
            )
    return total


def _carriers(architecture: Architecture, lowest: int) -> int:
    """Return the numbers in matrices that carry errors down to the lowest layer that trains."""
    total = sum(layer.units * layer.inputs for layer in architecture.layers[lowest + 1 :])
    first = architecture.layers[lowest]
    return total + (first.units * first.units if first.kind == "recurrent" else 0)
