"""From a microphone's samples or a sensor's readings to the network's sample, piece by piece (SPEC 1.9).

Legend: N samples of a window, C bytes of a frame, T steps of the network's sample.
"""

from array import array

from tpsgd import runtime
from tpsgd.frontspec import LOGMEL
from tpsgd.segmenter import Segmenter

#: Samples of a microphone that ``buffer`` holds.
PIECE = 64


def build(model, k, sample, rate=0, finder=Segmenter):
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
    finder : class
        Of what finds the words.

    Raises
    ------
    ValueError
        When the model has no front end, or the rate is not the model's.
    """
    spec = model.front
    if spec is None:
        raise ValueError("the model has no front end: its [frontend] is missing")
    kernels = compiled(k)
    if spec.kind != LOGMEL:
        from tpsgd.motion import Motion

        if rate not in (0, spec.rate):
            raise ValueError("the sensor gives %d readings a second, the model takes %d" % (rate, spec.rate))
        return Motion(spec, model, kernels, sample, finder)
    if rate not in (0, spec.rate, 2 * spec.rate):
        raise ValueError("the microphone gives %d samples a second, the model takes %d" % (rate, spec.rate))
    return LogMel(spec, model, kernels, sample, int(rate == 2 * spec.rate), finder)


def buffers(model):
    """Return [(purpose, bytes), ...] of a model's front end, as ``plan.buffers`` does; the sample is the network's."""
    spec = model.front
    c = model.channels
    sizes = [("frames", (spec.before + spec.longest + 1) * c), ("quiet level", 2 * c), ("front end", 12)]
    if spec.kind != LOGMEL:
        from tpsgd.motion import READINGS

        return sizes + [("readings", 2 * c * READINGS), ("multipliers", 4 * c)]  # noqa: RUF005 - MicroPython
    n = spec.window
    sizes += [("samples", 2 * PIECE), ("window", 2 * n), ("spectrum", 2 * n), ("rotations", n + n // 2)]
    sizes += [("triangles", n // 2 + 2 * (c + 2)), ("bands", 4 * (c + 3)), ("exponent and mean", 20)]
    return sizes


def compiled(k):
    """Return the kernels that go with the engine ``k``: compiled ones, else readable ones, slower and the same bits."""
    for bring, engines in ((_native, ("native",)), (_viper, ("native", "viper", "thumb"))):
        if k.NAME in engines:
            try:
                return bring()
            except ImportError:  # not copied to the board
                pass
            except (MemoryError, ValueError) as error:
                # An ESP32 has memory for machine code that its heap may have grown into.
                runtime.forget(("logmel_native", "logmel_viper"))
                print("a compiled front end does not fit this board: hearing is slower:", error)  # noqa: T201 - console
    from tpsgd import logmel

    return logmel


def _native():
    from tpsgd.logmel_native import KERNELS

    return KERNELS


def _viper():
    from tpsgd import logmel_viper

    return logmel_viper


class LogMel:
    """Log-mel frames of a stream of samples, and the words in it. It allocates nothing once it is made.

    Parameters are as for :func:`build`; ``halving``: 1 where the microphone has twice the model's rate.

    Attributes
    ----------
    buffer : array or memoryview of int16
        Read samples into it, at most PIECE, then call :meth:`push`.
    level : int
        The loudest band of the newest frame, 0..255; 8 are 3 dB.
    frames : int
        Frames so far.
    """

    #: Whether noise is taken off, and 1 where the halved rate owes one of its two samples. They stand here: attributes
    #: take memory.
    noise = 1
    _odd = 0

    def __init__(self, spec, model, kernels, sample, halving, finder=Segmenter):
        from tpsgd import logmel

        n = spec.window
        c = model.channels
        self.kernels = kernels
        window = array("h", bytes(2 * n))
        self.sample = sample
        sums = array("i", bytes(4 * (c + 3)))
        sums[0] = c << 16 | n // 2
        p = array("i", (0, 0, n, c, spec.offset - 128))
        self.shape = array("i", (0, model.steps, c, spec.reach))
        if not spec.noise:
            self.noise = 0
        self.segmenter = finder(spec, c, kernels.activity, kernels.follow, kernels.shift)
        # What a frame needs lies in tuples: an attribute costs a small chip as much as a hundred multiplications.
        self._stage = (
            kernels.take_mean, kernels.load, kernels.fft, kernels.add_bands, kernels.take_logs, window,
            array("H", bytes(2 * n)), logmel.rotations(n), logmel.triangles(n, spec.rate, spec.table), sums, p, n // 2,
            self.segmenter,
        )  # fmt: skip
        before = logmel.TAPS - 1 if halving else 0
        source = array("h", bytes(2 * (before + PIECE)))
        self.buffer = memoryview(source)[before:] if halving else source
        move = kernels.halve if halving else kernels.copy
        self._moves = (move, kernels.copy, source, window, n, spec.hop, before)
        self.frames = self.level = 0
        self._have = 0  # samples in the window
        if halving:
            self._odd = 0

    @property
    def active(self):
        """Whether a word is under way."""
        return self.segmenter.active

    def torn(self):
        """Forget what is under way: samples were lost, so it is no word."""
        self._have = 0
        if self._odd:
            self._odd = 0
        self.segmenter.forget()

    def push(self, n):
        """Take the first ``n`` samples of ``buffer``; return whether a word has just ended and stands in the sample."""
        move, copy, source, window, size, hop, before = self._moves
        have = self._have
        at = 0
        count = n
        if before:
            at = 1 - self._odd
            count = (n + self._odd) >> 1
            self._odd = (n + self._odd) & 1
        found = False
        while count:
            some = size - have
            if some > count:
                some = count
            move(source, window, at << 16 | have, some)
            have += some
            at += 2 * some if before else some
            count -= some
            if have == size:
                self.frame()
                if self._segment():
                    found = True
                have = size - hop
                copy(window, window, hop << 16, have)
        self._have = have
        if before:
            copy(source, source, n << 16, before)
        return found

    def frame(self):
        """Make the frame of the samples in the window."""
        take_mean, load, fft, add_bands, take_logs, x, z, t, weights, sums, p, half, segmenter = self._stage
        take_mean(x, p)
        load(x, z, t, p)
        fft(z, t, half)
        add_bands(z, t, weights, sums)
        self.level = take_logs(sums, segmenter.frames, segmenter.at, p)
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
        self.kernels.word(segmenter.frames, self.sample, self.shape)
        segmenter.restart()
        return True
