"""Motion sensors at a steady rate, over the drivers that people install with mip (SPEC 5).

Readings are int16: acceleration in thousandths of 1 g, rotation in tenths of a degree a second.
"""

from time import ticks_add, ticks_diff, ticks_us

ADDRESS, POWER, RANGE, READINGS = 0x68, 0x6B, 0x1C, 0x3B  # of the MPU-6050


class Motion:
    """A motion sensor that is read when a reading is due.

    Parameters
    ----------
    fill : function
        Stores one reading at the beginning of the buffer that it gets.
    rate : int
        Readings a second.
    channels : int

    Attributes
    ----------
    jitter : int
        Microseconds that a reading was late at most.
    """

    def __init__(self, fill, rate, channels):
        self.rate = rate
        self.channels = channels
        self.overruns = self.jitter = 0
        self._fill = fill
        self._period = 1000000 // rate
        self._due = 0

    def start(self):
        """Have the first reading due now."""
        self._due = ticks_us()

    def readinto(self, buffer):
        """Take a reading if one is due; return the number of its values."""
        late = ticks_diff(ticks_us(), self._due)
        if late < 0:
            return 0
        if late >= self._period:  # others were due meanwhile, and were not taken
            self.overruns += 1
            self._due = ticks_add(self._due, late // self._period * self._period)
            late %= self._period
        self.jitter = max(self.jitter, late)
        self._due = ticks_add(self._due, self._period)
        self._fill(buffer)
        return self.channels

    def stop(self):
        """Nothing to do: a sensor that nobody asks is silent."""


def driven(module, name, sda, scl, rate, gyro=False, number=0):
    """Return the capture of a sensor whose driver has ``accel()`` in g and ``gyro()`` in degrees a second.

    Parameters
    ----------
    module, name : str
        Of the driver's class, such as ``"lsm6dsox"`` and ``"LSM6DSOX"`` of micropython-lib.
    sda, scl : int
        Pins.
    gyro : bool
        Whether rotation is wanted, too: six channels.
    """
    from machine import I2C, Pin

    try:
        driver = getattr(__import__(module), name)(I2C(number, sda=Pin(sda), scl=Pin(scl)))
    except ImportError:
        raise ImportError("the driver %s is not on the board: mpremote mip install %s" % (module, module)) from None

    def fill(buffer):
        i = 0
        for value in driver.accel():
            buffer[i] = _int16(1000 * value)
            i += 1
        if gyro:
            for value in driver.gyro():
                buffer[i] = _int16(10 * value)
                i += 1

    return Motion(fill, rate, 6 if gyro else 3)


def mpu6050(sda, scl, rate, gyro=False, number=0):
    """Return the capture of an MPU-6050, which needs no driver: 4 g and 250 degrees a second are the most."""
    from machine import I2C, Pin

    i2c = I2C(number, sda=Pin(sda), scl=Pin(scl), freq=400000)
    i2c.writeto_mem(ADDRESS, POWER, b"\x00")  # awake
    i2c.writeto_mem(ADDRESS, RANGE, b"\x08")
    raw = bytearray(14)

    def fill(buffer):
        i2c.readfrom_mem_into(ADDRESS, READINGS, raw)
        for i in range(3):
            buffer[i] = _word(raw, 2 * i) * 1000 >> 13
            if gyro:
                buffer[3 + i] = _word(raw, 8 + 2 * i) * 10 // 131

    return Motion(fill, rate, 6 if gyro else 3)


def _word(raw, at):
    """Return the int16 at a byte, the high byte first."""
    value = raw[at] << 8 | raw[at + 1]
    return value - 65536 if value & 32768 else value


def _int16(value):
    return max(-32768, min(32767, int(value)))
