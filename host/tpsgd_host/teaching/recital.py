"""A recital: labelled recordings are played to a board, which is taught some of each class and tested on the rest.

Nothing depends on how fast the board is: it stops to listen after each word until the host has answered.
"""

from __future__ import annotations

import random
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from tpsgd_host.boards.live import Heard
from tpsgd_host.boards.player import Player
from tpsgd_host.data.layout import Layout
from tpsgd_host.data.playing import Piece, with_pauses
from tpsgd_host.errors import DataError
from tpsgd_host.names import listing
from tpsgd_host.teaching.lesson import Lesson

#: Seconds to wait for what the board says next.
WAIT = 0.1


@dataclass(frozen=True)
class _Span:
    """Where a recording lies in what is played: the numbers of its first value and the one after it."""

    begin: int
    end: int
    label: str


class Recital:
    """Recordings in the order in which they are played; the iterator that plays them waits between the two parts.

    Parameters
    ----------
    recordings : sequence of Piece
        With labels; those of other classes are left out.
    classes : sequence of str
    samples : int
        Recordings of each class to teach.
    seed : int
        Of the choice and the order.

    Attributes
    ----------
    taught, tested : list of Piece
        The two parts.

    Raises
    ------
    DataError
        When there are too few recordings of a class.
    """

    def __init__(self, recordings: Sequence[Piece], classes: Sequence[str], samples: int, seed: int = 1) -> None:
        by_label: dict[str, list[Piece]] = defaultdict(list)
        for piece in recordings:
            by_label[piece.label].append(piece)
        few = [f"{name} {len(by_label[name])}" for name in classes if len(by_label[name]) < samples]
        if few:
            raise DataError(
                f"{samples} recordings of each class are to be taught, there are fewer: {listing(few)}",
                "Play another folder, or teach fewer: --samples N.",
            )
        dice = random.Random(seed)
        for name in classes:
            dice.shuffle(by_label[name])
        self.taught = [by_label[name][i] for i in range(samples) for name in classes]
        self.tested = [piece for name in classes for piece in by_label[name][samples:]]
        dice.shuffle(self.tested)
        self._seed = seed
        self._spans: list[_Span] = []
        self._halfway, self._go_on = threading.Event(), threading.Event()

    def pieces(self, layout: Layout, pause: float | None = None) -> Iterator[Piece]:
        """Yield the recordings with pauses between; after the taught ones, wait for :meth:`go_on`."""
        at = 0
        for number, part in enumerate((self.taught, self.tested)):
            if number:
                self._halfway.set()
                self._go_on.wait()
            for piece in with_pauses(part, layout, pause, self._seed + number):
                if piece.label:
                    self._spans.append(_Span(at, at + len(piece.values), piece.label))
                at += len(piece.values)
                yield piece

    def go_on(self) -> None:
        """Play the second part, or end."""
        self._go_on.set()

    @property
    def halfway(self) -> bool:
        """Whether all of the first part has been handed on."""
        return self._halfway.is_set()

    def at(self, position: int) -> int:
        """Return the number of the recording at, or last before, a place in the stream; -1 before the first."""
        found = -1
        for i, span in enumerate(self._spans):
            if span.begin > position:
                break
            found = i
        return found


@dataclass
class Outcome:
    """What came of a recital.

    Attributes
    ----------
    unheard : int
        Recordings in which the board heard no word; of the second part they count as wrong.
    extra : int
        Further words that the board heard in a recording; they are neither taught nor tested.
    """

    unheard: int = 0
    extra: int = 0


class Conductor:
    """Conducts a recital.

    Parameters
    ----------
    lesson : Lesson
        Of a session that holds after each event.
    recital : Recital
    player : Player
        Plays the recital's pieces, as fast as the board reads.
    passes : int
        How often all kept samples are practised between the two parts.

    Attributes
    ----------
    outcome : Outcome
    """

    def __init__(self, lesson: Lesson, recital: Recital, player: Player, passes: int) -> None:
        self._lesson, self._recital, self._player, self._passes = lesson, recital, player, passes
        self._step: Callable[[], None] = lambda: None
        self._heard: set[int] = set()
        self.outcome = Outcome()

    def run(self, step: Callable[[], None] = lambda: None) -> Outcome:
        """Teach, practise, test; call ``step``, which may raise to end it, whenever something has happened."""
        self._step = step
        recital, lesson = self._recital, self._lesson
        half = len(recital.taught)
        try:
            self._listen_until(lambda: recital.halfway)
            self._miss(range(half))
            self._practise()
            recital.go_on()
            self._listen_until(lambda: self._player.ended)
            self._miss(range(half, half + len(recital.tested)))
        finally:
            recital.go_on()
        lesson.progress.playing = ""
        self._step()
        return self.outcome

    def _listen_until(self, played: Callable[[], bool]) -> None:
        """Take what the board hears until it has heard all that was played."""
        while True:
            over = played() and not self._player.unread
            if over:
                self._lesson.sync()  # the board has read all; with its answer come the last words
            words = self._lesson.poll(0.0 if over else WAIT)
            for heard in words:
                self._answer(heard)
                self._lesson.session.go_on()
            if self._player.error:
                raise self._player.error
            if over and not words:
                return
            self._step()

    def _answer(self, heard: Heard) -> None:
        recital, progress = self._recital, self._lesson.progress
        number = recital.at(heard.onset)
        if number < 0 or number in self._heard:
            self.outcome.extra += 1
            return
        self._heard.add(number)
        half = len(recital.taught)
        label = (recital.taught[number] if number < half else recital.tested[number - half]).label
        progress.playing = label
        self._step()
        if number < half:
            self._lesson.teach(label)
        else:
            progress.test(label)
        self._step()

    def _miss(self, numbers: range) -> None:
        """Count the recordings that were not heard."""
        half = len(self._recital.taught)
        for number in numbers:
            if number not in self._heard:
                self.outcome.unheard += 1
                if number >= half:
                    self._lesson.progress.miss(self._recital.tested[number - half].label)

    def _practise(self) -> None:
        progress = self._lesson.progress
        for number in range(self._passes):
            progress.note = f"practising: pass {number + 1} of {self._passes} over {progress.kept} samples"
            progress.practising = True
            self._step()
            self._lesson.practise(progress.kept)
        progress.practising = False
