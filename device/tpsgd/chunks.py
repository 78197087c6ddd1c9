"""Microphones of CircuitPython, which record a chunk while the program waits (SPEC 5).

Between two chunks sound is lost: each chunk counts as an overrun, and a word counts where it lies in one chunk.
"""

from array import array

#: Samples that one read hands on.
BLOCK = 64


class Chunks:
    """A microphone that fills a buffer at a time.

    Parameters
    ----------
    record : function
        Fills the array of uint16 that it gets, 32768 being silence, and waits until it is full; may return how many it
        got, fewer where it lost some.
    rate : int
        Samples a second.
    seconds : float
        Of a chunk.
    close : function
        Gives the microphone back.
    """

    channels = 1

    def __init__(self, record, rate, seconds, close):
        self.rate = rate
        self.overruns = 0
        self._record, self._close = record, close
        self._chunk = array("H", bytes(2 * int(rate * seconds)))
        self._at = len(self._chunk)

    def start(self):
        """Record from now on."""
        self._at = len(self._chunk)

    def readinto(self, buffer):
        """Hand on the next samples of the chunk; after its last one wait until the next is recorded."""
        chunk = self._chunk
        if self._at >= len(chunk):
            self.overruns += 1
            n = self._record(chunk)
            if n is not None and n < len(chunk):  # it lost samples itself
                return 0
            self._at = 0
        at = self._at
        n = min(BLOCK, len(chunk) - at)
        for i in range(n):
            buffer[i] = chunk[at + i] - 32768
        self._at = at + n
        return n

    def stop(self):
        """Give the microphone back."""
        self._close()


def pdm(clock, data, rate=16000, seconds=1.5):
    """Return the capture of a PDM microphone, through ``audiobusio``.

    Parameters
    ----------
    clock, data : int
        Pins.
    """
    from audiobusio import PDMIn

    microphone = PDMIn(_pin(clock), _pin(data), sample_rate=rate, bit_depth=16)

    return Chunks(lambda chunk: microphone.record(chunk, len(chunk)), rate, seconds, microphone.deinit)


def analog(pin, rate=16000, seconds=1.5):
    """Return the capture of a microphone with an analog output, through ``analogbufio``."""
    from analogbufio import BufferedIn

    microphone = BufferedIn(_pin(pin), sample_rate=rate)
    return Chunks(microphone.readinto, rate, seconds, microphone.deinit)


def _pin(number):
    """Return the pin of a GPIO number."""
    from microcontroller import pin

    return getattr(pin, "GPIO%d" % number)
