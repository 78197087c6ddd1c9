"""Load the library built from ``trainer.c``, and own the arrays of a network that it trains.

Shapes: R records, T steps, C channels, K readout steps; m units and n inputs of a layer, the bias counted.
"""

from __future__ import annotations

import ctypes
from functools import lru_cache
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tpsgd.format import MAX_LAYERS, MAX_PHASES
from tpsgd.generator import mix
from tpsgd.parameters import FEEDBACK, feedback
from tpsgd.protospec import NO_CLASS
from tpsgd.taught import VIEWS
from tpsgd_host.model.modelfile import KINDS, UPDATE_AT, Layer, Map, Model, Weights, stored
from tpsgd_host.model.prototypes import WAYS, Prototypes

Bytes = npt.NDArray[np.uint8]

#: Of a conv layer, see ``tpsgd_layer`` of trainer.c.
GEOMETRY = (
    "lines", "span", "line", "height_below", "stride", "across", "above", "left", "height", "width", "rows", "columns",
    "regions", "beside",
)  # fmt: skip


#: Of any layer.
LAYER = ("kind", "units", "inputs", "shift", "leak", "amplitude", "feedback", "nearest", "l1")


class _Layer(ctypes.Structure):
    """``tpsgd_layer`` of trainer.c."""

    _fields_ = (
        *((name, ctypes.c_int32) for name in LAYER),
        ("base", ctypes.c_uint32),
        ("shifts", ctypes.c_uint8 * MAX_PHASES),
        *((name, ctypes.c_void_p) for name in ("w", "frozen", "x", "h16", "h")),
        *((name, ctypes.c_int32) for name in GEOMETRY),
        ("map", ctypes.c_void_p),
        *((name, ctypes.c_int32) for name in ("taps", "segments")),
        ("places", ctypes.c_void_p),
    )


class _Prototypes(ctypes.Structure):
    """``tpsgd_prototypes`` of trainer.c."""

    _fields_ = (
        *((name, ctypes.c_int32) for name in ("way", "count", "none", "score", "margin", "mean")),
        *(
            (name, ctypes.c_void_p)
            for name in ("vectors", "labels", "scales", "distances", "nearness", "chances")
        ),
    )  # fmt: skip


class _Network(ctypes.Structure):
    """``tpsgd_network`` of trainer.c."""

    _fields_ = (
        *(
            (name, ctypes.c_int32)
            for name in ("layers", "steps", "channels", "classes", "readout_steps", "update_at", "phases")
        ),
        *((name, ctypes.c_uint32) for name in ("seen", "total", "state")),
        *((name, ctypes.c_void_p) for name in ("z", "f", "top", "where", "window", "places", "below")),
        ("known", ctypes.POINTER(_Prototypes)),
        ("layer", _Layer * MAX_LAYERS),
    )


@lru_cache(maxsize=1)
def library() -> ctypes.CDLL | None:
    """Return the compiled trainer, or None where there is none for this version."""
    for suffix in EXTENSION_SUFFIXES:
        path = Path(__file__).with_name("_trainer" + suffix)
        if path.is_file():
            loaded = _load(path)
            if loaded is not None:
                return loaded
    return None


def _load(path: Path) -> ctypes.CDLL | None:
    """Return the library at ``path`` with its functions declared; None if it is for another machine or version."""
    try:
        lib = ctypes.CDLL(str(path))
        lib.tpsgd_network_size.restype = ctypes.c_uint32
        lib.tpsgd_network_size.argtypes = ()
        lib.tpsgd_apply.restype = None
        lib.tpsgd_apply.argtypes = (
            ctypes.POINTER(_Network), ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int32,
            ctypes.c_void_p,
        )  # fmt: skip
        lib.tpsgd_vary.restype = lib.tpsgd_inputs.restype = None
        lib.tpsgd_vary.argtypes = (ctypes.POINTER(_Network), ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p)
        lib.tpsgd_inputs.argtypes = (ctypes.POINTER(_Network), ctypes.c_void_p, ctypes.c_int32, ctypes.c_void_p)
        lib.tpsgd_practise.restype = ctypes.c_int32
        lib.tpsgd_practise.argtypes = (
            ctypes.POINTER(_Network), ctypes.c_int32, *([ctypes.c_void_p] * 3), *([ctypes.c_int32] * 2),
            *([ctypes.c_void_p] * 2),
        )  # fmt: skip
    except (OSError, AttributeError):
        return None
    return lib if lib.tpsgd_network_size() == ctypes.sizeof(_Network) else None


