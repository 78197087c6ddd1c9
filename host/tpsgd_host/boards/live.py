"""Live: a board listens to its own sensor, says what it hears, and learns what is labelled; a reset does not end it.

Shapes: T steps, C channels, N classes.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeAlias, TypeVar

from tpsgd_host.boards.board import Board
from tpsgd_host.boards.connect import connect
from tpsgd_host.boards.returning import GONE, ReturningBoard
from tpsgd_host.data.frontend import LogMel
from tpsgd_host.errors import BoardError, ConfigError, MismatchError, TpsgdError
from tpsgd_host.link import messages
from tpsgd_host.link.lesson import LessonLink
from tpsgd_host.link.messages import HINTS, SENSOR, Level
from tpsgd_host.link.usb import identity, locate
from tpsgd_host.model.modelfile import Model
from tpsgd_host.training.executor import Outcome

T = TypeVar("T")

#: Bytes of the board's RAM for taught samples, and how often it practises each of them by itself.
BUDGET = 8000
PASSES = 10

#: Without a LEVEL for so many seconds the board is asked whether it is still there.
SILENCE = 2.0

#: Samples of events that are held here, so that an event can be taught though a newer one has come.
HELD = 64

#: Attempts to teach an event while newer ones come.
TRIES = 5

#: Events that one :meth:`LiveSession.poll` returns at most.
MOST = 100


@dataclass(frozen=True)
class Heard:
    """A word or gesture, and what the board took it for.

    Attributes
    ----------
    event : int
        Its number in this session, from 1 on; a reset of the board does not begin anew. :meth:`LiveSession.teach`
        takes it.
    seconds : float
        Its length; 0 if unknown.
    onset : int
        Number of a value at its beginning in what the board has heard since it opened its sensor (values of one
        channel, from 0 on).
    predicted : str
    probabilities : tuple of float, length N
        Of all classes, 0 to 1.
    sample : bytes or None
        T*C stored activations; None if the next event came before they could be read.
    missed : int
        Events before this one of which nothing is known: the board heard them, and the link lost them.
    """

    event: int
    seconds: float
    onset: int
    predicted: str
    probabilities: tuple[float, ...]
    sample: bytes | None
    missed: int = 0


@dataclass(frozen=True)
class Returned:
    """The board was gone and is back.

    Attributes
    ----------
    seconds : float
        How long it was gone.
    reset : bool
        Whether it had lost the lesson; then it has learned the taught samples again.
    shown : int
        How many.
    """

    seconds: float
    reset: bool
    shown: int


Event: TypeAlias = Level | Heard | Returned


@dataclass(frozen=True)
class Taught:
    """What was taught, or dropped.

    Attributes
    ----------
    label : str or None
        The class; None if there was nothing to drop.
    predicted : str
        The board's prediction before it learned.
    probability : float
        That of the taught class before it was learned.
    kept, room : int
        Samples that the board keeps, and for which it has room.
    seen : int
        Training samples so far, practised ones included.
    sample : bytes or None
        T*C stored activations of the sample that was taught or dropped; None if unknown.
    """

    label: str | None
    predicted: str
    probability: float
    kept: int
    room: int
    seen: int
    sample: bytes | None = None

    @property
    def right(self) -> bool:
        """Whether the prediction was right."""
        return self.predicted == self.label


class LiveSession(ReturningBoard):
    """A lesson with a board; a context manager. :func:`live_session` makes one.

    Parameters
    ----------
    opener : callable
        Opens a session with the board, as :func:`~tpsgd_host.boards.connect.connect` does.
    budget : int
        Bytes of the board's RAM for taught samples; 0: none are kept.
    passes : int
        How many times the board practises each kept sample by itself, while it is quiet.
    ears, levels : bool
        Whether the board listens to its sensor, and sends LEVEL.
    hold : bool
        Whether it stops listening after each event until :meth:`go_on`, for recordings that are played as fast as the
        board reads.
    patience : float
        Seconds to wait for a board that vanished; 0 for no wait.
    note : callable
        Called with notes for the user.

    Attributes
    ----------
    model : Model
        The board's, with the weights that were flashed.
    board : Board
        The board in its present session.
    state : messages.Lesson
        The last that the board said about the lesson.
    """

    model: Model
    state: messages.Lesson
    _link: LessonLink

    def __init__(
        self,
        opener: Callable[[], AbstractContextManager[Board]],
        *,
        budget: int = BUDGET,
        passes: int = PASSES,
        ears: bool = True,
        levels: bool = True,
        hold: bool = False,
        patience: float = 60.0,
        note: Callable[[str], None] = lambda text: None,
    ) -> None:
        if not 0 <= passes <= 255:
            raise ConfigError(f"{passes} passes", "The board practises 0 to 255 times.")
        super().__init__(opener, patience, note)
        self._ears, self._levels, self._hold_on = ears, levels, hold
        self._passes, self._budget = passes, budget
        self._base = self._newest = 0  # number here of the lesson's event 0, and of the newest event here
        self._changes = 0
        self._samples: OrderedDict[int, bytes] = OrderedDict()
        self._kept: list[tuple[bytes, int]] = []  # what was taught, to show it again after a reset
        self._heard_at = 0.0

    def __enter__(self) -> LiveSession:
        self._open()
        try:
            self.model = self.board.model()
            self._link = self.board.lesson(self.model)
            self._begin()
        except BaseException:
            self._close()
            raise
        return self

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the N classes."""
        return self.model.classes

    # -- what the board tells

    def poll(self, timeout: float = 0.1) -> list[Event]:
        """Return what has happened; wait at most ``timeout`` seconds for the first event.

        Raises
        ------
        BoardError, PortError
            When the sensor failed, or the board is gone and does not come back.
        """
        until = time.monotonic() + timeout
        found: list[Event] = []
        try:
            while len(found) < MOST:
                told = self._link.unasked(0.0 if found else max(0.0, until - time.monotonic()))
                if told is None:
                    break
                self._heard_at = time.monotonic()
                found += self._take(told)
            if time.monotonic() - self._heard_at > SILENCE:
                found += self._look()
        except GONE as error:
            found.append(self._recover(error))
        return found

    def events(self) -> Iterator[Event]:
        """Yield what happens, without end."""
        while True:
            yield from self.poll(1.0)

    def _take(self, told: Level | messages.Heard) -> list[Event]:
        """Return the events in what the board told. A LEVEL shows whether a HEARD was lost."""
        if isinstance(told, messages.Heard):
            return self._hear(told)
        return [*self._catch_up(told.event), told]

    def _catch_up(self, event: int) -> list[Event]:
        """Return the board's newest event if its HEARD was lost."""
        lost = self._link.heard(event) if self._number(event) > self._newest else None
        return self._hear(lost) if lost else []

    def _hear(self, heard: messages.Heard) -> list[Event]:
        """Return the event of a HEARD that is new."""
        number = self._number(heard.event)
        if number <= self._newest:
            return []
        missed, self._newest = number - self._newest - 1, number
        sample = self._link.sample(heard.event)
        if sample is not None:
            self._hold(number, sample)
        seconds, onset = self._place(heard)
        return [Heard(number, seconds, onset, self.classes[heard.predicted], heard.probabilities, sample, missed)]

    def _place(self, heard: messages.Heard) -> tuple[float, int]:
        """Return how long a word lasted, and a value at its beginning: the last one of its second loud frame."""
        front = self.model.layout.front
        if front is None or not heard.frames:
            return 0.0, 0
        cut = front.segmenting
        frame = max(0, heard.at - cut.hold + cut.after - heard.frames + cut.before) + 1
        onset = frame * front.hop + front.window - 1 if isinstance(front, LogMel) else frame
        return heard.frames / front.frame_rate, onset

    def _number(self, event: int) -> int:
        """Return the number here of the board's event, a number modulo 65536."""
        step = (event - (self._newest - self._base)) & 0xFFFF
        return self._newest + (step if step < 0x8000 else step - 0x10000)

    def _hold(self, number: int, sample: bytes) -> None:
        self._samples[number] = sample
        while len(self._samples) > HELD:
            self._samples.popitem(last=False)

    def _look(self) -> list[Event]:
        """Ask the silent board for its state; return what it has heard meanwhile."""
        self._begin()
        return self._catch_up(self.state.event)

    # -- what it is asked for

    def teach(self, event: int, label: str | int) -> Taught:
        """Have the board learn and keep an event as one of a class, a name or number; return what was learned.

        Where a newer event has come, the board is shown the sample again, if this session has it (the last 64 events).

        Raises
        ------
        BoardError
            When the sample is gone.
        """
        y = self._class(label)
        number = event

        def teach() -> Taught | None:
            nonlocal number
            for _ in range(TRIES):
                lesson = self._link.teach(number - self._base, y) if number > self._base else None
                if lesson and lesson.label == y:
                    return self._taught(lesson, self._samples.get(event))
                number = self._show_again(event)
            return None

        taught = self._steadily(teach, lambda: self._taught_already(event, y))
        if taught is None:
            raise BoardError(f"event {event} could not be taught: newer ones come", "try again when it is quiet")
        if taught.sample is not None:
            self._kept.append((taught.sample, y))
        return taught

    def show(self, sample: bytes) -> Heard:
        """Show the board a sample, T*C stored activations: it becomes the newest event, which can be taught."""

        def show() -> Heard:
            lesson = self._link.show(sample)
            self._newest = self._number(lesson.event)
            self._hold(self._newest, sample)
            heard = self._link.heard(lesson.event)
            shares = heard.probabilities if heard else ()
            return Heard(self._newest, 0.0, 0, self.classes[lesson.predicted], shares, sample)

        return self._steadily(show)

    def undo(self) -> Taught:
        """Have the board drop the sample that was taught last. What it has learned of it fades with practice."""
        taught = self._steadily(lambda: self._taught(self._link.undo(), None), self._undone_already)
        if taught.label is None or not self._kept:
            return taught
        sample, _ = self._kept.pop()
        return Taught(taught.label, taught.predicted, taught.probability, taught.kept, taught.room, taught.seen, sample)

    def practise(self, n: int) -> int:
        """Have the board learn ``n`` of its kept samples again, a few at a time; return how many it learned."""
        done = 0
        while done < n:
            lesson = self._steadily(partial(self._practise, n - done))
            self._note_state(lesson)
            if not lesson.learned:
                break
            done += lesson.learned
        return done

    def set_passes(self, passes: int) -> None:
        """Set how many times the board practises each kept sample by itself."""
        self._passes = passes
        self._steadily(self._begin)

    def go_on(self) -> None:
        """With ``hold``: listen again after an event."""

        def go_on() -> None:
            self.state = self._listen(go_on=True)

        self._steadily(go_on)

    def sample(self, event: int) -> bytes | None:
        """Return the sample of an event, T*C stored activations; None if it is gone."""
        if event in self._samples:
            return self._samples[event]
        return self._steadily(lambda: self._link.sample(event - self._base) if event > self._base else None)

    def save(self) -> Outcome:
        """Have the board write a checkpoint."""
        return self._steadily(lambda: self.board.finish(save=True))

    def pull(self) -> Model:
        """Return the model with the board's present weights."""
        return self._steadily(lambda: self.model.with_weights(self.board.weights()))

    # -- inside

    def _practise(self, n: int) -> messages.Lesson:
        return self._link.practise(n)

    def _class(self, label: str | int) -> int:
        if isinstance(label, str):
            if label not in self.classes:
                raise ConfigError(f"there is no class {label!r}", f"The model has {', '.join(self.classes)}.")
            return self.classes.index(label)
        if not 0 <= label < len(self.classes):
            raise ConfigError(f"there is no class {label}", f"The model has {len(self.classes)}.")
        return label

    def _show_again(self, event: int) -> int:
        """Show the board the sample of an event again; return the number of the new event."""
        if event not in self._samples:
            raise BoardError(f"the sample of event {event} is gone: newer ones have come", "say or show it again")
        self._newest = self._number(self._link.show(self._samples[event]).event)
        return self._newest

    def _taught(self, lesson: messages.Lesson, sample: bytes | None) -> Taught:
        self._note_state(lesson)
        label = None if lesson.label is None else self.classes[lesson.label]
        predicted = self.classes[lesson.predicted]
        return Taught(label, predicted, lesson.probability, lesson.kept, lesson.room, lesson.seen, sample)

    def _taught_already(self, event: int, y: int) -> Taught | None:
        """Return what was taught just before the board vanished; None if it was not."""
        if self.state.changes != (self._changes + 1) & 0xFFFF:
            return None
        taught = self._taught(self.state, self._samples.get(event))
        return Taught(self.classes[y], "", 0.0, taught.kept, taught.room, taught.seen, taught.sample)

    def _undone_already(self) -> Taught | None:
        if self.state.changes != (self._changes + 1) & 0xFFFF:
            return None
        taught = self._taught(self.state, None)
        label = self.classes[self._kept[-1][1]] if self._kept else None
        return Taught(label, "", 0.0, taught.kept, taught.room, taught.seen)

    def _note_state(self, lesson: messages.Lesson) -> None:
        self.state, self._changes = lesson, lesson.changes

    def _listen(self, go_on: bool = False) -> messages.Lesson:
        return self._link.listen(self._ears, self._levels, self._passes, self._budget, self._hold_on, go_on)

    def _begin(self) -> None:
        """Begin the lesson, or go on with the board's."""
        self.state = self._listen()
        self._heard_at = time.monotonic()
        if self._ears and not self.state.listening:
            raise BoardError("the board does not listen: its sensor failed", HINTS[SENSOR])

    # -- a board that is gone

    def _steadily(self, job: Callable[[], T], done: Callable[[], T | None] = lambda: None) -> T:
        """Do a job; where the board vanishes meanwhile, do it again unless ``done`` returns its result."""
        while True:
            try:
                return job()
            except GONE as error:
                self._recover(error)
                result = done()
                if result is not None:
                    return result

    def _recover(self, error: TpsgdError) -> Returned:
        """Wait for the board and go on; raise ``error`` if that is not wanted or fails."""
        if self._patience <= 0:
            raise error
        hint = "plug it in or reset it, and begin again; the taught samples are kept on this computer"
        seconds, shown = self._reopen(error, self._go_on, hint)
        self._note(f"the board is back after {seconds:.1f} s")
        return Returned(seconds, shown is not None, shown or 0)

    def _go_on(self) -> int | None:
        """Go on with the lesson; if the board has lost it, teach it again: return the number of samples, else None."""
        if self.board.info.model_crc != self.model.crc:
            raise MismatchError(
                f"the board that came back has model {self.board.info.model_crc:08x}, the lesson is of "
                f"{self.model.crc:08x}",
                "connect the board that the lesson began with",
            )
        self._link = self.board.lesson(self.model)
        self._begin()
        if self.state.changes in (self._changes, (self._changes + 1) & 0xFFFF) and self.state.event:
            return None
        self._base = self._newest
        self._newest = self._number(self.state.event)
        self._changes = self.state.changes
        again = self._kept[-self.state.room :] if self.state.room else []
        if again:
            self._note(f"the board was reset: it learns the {len(again)} samples of this lesson again")
        for sample, y in again:
            number = self._link.show(sample).event
            self._note_state(self._link.teach(number, y))
        self._newest = max(self._newest, self._number(self.state.event))
        return len(again)


def live_session(
    port: str = "virtual",
    *,
    folder: Path | None = None,
    heap: int | None = None,
    baud: int = 115200,
    engine: str = "auto",
    budget: int = BUDGET,
    passes: int = PASSES,
    ears: bool = True,
    levels: bool = True,
    hold: bool = False,
    reconnect: float = 60.0,
    on_text: Callable[[str], None] = lambda text: None,
    on_note: Callable[[str], None] = lambda text: None,
) -> LiveSession:
    """Return a lesson with a board, to be used in a ``with`` statement.

    Parameters
    ----------
    port, folder, heap, baud, engine, on_text, on_note
        See :func:`tpsgd_host.boards.connect.connect`.
    budget, passes, ears, levels, hold
        See :class:`LiveSession`.
    reconnect : float
        Seconds to wait for a board that vanishes; 0 for no wait.
    """
    usb = identity(port)

    def opener() -> AbstractContextManager[Board]:
        place = locate(port, usb)
        return connect(
            place, folder=folder, heap=heap, baud=baud, engine=engine, on_text=on_text, on_note=on_note
        )  # fmt: skip

    return LiveSession(
        opener, budget=budget, passes=passes, ears=ears, levels=levels, hold=hold, patience=reconnect, note=on_note
    )
