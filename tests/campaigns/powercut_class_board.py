"""Cut the power at every write of the model file that a new class is in; arguments as of ``powercut_board.py``."""

import sys

import vfs
from powercut_device import BLOCKS, PLACE, Device, cut_everywhere, make, mount, restart

from tpsgd import Learner

MODEL = PLACE + "model.tpsgd"
OTHERS = 10  # files, so that FAT has the model file and the new one in two blocks of the directory


def learner():
    """Return the network as a start-up finds it."""
    return Learner(MODEL, engine=1)


def learn(one, steps):
    width = one.network.size
    for step in range(steps):
        one.feed([(one.seen * 31 + j * 7) % 200 - 100 for j in range(width)])
        one.learn((one.seen + step) % len(one.classes))


def state(one):
    return one.network.crc(), one.classes


def cut(at):
    """Cut the power at write ``at``; return what the next start-up found, None where it was whole."""
    device = Device(bytearray(before), size)
    mount(device, KIND)
    one = learner()
    learn(one, 3)  # never saved
    device.left, device.how = at, how
    try:
        one.add_class("new")
    except OSError:
        assert device.left == -2
    done = device.left != -2
    after = restart(device, KIND, learner, (OSError, ValueError))
    if after is None:
        return "refused"
    found = state(after)
    states = (new,) if done else (new, known)
    if KIND == "fat" and how == "erased":
        states += (flashed,)  # both slots were in that directory
    assert found in states, f"write {at}, {how}: neither the old model nor the new one"
    learn(after, 2)
    after.save()
    assert state(learner()) == state(after) or states[-1] == flashed, f"write {at}, {how}: a checkpoint is lost"
    try:
        after.add_class("newer")
    except OSError:
        assert states[-1] == flashed, f"write {at}, {how}: no class can be added any more"
    else:
        last = learner()
        assert state(last) == state(after) and last.classes[-1] == "newer"
    return None if done else "new" if found == new else "old"


KIND, how, count, path = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
size = BLOCKS[KIND][0]
device = make(KIND, path, OTHERS)
one = learner()
flashed = state(one)
for _ in range(count):
    learn(one, 3)
    one.save()
known = state(one)
vfs.umount("/ram")
before = bytes(device.data)
mount(Device(bytearray(before), size), KIND)
one = learner()
learn(one, 3)
one.add_class("new")
new = state(one)
cut_everywhere(cut, "old model")
