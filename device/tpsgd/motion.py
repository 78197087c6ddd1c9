"""Gestures in a stream of readings, for a model whose front end is ``motion`` (SPEC 1.9).

Legend: C channels, T steps of the network's sample.
"""

from array import array

from tpsgd.segmenter import Segmenter


class Motion:
    """Readings on a fixed scale, and the gestures among them. It allocates nothing once it is made.

    Attributes are as in :class:`tpsgd.frontend.LogMel`; a frame is a reading, C values. ``level`` is the mean activity
    of a channel.
    """

    def __init__(self, spec, model, kernels, sample, finder=Segmenter):
        c = model.channels
        self.sample = sample
        self.buffer = array("h", bytes(2 * c * READINGS))
        self.scale = spec.table
        self.shape = array("i", (0, model.steps, c))
        self.segmenter = finder(spec, c, activity, follow, kernels.shift)
        self.frames = self.level = 0
        self._have = 0  # values of the reading under way

    @property
    def active(self):
        """Whether a gesture is under way."""
        return self.segmenter.active

    def torn(self):
        """Forget what is under way: readings were lost, so it is no gesture."""
        self._have = 0
        self.segmenter.forget()

    def push(self, n):
        """Take the first ``n`` values of ``buffer``; return whether a gesture has just ended and is in the sample.

        At most READINGS readings end in a call, less than it takes to end two gestures.
        """
        segmenter = self.segmenter
        c = self.shape[2]
        found = False
        for i in range(n):
            x = (self.buffer[i] * self.scale[self._have] + 32768) >> 16
            segmenter.frames[segmenter.at + self._have] = max(-127, min(127, x)) + 128
            self._have += 1
            if self._have == c:
                self._have = 0
                self.frames += 1
                self.level = min(255, activity(segmenter.frames, segmenter.at, segmenter.level, c) // c)
                count = segmenter.feed()
                if count:
                    self.shape[0] = count
                    average(segmenter.frames, self.sample, self.shape)
                    segmenter.restart()
                    found = True
        return found


#: Readings that ``buffer`` holds.
READINGS = 4


def activity(frames, at, level, c):
    """Return how far the reading at byte ``at`` is from the ``level`` of rest, C uint16 in 256ths, in all."""
    a = 0
    for i in range(c):
        a += abs(frames[at + i] - (level[i] >> 8))
    return a


def follow(frames, at, level, packed):
    """Move the level towards the reading at byte ``at``, by 1/(packed >> 11) of the way. C = packed & 0x7FF."""
    for i in range(packed & 0x7FF):
        level[i] += (256 * frames[at + i] - level[i]) // (packed >> 11)


def average(frames, x, shape):
    """Make a sample of a gesture: the floored mean of the readings of each of T steps.

    Parameters
    ----------
    frames : bytes
        Readings from byte 0 on.
    x : bytearray
    shape : array of int32
        Readings R of the gesture, T and C.
    """
    r, steps, c = shape
    for t in range(steps):
        first = t * r // steps
        count = max(1, (t + 1) * r // steps - first)
        for j in range(c):
            s = 0
            for i in range(first, first + count):
                s += frames[i * c + j]
            x[t * c + j] = s // count
