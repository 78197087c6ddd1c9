"""Write and read the model file on the host (SPEC 2).

The device's own parser, :class:`tpsgd.modelfile.Model`, does the reading, so there is one set of rules. Shapes:
m units, n inputs without the bias, T steps, C channels, N classes, P phases.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import numpy.typing as npt

from tpsgd import answer, frontend, modelfile, plan
from tpsgd import header as fields
from tpsgd.format import FROZEN, MAX_INPUTS, MAX_LAYERS, PADDED
from tpsgd.generator import mix, step
from tpsgd.patches import geometry
from tpsgd.protospec import MAX_PROTOTYPES
from tpsgd_host.data.frontend import pack as pack_front
from tpsgd_host.data.frontend import unpack as unpack_front
from tpsgd_host.data.layout import Layout
from tpsgd_host.data.scaling import Scaling
from tpsgd_host.errors import ModelError
from tpsgd_host.files import read_file, write_atomic
from tpsgd_host.model import prototypes
from tpsgd_host.model.prototypes import VARIATIONS, Prototypes
from tpsgd_host.names import has_control

KINDS = ("dense", "recurrent", "output", "conv", "temporal")
UPDATE_AT = ("last", "readout", "random", "every")
LOSSES = ("l2", "l1")
WINDOWS = ("row", "recording")
RESAMPLINGS = ("linear", "mean")

#: v = u - OFFSET: trained weights are stored as uint16 u (SPEC 1.1).
OFFSET = 32896

#: Bytes of the largest possible model file: header, layers and prototypes of the largest size (SPEC 1.1, 2).
MAX_FILE = 0xFFFF + MAX_LAYERS * 1024 * 1040 * 2 + MAX_PROTOTYPES * MAX_INPUTS + 4

Weights = npt.NDArray[np.unsignedinteger[Any]]


@dataclass(frozen=True)
class Layer:
    """One layer; fields as in SPEC 2. ``shifts`` holds the P update shifts.

    ``rows`` and ``columns`` (of the kernel), ``stride`` and ``pool`` are 0 except for conv layers, and ``regions`` is 0
    except for those with targets of their own; ``padded``: zeros surround the map that it reads. A temporal layer has
    ``rows``, the steps of its kernel, and ``segments``.
    """

    kind: str
    units: int
    inputs: int
    shifts: tuple[int, ...]
    shift: int = 5
    leak: int = 0
    amplitude: int = 100
    loss: str = "l2"
    l1: int = 0
    frozen: bool = False
    rows: int = 0
    columns: int = 0
    stride: int = 0
    pool: int = 0
    regions: int = 0
    segments: int = 0
    padded: bool = False

    def pack(self) -> bytes:
        """Return the layer's 24 bytes."""
        output = self.kind == "output"
        head = struct.pack(
            fields.LAYER, KINDS.index(self.kind), self.frozen * FROZEN | self.padded * PADDED,
            self.units, self.inputs, self.shift, self.leak,
            0 if output else self.amplitude, 0 if output else LOSSES.index(self.loss), 0 if output else self.l1,
            self.segments if self.kind == "temporal" else self.regions,
        )  # fmt: skip
        return head + bytes(self.shifts).ljust(8, b"\0") + bytes((self.rows, self.columns, self.stride, self.pool))


@dataclass(frozen=True)
class Map:
    """The input and output of a conv layer (SPEC 1.2).

    Attributes
    ----------
    height, width : int
        Rows of the map that it reads, and values in a row.
    depth : int
        D of that map.
    together : int
        Columns of positions that pooling combines.
    rows, columns : int
        Of its own map, after pooling; its depth is the layer's m.
    """

    height: int
    width: int
    depth: int
    together: int
    rows: int
    columns: int


def maps(steps: int, channels: int, layers: Sequence[Any]) -> tuple[Map, ...]:
    """Return the maps of the first conv layers, up to one whose kernel does not fit; empty without any.

    ``layers`` has objects with ``kind``, ``units``, ``inputs``, ``rows``, ``columns``, ``stride``, ``pool`` and
    ``padded``.
    """
    found: list[Map] = []
    rows, width = steps, channels
    for layer in layers:
        shape = geometry(layer, rows, width) if layer.kind == "conv" else None
        if shape is None:
            break
        found.append(Map(rows, width, *shape))
        rows, width = found[-1].rows, found[-1].columns * layer.units
    return tuple(found)


