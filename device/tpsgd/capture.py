"""What hears and feels: a capture hands on samples or readings as they come, and never waits (SPEC 5).

Every capture has ``rate`` (values a second and channel), ``channels``, ``overruns`` (times that values were lost),
``start()``, ``stop()`` and ``readinto(buffer)``, which stores the newest values, int16, at the beginning of ``buffer``
and returns how many: 0 when there are none yet. Where values were lost before those that it returns, ``overruns`` has
grown. A board's ``sensor.py`` has a function ``open()`` that returns its capture.
"""

from array import array

#: Where the virtual board's sensor comes from: a named pipe in its folder.
PIPE = "sensor.pipe"

#: Values of one channel that the pipe carries in a block. Of several channels a block is one reading.
BLOCK = 32


class Stream:
    """The virtual board's sensor: what the host plays into a named pipe.

    A block is a uint16, the number of blocks that were lost before it, and its values, int16; little-endian all.
    """

    def __init__(self, rate, channels=1, path=PIPE):
        self.rate = rate
        self.channels = channels
        self.overruns = 0
        self.block = BLOCK if channels == 1 else channels
        self._path = path
        self._lost = array("H", bytes(2))
        self._pipe = self._poller = None

    def start(self):
        """Open the pipe.

        Raises
        ------
        OSError
            When there is none: the host makes it when it starts the board.
        """
        from select import POLLIN, poll

        self._pipe = open(self._path, "r+b")  # noqa: SIM115 - for writing, too: opening it to read alone would wait
        self._poller = poll()
        self._poller.register(self._pipe, POLLIN)

    def readinto(self, buffer):
        """Read the next block; return the number of its values, 0 when there is none yet."""
        ready = False
        for _ in self._poller.ipoll(0):
            ready = True
        if not ready:
            return 0
        # The host writes blocks whole: where there is a byte, there is a block.
        self._pipe.readinto(self._lost, 2)
        if self._lost[0]:
            self.overruns += 1
        return self._pipe.readinto(buffer, 2 * self.block) // 2

    def stop(self):
        """Close the pipe."""
        if self._pipe:
            self._pipe.close()
            self._pipe = None


class Ear:
    """A capture and the front end that it feeds: says when a word, or a gesture, is complete, and drops torn ones.

    Parameters
    ----------
    capture
        Started by :meth:`start`.
    front
        As ``frontend.build`` returns it.

    Attributes
    ----------
    torn : int
        Words that were under way when values were lost. They are no words.
    idle : bool
        Whether the last :meth:`listen` found nothing to read.
    """

    def __init__(self, capture, front):
        self.capture = capture
        self.front = front
        self.torn = 0
        self.idle = True
        self._overruns = 0

    def start(self):
        """Begin to listen: what came before is not heard."""
        self._overruns = self.capture.overruns
        self.front.torn()
        self.capture.start()

    def listen(self):
        """Take what has come; return whether a word has just ended and stands in the network's sample."""
        n = self.capture.readinto(self.front.buffer)
        if self.capture.overruns != self._overruns:
            self._overruns = self.capture.overruns
            self.torn += self.front.active
            self.front.torn()
        self.idle = not n
        return n > 0 and self.front.push(n)

    def stop(self):
        """End listening."""
        self.capture.stop()


def find():
    """Return the capture of this board, as its ``sensor.py`` opens it.

    Raises
    ------
    ImportError
        When the board has none, with the command that puts one there.
    """
    try:
        import sensor
    except ImportError as error:
        if "sensor" not in str(error):  # sensor.py is there, and a driver that it wants is not
            raise
        raise ImportError("the board has no sensor.py: tpsgd-host flash MODEL --sensor NAME --pins ...") from None
    return sensor.open()


def waiting(poller, milliseconds):
    """Return whether the host has sent something; wait for it so long. Without a poller nobody knows: yes."""
    if poller is None:
        return True
    if not hasattr(poller, "ipoll"):
        return bool(poller.poll(milliseconds))
    for _ in poller.ipoll(milliseconds):
        return True
    return False


def button():
    """Return the function of ``sensor.py`` that says whether the board's button is pressed; None without one."""
    import sensor

    return getattr(sensor, "button", None)
