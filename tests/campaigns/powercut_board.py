"""Cut the power at every write of a checkpoint: MicroPython's real file systems, over a block device in RAM.

Arguments: fat or lfs2, how the write under way ends (stop: it is not made; torn: half of it is; erased: its block is
left erased), checkpoints written before, a model file.
"""

import sys

import vfs
from powercut_device import BLOCKS, Device, cut_everywhere, make, mount, restart
from powercut_server import server

from tpsgd.serve import RefusedError


def learn(board, steps):
    network = board.network
    for step in range(steps):
        for j in range(len(network.sample) - 1):
            network.sample[j] = 1 + (board.applied * 31 + j * 7) % 255
        network.train((board.applied + step) % network.classes)
        board.applied += 1


def cut(before, at, how):
    """Cut the power at write ``at`` of a checkpoint; return what the next start-up found, None where it was whole.

    ``refused``: the device program says why; it never takes part of a file for the whole.
    """
    device = Device(bytearray(before), size)
    mount(device, KIND)
    board = server()
    known = board.network.crc(), board.applied
    learn(board, 3)
    new = board.network.crc(), board.applied
    assert known != new
    device.left, device.how = at, how
    board._save()
    done = device.left != -2
    assert done == (not board.failed)
    after = restart(device, KIND, server, (OSError, RefusedError))
    if after is None:
        return "refused"
    found = after.network.crc(), after.applied
    states = (new,) if done else (new, known)
    if KIND == "fat" and how == "erased":
        states += (flashed,)  # both slots were in that directory
    assert found in states, f"write {at}, {how}: neither state"
    learn(after, 2)
    after._save()
    last = after.network.crc(), after.applied
    again = server()
    saved = (again.network.crc(), again.applied) == last
    assert saved or (after.failed and states[-1] == flashed), f"write {at}, {how}: the next checkpoint is lost"
    return None if done else "new" if found == new else "old"


KIND, how, count, path = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
size = BLOCKS[KIND][0]
device = make(KIND, path)
board = server()
flashed = board.network.crc(), board.applied
for _ in range(count):
    learn(board, 3)
    board._save()
vfs.umount("/ram")
before = bytes(device.data)
cut_everywhere(lambda at: cut(before, at, how), "checkpoint before")
