"""A microphone with an analog output at an ADC pin of an RP2040 or RP2350, with MicroPython (SPEC 5).

The chip's own clock starts each conversion, and DMA stores it: nothing is lost while the program does something else,
and none is early or late. An ESP32 has no such thing in MicroPython.
"""

import sys

try:
    from tpsgd.narrow_viper import centre
except (ImportError, MemoryError, SyntaxError, ValueError):  # no native emitter here: slower, and the same bits
    from tpsgd.narrow import centre

#: Samples that one read takes at most, and bytes of the ring that DMA writes to, as a power of two.
BLOCK = 64
RING = 13

CLOCK = 48000000  # of the ADC
TRANSFERS = 0x0FFFFFFF  # before DMA must begin anew: more than four hours at 16 kHz

#: Registers, from the ADC's first on, and their bits.
CS, FCS, FIFO, DIV = 0x00, 0x08, 0x0C, 0x10
ENABLE, START_MANY, INPUT = 1, 1 << 3, 12
FIFO_ENABLE, FIFO_ASKS, FIFO_OVER, THRESHOLD = 1, 1 << 3, 1 << 11, 1 << 24


class AnalogMicrophone:
    """A microphone whose output rests at half the ADC's range.

    Parameters
    ----------
    pin : int
        26 to 29 (RP2350B: 40 to 47).
    rate : int
        Samples a second.
    """

    channels = 1

    def __init__(self, pin, rate=16000):
        import uctypes

        self.rate = rate
        self.overruns = 0
        self._pin = pin
        rp2350 = "RP2350" in getattr(sys.implementation, "_machine", "")
        self._base, self._asks = (0x400A0000, 48) if rp2350 else (0x4004C000, 36)
        whole = bytearray(2 << RING)  # DMA wraps where an address is a multiple of the ring's size
        self._whole = whole
        self._address = (uctypes.addressof(whole) + (1 << RING) - 1) & ~((1 << RING) - 1)
        self._ring = uctypes.bytearray_at(self._address, 1 << RING)
        self._taken = 0
        self._dma = None

    def start(self):
        """Start the conversions."""
        from machine import ADC, Pin, mem32
        from rp2 import DMA

        ADC(Pin(self._pin))  # makes the pin an input of the ADC
        self._dma = DMA()
        base = self._base
        mem32[base + CS] = ENABLE | (self._pin - (40 if self._pin >= 40 else 26)) << INPUT
        mem32[base + DIV] = (CLOCK // self.rate - 1) << 8
        self._begin()

    def _begin(self):
        """Empty the FIFO and let DMA fill the ring from its first byte on."""
        from machine import mem32

        base, dma = self._base, self._dma
        mem32[base + CS] = mem32[base + CS] & ~START_MANY
        while mem32[base + FCS] >> 16 & 15:
            mem32[base + FIFO]
        mem32[base + FCS] = FIFO_OVER | FIFO_ENABLE | FIFO_ASKS | THRESHOLD
        ctrl = dma.pack_ctrl(
            size=1, inc_read=False, inc_write=True, ring_size=RING, ring_sel=True, treq_sel=self._asks
        )  # fmt: skip
        dma.config(read=base + FIFO, write=self._address, count=TRANSFERS, ctrl=ctrl, trigger=True)
        self._taken = 0
        mem32[base + CS] = mem32[base + CS] | START_MANY

    def readinto(self, buffer):
        """Take what has come, at most BLOCK samples; return how many."""
        done = TRANSFERS - self._dma.count
        have = done - self._taken
        room = 1 << (RING - 1)
        if have >= room or done >= TRANSFERS:  # the ring was filled again over what was not taken
            self.overruns += 1
            self._begin()
            return 0
        at = self._taken & (room - 1)
        n = min(have, BLOCK, room - at)
        if n:
            centre(self._ring, buffer, at, n)
            self._taken += n
        return n

    def stop(self):
        """Stop the conversions."""
        if self._dma:
            from machine import mem32

            mem32[self._base + CS] = mem32[self._base + CS] & ~START_MANY
            self._dma.close()
            self._dma = None
