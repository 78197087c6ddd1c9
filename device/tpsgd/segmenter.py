"""Finds words, or gestures, in a stream of frames (SPEC 1.9).

How active a frame is, and how the quiet level follows it, is up to the kernels of the front end.
"""

from array import array


class Segmenter:
    """Keeps the newest frames, and says when a word is over.

    Parameters
    ----------
    spec : frontspec.FrontSpec
    c : int
        Bytes of a frame.
    activity, follow, shift : function
        Kernels, see ``logmel``.

    Attributes
    ----------
    frames : bytearray
        Write the next frame at byte ``at``, then call :meth:`feed`. A word begins at byte 0.
    level : array of uint16
        The quiet level of each of the C values, as the kernels have it.
    active : bool
        Whether a word is under way.
    """

    def __init__(self, spec, c, activity, follow, shift):
        self.frames = bytearray((spec.before + spec.longest + 1) * c)
        self.level = array("H", bytes(2 * c))
        self.kernels = (activity, follow, shift)
        self.limits = (c, spec.on * c, spec.off * c, spec.hold, spec.shortest, spec.longest, spec.slow << 11 | c)
        self.before = (spec.before + 1) * c
        self.after = spec.after
        self.always = spec.always
        self.settle = spec.settle
        self.heard = 0  # of the first frames, whose mean the level is
        self.forget()
        self._wait = 0

    def forget(self):
        """Drop all frames, for where some are missing. The quiet level stays.

        The next word begins after ``hold`` quiet frames: what is left of this one is none.
        """
        self.at = 0
        self.active = False
        self._rising = 0
        self._onset = self._last = self._waited = 0
        self._wait = self.limits[3]

    def feed(self):
        """Take the frame at byte ``at``. Return the number of frames of a word that has just ended, else 0.

        After a word call :meth:`restart`.
        """
        activity, follow, _ = self.kernels
        c, on, off, hold, shortest, longest, slowly = self.limits
        at = self.at
        self.at = at + c
        if self.heard < self.settle:
            self.heard += 1
            follow(self.frames, at, self.level, self.heard << 11 | c)
            self._keep()
            return 0
        a = activity(self.frames, at, self.level, c)
        if self.always or (a <= on and not self.active):
            follow(self.frames, at, self.level, slowly)
        t = at // c
        if self._wait:
            self._waited += 1
            self._wait = self._wait - 1 if a <= off else hold
            if self._waited >= longest:  # the room has become louder
                follow(self.frames, at, self.level, 1 << 11 | c)
                self._wait = 0
            self._keep()
            return 0
        if not self.active:
            self._rising = self._rising + 1 if a > on else 0
            if self._rising < 2:
                self._keep()
            else:
                self.active = True
                self._onset = t - 1
                self._last = t
            return 0
        if a > off:
            self._last = t
        length = t - self._onset
        if length < longest and t - self._last < hold:
            return 0
        if length < longest and self._last - self._onset + 1 >= shortest:
            return self._last + self.after + 1
        if length >= longest:  # no word: the room has become louder
            follow(self.frames, at, self.level, 1 << 11 | c)
        self.restart()
        return 0

    def restart(self):
        """Be quiet after a word: keep only the frames that may be the beginning of the next."""
        self.active = False
        self._rising = 0
        self._keep()

    def _keep(self):
        """Move the newest frames to the beginning."""
        if self.at > self.before:
            self.kernels[2](self.frames, self.at - self.before, self.before)
            self.at = self.before
