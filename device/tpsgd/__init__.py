"""tpsgd on the device: a network that trains itself, forward only, in integers (docs/SPEC.md)."""

__version__ = "0.1.0"
