"""Check that the layers of a description fit together, and compute each one's inputs.

Shapes: T steps, C channels, K readout steps, D depth of a map, n inputs and m units of a layer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tpsgd.format import MAX_POOLED, MAX_SEGMENT_STEPS
from tpsgd_host.model.config import LayerConfig
from tpsgd_host.model.modelfile import Layer, Map, maps

MAX_INPUTS = 1039  # n of a layer, without the bias
MAX_MAP = 65535  # activations of a map that a conv layer reads
FRONT = ("recurrent", "conv", "temporal")


class MisfitError(ValueError):
    """A layer does not fit where it is.

    Attributes
    ----------
    index : int
        Of the layer, from 0.
    key : str
        The setting at fault; "" for the whole layer.
    hint : str
    """

    def __init__(self, index: int, key: str, message: str, hint: str = "") -> None:
        super().__init__(f"[[layer]] number {index + 1} {message}")
        self.index = index
        self.key = key
        self.hint = hint


def layer_inputs(layers: Sequence[LayerConfig], steps: int, channels: int, readout_steps: int) -> tuple[int, ...]:
    """Return n of every layer, the bias not counted (SPEC 1.2).

    Parameters
    ----------
    steps, channels, readout_steps : int
        T, C and K.

    Raises
    ------
    MisfitError
        When a layer does not fit; names the first one.
    """
    found: list[int] = []
    inputs, below = steps * channels, channels
    shape: Map | None = None
    for index, layer in enumerate(layers):
        before = layers[index - 1].kind if index else layer.kind
        if (layer.kind == "output") != (index == len(layers) - 1):
            hint = 'The last [[layer]], and only the last, has kind = "output".'
            raise MisfitError(index, "kind", f"of {len(layers)} has kind {layer.kind!r}", hint)
        if layer.kind in FRONT and before != layer.kind:
            hint = f"Layers of kind {layer.kind!r} come first, with no other kind before the dense layers."
            raise MisfitError(index, "kind", f"is {layer.kind} after a {before} one", hint)
        if layer.kind == "temporal" and index:
            hint = 'Give it kind = "dense", or remove the layers before it.'
            raise MisfitError(index, "kind", "is temporal; only the first layer can be", hint)
        if index:
            _check_feedback(index, layers[index - 1], layer)
        if layer.kind == "recurrent":
            inputs = below + layer.units
        elif layer.kind == "conv":
            inputs, shape = _conv(index, layer, steps, channels, shape, layers[index - 1].units if index else 0)
        elif layer.kind == "temporal":
            inputs = _temporal(index, layer, steps, channels)
        if inputs > MAX_INPUTS:
            hint = "Use fewer steps, channels or units before it."
            if layer.kind in ("conv", "temporal"):
                hint = "Use a smaller kernel, or fewer filters before it."
            raise MisfitError(index, "", f"has {inputs} inputs; the maximum is {MAX_INPUTS}", hint)
        found.append(inputs)
        inputs = below = layer.units
        if layer.kind == "recurrent":
            inputs *= readout_steps
        elif layer.kind == "temporal":
            inputs *= layer.segments
        elif shape and layer.kind == "conv":
            inputs *= shape.rows * shape.columns
    return tuple(found)


def _check_feedback(index: int, before: LayerConfig, layer: LayerConfig) -> None:
    """Raise where feedback cannot pass, or where layers of one stack would learn in two ways."""
    if layer.frozen and not before.frozen and not before.amplitude:
        hint = f'Freeze number {index} as well, or give it target = "label".'
        raise MisfitError(index, "frozen", "is frozen, but the layer before it learns from its feedback", hint)
    if not before.amplitude and layer.amplitude:
        hint = f'Give number {index} target = "label" as well, or this one target = "feedback".'
        raise MisfitError(index, "target", 'has target = "label", but the layer before it learns from feedback', hint)
    if before.kind == layer.kind != "dense" and before.amplitude and not layer.amplitude:
        message = f"learns from feedback, but the {layer.kind} layer before it does not"
        raise MisfitError(index, "target", message, "Give both the same target.")


def _temporal(index: int, layer: LayerConfig, steps: int, channels: int) -> int:
    """Return n of a temporal layer."""
    taps, segments = layer.kernel[0], layer.segments
    if taps > steps:
        raise MisfitError(
            index, "kernel", f"has a kernel of {taps} steps, but a sample has only {steps}", "Make it smaller."
        )
    if segments > steps:
        message = f"cuts a sample of {steps} steps into {segments} segments"
        raise MisfitError(index, "segments", message, "Each segment needs at least one step.")
    longest = -(-steps // segments)
    if longest > MAX_SEGMENT_STEPS:
        message = f"has segments of {longest} steps; the maximum is {MAX_SEGMENT_STEPS}"
        raise MisfitError(index, "segments", message, "Use more segments or fewer steps.")
    return taps * channels


def _conv(
    index: int, layer: LayerConfig, steps: int, channels: int, before: Map | None, filters: int
) -> tuple[int, Map]:
    """Return n of a conv layer, and its map; ``before`` is the map that it reads, of depth ``filters``."""
    rows, columns = layer.kernel
    if before:
        high, depth = before.rows, filters
        wide = before.columns
    else:
        depth = layer.depth if columns else channels
        high, wide = steps, channels // depth
        if channels % depth:
            message = f"has depth = {depth}, which does not divide the {channels} channels"
            raise MisfitError(index, "depth", message, "Each step is a row of the image: columns*depth values.")
    if not columns and wide > 1:
        message = f"has kernel = {rows}, a single number, but reads a map of {high} x {wide}"
        raise MisfitError(index, "kernel", message, f"Give two numbers: kernel = [{rows}, {rows}].")
    if high * wide * depth > MAX_MAP:
        message = f"reads a map of {high * wide * depth} values; the maximum is {MAX_MAP}"
        raise MisfitError(index, "", message, "Use fewer steps or channels.")
    inputs = rows * (columns or 1) * depth
    spec = Layer("conv", layer.units, inputs, (), rows=rows, columns=columns or 1, stride=layer.stride, pool=layer.pool,
                 padded=layer.padded)  # fmt: skip
    fits = maps(high, wide * depth, (spec,))
    if not fits:
        plain = bool(maps(high, wide * depth, (replace(spec, pool=1),)))
        what = f"pools by {layer.pool}" if plain else f"has a kernel of {rows} x {columns or 1}"
        over = f"positions in a map of {high} x {wide}"
        raise MisfitError(index, "pool" if plain else "kernel", f"{what}: there are too few {over}", "Make it smaller.")
    pooled = layer.pool * fits[0].together
    if pooled > MAX_POOLED and not layer.amplitude:
        message = f"pools {pooled} positions; the maximum in a layer that learns from feedback is {MAX_POOLED}"
        raise MisfitError(index, "pool", message, "Make it smaller.")
    return inputs, fits[0]
