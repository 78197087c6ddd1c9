"""tpsgd on the device: a network that trains itself, in integers (docs/SPEC.md)."""

__version__ = "0.1.0"


def Learner(*given, **named):  # noqa: N802 - to its caller it is the class
    """Return a :class:`tpsgd.learner.Learner`. Import it only now: a board that serves a host has no room for it.

    A module ``__getattr__`` would not do: with one, MicroPython no longer finds the package's own modules.
    """
    from tpsgd.learner import Learner

    return Learner(*given, **named)
