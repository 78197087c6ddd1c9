"""Networks that learn on a microcontroller: quantize, simulate, stream, compare.

>>> import tpsgd_host as tp
>>> tp.quantize("gestures.toml", "data.csv")
>>> tp.simulate("gestures.tpsgd", "data.csv", epochs=20, test_split=0.2)

The functions come from :mod:`tpsgd_host.api`. They are loaded when they are first used, so that commands start fast.
"""

from importlib import import_module, metadata
from typing import TYPE_CHECKING, Any

from tpsgd_host.errors import TpsgdError

if TYPE_CHECKING:
    from tpsgd_host.api import compare, evaluate, load, load_model, quantize, simulate, stream, sweep

__all__ = [
    "TpsgdError", "__version__", "compare", "evaluate", "load", "load_model", "quantize", "simulate", "stream", "sweep",
]  # fmt: skip

__version__ = metadata.version("tpsgd")


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(import_module("tpsgd_host.api"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
