"""CircuitPython's second serial port over USB, which carries binary data; its console would take 0x03 for Ctrl-C."""

#: Bytes that may be under way while the program computes. USB holds back what does not fit: nothing is lost.
WINDOW = 480


class Pipe:
    """``usb_cdc.data`` as source, sink and poller of the link.

    Raises
    ------
    RuntimeError
        When boot.py has not switched the port on.
    """

    def __init__(self, serial):
        if serial is None:
            raise RuntimeError("no data port: boot.py must say usb_cdc.enable(console=True, data=True); then reset")
        self._serial = serial

    def readinto(self, view):
        """Wait for bytes; return how many came."""
        return self._serial.readinto(view)

    def write(self, data):
        """Send all of ``data``: one write of CircuitPython may send less."""
        view = memoryview(data)
        while len(view):
            view = view[self._serial.write(view) :]

    def poll(self, _):
        """Return whether bytes are waiting."""
        return self._serial.in_waiting
