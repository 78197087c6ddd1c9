"""The state of a lesson as the host knows it: what was heard, taught and taken back, and how often the board was right.

Shapes: N classes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from tpsgd_host.boards.live import Heard, Returned, Taught
from tpsgd_host.link.messages import Level

#: Levels to keep for the meter.
LEVELS = 200

#: The recent accuracy covers so many answers.
RECENT = 20

NOT_SURE = "not sure"


@dataclass(frozen=True)
class Answer:
    """What the board said to a word whose label is known; ``predicted`` is empty where it was not sure."""

    label: str
    predicted: str

    @property
    def right(self) -> bool:
        """Whether it was right."""
        return self.label == self.predicted


class Progress:
    """What a lesson has come to. It changes by what the board says, and by nothing else.

    Parameters
    ----------
    classes : sequence of str
        The model's N classes.

    Attributes
    ----------
    heard : Heard or None
        The newest word.
    label : str
        The class as which the newest word was taught; empty if it was not.
    words, missed : int
        Words heard, and words of which nothing arrived.
    answers : list of Answer
        To the taught words, each from before it was learned; those that were taken back are not among them.
    tested : list of Answer
        To words with a known label that were not taught.
    kept, room, overruns, torn : int
        As the board counts them.
    seen : int
        Training samples so far; -1 while not known.
    resets : int
        Times that the board was reset in this lesson.
    unsaved : bool
        Whether anything was learned since the last checkpoint.
    playing : str
        What is played to the board now; empty in a pause.
    note : str
        What happened last, for the screen.
    """

    def __init__(self, classes: Sequence[str]) -> None:
        self.classes = tuple(classes)
        self.heard: Heard | None = None
        self.label = ""
        self.words = self.missed = self.kept = self.room = self.overruns = self.torn = self.resets = 0
        self.seen = -1
        self.answers: list[Answer] = []
        self.tested: list[Answer] = []
        self.levels: list[float] = []  # the newest last; replaced, never changed, as a screen reads it meanwhile
        self.frames: list[bytes] = []
        self.active = self.pressed = self.practising = self.unsaved = False
        self.playing = self.note = ""

    # -- what the board tells

    def measure(self, level: Level) -> None:
        """Take note of how loud it is."""
        self.active, self.pressed, self.practising = level.active, level.pressed, level.practising
        self.levels = [*self.levels[1 - LEVELS :], level.level]
        self.frames = [*self.frames[1 - LEVELS :], level.frame]
        self.overruns, self.torn = level.overruns, level.torn
        self.learn(level.seen)

    def hear(self, heard: Heard) -> None:
        """Take note of a word."""
        self.heard, self.label = heard, ""
        self.words += 1
        self.missed += heard.missed
        said = heard.predicted or NOT_SURE
        sure = max(heard.probabilities, default=0.0)
        self.note = f"heard {said}, {sure:.0%} sure" if heard.predicted else f"heard something: {NOT_SURE}"

    def teach(self, taught: Taught) -> None:
        """Take note of a taught word."""
        assert taught.label is not None
        self.label = taught.label
        answer = Answer(taught.label, taught.predicted or "")
        self.answers.append(answer)
        before = "it knew that" if answer.right else f"it had said {answer.predicted or NOT_SURE}"
        self.note = f"taught {answer.label}: {before}"
        self._keep(taught)

    def undo(self, taught: Taught) -> None:
        """Take note of a word that was taken back."""
        self._keep(taught)
        if taught.label is None:
            self.note = "nothing to take back"
            return
        self.label = ""
        self.note = f"taken back: {taught.label}"
        for i in reversed(range(len(self.answers))):
            if self.answers[i].label == taught.label:
                del self.answers[i]
                return

    def test(self, label: str) -> None:
        """Take note of the label of the newest word, which is not taught."""
        assert self.heard is not None
        answer = Answer(label, self.heard.predicted or "")
        self.tested.append(answer)
        self.note = f"heard {answer.predicted or NOT_SURE}: {'right' if answer.right else f'wrong, it was {label}'}"

    def miss(self, label: str) -> None:
        """Take note of a word to be tested that the board did not hear."""
        self.tested.append(Answer(label, ""))
        self.note = f"not heard: {label}"

    def learn(self, seen: int) -> None:
        """Take note of the training samples so far."""
        self.unsaved |= 0 <= self.seen != seen
        self.seen = seen

    def come_back(self, returned: Returned) -> None:
        """Take note that the board was gone and is back."""
        self.resets += returned.reset
        again = f" was reset and learned the {returned.shown} samples again" if returned.reset else ""
        self.note = f"the board is back after {returned.seconds:.1f} s{again and ';'}{again and ' it' + again}"

    def save(self) -> None:
        """Take note of a checkpoint."""
        self.unsaved = False
        self.note = "saved: the board still knows it after a reset"

    def _keep(self, taught: Taught) -> None:
        self.kept, self.room = taught.kept, taught.room
        self.learn(taught.seen)

    # -- what follows

    @property
    def counts(self) -> Counter[str]:
        """Words taught, by class."""
        return Counter(answer.label for answer in self.answers)

    @property
    def accuracy(self) -> float | None:
        """Prequential accuracy: the share of taught words that the board had right before it learned them."""
        return share(self.answers)

    @property
    def recent(self) -> float | None:
        """The same of the last words."""
        return share(self.answers[-RECENT:])

    @property
    def probabilities(self) -> tuple[float, ...]:
        """Of the N classes, for the newest word; zeros before the first."""
        return (self.heard.probabilities if self.heard else ()) or (0.0,) * len(self.classes)


def share(answers: Sequence[Answer]) -> float | None:
    """Return the share of right answers; None without any."""
    return sum(answer.right for answer in answers) / len(answers) if answers else None
