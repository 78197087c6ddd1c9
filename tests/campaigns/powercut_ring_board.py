"""Cut the power at every write of taught samples (``Learner.save``); arguments as of ``powercut_board.py``.

The model file's own prototypes are read only. What was taught is in two slots beside it: a start finds what was saved
before the cut or, whole, what was being saved; never a part, and never nothing.
"""

import sys

import vfs
from powercut_device import BLOCKS, PLACE, Device, cut_everywhere, make, mount, restart

from tpsgd import Learner

MODEL = PLACE + "model.tpsgd"


def learner():
    """Return the network as a start-up finds it."""
    return Learner(MODEL, engine=1, replay=4000)


def teach(one):
    """Teach one sample more."""
    n = one.replay.kept
    one.feed([(n * 31 + j * 7) % 200 - 100 for j in range(one.network.size)])
    one.teach(n & 1)


def kept(one):
    """Return what was taught, the oldest first, as it would be saved."""
    found = []
    last = 0
    for _ in range(one.replay.kept):
        i = one.replay.after(last)
        last = one.replay.numbers[i]
        found.append((one.replay.labels[i], bytes(one.replay.samples[i]), bytes(one.replay.inputs_of(i))))
    return found


def cut(at):
    """Cut the power at write ``at``; return what the next start-up found, None where it was whole."""
    device = Device(bytearray(before), size)
    mount(device, KIND)
    one = learner()
    assert kept(one) == known
    teach(one)
    new = kept(one)
    device.left, device.how = at, how
    try:
        one.save()
    except OSError:
        assert device.left == -2
    done = device.left != -2
    after = restart(device, KIND, learner, (OSError, ValueError))
    if after is None:
        return "refused"
    found = kept(after)
    states = (new,) if done else (new, known)
    if KIND == "fat" and how == "erased":
        states += ([],)  # both slots were in that directory
    assert found in states, f"write {at}, {how}: {len(found)} samples"
    teach(after)
    try:
        after.save()
    except OSError:
        assert states[-1] == [], f"write {at}, {how}: nothing can be saved any more"
    else:
        assert kept(learner()) == kept(after) or states[-1] == [], f"write {at}, {how}: what came next is lost"
    return None if done else "new" if found == new else "old"


KIND, how, count, path = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
size = BLOCKS[KIND][0]
device = make(KIND, path)
one = learner()
for _ in range(count):
    teach(one)
    one.save()
known = kept(one)
vfs.umount("/ram")
before = bytes(device.data)
cut_everywhere(cut, "samples before")