@dataclass(frozen=True, repr=False)
class Model:
    """A network, with everything that a board or host needs to use it.

    Attributes
    ----------
    weights : tuple of ndarray, one a layer, shape (m, n + 1)
        As stored: uint16 ``v + 32896``, or uint8 ``hi + 128`` for a frozen layer; the last column is the bias.
    total : int
        Training samples that the learning-rate schedule spans, for runs that announce no number.
    prototypes : Prototypes or None
        What else it answers by than the network alone.
    variation : {"none", "words", "motion"}
        How the samples of a run are varied before they are learned (SPEC 1.13).
    """

    name: str
    seed: int
    layout: Layout
    classes: tuple[str, ...]
    layers: tuple[Layer, ...]
    scaling: Scaling
    weights: tuple[Weights, ...]
    readout_steps: int = 0
    update_at: str = "last"
    total: int = 0
    prototypes: Prototypes | None = None
    variation: str = "none"

    def __repr__(self) -> str:
        return f"<Model {self.name}: {self.shape}, {self.parameters:,} parameters, {len(self.classes)} classes>"

    @property
    def recurrent(self) -> bool:
        """Whether the first layers are recurrent."""
        return self.layers[0].kind == "recurrent"

    @property
    def temporal(self) -> bool:
        """Whether the first layer is a convolution over time."""
        return self.layers[0].kind == "temporal"

    @property
    def maps(self) -> tuple[Map, ...]:
        """The input and output of each conv layer."""
        return maps(self.layout.steps, self.layout.channels, self.layers)

    @property
    def parameters(self) -> int:
        """Number of weights, biases counted."""
        return sum(w.size for w in self.weights)

    @property
    def shape(self) -> str:
        """The network in short: ``MLP 60-32-16-6``, ``RNN 6-32-4 K=4``, ``CNN 28x28-8@5x5/2-10`` (``/2``: pooled).

        A temporal layer makes it a TDNN, a time-delay neural network: ``TDNN 6-32@5-4 K=4``, ``@5`` the kernel's steps.
        """
        sizes = "-".join(str(layer.units) + _window(layer) for layer in self.layers)
        if self.temporal:
            return f"TDNN {self.layout.channels}-{sizes} K={self.layers[0].segments}"
        if self.recurrent:
            return f"RNN {self.layout.channels}-{sizes} K={self.readout_steps}"
        if not self.maps:
            return f"MLP {self.layers[0].inputs}-{sizes}"
        depth = self.maps[0].depth
        columns = self.layout.channels // depth
        return f"CNN {self.layout.steps}x{columns}{f'x{depth}' if depth > 1 else ''}-{sizes}"

    @property
    def crc(self) -> int:
        """CRC-32 at the end of the model file; boards identify the model by it."""
        return int.from_bytes(self.to_bytes()[-4:], "little")

    @property
    def weights_crc(self) -> int:
        """CRC-32 over all weight bytes as stored."""
        crc = 0
        for w in self.weights:
            crc = crc32(stored(w), crc)
        return crc

    def to_bytes(self) -> bytes:
        """Return the model file.

        Raises
        ------
        ModelError
            When the model is not valid, in the words of the device's parser.
        """
        layout = self.layout
        body = b"".join(layer.pack() for layer in self.layers)
        version = fields.VERSION
        if layout.front is not None:
            version += fields.FRONT
            body += pack_front(layout.front)
        if self.prototypes is not None:
            version += fields.PROTOTYPES
            body += self.prototypes.pack()
        body += np.column_stack([self.scaling.offset, self.scaling.gain]).astype("<f4").tobytes()
        body += b"".join(_string(s) for s in (self.name, layout.label, layout.group, *self.classes))
        body += struct.pack("<H", len(layout.columns)) + b"".join(_string(s) for s in layout.columns)
        body += b"\0" * (-(fields.HEADER_SIZE + len(body)) % 4)
        header = fields.HEADER_SIZE + len(body)
        if header > 0xFFFF:
            raise ModelError(
                f"the names and scales of {self.name!r} take {header} bytes, but a model file has room for 65535",
                "leave out the column names (columns = []), or scale all channels alike (per_channel = false)",
            )
        weights = b"".join(stored(w) for w in self.weights)
        if self.prototypes is not None:
            weights += self.prototypes.vectors.tobytes()
        head = struct.pack(
            fields.HEADER, fields.MAGIC, version, len(self.layers), header, header + len(weights) + 4,
            self.seed, layout.steps, layout.channels, len(self.classes), self.readout_steps,
            UPDATE_AT.index(self.update_at),
            len(self.layers[0].shifts),
            WINDOWS.index(layout.windows) | VARIATIONS.index(self.variation) << 4, RESAMPLINGS.index(layout.resampling),
            len(self.scaling.offset), layout.window, layout.hop, layout.rate, self.total,
        )  # fmt: skip
        data = head + body + weights
        data += struct.pack("<I", crc32(data))
        _parse(data, "the model")
        return bytes(data)

    def save(self, path: Path) -> None:
        """Write the model file, completely or not at all.

        Raises
        ------
        DataError
            When the file cannot be written.
        """
        write_atomic(path, self.to_bytes())

    def with_weights(self, data: bytes) -> Model:
        """Return this model with the weight bytes ``data``, as a board sends them.

        Raises
        ------
        ModelError
            When the number of bytes is not the network's.
        """
        wanted = sum(w.nbytes for w in self.weights)
        if len(data) != wanted:
            raise ModelError(f"{len(data)} bytes of weights for a network of {wanted}")
        weights: list[Weights] = []
        at = 0
        for w in self.weights:
            weights.append(np.frombuffer(data, dtype=w.dtype, count=w.size, offset=at).reshape(w.shape).copy())
            at += w.nbytes
        return replace(self, weights=tuple(weights))


