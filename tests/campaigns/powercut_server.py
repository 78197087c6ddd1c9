"""The device program without a host, for the power cuts of what it saves."""

from powercut_device import PLACE

from tpsgd.frames import Frames
from tpsgd.serve import Server


class Nobody:
    """The host, which does not hear."""

    def write(self, data):
        pass


def server():
    """Return the device program, its network as a start-up finds it."""
    found = Server(Frames(None, Nobody()), None, 240, PLACE)
    found.load(1)
    return found
