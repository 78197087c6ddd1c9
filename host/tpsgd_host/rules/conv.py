"""The conv layer: patches of an image as fan-in, hard tanh, max pooling.

Legend: R networks, B samples at once; H, W, D height, width and depth of the input image; P, Q height and width of the
output before pooling, p and q those of the pooling window; m units, n = kernel area * D inputs. A row of values at one
pixel is one row of a dense layer, so weights and updates are a dense layer's.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from tpsgd_host.rules.architecture import LayerShape
from tpsgd_host.rules.layers import Floats, Layer, clamp


class Conv(Layer):
    """A conv layer and what its last pass left.

    Attributes
    ----------
    x : ndarray, shape (R or 1, B*P*Q, n + 1)
        Patches; within one: rows, columns, depth.
    z, a : ndarray, shape (R, B*P*Q, m)
        Sums and activations at every pixel.
    out : ndarray, shape (R, B, P//p, Q//q, m)
        What the layer hands on.
    """

    def __init__(self, shape: LayerShape, w: Floats, batch: int, image: tuple[int, int, int], first: bool) -> None:
        super().__init__(shape, w)
        self.image = image
        self.batch = batch
        self.pixels = rows, columns = shape.pixels(*image[:2])
        self.window = shape.window(self.pixels)
        self.pooled = rows // self.window[0], columns // self.window[1]
        inputs = 1 if first else self.nets
        height, width, depth = image
        above, left = shape.border
        self._padded: Floats = np.zeros((inputs, batch, height + 2 * above, width + 2 * left, depth), w.dtype)
        windows = sliding_window_view(self._padded, shape.kernel, axis=(2, 3))[:, :, :: shape.stride, :: shape.stride]
        self._windows = windows.transpose(0, 1, 2, 3, 5, 6, 4)
        self.x: Floats = np.ones((inputs, batch * rows * columns, shape.inputs + 1), w.dtype)
        self._patches = self.x.reshape(inputs, batch, rows, columns, -1)[..., :-1].reshape(
            inputs, batch, rows, columns, *shape.kernel, depth
        )
        assert np.may_share_memory(self._patches, self.x)
        self.z: Floats = np.zeros((self.nets, batch * rows * columns, shape.units), w.dtype)
        self.a: Floats = np.zeros_like(self.z)
        self.out: Floats = np.zeros((self.nets, batch, *self.pooled, shape.units), w.dtype)

    def forward(self, signal: Floats) -> Floats:
        """Return the pooled activations for images of shape (R or 1, B, H, W, D)."""
        above, left = self.shape.border
        height, width, _ = self.image
        self._padded[:, :, above : above + height, left : left + width] = signal
        self._patches[...] = self._windows
        np.matmul(self.x, self.wt, out=self.z)
        clamp(self.z, self.a)
        image = self._windowed(self.a)
        np.copyto(self.out, image[:, :, :, 0, :, 0])
        for i, j in np.ndindex(self.window):
            if i or j:
                np.maximum(self.out, image[:, :, :, i, :, j], out=self.out)
        return self.out

    def spread(self, g: Floats) -> Floats:
        """Return values of ``out`` at the pixels they came from, shape (R, B*P*Q, m), 0 elsewhere.

        Of equal pixels in a window the last one counts.
        """
        full = np.zeros(self.z.shape, g.dtype)
        left = g.reshape(self.out.shape).copy()
        image, spread = self._windowed(self.a), self._windowed(full)
        for i, j in reversed(list(np.ndindex(self.window))):
            chosen = image[:, :, :, i, :, j] == self.out
            np.multiply(chosen, left, out=spread[:, :, :, i, :, j])
            left[chosen] = 0
        return full

    def images(self, patches: Floats) -> Floats:
        """Add values of patches, shape (R, B*P*Q, n), up to images of the input, shape (R, B, H, W, D)."""
        (rows, columns), (tall, wide), stride = self.pixels, self.shape.kernel, self.shape.stride
        nets, (above, left) = len(patches), self.shape.border
        parts = patches.reshape(nets, self.batch, rows, columns, tall, wide, -1)
        total = np.zeros((nets, *self._padded.shape[1:]), patches.dtype)
        for i in range(tall):
            for j in range(wide):
                total[:, :, i : i + stride * rows : stride, j : j + stride * columns : stride] += parts[..., i, j, :]
        height, width, _ = self.image
        return total[:, :, above : above + height, left : left + width]

    def _windowed(self, values: Floats) -> Floats:
        """Return a view (R, B, P//p, p, Q//q, q, m) of values at all pixels, those that no window holds left out."""
        (p, q), (rows, columns) = self.window, self.pooled
        image = values.reshape(len(values), self.batch, *self.pixels, -1)[:, :, : rows * p, : columns * q]
        return image.reshape(len(values), self.batch, rows, p, columns, q, -1)
