"""The leaky recurrent layer (SPEC 1.2): ``u = clamp(W [x_t, h, 1])``, ``h += (u - h)*2**-k``.

Legend: R networks, B samples at once, T steps, C inputs from below, m units, n = C + m, K readout steps.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from tpsgd_host.rules.architecture import LayerShape
from tpsgd_host.rules.layers import Floats, Layer, clamp


class Recurrent(Layer):
    """A recurrent layer and what its last sequence left.

    Attributes
    ----------
    x : ndarray, shape (R, T, B, n + 1)
        Inputs of every step: from below, the state before the step, 1.
    z, h : ndarray, shape (T, R, B, m)
        Sums of every step, and states after it.
    marks : tuple of int
        The K readout steps.
    """

    def __init__(self, shape: LayerShape, w: Floats, batch: int, steps: int, marks: Sequence[int]) -> None:
        super().__init__(shape, w)
        self.below = shape.inputs - shape.units
        self.gain = 2.0**-shape.leak
        self.marks = tuple(marks)
        self.x: Floats = np.ones((self.nets, steps, batch, shape.inputs + 1), w.dtype)
        self.z: Floats = np.zeros((steps, self.nets, batch, shape.units), w.dtype)
        self.h: Floats = np.zeros_like(self.z)
        self._u: Floats = np.zeros_like(self.z[0])

    def steps(self, signal: Floats) -> Iterator[int]:
        """Run over a sequence of shape (T, R or 1, B, C); stop after each step, where a rule may update weights."""
        x, z, h, u, low = self.x, self.z, self.h, self._u, self.below
        x[:, :, :, :low] = signal.transpose(1, 0, 2, 3)
        x[:, 0, :, low:-1] = 0
        last = len(h) - 1
        for t in range(last + 1):
            np.matmul(x[:, t], self.wt, out=z[t])
            clamp(z[t], u)
            if t:
                u -= h[t - 1]
                u *= self.gain
                np.add(u, h[t - 1], out=h[t])
            else:
                np.multiply(u, self.gain, out=h[t])
            if t < last:
                x[:, t + 1, :, low:-1] = h[t]
            yield t

    def forward(self, signal: Floats) -> Floats:
        """Run over a sequence; return the states, shape (T, R, B, m)."""
        for _ in self.steps(signal):
            pass
        return self.h

    def side_by_side(self) -> Floats:
        """Return the K readout steps as the next layer's input, shape (R, B, K*m)."""
        return np.concatenate([self.h[t] for t in self.marks], axis=2)

    def apart(self, g: Floats) -> Floats:
        """Return what belongs to the states, shape (T, R, B, m), of values for :meth:`side_by_side`."""
        states = np.zeros_like(self.h)
        m = self.shape.units
        for c, t in enumerate(self.marks):
            states[t] = g[:, :, c * m : (c + 1) * m]
        return states
