"""Read the tensors of an ONNX file: inside it, or in a file beside it, where PyTorch's exporter puts them by default.

The format of such a file: github.com/onnx/onnx, docs/ExternalData.md.
"""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from tpsgd_host.errors import ModelError
from tpsgd_host.files import read_file

#: Maximum size in bytes of a file with weights; no network that tpsgd can use has more.
MAX_BYTES = 64 << 20


class Tensors:
    """Reads the tensors of the ONNX file ``source``, and of other files only in the same folder."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._folder = Path(source).resolve().parent
        self._files: dict[str, bytes] = {}

    def array(self, tensor: Any) -> Any:
        """Return the numbers of a tensor.

        Raises
        ------
        ModelError
            When its file is missing, outside the model's folder, or too short.
        """
        import onnx

        if tensor is None:
            raise ModelError(f"{self._source} has a constant without a value", "Export it again.")
        if tensor.data_location != onnx.TensorProto.EXTERNAL:
            return onnx.numpy_helper.to_array(tensor)
        said = {entry.key: entry.value for entry in tensor.external_data}
        dtype = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type))
        start, size = int(said.get("offset", 0)), prod(tensor.dims) * dtype.itemsize
        data = self._file(said.get("location", ""))
        if start < 0 or size < 0 or int(said.get("length", size)) != size or start + size > len(data):
            raise ModelError(
                f"{self._source}: {tensor.name} is {size} bytes at {start} of {said.get('location')!r}, which has "
                f"{len(data)}",
                "Export it again: the two files belong together.",
            )
        return np.frombuffer(data, dtype.newbyteorder("<"), prod(tensor.dims), start).reshape(tuple(tensor.dims))

    def _file(self, location: str) -> bytes:
        """Return the bytes of a file with weights; its name must not lead out of the model's folder."""
        if location in self._files:
            return self._files[location]
        if not location or "\0" in location:
            raise ModelError(f"{self._source} keeps weights in another file and does not name it")
        path = (self._folder / location).resolve()
        if self._folder not in path.parents:
            raise ModelError(
                f"{self._source} keeps weights outside its folder, in {location!r}",
                "Export it with the weights inside: torch.onnx.export(..., external_data=False).",
            )
        try:
            self._files[location] = read_file(path, MAX_BYTES)
        except OSError as error:
            raise ModelError(
                f"{self._source} keeps weights in {location}, which cannot be read: {error.strerror}",
                "Put that file beside it; the exporter wrote both.",
            ) from None
        return self._files[location]
