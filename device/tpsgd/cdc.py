"""CircuitPython's second USB serial port. It carries binary data; the console would take a byte 0x03 for Ctrl-C."""

from time import sleep

#: Bytes that may be on the way while the program computes. USB holds the rest back, so nothing is lost.
WINDOW = 480


class Pipe:
    """``usb_cdc.data`` as source, sink and poller of the link.

    Raises
    ------
    RuntimeError
        When boot.py has not enabled the port.
    """

    def __init__(self, serial):
        if serial is None:
            raise RuntimeError("no data port: boot.py must say usb_cdc.enable(console=True, data=True); then reset")
        self._serial = serial

    def readinto(self, view):
        """Wait for bytes and return how many came."""
        return self._serial.readinto(view)

    def write(self, data):
        """Send all of ``data``. A single write of CircuitPython may send less."""
        view = memoryview(data)
        while len(view):
            view = view[self._serial.write(view) :]

    def poll(self, milliseconds):
        """Return whether bytes are waiting; wait so long for them."""
        while not self._serial.in_waiting:
            if milliseconds <= 0:
                return False
            sleep(0.001)
            milliseconds -= 1
        return True
