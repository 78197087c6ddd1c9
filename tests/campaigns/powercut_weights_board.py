"""Cut the power at every write of weights that a host puts on a board, as ``powercut_board.py`` does it.

Arguments: as there.
"""

import struct
import sys

import vfs
from powercut_device import BLOCKS, Device, cut_everywhere, make, mount, restart
from powercut_server import server

from tpsgd import incoming
from tpsgd.serve import RefusedError


def ask(board, kind, payload):
    """Carry out a request as if it had come from the host."""
    link = board.link
    link.length = len(payload)
    link.payload[4 : 4 + len(payload)] = payload
    incoming.carry_out(board, kind)
    incoming.answer(board, kind)


def learned(board, step):
    """Return other weights of the layers that learn, and the CRC that the network then has."""
    before = [bytes(w) for w in board.network.weights()]
    weights = b""
    for layer in board.network.layers:
        if any(layer.shifts):
            for i in range(len(layer.w)):
                layer.w[i] = 1 + (layer.w[i] + i + step) % 255
            weights += bytes(layer.w)
    crc = board.network.crc()
    for w, old in zip(board.network.weights(), before):  # noqa: B905 - MicroPython's knows no strict
        w[:] = old
    return weights, crc


def put(board, step):
    """Put other weights on the board; return the state that it then has."""
    weights, crc = learned(board, step)
    ask(board, incoming.PUT, struct.pack("<IIII", step, 99, 0, crc))
    for at in range(0, len(weights), 196):
        ask(board, incoming.PART, struct.pack("<I", at) + weights[at : at + 196])
    assert (board.network.crc(), board.network.seen) == (crc, step)
    return crc, step


def cut(before, at, how):
    """Cut the power at write ``at``; return what the next start-up found, None where it was whole."""
    device = Device(bytearray(before), size)
    mount(device, KIND)
    board = server()
    known = board.network.crc(), board.network.seen
    _, crc = learned(board, 77)
    new = crc, 77
    device.left, device.how = at, how
    try:
        put(board, 77)
    except RefusedError:
        assert device.left == -2
        assert (board.network.crc(), board.network.seen) == known
    done = device.left != -2
    after = restart(device, KIND, server, (OSError, RefusedError))
    if after is None:
        return "refused"
    found = after.network.crc(), after.network.seen
    states = (new,) if done else (new, known)
    if KIND == "fat" and how == "erased":
        states += (flashed,)  # both slots were in that directory
    assert found in states, f"write {at}, {how}: neither the old weights nor the new ones"
    try:
        last = put(after, 5)
    except RefusedError:
        assert states[-1] == flashed, f"write {at}, {how}: the next weights are refused"
    else:
        again = server()
        assert (again.network.crc(), again.network.seen) == last, f"write {at}, {how}: the next weights are lost"
    return None if done else "new" if found == new else "old"


KIND, how, count, path = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
size = BLOCKS[KIND][0]
device = make(KIND, path)
board = server()
flashed = board.network.crc(), board.network.seen
for step in range(count):
    put(board, step + 1)
vfs.umount("/ram")
before = bytes(device.data)
cut_everywhere(lambda at: cut(before, at, how), "old weights")
