"""Layers of R networks in lockstep: forward pass and weight update, nothing of any learning rule.

Legend: R networks, B samples at once, m units, n inputs of a layer (column n + 1 is the bias's, always 1), N classes.
Weights are (R, m, n + 1). A first layer's input is the same for all networks; R is 1 there.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from tpsgd_host.rules.architecture import LayerShape

Floats = npt.NDArray[np.floating[Any]]
Indices = npt.NDArray[np.integer[Any]]

#: Softmax of the integer network: SOFTMAX[d] = exp(-d/16), d = (max - z)/2, z in 127ths (SPEC 1.2).
SHARPNESS = 127 / 32


class Layer:
    """The weights of a layer and their update.

    Attributes
    ----------
    w : ndarray, shape (R, m, n + 1)
    rate : ndarray, shape (R, 1, 1)
        Learning rate of each network.
    trains : bool
        Whether :meth:`learn` does anything.
    clip : float
        Largest norm of a gradient, over the layer's weights; a longer one is shortened to it (Pascanu, Mikolov, Bengio,
        *On the difficulty of training recurrent neural networks*, ICML 2013).
    """

    def __init__(self, shape: LayerShape, w: Floats) -> None:
        self.shape = shape
        self.w = w
        self.wt = w.transpose(0, 2, 1)
        self.nets = len(w)
        self.trains = not shape.frozen
        self.rate: Floats = np.zeros((self.nets, 1, 1), w.dtype)
        self.clip = math.inf
        self._change: Floats | None = None

    def learn(self, e: Floats, x: Floats) -> None:
        """Add ``rate * sum over rows of e x'`` to the weights, the sum clipped.

        Parameters
        ----------
        e : ndarray, shape (R, rows, m)
            The direction in which the sums z should move. It is overwritten.
        x : ndarray, shape (R or 1, rows, n + 1)
            Inputs that gave those sums.
        """
        if not self.trains:
            return
        if self._change is None:
            self._change = np.empty_like(self.w)
        if e.shape[1] == 1:  # by broadcasting: a third of the time of a matrix product
            # The norm of an outer product is the product of the norms.
            e *= self.rate * self._shortening(_square(e) * _square(x))
            np.multiply(e.transpose(0, 2, 1), x, out=self._change)
        else:
            np.matmul(e.transpose(0, 2, 1), x, out=self._change)
            self._change *= self.rate * self._shortening(_square(self._change))
        self.w += self._change

    def _shortening(self, squares: Floats) -> Floats | float:
        """Return what brings gradients whose norms have these squares to the largest norm, at most 1."""
        if self.clip == math.inf:
            return 1.0
        factor: Floats = np.minimum(1, self.clip / np.sqrt(np.maximum(squares, np.finfo(squares.dtype).tiny)))
        return factor

    def learn_some(self, nets: Indices, e: Floats, x: Floats) -> None:
        """Do as :meth:`learn` for the networks ``nets`` alone; e and x hold theirs."""
        if self.trains:
            self.w[nets] += np.matmul((e * self.rate[nets]).transpose(0, 2, 1), x)


class Dense(Layer):
    """``a = clamp(W x)``, between -1 and 1.

    Attributes
    ----------
    x : ndarray, shape (R or 1, B, n + 1)
    z, a : ndarray, shape (R, B, m)
    """

    def __init__(self, shape: LayerShape, w: Floats, batch: int, first: bool) -> None:
        super().__init__(shape, w)
        self.x: Floats = np.ones((1 if first else self.nets, batch, shape.inputs + 1), w.dtype)
        self.z: Floats = np.zeros((self.nets, batch, shape.units), w.dtype)
        self.a: Floats = np.zeros_like(self.z)

    def forward(self, signal: Floats) -> Floats:
        """Return the activations for inputs of shape (R or 1, B, n)."""
        self.x[:, :, :-1] = signal
        np.matmul(self.x, self.wt, out=self.z)
        return clamp(self.z, self.a)


class Output(Dense):
    """Softmax of ``SHARPNESS * W x``.

    Its error is the negative gradient of cross-entropy, divided by SHARPNESS, with respect to z.
    """

    def forward(self, signal: Floats) -> Floats:
        """Return the probabilities, shape (R, B, N)."""
        self.x[:, :, :-1] = signal
        np.matmul(self.x, self.wt, out=self.z)
        p = self.a
        np.subtract(self.z, self.z.max(axis=2, keepdims=True), out=p)
        p *= SHARPNESS
        np.exp(p, out=p)
        p /= p.sum(axis=2, keepdims=True)
        return p

    def error(self, y: Indices) -> Floats:
        """Return ``[i = y] - p_i`` for classes y of shape (B,), a new array (R, B, N)."""
        e: Floats = -self.a
        e[:, np.arange(len(y)), y] += 1
        return e

    def predicted(self) -> npt.NDArray[np.int64]:
        """Return the class with the largest sum, shape (R, B)."""
        best: npt.NDArray[np.int64] = self.z.argmax(axis=2)
        return best


def _square(array: Floats) -> Floats:
    """Return the sum of the squares of each network's numbers, shape (R or 1, 1, 1)."""
    flat = array.reshape(len(array), -1)
    total: Floats = np.einsum("ij,ij->i", flat, flat)[:, None, None]
    return total


def clamp(z: Floats, out: Floats) -> Floats:
    """Write hard tanh of ``z`` to ``out``."""
    return np.clip(z, -1, 1, out=out)


def slope(z: Floats) -> npt.NDArray[np.bool_]:
    """Return the derivative of hard tanh: 1 between -1 and 1, else 0."""
    return np.abs(z) < 1
