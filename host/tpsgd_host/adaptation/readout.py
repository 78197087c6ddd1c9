"""The output layer alone, in the device's integers: its inputs, and how all or some of its rows learn.

Boards train whole layers; here rows can be left unchanged, to find out whether that would help.

Shapes: S samples, N classes (rows), n inputs of the output layer and its bias.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tpsgd import kernels_np, runtime
from tpsgd.modelfile import Model as DeviceModel
from tpsgd.network import build
from tpsgd.parameters import pack
from tpsgd_host.data.order import epochs as orders
from tpsgd_host.data.samples import Samples
from tpsgd_host.model.modelfile import OFFSET, Model
from tpsgd_host.model.surgery import mean_row
from tpsgd_host.quantization.fixedpoint import sums

Integers = npt.NDArray[np.int64]


def features(model: Model, samples: Samples) -> Integers:
    """Return the output layer's inputs for each sample, shape (S, n), the bias' 127 last, by the device's own code."""
    file = io.BytesIO(model.to_bytes())
    network: Any = build(file, DeviceModel(file), runtime.engine(kernels_np.NUMBER))
    data = model.scaling.encode(samples.values)
    seen = np.zeros((len(data), model.layers[-1].inputs + 1), np.int64)
    for i, row in enumerate(data):
        network.sample[: len(row)] = row.tobytes()
        network.test()
        seen[i] = network.output[1]
    return seen


class Readout:
    """An output layer; it learns as SPEC 1.3 says.

    Attributes
    ----------
    v : ndarray of int64, shape (N, n)
        Weights.
    """

    def __init__(self, v: Integers, shift: int) -> None:
        self.v, self.shift = v.copy(), shift

    @classmethod
    def of(cls, model: Model) -> Readout:
        """Return the output layer of a network where it is not frozen."""
        return cls(model.weights[-1].astype(np.int64) - OFFSET, model.layers[-1].shift)

    def with_row(self) -> Readout:
        """Return this layer with one more class, with a board's initial weights."""
        return Readout(np.vstack([self.v, mean_row(self.v)]), self.shift)

    def classify(self, x: Integers) -> Integers:
        """Return the class of each of S samples."""
        found: Integers = sums(self.v, x[:, :-1], self.shift).argmax(axis=1)
        return found

    def learn(
        self, x: Integers, y: Integers, shift: int, passes: int, seed: int, rows: Sequence[int] | None = None
    ) -> None:
        """Learn samples, shuffled for each pass, with the device's own kernels.

        Parameters
        ----------
        x : ndarray, shape (S, n)
        y : ndarray, shape (S,)
        shift : int
            The update shift.
        rows : sequence of int, optional
            Rows that learn, by default all.
        """
        m, n = self.v.shape
        stored = bytearray((self.v + OFFSET).astype("<u2").tobytes())
        kernels: Any = kernels_np
        w, z, parameters = kernels.matrix(stored, m, n, 0), kernels.accumulators(m), (m, n)
        read, learn = pack(m, n, 0, self.shift), pack(m, n, 0, shift)
        still = np.zeros(m, np.bool_) if rows is None else ~np.isin(np.arange(m), rows)
        inputs = x.astype(np.float64)
        for order in orders(len(y), passes, seed):
            for i in order:
                kernels.forward(w, inputs[i], read, z)
                kernels.softmax(z, parameters, int(y[i]))
                z[still] = 0
                kernels.update(w, inputs[i], learn, z)
        self.v = np.frombuffer(stored, "<u2").reshape(m, n).astype(np.int64) - OFFSET
