"""A sensor and a person for boards that have none: gestures made up by arithmetic, taught and then shown."""

from math import cos, pi, sin

from tpsgd.generator import draw, mix

GRAVITY = 8192  # of the sensor's units
RATE = 25  # readings a second
WINDOWS = 2  # that a gesture lasts, of WINDOW readings
WINDOW = 50
ROUNDS = 6  # how often each gesture is taught, and then
SHOWN = 6  # how often it is shown


class Simulated:
    """Does what a person would: hold the button and make a gesture, press it shortly for the next one; then show them.

    Parameters
    ----------
    classes : tuple of str
        The gestures; their movements are "rest", "wave" and "circle", in this order.
    """

    def __init__(self, classes):
        self._classes = classes
        self._state = [mix(1)]
        self._script = self._play()
        self._held = False
        self._age = 0  # readings since the gesture began
        self._shown = None
        self._right = self._told = 0

    def _play(self):
        """Yield the readings of the whole performance."""
        for _ in range(ROUNDS):
            for kind in range(len(self._classes)):
                yield from self._gesture(kind, True)
                yield from self._short_press()
        for i in range(SHOWN * len(self._classes)):
            self._shown = self._classes[i % len(self._classes)]
            yield from self._gesture(i % len(self._classes), False)

    def _gesture(self, kind, held):
        """Yield a gesture: the button goes down, or stays up, with its first reading."""
        phase = draw(self._state, 628) / 100
        speed = 0.8 + draw(self._state, 40) / 100
        for t in range(WINDOWS * WINDOW):
            self._held = held
            self._age = t + 1
            angle = 2 * pi * speed * t / RATE + phase
            x = (0, sin(2 * angle), -0.7 + 0.6 * sin(angle))[kind]
            y = (0, 0.9, 0.6 * cos(angle))[kind]
            z = (1, 0.2, 0.7)[kind]  # who waves holds the hand upright, who draws circles tilts it
            yield self._noisy(x * GRAVITY), self._noisy(y * GRAVITY), self._noisy(z * GRAVITY)

    def _short_press(self):
        """Yield readings at rest while the button goes up, down and up again."""
        for held in (False, True, False):
            for _ in range(3):
                self._held = held
                yield self._noisy(0), self._noisy(0), self._noisy(GRAVITY)

    def _noisy(self, value):
        return int(value) + draw(self._state, 1600) - 800

    def read(self):
        """Return the next reading, None at the end."""
        return next(self._script, None)

    def pressed(self):
        """Return whether the button is held."""
        return self._held

    def told(self, name):
        """Hear what the network made of a window; one with two gestures in it is nobody's fault."""
        if self._shown is not None and self._age >= WINDOW:
            self._told += 1
            self._right += name == self._shown

    def summary(self):
        """Return how well the network recognized the gestures shown."""
        return "simulated: {} of {} windows recognized".format(self._right, self._told)
