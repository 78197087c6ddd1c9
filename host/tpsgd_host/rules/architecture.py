"""The shape of a float network: its layers, without weights.

Shapes: T steps, C channels, N classes, K readout steps; m units and n inputs of a layer (the bias not counted).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from tpsgd_host.model.config import AMPLITUDES, REGIONS
from tpsgd_host.model.modelfile import Model

KINDS = ("dense", "recurrent", "conv", "temporal", "output")
UPDATE_AT = ("last", "readout", "random", "every")


@dataclass(frozen=True)
class LayerShape:
    """One layer.

    Attributes
    ----------
    kind : {"dense", "recurrent", "conv", "temporal", "output"}
    units, inputs : int
        m and n; n of a recurrent layer counts its own state, n of a conv layer is ``kernel area * depth``, n of a
        temporal layer ``kernel height * C``.
    leak : int
        k of a recurrent layer: ``h += (u - h)*2**-k``.
    amplitude : float
        Targets of tpSGD lie at plus and minus this.
    frozen : bool
        Whether the layer keeps its initial weights under every rule.
    kernel, stride, pool, padded : of a conv layer
        Height and width of a patch, its stride, the side of the max-pooling window, and whether zeros lie around the
        image (SPEC 1.2). A temporal layer has a kernel, too: its steps are the height.
    depth : int
        Values at a pixel of a conv layer's input.
    regions : int
        G: tpSGD cuts a conv layer's output into so many regions in each direction, with targets of their own.
    segments : int
        K: a temporal layer hands on the largest activation of each of so many segments of the sample.
    """

    kind: str
    units: int
    inputs: int
    leak: int = 0
    amplitude: float = 1.0
    frozen: bool = False
    kernel: tuple[int, int] = (1, 1)
    stride: int = 1
    pool: int = 1
    depth: int = 1
    padded: bool = False
    regions: int = 1
    segments: int = 1

    @property
    def parameters(self) -> int:
        """Weights and biases."""
        return self.units * (self.inputs + 1)

    @property
    def border(self) -> tuple[int, int]:
        """Rows of zeros above and below a conv layer's image, and columns left and right of it."""
        return (self.kernel[0] // 2, self.kernel[1] // 2) if self.padded else (0, 0)

    def pixels(self, height: int, width: int) -> tuple[int, int]:
        """Return height and width of a conv layer's output before pooling, for an image of this size."""
        (tall, wide), (above, left) = self.kernel, self.border
        return (height + 2 * above - tall) // self.stride + 1, (width + 2 * left - wide) // self.stride + 1

    def window(self, pixels: tuple[int, int]) -> tuple[int, int]:
        """Return the pooling window: ``pool`` in both directions, or along the only column of pixels."""
        return self.pool, self.pool if pixels[1] > 1 else 1


@dataclass(frozen=True)
class Architecture:
    """A network: conv or recurrent layers or a temporal one first, then dense ones, the output last.

    Attributes
    ----------
    steps, channels : int
        T and C: a sample is T rows of C values. A conv layer sees an image of T rows and ``C/depth`` columns.
    readout_steps : int
        K states of the last recurrent layer go on to the next layer; 0 without a recurrent layer.
    update_at : {"last", "readout", "random", "every"}
        Steps at which tpSGD updates a recurrent layer.
    """

    steps: int
    channels: int
    classes: int
    readout_steps: int
    update_at: str
    layers: tuple[LayerShape, ...]

    @classmethod
    def from_model(cls, model: Model) -> Architecture:
        """Return the architecture of an integer network; a layer whose update shifts are all 0 is frozen."""
        layout = model.layout
        layers = []
        for layer in model.layers:
            frozen = layer.frozen or not any(layer.shifts)
            # tpSGD has targets where the integers learn from feedback.
            amplitude = layer.amplitude or AMPLITUDES.get(layer.kind, 0)
            shape = LayerShape(layer.kind, layer.units, layer.inputs, layer.leak, amplitude / 127, frozen)
            if layer.kind == "conv":
                kernel = layer.rows, layer.columns
                depth = layer.inputs // (layer.rows * layer.columns)
                shape = replace(
                    shape, kernel=kernel, stride=layer.stride, pool=layer.pool, depth=depth, padded=layer.padded,
                    regions=layer.regions or REGIONS,
                )  # fmt: skip
            elif layer.kind == "temporal":
                shape = replace(shape, kernel=(layer.rows, 1), depth=layout.channels, segments=layer.segments)
            layers.append(shape)
        update_at = model.update_at if model.layers[0].amplitude else "readout"
        return cls(layout.steps, layout.channels, len(model.classes), model.readout_steps, update_at, tuple(layers))

    def marks(self) -> tuple[int, ...]:
        """Return the K readout steps (SPEC 1.2)."""
        return tuple((c + 1) * self.steps // self.readout_steps - 1 for c in range(self.readout_steps))

    def images(self) -> tuple[tuple[int, int, int], ...]:
        """Return height, width and depth of the image that each leading conv layer reads, and of the last one's output.

        Raises
        ------
        ValueError
            When a kernel or a pooling window does not fit its image, or a depth does not follow.
        """
        first = self.layers[0]
        if first.kind != "conv":
            return ()
        if self.channels % first.depth:
            raise ValueError(f"{self.channels} channels are no whole number of pixels of depth {first.depth}")
        images = [(self.steps, self.channels // first.depth, first.depth)]
        for layer in self.layers:
            if layer.kind != "conv":
                break
            height, width, depth = images[-1]
            if (layer.depth, layer.inputs) != (depth, layer.kernel[0] * layer.kernel[1] * depth):
                raise ValueError(f"conv layer of {layer.inputs} inputs, depth {layer.depth}, on an image of {depth}")
            pixels = layer.pixels(height, width)
            rows, columns = (size // side for size, side in zip(pixels, layer.window(pixels), strict=True))
            if rows < 1 or columns < 1:
                raise ValueError(f"conv layer of kernel {layer.kernel}, pool {layer.pool} on {height} x {width} pixels")
            images.append((rows, columns, layer.units))
        return tuple(images)

    def outputs(self) -> tuple[int, ...]:
        """Return how many values each layer hands to the next: m after a dense layer, K*m after others."""
        images = self.images()
        sizes = []
        for i, layer in enumerate(self.layers):
            if layer.kind == "conv":
                rows, columns, depth = images[i + 1]
                sizes.append(rows * columns * depth)
            elif layer.kind == "recurrent":
                stacked = i + 1 < len(self.layers) and self.layers[i + 1].kind == "recurrent"
                sizes.append(layer.units * (self.steps if stacked else self.readout_steps))
            elif layer.kind == "temporal":
                sizes.append(layer.units * layer.segments)
            else:
                sizes.append(layer.units)
        return tuple(sizes)

    def multiplies(self) -> int:
        """Return the multiply-accumulates of a sample's forward pass."""
        images = self.images()
        total = 0
        for i, layer in enumerate(self.layers):
            times = self.steps if layer.kind in ("recurrent", "temporal") else 1
            if layer.kind == "conv":
                rows, columns = layer.pixels(*images[i][:2])
                times = rows * columns
            total += times * layer.parameters
        return total

    def check(self) -> None:
        """Raise ValueError if the layers do not fit each other."""
        kinds = [layer.kind for layer in self.layers]
        order = sorted(kinds, key=["temporal", "conv", "recurrent", "dense", "output"].index)
        if not kinds or kinds[-1] != "output" or kinds.count("output") != 1 or kinds != order:
            raise ValueError(f"layers {kinds}: conv or recurrent ones, then dense ones, then the output")
        if len({"conv", "recurrent", "temporal"} & set(kinds)) > 1 or kinds.count("temporal") > 1:
            raise ValueError(f"layers {kinds}: conv or recurrent ones or one temporal layer, not both")
        if self.update_at not in UPDATE_AT:
            raise ValueError(f"update_at {self.update_at!r}: one of {', '.join(UPDATE_AT)}")
        if "recurrent" in kinds and not 1 <= self.readout_steps <= self.steps:
            raise ValueError(f"{self.readout_steps} readout steps in {self.steps} steps")
        if self.layers[-1].units != self.classes:
            raise ValueError(f"{self.layers[-1].units} output units for {self.classes} classes")
        given, recurrent = self.steps * self.channels, self.channels
        for layer, size in zip(self.layers, self.outputs(), strict=True):
            if layer.kind == "recurrent":
                given, recurrent = recurrent + layer.units, layer.units
            if layer.kind == "temporal":
                self._check_temporal(layer)
            elif layer.kind != "conv" and layer.inputs != given:
                raise ValueError(f"{layer.kind} layer of {layer.inputs} inputs where {given} come")
            given = size

    def _check_temporal(self, layer: LayerShape) -> None:
        """Raise ValueError where a temporal layer does not follow from the sample."""
        taps = layer.kernel[0]
        if layer.inputs != taps * self.channels:
            raise ValueError(f"temporal layer of {layer.inputs} inputs, {taps} steps of {self.channels} channels")
        if not 1 <= layer.segments <= self.steps or taps > self.steps:
            raise ValueError(f"temporal layer of {taps} steps and {layer.segments} segments on {self.steps} steps")
