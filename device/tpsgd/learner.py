"""A network that learns from the board's own sensor, with no host connected (docs/ON_DEVICE.md).

Legend: C channels, T steps of a sample, W readings of a window.
"""

import struct
from array import array
from math import floor

from tpsgd import checkpoint, plan, runtime
from tpsgd.modelfile import Model, ModelError
from tpsgd.network import build, load_or_recover

#: Samples over which the accuracy looks back, about.
FADE = 50

#: Smallest and largest reading that a window of the kind can hold.
RANGES = {"f": (-3.4028234e38, 3.4028234e38), "h": (-32768, 32767)}

_NAMES_BEFORE_CLASSES = 3


class Learner:
    """A network that is fed readings, predicts and learns.

    It goes on from the newest checkpoint beside the model file, if there is one. Windows are cut, resampled and scaled
    as the host does it (SPEC 1.5, 1.6). Where floats have 32 bits, rounding may move an input by one step of 127 now
    and then, against the host's 64 bits; from the inputs on all is integers, and equal.

    Parameters
    ----------
    path : str
        The model file.
    longest : int
        For a model that takes whole recordings (window = 0): most readings that one has; of more, the last are kept.
    readings : {"f", "h"}
        How a window is kept: as 32-bit floats, or, for a sensor that gives integers of 16 bits, in half the RAM.
    engine : int
        As in ``runtime.ENGINES``; 0 is the best.

    Attributes
    ----------
    classes : tuple of str
    probability : float
        What the network gave, 0 to 1, to the class it predicted last, or to the one it was taught last.
    accuracy : float
        Share of right predictions among the last samples, each predicted before it was learned; fades over ``FADE``.
    network : network.Network
    """

    def __init__(self, path="model.tpsgd", longest=0, readings="f", engine=0):
        self._path = path
        self._folder = path[: path.rfind("/") + 1]
        k = runtime.engine(engine)
        load_or_recover(path, (OSError, ModelError), self._load, k, longest, readings)
        self._restart()
        last = checkpoint.newest(self._folder, self.network, self._model_crc)
        if last:
            checkpoint.load(last, self.network)
            self._applied = last.applied
        self.clear()

    def _load(self, k, longest, readings):
        """Read the model file, and make the window and the network."""
        with open(self._path, "rb") as file:
            model = Model(file)
            self._make_window(model, longest, readings)
            self._build(file, model, k)

    def _build(self, file, model, k):
        """Make the network, its class names and scales."""
        self._read_names(file, model)
        need = plan.total(plan.buffers(model, plan.WORDS[k.NAME]))
        free = runtime.heap()[1]
        if free and need > free:
            raise MemoryError("the model needs %d bytes to train, %d are free" % (need, free))
        self.network = build(file, model, k)
        self._model_crc = model.crc

    def _restart(self):
        """Count from the weights of the model file on."""
        self.accuracy = self.probability = 0.0
        self._known = self._applied = 0
        self._unsaved = False

    def _read_names(self, file, model):
        """Read scales and class names, which the trainer itself has no use for."""
        file.seek(model.strings - 8 * model.scales)
        pairs = struct.unpack("<%df" % (2 * model.scales), file.read(8 * model.scales))
        self._offset = array("f", [pairs[2 * i] for i in range(model.scales)])
        self._gain = array("f", [pairs[2 * i + 1] for i in range(model.scales)])
        names = [file.read(file.read(1)[0]) for _ in range(_NAMES_BEFORE_CLASSES + model.classes)]
        self.classes = tuple([str(name, "utf-8") for name in names[_NAMES_BEFORE_CLASSES:]])

    def _make_window(self, model, longest, readings):
        """Make the ring of readings, of ``_size`` places; a model of rows has none and takes a sample at a time."""
        self._mean = model.resampling
        self._ring = None
        self._size = self._need = self._hop = 1
        self._width = model.steps * model.channels
        self._range = RANGES[readings]
        if model.windows:
            self._width = model.channels
            self._size = model.window or longest
            if not self._size:
                raise ValueError("this model takes whole recordings: say longest=N, the most readings one can have")
            if model.window:
                self._need = model.window
                self._hop = model.hop or model.window
            self._ring = array(readings, bytes(struct.calcsize(readings) * self._size * self._width))

    def feed(self, reading):
        """Take the next reading, a sequence of C numbers; of a model of rows a whole sample, T*C of them."""
        if len(reading) != self._width:
            raise ValueError("a reading of %d values, the model takes %d" % (len(reading), self._width))
        lowest, highest = self._range
        for value in reading:
            if not lowest <= value <= highest:  # also what is not a number
                raise ValueError("a reading of " + str(value))
        if self._ring is None:
            self._scale(reading, 0)
        else:
            at = self._next * self._width
            for value in reading:
                self._ring[at] = value
                at += 1
            self._next = (self._next + 1) % self._size
        self._have = min(self._have + 1, self._size)
        self._new += 1
        self._filled = self._ring is None

    def clear(self):
        """Forget the readings so far: the next one begins a new recording."""
        self._next = self._have = 0
        self._new = self._hop
        self._filled = False

    @property
    def ready(self):
        """Whether a window is full, and ``hop`` readings newer than the one last used, as the model says."""
        return self._have >= self._need and self._new >= self._hop

    @property
    def seen(self):
        """Samples learned."""
        return self.network.seen

    def predict(self):
        """Return the name of the class that the window looks like."""
        self._fill()
        result = self.network.test()
        self._applied += 1
        self.probability = (result & 255) / 127
        return self.classes[result >> 8]

    def learn(self, label):
        """Learn the window as one of class ``label``, a name or number; return the name predicted before."""
        y = self._class(label)
        self._fill()
        result = self.network.train(y)
        self._applied += 1
        self._unsaved = True
        self._known = min(self._known + 1, FADE)
        self.accuracy += ((result >> 8 == y) - self.accuracy) / self._known
        self.probability = (result & 255) / 127
        return self.classes[result >> 8]

    def save(self):
        """Write what was learned since the last time to the older of two checkpoints; return whether there was any."""
        changed = self._unsaved
        if changed:
            checkpoint.save(self._folder, self.network, self._model_crc, 0, self._applied)
            self._unsaved = False
        return changed

    def forget(self):
        """Begin again from the model file, and remove what was saved."""
        with open(self._path, "rb") as file:
            model = Model(file)
            model.weights(file, self.network.weights())
        self.network.begin(model.total)
        checkpoint.forget(self._folder)
        self._restart()

    def add_class(self, name):
        """Add a class; what was learned goes into the model file, which is written anew (SPEC 1.8).

        ``network`` is another one from then on. A window that was fed may be learned as one of the new class.
        """
        from tpsgd import newclass

        newclass.add(self._path, self.network, self.classes, name)
        k = self.network.k
        sample = bytes(self.network.sample)
        self.network = None  # room for the larger one
        with open(self._path, "rb") as file:
            self._build(file, Model(file), k)
        self.network.sample[:] = sample
        checkpoint.forget(self._folder)
        self._restart()

    def _class(self, label):
        """Return the number of a class."""
        if isinstance(label, str):
            if label in self.classes:
                return self.classes.index(label)
        elif 0 <= label < len(self.classes):
            return label
        raise ValueError("no class %r; the model has %s" % (label, ", ".join(self.classes)))

    def _fill(self):
        """Put the window into the network's sample."""
        if self._have < self._need:
            raise ValueError("%d of %d readings: feed more before you predict or learn" % (self._have, self._need))
        self._new = 0
        if not self._filled:
            values = [0] * self._width
            resample = self._average if self._mean else self._interpolate
            for t in range(self.network.steps):
                resample(t, values)
                self._scale(values, t * self._width)
            self._filled = True

    def _interpolate(self, t, values):
        """Make step ``t`` of the sample from the two readings around its place."""
        divisor = self.network.steps - 1
        place = t * (self._have - 1)
        if not divisor:  # one step: the middle
            divisor = 2
            place = self._have - 1
        ring = self._ring
        part = place % divisor / divisor
        a = self._place(place // divisor)
        b = self._place(min(place // divisor + 1, self._have - 1))
        for c in range(len(values)):
            values[c] = ring[a + c] + (ring[b + c] - ring[a + c]) * part

    def _average(self, t, values):
        """Make step ``t`` of the sample from the mean of its readings."""
        ring = self._ring
        start = t * self._have // self.network.steps
        count = max(1, (t + 1) * self._have // self.network.steps - start)
        for i in range(count):
            at = self._place(start + i)
            for c in range(len(values)):
                values[c] = values[c] + ring[at + c] if i else ring[at + c]
        for c in range(len(values)):
            values[c] /= count

    def _place(self, i):
        """Return where the ``i``-th oldest reading of the window begins in the ring."""
        return (self._next - self._have + i) % self._size * self._width

    def _scale(self, values, at):
        """Scale readings, the channels in turn, into the sample from place ``at`` on (SPEC 1.5)."""
        sample = self.network.sample
        offset = self._offset
        gain = self._gain
        channel = 0
        for value in values:
            x = (value - offset[channel]) * gain[channel] + 0.5
            # Clamped before floor, which has no answer for infinity.
            sample[at] = 255 if x >= 127 else 1 if x < -126 else floor(x) + 128
            at += 1
            channel += 1
            if channel == len(gain):
                channel = 0
