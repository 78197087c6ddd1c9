"""Convolution over time, and the maximum of each of K segments (SPEC 1.2).

A filter sees the present step and those before it. Legend: R networks, B samples at once, T steps, C channels, K
segments; m units, n = taps*C inputs. The patch of one step is one row of a dense layer, so weights and updates are a
dense layer's.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from tpsgd_host.rules.architecture import LayerShape
from tpsgd_host.rules.layers import Floats, Layer, clamp


class Temporal(Layer):
    """A temporal layer and what its last pass left.

    Attributes
    ----------
    x : ndarray, shape (1, B*T, n + 1)
        Patches; within one: steps, then channels. It is a first layer, so all networks have the same.
    z, a : ndarray, shape (R, B*T, m)
        Sums and activations at every step.
    places : ndarray of int, shape (R, B, K, m)
        Step at which each unit is largest in each segment, the first of several.
    out : ndarray, shape (R, B, K*m)
        What the layer hands on: the activations at those places.
    """

    def __init__(self, shape: LayerShape, w: Floats, batch: int, steps: int) -> None:
        super().__init__(shape, w)
        taps, segments = shape.kernel[0], shape.segments
        channels = shape.inputs // taps
        self.batch = batch
        self.starts = [c * steps // segments for c in range(segments + 1)]
        self._padded: Floats = np.zeros((batch, taps - 1 + steps, channels), w.dtype)
        self._windows = sliding_window_view(self._padded, taps, axis=1).transpose(0, 1, 3, 2)
        self.x: Floats = np.ones((1, batch * steps, shape.inputs + 1), w.dtype)
        self._patches = self.x.reshape(batch, steps, -1)[..., :-1].reshape(batch, steps, taps, channels)
        assert np.may_share_memory(self._patches, self.x)
        self.z: Floats = np.zeros((self.nets, batch * steps, shape.units), w.dtype)
        self.a: Floats = np.zeros_like(self.z)
        self.places = np.zeros((self.nets, batch, segments, shape.units), np.intp)
        self.out: Floats = np.zeros((self.nets, batch, segments * shape.units), w.dtype)

    def forward(self, signal: Floats) -> Floats:
        """Return the largest activations of each segment, for samples of shape (1, B, T, C)."""
        self._padded[:, self.shape.kernel[0] - 1 :] = signal[0]
        self._patches[...] = self._windows
        np.matmul(self.x, self.wt, out=self.z)
        clamp(self.z, self.a)
        a = self.a.reshape(self.nets, self.batch, -1, self.shape.units)
        for c, (begin, end) in enumerate(pairwise(self.starts)):
            self.places[:, :, c] = begin + a[:, :, begin:end].argmax(axis=2)
        np.copyto(self.out, np.take_along_axis(a, self.places, axis=2).reshape(self.out.shape))
        return self.out

    def spread(self, g: Floats) -> Floats:
        """Return values of ``out`` at the steps they came from, shape (R, B*T, m), 0 elsewhere."""
        full = np.zeros(self.z.shape, g.dtype)
        steps = full.reshape(self.nets, self.batch, -1, self.shape.units)
        np.put_along_axis(steps, self.places, g.reshape(self.places.shape), axis=2)
        return full
