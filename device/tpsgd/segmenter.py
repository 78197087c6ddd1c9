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
        self.limits = (
            self.frames, self.level, activity, follow, c, spec.on * c, spec.off * c, spec.hold, spec.longest,
            spec.slow << 11 | c, spec.always, spec.settle, spec.shortest, spec.after, shift, (spec.before + 1) * c,
        )  # fmt: skip
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
        self._wait = self.limits[7]  # hold

    def feed(self):
        """Take the frame at byte ``at``. Return the number of frames of a word that has just ended, else 0.

        After a word call :meth:`restart`.
        """
        frames, level, activity, follow, c, on, off, hold, longest, slowly, always, settle, shortest, after, _, _ = (
            self.limits
        )
        at = self.at
        self.at = at + c
        if self.heard < settle:
            self.heard += 1
            follow(frames, at, level, self.heard << 11 | c)
            self._keep()
            return 0
        a = activity(frames, at, level, c)
        if not self.active:
            if always or a <= on:
                follow(frames, at, level, slowly)
            if self._wait:
                self._settle_down(at, a)
            elif a <= on:
                self._rising = 0
            else:
                self._rising += 1
                if self._rising == 2:
                    self.active = True
                    self._last = at // c
                    self._onset = self._last - 1
                    return 0
            self._keep()
            return 0
        if always:
            follow(frames, at, level, slowly)
        t = at // c
        if a > off:
            self._last = t
        length = t - self._onset
        if length < longest and t - self._last < hold:
            return 0
        if length < longest and self._last - self._onset + 1 >= shortest:
            return self._last + after + 1
        if length >= longest:  # no word: the room has become louder
            follow(frames, at, level, 1 << 11 | c)
        self.restart()
        return 0

    def _settle_down(self, at, a):
        """After lost samples, count the quiet frames until a word may begin."""
        frames, level, _, follow, c, _, off, hold, longest, _, _, _, _, _, _, _ = self.limits
        self._waited += 1
        self._wait = self._wait - 1 if a <= off else hold
        if self._waited >= longest:  # the room has become louder
            follow(frames, at, level, 1 << 11 | c)
            self._wait = 0

    def restart(self):
        """Be quiet after a word: keep only the frames that may be the beginning of the next."""
        self.active = False
        self._rising = 0
        self._keep()

    def _keep(self):
        """Move the newest frames to the beginning."""
        size = self.limits[15]
        at = self.at
        if at > size:
            frames = self.frames
            self.limits[14](frames, at - size, size)
            self.at = size
