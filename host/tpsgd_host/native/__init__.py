"""The trainer in C: the same bits as the device's engines, many times as fast.

It is optional. Where no compiler built it, :func:`~tpsgd_host.native.binding.library` returns None and the simulator
takes the array engine.
"""
