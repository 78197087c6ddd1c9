"""Watch a board: its output, its state, and its predictions for samples."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from tpsgd_host.boards.board import Board
from tpsgd_host.boards.connect import BoardText
from tpsgd_host.boards.line import Line
from tpsgd_host.boards.live import BUDGET, Heard, LiveSession, Returned
from tpsgd_host.data.encoded import EncodedSamples
from tpsgd_host.data.samples import UNKNOWN
from tpsgd_host.errors import BoardError, BoardGoneError, PortError
from tpsgd_host.link.messages import Level
from tpsgd_host.link.session import Session
from tpsgd_host.link.wire import Decoder
from tpsgd_host.model.modelfile import Model
from tpsgd_host.training.executor import TEST, Records, checked

#: Seconds in which the device program must answer; opening its port may reset a board, which then needs some time.
PATIENCE = 5.0

_SILENT = "the board has not answered"


@dataclass(frozen=True)
class Said:
    """A line that the board printed."""

    text: str


@dataclass(frozen=True)
class Stands:
    """The state of the device program; heap in bytes.

    Attributes
    ----------
    applied, seen : int
        Samples applied in its present run, and samples learned in the run that gave its weights.
    weights_crc : int
        CRC-32 over the weights.
    """

    applied: int
    seen: int
    weights_crc: int
    heap_used: int
    heap_free: int
    engine: str
    machine: str


@dataclass(frozen=True)
class Guess:
    """The board's prediction for a sample.

    Attributes
    ----------
    line : int
        Line of the data file.
    label : str or None
        The class in the file; that of what is foreign where the file names no class of the model.
    predicted : str
    probability : float
        Probability of the predicted class, 0 to 1.
    probabilities : dict
        Of every class; empty from a board with an older program.
    """

    line: int
    label: str | None
    predicted: str
    probability: float
    probabilities: dict[str, float] = field(default_factory=dict)

    @property
    def right(self) -> bool | None:
        """Whether the prediction is right; None without a label."""
        return None if self.label is None else self.label == self.predicted


@dataclass(frozen=True)
class Listens:
    """What the board's sensor gives, ten times a second.

    Attributes
    ----------
    level : float
        0 to 1.
    active : bool
        Whether a word, or gesture, is under way.
    overruns, torn : int
        Times that values were lost, and words that were dropped for it.
    """

    level: float
    active: bool
    overruns: int
    torn: int


@dataclass(frozen=True)
class Word:
    """The board's answer to a word or gesture that it has just heard or felt.

    Attributes
    ----------
    number : int
        From 1 on.
    seconds : float
        Its length.
    predicted : str
    probability : float
        Of the predicted class, 0 to 1.
    probabilities : dict
        Of every class.
    missed : int
        Words before it whose answers were lost on the way.
    """

    number: int
    seconds: float
    predicted: str
    probability: float
    probabilities: dict[str, float]
    missed: int = 0


@dataclass(frozen=True)
class Deaf:
    """Why a model that takes a sensor does not hear."""

    why: str


Event: TypeAlias = Said | Stands | Guess | Listens | Word | Deaf


class Watch:
    """The line to a watched board; ``board`` is None if the device program does not answer."""

    def __init__(
        self, line: Line, text: BoardText, show: Callable[[Event], None], every: float, deadline: float
    ) -> None:
        self._port, self._text, self._show = line.port, text, show
        self._every, self._deadline = every, deadline
        self._session = Session(line.port, text, patience=min(PATIENCE, max(0.2, deadline - time.monotonic())))
        self._decoder = Decoder()
        self.board: Board | None = None

    def greet(self, needed: bool) -> bool:
        """Open a session with the device program; return whether there is one."""
        try:
            self.board = Board(self._session)
        except BoardError as error:
            if needed or not error.message.startswith(_SILENT):
                raise
            return False
        self._ask()
        return True

    def idle(self) -> None:
        """Show what arrives until the deadline; of a board with a sensor also what it hears."""
        if self.board and self.board.info.lessons:
            model = self.board.model()
            if model.layout.front is not None:
                try:
                    self._hear(_budget(model))
                except BoardError as error:
                    if isinstance(error, BoardGoneError):
                        raise
                    self._show(Deaf(f"{error.message}; {error.hint}"))
        while self._listen(self._every):
            if self.board:
                self._ask()

    def _hear(self, budget: int) -> None:
        """Have the board listen, and show what it hears, until the deadline."""
        assert self.board is not None
        board = self.board
        asked = time.monotonic()
        with LiveSession(lambda: nullcontext(board), budget=budget, passes=0, patience=0) as live:
            while (left := self._deadline - time.monotonic()) > 0:
                for event in live.poll(max(0.0, min(left, 0.2))):
                    self._show_heard(event, live.classes)
                if time.monotonic() - asked > self._every:
                    self._ask()
                    asked = time.monotonic()

    def _show_heard(self, event: Level | Heard | Returned, classes: tuple[str, ...]) -> None:
        if isinstance(event, Level):
            self._show(Listens(event.level, event.active, event.overruns, event.torn))
        elif isinstance(event, Heard):
            shares = dict(zip(classes, event.probabilities, strict=True))
            self._show(Word(event.event, event.seconds, event.predicted, max(shares.values()), shares, event.missed))

    def classify(self, load: Callable[[Model], EncodedSamples], pause: float) -> None:
        """Show the board's predictions for the samples that ``load`` returns for its model."""
        assert self.board is not None
        model = self.board.model()
        samples = load(model)
        guess_all = _shown if self.board.info.lessons else _streamed
        for guess in guess_all(self.board, model, samples):
            self._show(guess)
            if not self._listen(pause):
                return
        self._ask()

    def settle(self) -> None:
        """Read the answer to the frame under way when the user interrupted, so that the board understands the end."""
        if self.board:
            try:
                self.board.finish(save=False)
            except (BoardError, PortError):
                pass  # the board's silence may be why the user interrupted

    def part(self) -> None:
        """End the session with the device program."""
        try:
            self._session.bye()
        except PortError:
            pass  # the board is gone

    def _ask(self) -> None:
        """Ask for the board's state and show it."""
        assert self.board is not None
        outcome, info = self.board.finish(save=False), self.board.info
        used, free = (int(str(outcome.details[key])) for key in ("heap_used", "heap_free"))
        self._show(Stands(outcome.applied, outcome.seen, outcome.weights_crc, used, free, info.engine, info.machine))

    def _listen(self, seconds: float) -> bool:
        """Show the board's output for some seconds; return whether there is time left."""
        until = min(time.monotonic() + seconds, self._deadline)
        while (left := until - time.monotonic()) > 0:
            for item in self._decoder.feed(self._port.read(min(left, 0.1))):
                if isinstance(item, bytes):  # a frame here is a repeated answer
                    self._text(item.decode(errors="replace"))
        return time.monotonic() < self._deadline


