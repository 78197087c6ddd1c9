"""Load the library built from ``simulator.c``, and the networks that it trains.

Shapes: R records, T steps, C channels.
"""

from __future__ import annotations

import ctypes
import io
import sys
from functools import lru_cache
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt

from tpsgd import kernels_plain
from tpsgd.describe import LAYER, NETWORK, size
from tpsgd.described import Described
from tpsgd.format import MAX_LAYERS, MAX_PHASES
from tpsgd.modelfile import Model as DeviceModel
from tpsgd.network import build
from tpsgd.protospec import NO_CLASS
from tpsgd.taught import VIEWS
from tpsgd_host.model.modelfile import Model, Weights, stored
from tpsgd_host.model.prototypes import WAYS, Prototypes

Bytes = npt.NDArray[np.uint8]


class _Prototypes(ctypes.Structure):
    """``tpsgd_prototypes`` of simulator.c."""

    _fields_ = (
        *((name, ctypes.c_int32) for name in ("way", "count", "none", "score", "margin", "mean")),
        *(
            (name, ctypes.c_void_p)
            for name in ("vectors", "labels", "scales", "distances", "nearness", "chances")
        ),
    )  # fmt: skip


class _Course(ctypes.Structure):
    """``tpsgd_course`` of simulator.c."""

    _fields_ = (
        ("net", ctypes.c_void_p), ("known", ctypes.POINTER(_Prototypes)), ("seen", ctypes.c_uint32),
        ("total", ctypes.c_uint32), ("phases", ctypes.c_int32), ("shifts", ctypes.c_uint8 * MAX_PHASES * MAX_LAYERS),
    )  # fmt: skip


@lru_cache(maxsize=1)
def library() -> ctypes.CDLL | None:
    """Return the compiled trainer, or None where there is none for this version, or weights lie in another order."""
    if sys.byteorder != "little":
        return None
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
        lib.tpsgd_layout.restype = lib.tpsgd_course_size.restype = ctypes.c_uint32
        lib.tpsgd_layout.argtypes = lib.tpsgd_course_size.argtypes = ()
        course, pointer = ctypes.POINTER(_Course), ctypes.c_void_p
        lib.tpsgd_apply.restype = lib.tpsgd_vary.restype = lib.tpsgd_inputs.restype = None
        lib.tpsgd_apply.argtypes = (course, pointer, pointer, pointer, ctypes.c_int32, pointer)
        lib.tpsgd_vary.argtypes = (course, ctypes.c_int32, pointer, pointer)
        lib.tpsgd_inputs.argtypes = (course, pointer, ctypes.c_int32, pointer)
        lib.tpsgd_vary_run.restype = None
        lib.tpsgd_vary_run.argtypes = (
            ctypes.c_int32, ctypes.c_int32, ctypes.c_int32, ctypes.c_uint32, ctypes.c_uint32, pointer, ctypes.c_int32,
            pointer,
        )  # fmt: skip
        lib.tpsgd_practise.restype = ctypes.c_int32
        lib.tpsgd_practise.argtypes = (
            course, ctypes.c_int32, pointer, pointer, pointer, ctypes.c_int32, ctypes.c_int32, pointer, pointer,
        )  # fmt: skip
    except (OSError, AttributeError):
        return None
    known = (size(NETWORK) << 16 | size(LAYER), ctypes.sizeof(_Course))
    return lib if (lib.tpsgd_layout(), lib.tpsgd_course_size()) == known else None


def address(buffer: Any) -> int:
    """Return the address of a buffer's bytes. Its owner keeps it where it is."""
    return int(np.frombuffer(buffer, np.uint8).ctypes.data)


#: What a network takes of an engine, besides its step.
_ENGINE = SimpleNamespace(**{**vars(kernels_plain), "address": address, "network": Described})


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
        file = io.BytesIO(model.to_bytes())
        # It owns the buffers, as on a board.
        self._network: Any = build(file, DeviceModel(file), _ENGINE)
        self._scratch: list[npt.NDArray[Any]] = []
        self._course = _Course(address(self._network.described), phases=len(model.layers[0].shifts))
        for i, layer in enumerate(self._network.layers):
            self._course.shifts[i][: len(layer.shifts)] = list(layer.shifts)
        self._known = model.prototypes
        if self._known is not None:
            self._course.known = ctypes.pointer(self._prototypes(self._known))
        self.begin(model.total)

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

    def _buffer(self, size: int, dtype: type[np.generic]) -> int:
        """Allocate an array that lives as long as this object; return its address."""
        array = np.zeros(size, dtype)
        self._scratch.append(array)
        return array.ctypes.data

    @property
    def seen(self) -> int:
        """Training samples applied since :meth:`begin`."""
        return int(self._course.seen)

    def begin(self, total: int) -> None:
        """Start a run of ``total`` training samples with the present weights."""
        self.applied = 0
        self._course.seen = 0
        self._course.total = total
        self._network.begin(total)

    def run(self, ops: Bytes, labels: Bytes, data: Bytes) -> Bytes:
        """Apply R records, shapes (R,), (R,), (R, T*C), contiguous and checked. Return their results, shape (R, 2)."""
        results = np.empty((len(ops), 2), np.uint8)
        pointers = (a.ctypes.data for a in (ops, labels, data))
        self._lib.tpsgd_apply(ctypes.byref(self._course), *pointers, len(ops), results.ctypes.data)
        self.applied += len(ops)
        return results

    def inputs(self, data: Bytes) -> Bytes:
        """Return the output layer's inputs for R samples, contiguous, (R, T*C): shape (R, n), without the bias."""
        found = np.empty((len(data), len(self._network.output[1]) - 1), np.uint8)
        self._lib.tpsgd_inputs(ctypes.byref(self._course), data.ctypes.data, len(data), found.ctypes.data)
        return found

    def vary(self, kind: int, sample: Bytes) -> Bytes:
        """Return a sample, (T*C,), varied with the run's generator; ``kind`` as in SPEC 2.2, not 0."""
        varied = np.empty_like(sample)
        self._lib.tpsgd_vary(ctypes.byref(self._course), kind, sample.ctypes.data, varied.ctypes.data)
        return varied

    def practise(self, kind: int, data: Bytes, labels: Bytes, passes: int) -> int:
        """Practise passes over kept samples, contiguous, (R, T*C) and (R,) (SPEC 1.12). Return the steps of learning.

        The model has prototypes.
        """
        assert self._known is not None
        inputs = self.inputs(data)
        most = VIEWS * len(labels) + len(self._known.labels)
        order, varied = np.empty(most, np.uint16), np.empty(data.shape[1], np.uint8)
        return int(
            self._lib.tpsgd_practise(
                ctypes.byref(self._course), kind, data.ctypes.data, inputs.ctypes.data, labels.ctypes.data, len(labels),
                passes, order.ctypes.data, varied.ctypes.data,
            )
        )  # fmt: skip

    def weights(self) -> bytes:
        """Return the present weight bytes of all layers, as stored."""
        return b"".join(self._network.weights())

    def load(self, weights: tuple[Weights, ...]) -> None:
        """Replace the weights."""
        for mine, theirs in zip(self._network.weights(), weights, strict=True):
            mine[:] = stored(theirs)
