"""A block device in RAM whose power fails, for MicroPython's real file systems."""

import gc

import vfs

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


def kind_of(name):
    """Return the file system that has a name."""
    return vfs.VfsFat if name == "fat" else vfs.VfsLfs2


def make(name, path, others=0):
    """Return a device with an empty file system but for the model in ``path`` and so many other files."""
    size, blocks = BLOCKS[name]
    device = Device(bytearray(size * blocks), size)
    kind_of(name).mkfs(device)
    mount(device, name)
    with open(path, "rb") as file, open(PLACE + "model.tpsgd", "wb") as out:
        out.write(file.read())
    for i in range(others):
        open(f"{PLACE}other{i}", "w").close()
    return device


def mount(device, name):
    """Put a device where the board has its flash."""
    try:
        vfs.umount("/ram")
    except OSError:
        pass
    vfs.mount(kind_of(name)(device), "/ram")


def restart(device, name, begin, refusals):
    """Switch the power on again; return what ``begin()`` finds, None where it is refused.

    Only FAT may be: a directory or the table of clusters may be in the block that a cut left erased.
    """
    device.dead = True
    try:
        mount(Device(bytearray(device.data), device.size), name)
        return begin()
    except refusals:
        if name != "fat" or device.how != "erased":
            raise
        return None


def cut_everywhere(cut, old):
    """Cut at write after write until ``cut(at)`` returns None, for all of it was written; print what was found.

    ``cut`` returns "old", "new" or "refused"; ``old`` says what the old state is.
    """
    found = {"old": 0, "new": 0, "refused": 0}
    at = 0
    while True:
        what = cut(at)
        gc.collect()
        if what is None:
            break
        found[what] += 1
        at += 1
    refused = f", {found['refused']} were refused with the reason" if found["refused"] else ""
    print(f"{at} cuts, {found['old']} found the {old}, {found['new']} the new one{refused}")
