"""From a microphone's samples or a sensor's readings to the network's sample, piece by piece (SPEC 1.9).

Legend: N samples of a window, C bytes of a frame, T steps of the network's sample.
"""

from array import array

from tpsgd.frontspec import LOGMEL
from tpsgd.segmenter import Segmenter


def build(model, k, sample, rate=0):
    """Return the front end of a model.

    Parameters
    ----------
    model : modelfile.Model
        One with a front end.
    k : module
        The network's engine; the front end takes what suits it.
    sample : bytearray
        The network's sample, which a word is written to.
    rate : int
        Samples a second of the microphone; 0: as the model has it. Twice as many are halved here.

    Raises
    ------
    ValueError
        When the model has no front end, or the rate is not the model's.
    """
    spec = model.front
    if spec is None:
        raise ValueError("the model has no front end: its [frontend] is missing")
    kernels = _kernels(k)
    if spec.kind != LOGMEL:
        from tpsgd.motion import Motion

        if rate not in (0, spec.rate):
            raise ValueError("the sensor gives %d readings a second, the model takes %d" % (rate, spec.rate))
        return Motion(spec, model, kernels, sample)
    if rate not in (0, spec.rate, 2 * spec.rate):
        raise ValueError("the microphone gives %d samples a second, the model takes %d" % (rate, spec.rate))
    return LogMel(spec, model, kernels, sample, rate == 2 * spec.rate)


def buffers(model):
    """Return [(purpose, bytes), ...] of a model's front end, as ``plan.buffers`` does; the sample is the network's."""
    spec = model.front
    c = model.channels
    sizes = [("frames", (spec.before + spec.longest + 1) * c), ("quiet level", 2 * c), ("front end", 12)]
    if spec.kind != LOGMEL:
        from tpsgd.motion import READINGS

        return sizes + [("readings", 2 * c * READINGS), ("multipliers", 4 * c)]  # noqa: RUF005 - MicroPython
    n = spec.window
    sizes += [("samples", 2 * spec.hop), ("window", 2 * n), ("spectrum", 2 * n), ("rotations", 2 * n)]
    return sizes + [("triangles", n + 2), ("bands", 4 * (c + 3)), ("exponent and mean", 20)]  # noqa: RUF005 - MicroPython


def _kernels(k):
    """Return the kernels that go with the engine ``k``."""
    from tpsgd import logmel as kernels

    if k.NAME in ("viper", "thumb"):
        try:
            from tpsgd import logmel_viper as kernels
        except ImportError:  # not copied to the board: slower, and the same bits
            pass
    return kernels


class LogMel:
    """Log-mel frames of a stream of samples, and the words in it. It allocates nothing once it is made.

    Parameters are as for :func:`build`; ``halving``: the microphone has twice the model's rate.

    Attributes
    ----------
    buffer : array or memoryview of int16
        Read samples into it, then call :meth:`push`.
    level : int
        The loudest band of the newest frame, 0..255; 8 are 3 dB.
    frames : int
        Frames so far.
    """

    def __init__(self, spec, model, kernels, sample, halving):
        from tpsgd import logmel

        n = spec.window
        c = model.channels
        self.kernels = kernels
        self.window = array("h", bytes(2 * n))
        self.sample = sample
        self.rotations = logmel.rotations(n)
        self.weights = logmel.triangles(n, spec.rate, spec.table)
        self.z = array("H", bytes(2 * n))
        self.sums = array("i", bytes(4 * (c + 3)))
        self.sums[0] = c << 16 | n // 2
        self.p = array("i", (0, 0, n, c, spec.offset - 128))
        self.shape = array("i", (0, model.steps, c))
        self.n, self.hop = n, spec.hop
        self.noise, self.reach = spec.noise, spec.reach
        self.segmenter = Segmenter(spec, c, kernels.activity, kernels.follow, kernels.shift)
        self.halving = int(halving)
        if halving:
            before = logmel.TAPS - 1
            self._source = array("h", bytes(2 * (before + 2 * spec.hop)))
            self.buffer = memoryview(self._source)[before:]
        else:
            self.buffer = self._source = array("h", bytes(2 * spec.hop))
        self.frames = self.level = 0
        self._have = 0  # samples in the window
        self._odd = 0  # 1: the halved rate owes one of its two samples

    @property
    def active(self):
        """Whether a word is under way."""
        return self.segmenter.active

    def torn(self):
        """Forget what is under way: samples were lost, so it is no word."""
        self._have = self._odd = 0
        self.segmenter.forget()

    def push(self, n):
        """Take the first ``n`` samples of ``buffer``; return whether a word has just ended and stands in the sample."""
        kernels = self.kernels
        move = kernels.copy
        at = 0
        count = n
        if self.halving:
            move = kernels.halve
            at = 1 - self._odd
            count = (n + self._odd) >> 1
            self._odd = (n + self._odd) & 1
        found = False
        while count:
            some = min(count, self.n - self._have)
            move(self._source, self.window, at << 16 | self._have, some)
            self._have += some
            at += some << self.halving
            count -= some
            if self._have == self.n:
                self.frame()
                if self._segment():
                    found = True
                self._have = self.n - self.hop
                kernels.copy(self.window, self.window, self.hop << 16, self._have)
        if self.halving:
            kernels.copy(self._source, self._source, n << 16, len(self._source) - len(self.buffer))
        return found

    def frame(self):
        """Make the frame of the samples in ``window``."""
        kernels = self.kernels
        p = self.p
        z = self.z
        t = self.rotations
        kernels.take_mean(self.window, p)
        kernels.load(self.window, z, t, p)
        kernels.fft(z, t, self.n >> 1)
        kernels.add_bands(z, t, self.weights, self.sums)
        self.level = kernels.take_logs(self.sums, self.segmenter.frames, self.segmenter.at, p)
        self.frames += 1

    def _segment(self):
        """Hand the newest frame to the segmenter; return whether a word has ended, and make its sample."""
        segmenter = self.segmenter
        count = segmenter.feed()
        if not count:
            return False
        if self.noise:
            self.kernels.take_noise(segmenter.frames, segmenter.level, self.shape[2], count)
        self.shape[0] = count
        self.kernels.word(segmenter.frames, self.sample, self.shape, self.reach)
        segmenter.restart()
        return True
