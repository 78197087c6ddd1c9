"""Cut the power at every write of a checkpoint: MicroPython's real file systems, over a block device in RAM.

Arguments: fat or lfs2, how the write under way ends (stop: it is not made; torn: half of it is; erased: its block is
left erased), checkpoints written before, a model file.
"""

import gc
import sys

import vfs

from tpsgd.frames import Frames
from tpsgd.serve import RefusedError, Server

BLOCKS = {"fat": (512, 128), "lfs2": (4096, 16)}
PLACE = "/ram/"


class PowerCutError(OSError):
    pass


class Device:
    """Blocks in RAM whose power fails at the write number ``left``."""

    def __init__(self, data, size):
        self.data, self.size = data, size
        self.left, self.how = -1, "stop"
        self.dead = False  # another has its data: files that the collector closes now reach nothing

    def readblocks(self, block, into, offset=0):
        if self.dead:
            return
        at = block * self.size + offset
        into[:] = memoryview(self.data)[at : at + len(into)]

    def writeblocks(self, block, out, offset=0):
        if not self.dead:
            self._change(block * self.size + offset, out)

    def ioctl(self, what, value):
        if what == 4:
            return len(self.data) // self.size
        if what == 5:
            return self.size
        if what == 6 and not self.dead:
            self._change(value * self.size, b"\xff" * self.size)
            return 0
        return 0

    def _change(self, at, new):
        if self.left == 0:
            if self.how == "torn":
                self._put(at, memoryview(new)[: len(new) // 2])
            elif self.how == "erased":
                self._put(at, b"\xff" * len(new))
            self.left = -2  # the power is gone until it is switched on again
        if self.left == -2:
            raise PowerCutError(5)
        if self.left > 0:
            self.left -= 1
        self._put(at, new)

    def _put(self, at, new):
        self.data[at : at + len(new)] = new


def mount(device):
    kind = vfs.VfsFat if KIND == "fat" else vfs.VfsLfs2
    try:
        vfs.umount("/ram")
    except OSError:
        pass
    vfs.mount(kind(device), "/ram")


class Nobody:
    """The host, which is not there."""

    def write(self, data):
        pass


def server():
    """Return the device program, its network as a start-up finds it."""
    found = Server(Frames(None, Nobody()), None, 240, PLACE)
    found.load(1)
    return found


def learn(board, steps):
    network = board.network
    for step in range(steps):
        for j in range(len(network.sample) - 1):
            network.sample[j] = 1 + (board.applied * 31 + j * 7) % 255
        network.train((board.applied + step) % network.classes)
        board.applied += 1


def cut(before, at, how):
    """Cut the power at write ``at`` of a checkpoint; return what the next start-up found, None where it was whole.

    ``refused``: on FAT a directory or the table of clusters may be in the block that was erased. What the device
    program finds then is refused with the reason; it never takes part of a file for the whole.
    """
    device = Device(bytearray(before), size)
    mount(device)
    board = server()
    known = board.network.crc(), board.applied
    learn(board, 3)
    new = board.network.crc(), board.applied
    assert known != new
    device.left, device.how = at, how
    board._save()
    done = device.left != -2
    assert done == (not board.failed)
    device.dead = True
    try:
        mount(Device(bytearray(device.data), size))
        after = server()
    except (OSError, RefusedError):
        if KIND != "fat" or how != "erased":
            raise
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
size, blocks = BLOCKS[KIND]
device = Device(bytearray(size * blocks), size)
(vfs.VfsFat if KIND == "fat" else vfs.VfsLfs2).mkfs(device)
mount(device)
with open(path, "rb") as file, open(PLACE + "model.tpsgd", "wb") as out:
    out.write(file.read())
board = server()
flashed = board.network.crc(), board.applied
for _ in range(count):
    learn(board, 3)
    board._save()
vfs.umount("/ram")
before = bytes(device.data)
found = {"old": 0, "new": 0, "refused": 0}
at = 0
while True:
    what = cut(before, at, how)
    gc.collect()
    if what is None:
        break
    found[what] += 1
    at += 1
refused = f", {found['refused']} were refused with the reason" if found["refused"] else ""
print(f"{at} cuts, {found['old']} found the checkpoint before, {found['new']} the new one{refused}")
