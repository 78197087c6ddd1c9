"""The host side of tpsgd: quantize a network, put it on a board, stream data to it and keep its logs.

Every command of ``tpsgd-host`` is also a typed function here; see the modules named like the commands in
:mod:`tpsgd_host.commands`.
"""

from importlib import metadata

from tpsgd_host.errors import TpsgdError

__all__ = ["TpsgdError", "__version__"]

__version__ = metadata.version("tpsgd")