class NativeTrainer:
    """A network that the compiled trainer trains.

    Parameters
    ----------
    model : Model
        Its weights are copied.
    lib : ctypes.CDLL
        From :func:`library`.

    Attributes
    ----------
    applied : int
        Records applied since :meth:`begin`.
    """

    def __init__(self, model: Model, lib: ctypes.CDLL) -> None:
        self._lib = lib
        self._seed = model.seed
        self._weights: list[Weights] = [w.astype(w.dtype.newbyteorder("="), order="C") for w in model.weights]
        self._scratch: list[npt.NDArray[Any]] = []
        self._net = self._network(model)
        self.begin(model.total)

    def _network(self, model: Model) -> _Network:
        """Return the structure that describes ``model``, pointing into this object's arrays."""
        net = _Network(
            len(model.layers), model.layout.steps, model.layout.channels, len(model.classes), model.readout_steps,
            UPDATE_AT.index(model.update_at), len(model.layers[0].shifts),
        )  # fmt: skip
        widest = max(layer.units for layer in model.layers)
        net.z = self._buffer(widest, np.int32)
        net.f = self._buffer(max(layer.inputs for layer in model.layers) + 1, np.int32)
        net.top = self._buffer(widest, np.uint8)
        net.where = self._buffer(widest, np.uint32)
        net.window, net.places = self._buffer(widest, np.uint8), self._buffer(widest, np.uint8)
        net.below = self._buffer(max((shape.width * shape.height for shape in model.maps), default=0), np.uint8)
        for i, layer in enumerate(model.layers):
            net.layer[i] = self._layer(layer, i, model.layers[i - 1] if i else None)
            if layer.kind == "recurrent":
                net.layer[i].h16 = self._buffer(layer.units, np.uint16)
                net.layer[i].h = self._buffer(layer.units, np.uint8)
            elif layer.kind == "temporal":
                net.layer[i].taps, net.layer[i].segments = layer.rows, layer.segments
                net.layer[i].places = self._buffer(layer.segments * layer.units, np.uint8)
        for i, shape in enumerate(model.maps):
            self._place(net.layer[i], model.layers[i], shape)
        if model.prototypes is not None:
            net.known = ctypes.pointer(self._prototypes(model.prototypes))
        return net

    def _prototypes(self, known: Prototypes) -> _Prototypes:
        """Return the structure of a model's prototypes."""
        classes = len(known.scales)
        addresses = []
        for array in (known.vectors, known.labels, np.array(known.scales, np.int32)):
            self._scratch.append(np.ascontiguousarray(array))
            addresses.append(self._scratch[-1].ctypes.data)
        none = NO_CLASS if known.none is None else known.none
        return _Prototypes(
            1 + WAYS.index(known.way), len(known.labels), none, known.score, known.margin, known.mean_scale,
            *addresses, *(self._buffer(classes, np.int32) for _ in range(3)),
        )  # fmt: skip

    def _place(self, record: _Layer, layer: Layer, shape: Map) -> None:
        """Fill in how a conv layer moves over its input map, and allocate its own map."""
        record.lines, record.span, record.line = layer.rows, layer.columns * shape.depth, shape.width
        record.height_below = shape.height
        record.stride, record.across = layer.stride, layer.stride * shape.depth
        if layer.padded:
            record.above, record.left = layer.rows // 2, layer.columns // 2 * shape.depth
        record.height, record.width = layer.pool, shape.together
        record.rows, record.columns = shape.rows, shape.columns
        regions = layer.regions or 1
        record.regions, record.beside = min(regions, shape.rows), min(regions, shape.columns)
        record.map = self._buffer(shape.rows * shape.columns * layer.units, np.uint8)

    def _layer(self, layer: Layer, index: int, before: Layer | None) -> _Layer:
        """Return the structure of one layer."""
        conv = layer.kind == "conv"
        sent = feedback(layer.shift, conv, before is not None and before.kind == "conv")
        shifts = (0,) * MAX_PHASES if layer.frozen else layer.shifts
        address = self._weights[index].ctypes.data
        x = self._buffer(layer.inputs + 1, np.uint8, 128)
        self._scratch[-1][-1] = 255  # the bias
        return _Layer(
            KINDS.index(layer.kind), layer.units, layer.inputs + 1, layer.shift, layer.leak, layer.amplitude,
            sent >> FEEDBACK, int(conv), layer.l1, mix(self._seed ^ ((index + 1) << 24)),
            (ctypes.c_uint8 * MAX_PHASES)(*shifts),
            None if layer.frozen else address, address if layer.frozen else None, x,
        )  # fmt: skip

    def _buffer(self, size: int, dtype: type[np.generic], value: int = 0) -> int:
        """Allocate an array that lives as long as this object; return its address."""
        array = np.full(size, value, dtype)
        self._scratch.append(array)
        return array.ctypes.data

    @property
    def seen(self) -> int:
        """Training samples applied since :meth:`begin`."""
        return int(self._net.seen)

    def begin(self, total: int) -> None:
        """Start a run of ``total`` training samples with the present weights."""
        self.applied = 0
        self._net.seen = 0
        self._net.total = total
        self._net.state = mix(self._seed)

    def run(self, ops: Bytes, labels: Bytes, data: Bytes) -> Bytes:
        """Apply R records, shapes (R,), (R,), (R, T*C), contiguous and checked. Return their results, shape (R, 2)."""
        count = len(ops)
        results = np.empty((count, 2), np.uint8)
        self._lib.tpsgd_apply(
            ctypes.byref(self._net), ops.ctypes.data, labels.ctypes.data, data.ctypes.data, count, results.ctypes.data
        )
        self.applied += count
        return results

    def inputs(self, data: Bytes) -> Bytes:
        """Return the output layer's inputs for R samples, contiguous, (R, T*C): shape (R, n), without the bias."""
        found = np.empty((len(data), self._net.layer[self._net.layers - 1].inputs - 1), np.uint8)
        self._lib.tpsgd_inputs(ctypes.byref(self._net), data.ctypes.data, len(data), found.ctypes.data)
        return found

    def vary(self, kind: int, sample: Bytes) -> Bytes:
        """Return a sample, (T*C,), varied with the run's generator; ``kind`` as in SPEC 2.2, not 0."""
        varied = np.empty_like(sample)
        self._lib.tpsgd_vary(ctypes.byref(self._net), kind, sample.ctypes.data, varied.ctypes.data)
        return varied

    def practise(self, kind: int, data: Bytes, labels: Bytes, passes: int) -> int:
        """Practise passes over kept samples, contiguous, (R, T*C) and (R,) (SPEC 1.12). Return the steps of learning.

        The model has prototypes.
        """
        inputs = self.inputs(data)
        most = VIEWS * len(labels) + self._net.known.contents.count
        order, varied = np.empty(most, np.uint16), np.empty(data.shape[1], np.uint8)
        return int(
            self._lib.tpsgd_practise(
                ctypes.byref(self._net), kind, data.ctypes.data, inputs.ctypes.data, labels.ctypes.data, len(labels),
                passes, order.ctypes.data, varied.ctypes.data,
            )
        )  # fmt: skip

    def weights(self) -> bytes:
        """Return the present weight bytes of all layers, as stored."""
        return b"".join(stored(w) for w in self._weights)

    def load(self, weights: tuple[Weights, ...]) -> None:
        """Replace the weights."""
        for mine, theirs in zip(self._weights, weights, strict=True):
            mine[:] = theirs