def _budget(model: Model) -> int:
    """Return the bytes that a board needs to answer with what it was taught: it keeps prototypes over a reset."""
    return 0 if model.prototypes is None else BUDGET


def _shown(board: Board, model: Model, samples: EncodedSamples) -> Iterator[Guess]:
    """Show the board sample after sample, and have it say the probability of every class."""
    link = board.lesson(model)
    link.listen(ears=False, levels=True, passes=0, budget=_budget(model))
    for i, label in enumerate(samples.labels.tolist()):
        lesson = link.show(samples.data[samples.rows[i]].tobytes())
        heard = link.heard(lesson.event)
        shares = dict(zip(model.classes, heard.probabilities, strict=True)) if heard else {}
        name = None if label == UNKNOWN else model.classes[label]
        yield Guess(int(samples.lines[i]), name, model.classes[lesson.predicted], lesson.probability, shares)


def _streamed(board: Board, model: Model, samples: EncodedSamples) -> Iterator[Guess]:
    """Have a board with an older program classify samples; send each after the answer to the previous one."""
    board.start(0, 0, fresh=False)
    op, unknown = np.array([TEST], np.uint8), np.array([UNKNOWN], np.uint8)  # unknown: p_y is that of its guess
    for i, label in enumerate(samples.labels.tolist()):
        for results in board.stream(Records(op, unknown, samples.data[samples.rows[i : i + 1]])):
            for predicted, p_true in checked(results, len(model.classes)).tolist():
                name = None if label == UNKNOWN else model.classes[label]
                yield Guess(int(samples.lines[i]), name, model.classes[predicted], p_true / 127)
