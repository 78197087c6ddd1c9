"""A digital microphone on I2S, for MicroPython on ESP32, RP2040 and RP2350 (SPEC 5)."""

from time import ticks_diff, ticks_ms

try:
    from tpsgd.narrow_viper import narrow
except (ImportError, MemoryError, SyntaxError, ValueError):  # no native emitter here: slower, and the same bits
    from tpsgd.narrow import narrow

#: Samples that one read takes at most.
BLOCK = 64


class I2SMicrophone:
    """A microphone that sends 24 bits in slots of 32.

    Parameters
    ----------
    sck, ws, sd : int
        Pins of bit clock, word select and data.
    rate : int
        Samples a second.
    shift : int
        Bits that a slot is moved right to become int16; what is too loud then is cut off. One less is 6 dB louder.
    ibuf : int
        Bytes that the driver keeps while the board computes.
    number : int
        Of the I2S peripheral.
    """

    channels = 1

    def __init__(self, sck, ws, sd, rate=16000, shift=14, ibuf=16384, number=0):
        self.rate = rate
        self.overruns = 0
        self._pins = (sck, ws, sd)
        self._setup = (shift, ibuf, number)
        self._raw = bytearray(4 * BLOCK)
        self._room = Room(rate, ibuf // 4)
        self._i2s = self._poller = None

    def start(self):
        """Switch the clock on."""
        from select import POLLIN, poll

        from machine import I2S, Pin

        sck, ws, sd = [Pin(pin) for pin in self._pins]
        _, ibuf, number = self._setup
        self._i2s = I2S(
            number, sck=sck, ws=ws, sd=sd, mode=I2S.RX, bits=32, format=I2S.MONO, rate=self.rate, ibuf=ibuf
        )  # fmt: skip
        self._poller = poll()
        self._poller.register(self._i2s, POLLIN)
        self._room.emptied()

    def readinto(self, buffer):
        """Read what has come, at most BLOCK samples; return how many."""
        n = self._read()
        if self._room.lost(n, BLOCK):
            self.overruns += 1
            while self._read() == BLOCK:  # what is kept ends in a gap: none of it belongs to what comes
                pass
            self._room.emptied()
            return 0
        if n:
            narrow(self._raw, buffer, n, self._setup[0])
        return n

    def _read(self):
        """Read into ``_raw``; return the number of samples. After it was polled, the driver does not wait."""
        ready = False
        for _ in self._poller.ipoll(0):
            ready = True
        return self._i2s.readinto(self._raw) // 4 if ready else 0

    def stop(self):
        """Switch the clock off."""
        if self._i2s:
            self._i2s.deinit()
            self._i2s = None


class Room:
    """Finds by the clock whether a driver that keeps ``room`` values, and says nothing, has lost some.

    Since it was last empty no more values can have come than were taken and fit.
    """

    def __init__(self, rate, room):
        self.rate = rate
        self.room = room
        self.emptied()

    def emptied(self):
        """Take note that nothing is kept now."""
        self._since = ticks_ms()
        self._taken = 0

    def lost(self, n, most):
        """Take note of ``n`` values of ``most``; return whether others were lost meanwhile."""
        elapsed = min(ticks_diff(ticks_ms(), self._since), 60000)  # a product of 30 bits
        come = elapsed * self.rate // 1000
        if come > self._taken + self.room:
            return True
        self._taken += n
        if n < most:
            self.emptied()
        return False
