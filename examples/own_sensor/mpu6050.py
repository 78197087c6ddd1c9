"""The accelerometer of an MPU-6050: three integers of 16 bits, 8,192 to 1 g."""

import struct
import time

ADDRESS = 0x68
POWER, RANGE, READINGS = 0x6B, 0x1C, 0x3B


class Accelerometer:
    """An MPU-6050 on an I2C bus and a button that connects its pin to ground.

    Parameters
    ----------
    period : int
        Milliseconds between two readings.
    """

    def __init__(self, i2c, button, period):
        i2c.writeto_mem(ADDRESS, POWER, b"\x00")  # awake
        i2c.writeto_mem(ADDRESS, RANGE, b"\x08")  # 4 g
        self._i2c = i2c
        self._button = button
        self._period = period
        self._next = time.ticks_ms()
        self._raw = bytearray(6)

    def read(self):
        """Wait until it is time for the next reading and return it: x, y, z."""
        time.sleep_ms(max(0, time.ticks_diff(self._next, time.ticks_ms())))
        self._next = time.ticks_add(self._next, self._period)
        self._i2c.readfrom_mem_into(ADDRESS, READINGS, self._raw)
        return struct.unpack(">hhh", self._raw)

    def pressed(self):
        """Return whether the button is held."""
        return not self._button.value()

    def told(self, name):
        """Hear what the network made of a window."""
