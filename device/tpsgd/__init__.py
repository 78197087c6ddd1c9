"""tpsgd on the device: a network that trains itself, forward only, in integers (docs/SPEC.md)."""

__version__ = "0.1.0"


def Learner(*given, **named):  # noqa: N802 - it is the class as far as its caller can see
    """Return a :class:`tpsgd.learner.Learner`, imported now: a board that serves a host has no room to spare for it.

    No module ``__getattr__``: with one, MicroPython does not find the package's own modules any more.
    """
    from tpsgd.learner import Learner

    return Learner(*given, **named)
