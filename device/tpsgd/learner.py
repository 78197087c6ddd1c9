"""A network that learns from the board's own sensor, without a host (docs/ON_DEVICE.md).

Legend: C channels, T steps of a sample, W readings of a window.
"""

import struct
from array import array
from math import floor

from tpsgd import checkpoint, plan, runtime
from tpsgd.modelfile import Model, ModelError
from tpsgd.network import build, load_or_recover

#: The accuracy covers about this many last samples.
FADE = 50

#: Smallest and largest reading that a window can hold, by the kind of its readings.
RANGES = {"f": (-3.4028234e38, 3.4028234e38), "h": (-32768, 32767)}

_NAMES_BEFORE_CLASSES = 3


class Learner:
    """A network that takes readings, predicts and learns.

    It starts from the newest checkpoint beside the model file, if there is one. It cuts, resamples and scales windows
    as the host does (SPEC 1.5, 1.6). The host calculates with 64-bit floats. Where the board's have 32 bits, rounding
    can now and then move an input by one step of 127. After the inputs all is integers, and equal.

    Parameters
    ----------
    path : str
        The model file.
    longest : int
        For a model of whole recordings (window = 0): the most readings of one. Of a longer one the last are kept.
    readings : {"f", "h"}
        How the window stores readings: as 32-bit floats, or as 16-bit integers in half the RAM.
    engine : int
        A number of ``runtime.ENGINES``; 0 takes the best.
    replay : int
        Most bytes of RAM in which :meth:`teach` keeps samples; 0: nothing is kept.
    rate : int
        For a model with a front end: samples a second of the microphone, or readings of the sensor; 0: as the model.

    Attributes
    ----------
    classes : tuple of str
    probability : float
        After a prediction, that of the predicted class; after learning, that of the learned class. 0 to 1.
    accuracy : float
        Share of right predictions among the last ``FADE`` samples or so, each predicted before it was learned.
    network : network.Network
    front : frontend.LogMel, motion.Motion or None
        The model's front end. Where its ``push`` says that a word or gesture is over, call :meth:`take`.
    replay : replay.Replay or None
        The samples that were taught.

    Raises
    ------
    OSError, ModelError
        When the model file cannot be read, or is damaged.
    MemoryError
        When the network does not fit into the heap.
    """

    def __init__(self, path="model.tpsgd", longest=0, readings="f", engine=0, replay=0, rate=0):
        self._path = path
        self._budget = replay
        self.front = self.replay = self._answer = None
        self._folder = path[: path.rfind("/") + 1]
        k = runtime.engine(engine, path)
        load_or_recover(path, (OSError, ModelError), self._load, k, longest, readings, rate)
        self._restart()
        last = checkpoint.newest(self._folder, self.network, self._model_crc)
        if last:
            checkpoint.load(last, self.network)
            self._applied = last.applied
        self.clear()
        if replay:
            self._keep(replay)

    def _load(self, k, longest, readings, rate):
        """Read the model file; make the window, the network and the front end."""
        with open(self._path, "rb") as file:
            model = Model(file)
            self._make_window(model, longest, readings)
            self._build(file, model, k, self._budget + self._more_bytes(model))
            if model.front:
                from tpsgd import frontend

                self.front = frontend.build(model, k, self.network.sample, rate)

    def _more_bytes(self, model):
        """Return the bytes of the buffers of the front end and of the prototypes."""
        need = 0
        if model.front:
            from tpsgd import frontend

            need += plan.total(frontend.buffers(model))
        if model.prototypes:
            from tpsgd import answer

            need += plan.total(answer.buffers(model))
        return need

    def _keep(self, budget):
        """Make the store of taught samples; one with prototypes has what was saved last."""
        if not self._answer:
            from tpsgd.replay import Replay

            self.replay = Replay(self.network, budget)
            return
        from tpsgd import ring
        from tpsgd.taught import Taught

        self.replay = Taught(self.network, self._answer, budget)
        ring.load(self._folder, self.replay, self._model_crc)

    def _build(self, file, model, k, more=0):
        """Make the network, and read its class names and scales. There must be room for ``more`` bytes besides."""
        self._read_names(file, model)
        need = plan.total(plan.buffers(model, plan.WORDS[k.NAME])) + more
        free = runtime.heap()[1]
        if free and need > free:
            raise MemoryError("the model needs %d bytes to train, %d are free" % (need, free))
        self.network = build(file, model, k)
        runtime.settle(k)
        self._model_crc = model.crc
        if model.prototypes:
            from tpsgd.answer import Answer

            self._answer = Answer(model, self.network)
            self._answer.open(self._path)

    def _restart(self):
        """Reset the counts: the weights are those of the model file."""
        self.accuracy = self.probability = 0.0
        self._known = self._applied = 0
        self._unsaved = False

    def _read_names(self, file, model):
        """Read the scales and class names, which training does not need."""
        file.seek(model.strings - 8 * model.scales)
        pairs = struct.unpack("<%df" % (2 * model.scales), file.read(8 * model.scales))
        self._offset = array("f", [pairs[2 * i] for i in range(model.scales)])
        self._gain = array("f", [pairs[2 * i + 1] for i in range(model.scales)])
        names = [file.read(file.read(1)[0]) for _ in range(_NAMES_BEFORE_CLASSES + model.classes)]
        self.classes = tuple([str(name, "utf-8") for name in names[_NAMES_BEFORE_CLASSES:]])

    def _make_window(self, model, longest, readings):
        """Make the ring of the last ``_size`` readings. A model of rows has none: each reading is a sample."""
        self._mean = model.resampling
        self._ring = None
        self._size = self._need = self._hop = 1
        self._width = model.steps * model.channels
        self._range = RANGES[readings]
        if model.windows and not model.front:
            self._width = model.channels
            self._size = model.window or longest
            if not self._size:
                raise ValueError("this model takes whole recordings: give longest=N, the most readings one can have")
            if model.window:
                self._need = model.window
                self._hop = model.hop or model.window
            self._ring = array(readings, bytes(struct.calcsize(readings) * self._size * self._width))

    def feed(self, reading):
        """Take the next reading, a sequence of C numbers. For a model of rows it is a whole sample, T*C numbers."""
        if self.front:
            raise ValueError("the model has a front end: it hears words or gestures; call take() after one, not feed()")
        if len(reading) != self._width:
            raise ValueError("a reading of %d values, the model takes %d" % (len(reading), self._width))
        lowest, highest = self._range
        for value in reading:
            if not lowest <= value <= highest:  # NaN fails this, too
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

    def take(self):
        """Take the word or gesture that the front end has just put into the sample: it is the present window."""
        self._have = self._new = 1
        self._filled = True

    def clear(self):
        """Drop the readings so far: the next one starts a new recording."""
        self._next = self._have = 0
        self._new = self._hop
        self._filled = False

    @property
    def ready(self):
        """Whether a window is full and at least ``hop`` readings newer than the last window used."""
        return self._have >= self._need and self._new >= self._hop

    @property
    def seen(self):
        """Samples learned so far."""
        return self.network.seen

    def predict(self):
        """Return the name of the class that the model answers for the window; None where it is not sure.

        A model with prototypes says which way it answers (SPEC 1.11).
        """
        self._fill()
        answer = self._answer
        result = answer.test(taught=self.replay) if answer else self.network.test()
        self._applied += 1
        self.probability = (result & 255) / 127
        return self._name(result)

    def learn(self, label):
        """Learn the window as one of class ``label``, a name or number. Return the name predicted before learning."""
        return self._learn(label, self.network.train)

    def _learn(self, label, train):
        """Have ``train`` learn the window."""
        y = self._class(label)
        self._fill()
        result = train(y)
        self._applied += 1
        self._unsaved = True
        self._known = min(self._known + 1, FADE)
        self.accuracy += ((result >> 8 == y) - self.accuracy) / self._known
        self.probability = (result & 255) / 127
        return self._name(result)

    def _name(self, result):
        """Return the name of the class in a result; None where that is the class none of a model with prototypes."""
        c = result >> 8
        return None if self._answer and c == self._answer.spec.none else self.classes[c]

    def teach(self, label):
        """Do as :meth:`learn`, and keep the sample for :meth:`practise`. Return the name predicted before learning.

        With prototypes the sample is one more; where the model answers by them alone, the network does not learn.
        """
        if not self.replay:
            raise ValueError("nothing is kept: give Learner(..., replay=BYTES), the RAM for taught samples")
        return self._learn(label, self.replay.teach)

    def practise(self, n=1):
        """Learn ``n`` of the taught samples again, in passes of random order; return how many were learned.

        It can be interrupted between samples: call it with few at a time. The present window stays.
        """
        n = self.replay.practise(n) if self.replay else 0
        self._applied += n
        if n:
            self._unsaved = True
        return n

    def undo(self):
        """Drop the sample that was taught last; return its class, or None where there is none.

        What the network has learned of it stays, and fades with practice.
        """
        y = self.replay.drop() if self.replay else -1
        if y >= 0 and self._answer:
            self._unsaved = True  # what is saved has it still
        return self.classes[y] if y >= 0 else None

    def save(self):
        """Write a checkpoint if anything was learned since the last one; return whether it was."""
        changed = self._unsaved
        if changed:
            checkpoint.save(self._folder, self.network, self._model_crc, 0, self._applied)
            self._save_taught()
            self._unsaved = False
        return changed

    def _save_taught(self):
        """Write the taught samples, where they are prototypes."""
        if self._answer and self.replay:
            from tpsgd import ring

            ring.save(self._folder, self.replay, self._model_crc)

    def forget(self):
        """Start again from the weights of the model file, and remove the checkpoints."""
        with open(self._path, "rb") as file:
            model = Model(file)
            model.weights(file, self.network.weights())
        self.network.begin(model.total)
        if self.replay:
            self.replay.clear()
        checkpoint.forget(self._folder)
        if self._answer:
            from tpsgd import ring

            checkpoint.forget(self._folder, ring.SLOTS)
        self._restart()

    def add_class(self, name):
        """Add a class. This writes the model file again, with all that was learned (SPEC 1.8).

        ``network`` is a new object afterwards. The present window stays: you can learn it as one of the new class.
        Raises as :func:`tpsgd.newclass.add` does.
        """
        from tpsgd import newclass

        if self._answer:
            self._answer.close()  # a file that is open cannot be replaced everywhere
        try:
            newclass.add(self._path, self.network, self.classes, name)
        finally:
            if self._answer:
                self._answer.open(self._path)
        k = self.network.k
        sample = bytes(self.network.sample)
        self.network = None  # room for the larger one
        if self.replay:
            self.replay.network = None
        if self._answer:
            self._answer.close()
            self._answer = None
        if hasattr(k, "settle"):  # it has dropped what builds a network
            k = runtime.engine(k.NUMBER)
        with open(self._path, "rb") as file:
            self._build(file, Model(file), k)
        self.network.sample[:] = sample
        if self.front:
            self.front.sample = self.network.sample
        if self.replay:
            if self._answer:
                self.replay.answer = self._answer
            self.replay.attach(self.network)
        checkpoint.forget(self._folder)
        self._restart()
        self._save_taught()

    def _class(self, label):
        """Return the number of a class."""
        if isinstance(label, str):
            if label in self.classes:
                return self.classes.index(label)
        elif 0 <= label < len(self.classes):
            return label
        raise ValueError("no class %r; the model has %s" % (label, ", ".join(self.classes)))

    def _fill(self):
        """Make the network's sample from the window."""
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
        """Interpolate step ``t`` of the sample between two readings."""
        divisor = self.network.steps - 1
        position = t * (self._have - 1)
        if not divisor:  # one step: the middle
            divisor = 2
            position = self._have - 1
        ring = self._ring
        part = position % divisor / divisor
        a = self._offset_of(position // divisor)
        b = self._offset_of(min(position // divisor + 1, self._have - 1))
        for c in range(len(values)):
            values[c] = ring[a + c] + (ring[b + c] - ring[a + c]) * part

    def _average(self, t, values):
        """Average the readings of step ``t`` of the sample."""
        ring = self._ring
        start = t * self._have // self.network.steps
        count = max(1, (t + 1) * self._have // self.network.steps - start)
        for i in range(count):
            at = self._offset_of(start + i)
            for c in range(len(values)):
                values[c] = values[c] + ring[at + c] if i else ring[at + c]
        for c in range(len(values)):
            values[c] /= count

    def _offset_of(self, i):
        """Return where in the ring the ``i``-th oldest reading of the window begins."""
        return (self._next - self._have + i) % self._size * self._width

    def _scale(self, values, at):
        """Scale values, the channels in turn, and write them to the sample from byte ``at`` on (SPEC 1.5)."""
        sample = self.network.sample
        offset = self._offset
        gain = self._gain
        channel = 0
        for value in values:
            x = (value - offset[channel]) * gain[channel] + 0.5
            # Clamp before floor, which fails for infinity.
            sample[at] = 255 if x >= 127 else 1 if x < -126 else floor(x) + 128
            at += 1
            channel += 1
            if channel == len(gain):
                channel = 0