@dataclass(frozen=True)
class Memory:
    """Memory in bytes that a model needs on a board while it trains."""

    buffers: tuple[tuple[str, int], ...] = field(default=())

    @property
    def total(self) -> int:
        """The sum of all buffers, the link's included."""
        return sum(size for _, size in self.buffers)

    def allocated(self, block: int) -> int:
        """Return the heap bytes of the buffers in blocks of ``block`` bytes, with one header block per buffer."""
        return sum((-(-size // block) + 1) * block for _, size in self.buffers)


def memory(model: Model, engine: str = "viper") -> Memory:
    """Return the plan of ``model``'s memory on an engine, made by the device's own planner."""
    raw = parsed(model)
    more = [] if raw.front is None else frontend.buffers(raw)
    more += [] if raw.prototypes is None else answer.buffers(raw)
    return Memory(tuple(plan.buffers(raw, plan.WORDS[engine]) + more + plan.link_buffers()))


def parsed(model: Model) -> Any:
    """Return a model as the device's code reads it, a :class:`tpsgd.modelfile.Model`."""
    return _parse(model.to_bytes(), model.name)


def load_model(path: str | Path) -> Model:
    """Read a model file.

    Raises
    ------
    ModelError
        When the file is missing, damaged, or of another version.
    """
    try:
        data = read_file(Path(path), MAX_FILE)
    except OSError as error:
        raise ModelError(
            f"cannot read the model {path}: {error.strerror}", "make one with: tpsgd-host new, then tpsgd-host quantize"
        ) from error
    return parse_model(data, str(path))


def parse_model(data: bytes, source: str) -> Model:
    """Return the model in the bytes of a model file; ``source`` names it in errors."""
    raw = _parse(data, source)
    strings, columns = _strings(data, raw)
    scales = np.frombuffer(data, "<f4", 2 * raw.scales, raw.strings - 8 * raw.scales).reshape(-1, 2)
    if not np.isfinite(scales).all() or not np.isfinite(raw.rate):
        raise ModelError(f"{source}: a scale is not a finite number", "the file is damaged: quantize it again")
    layers: list[Layer] = []
    weights: list[Weights] = []
    at = raw.header
    for spec in raw.layers:
        layers.append(_layer(spec))
        dtype: np.dtype[np.unsignedinteger[Any]] = np.dtype(np.uint8 if spec.frozen else "<u2")
        w: Weights = np.frombuffer(data, dtype, spec.cells(), at).reshape(spec.units, spec.inputs + 1)
        if int(w.min()) < (1 if spec.frozen else 256):
            raise ModelError(f"{source}: a weight is out of its range", "the file is damaged: quantize it again")
        weights.append(w.copy())
        at += w.nbytes
    layout = Layout(
        raw.steps, raw.channels, _windows(raw.windows), _resampling(raw.resampling), raw.window, raw.hop,
        float(raw.rate), strings[1], strings[2], tuple(columns), None if raw.front is None else unpack_front(raw.front),
    )  # fmt: skip
    return Model(
        strings[0], raw.seed, layout, tuple(strings[3:]), tuple(layers),
        Scaling(scales[:, 0].copy(), scales[:, 1].copy()), tuple(weights), raw.readout_steps, UPDATE_AT[raw.update_at],
        raw.total, _prototypes(data, raw), VARIATIONS[raw.variation],
    )  # fmt: skip


def _prototypes(data: bytes, raw: Any) -> Prototypes | None:
    """Return the prototypes in the bytes of a model file."""
    if raw.prototypes is None:
        return None
    inputs = raw.layers[-1].inputs
    vectors = np.frombuffer(data, np.uint8, raw.prototypes.count * inputs, raw.vectors).reshape(-1, inputs)
    return prototypes.unpack(raw.prototypes, vectors)


def stored(w: Weights) -> bytes:
    """Return the bytes of a weight matrix as files and boards store them."""
    data: bytes = w.astype("<u2" if w.dtype.itemsize == 2 else np.uint8).tobytes()
    return data


def initial_weights(seed: int, index: int, units: int, inputs: int, span: int) -> Weights:
    """Return a layer's initial weights, drawn by the seeded generator (SPEC 1.4).

    Parameters
    ----------
    span : int
        R: weights are uniform in -R..R; with 0, all are 0.

    Returns
    -------
    ndarray of uint16, shape (units, inputs + 1)
    """
    s = mix(seed ^ ((index + 1) << 24) ^ 0x00F00000)
    w = np.full((units, inputs + 1), OFFSET, dtype="<u2")
    flat = []
    for _ in range(units * inputs):
        s = step(s)
        flat.append(((s >> 8) * (2 * span + 1) >> 24) - span + OFFSET)
    w[:, :-1] = np.array(flat, dtype="<u2").reshape(units, inputs)
    return w


def _parse(data: bytes, source: str) -> Any:
    try:
        return modelfile.Model(io.BytesIO(data))
    except (ValueError, struct.error) as error:
        raise ModelError(f"{source}: {error}", "make it again with: tpsgd-host quantize") from error


def _strings(data: bytes, raw: Any) -> tuple[list[str], list[str]]:
    """Return [name, label, group, classes...] and the column names."""
    at = raw.strings
    names: list[str] = []
    columns: list[str] = []
    into, left = names, 3 + raw.classes
    try:
        for _ in range(2):
            for _ in range(left):
                end = at + 1 + data[at]
                into.append(data[at + 1 : end].decode())
                at = end
            into, left = columns, int.from_bytes(data[at : at + 2], "little")
            at += 2
    except UnicodeDecodeError as error:
        raise ModelError(f"model file: a name is not UTF-8: {error}") from error
    if bad := next((name for name in names + columns if has_control(name)), ""):
        raise ModelError(f"model file: the name {bad!r} holds control characters", "rename it, and quantize it again")
    if len(set(names[3:])) != raw.classes:
        raise ModelError("model file: two classes have the same name")
    return names, columns


def _string(text: str) -> bytes:
    raw = text.encode()
    if len(raw) > 255:
        raise ModelError(f"the name {text[:20]!r}... takes {len(raw)} bytes; the maximum is 255")
    return bytes([len(raw)]) + raw


def _layer(spec: Any) -> Layer:
    return Layer(
        KINDS[spec.kind], spec.units, spec.inputs, tuple(spec.shifts), spec.shift, spec.leak, spec.amplitude,
        LOSSES[spec.loss], spec.l1, bool(spec.frozen), spec.rows, spec.columns, spec.stride, spec.pool, spec.regions,
        spec.segments, bool(spec.padded),
    )  # fmt: skip


def _window(layer: Layer) -> str:
    """Return a kernel in short, such as ``@5x5ps2/2``: padded, stride 2, pooled by 2; ``@5``: 5 steps."""
    if layer.kind == "temporal":
        return f"@{layer.rows}"
    if layer.kind != "conv":
        return ""
    stride = ("p" if layer.padded else "") + (f"s{layer.stride}" if layer.stride > 1 else "")
    return f"@{layer.rows}x{layer.columns}{stride}" + (f"/{layer.pool}" if layer.pool > 1 else "")


def _windows(value: int) -> Any:
    return WINDOWS[value]


def _resampling(value: int) -> Any:
    return RESAMPLINGS[value]
