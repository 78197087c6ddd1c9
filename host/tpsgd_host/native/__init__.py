"""The trainer in C: the same bits as the device's engines, many times as fast.

It is optional: where it was not built, :func:`~tpsgd_host.native.binding.library` returns None and the simulator takes
the NumPy engine.
"""
