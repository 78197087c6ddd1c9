"""The recording loop: values in, words out, each saved under the present label."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from tpsgd_host.data.playing import Piece
from tpsgd_host.recording.cutter import Cut, Cutter
from tpsgd_host.recording.prompter import Prompter
from tpsgd_host.recording.store import Store

#: Seconds of a sensor's values that are taken at once: the level moves ten times a second and more.
CHUNK = 0.05


@dataclass
class State:
    """The state of a recording.

    Attributes
    ----------
    label : str
        Label of the next words; if empty, the source's own label.
    level, active
        As in :class:`~tpsgd_host.recording.cutter.Cutter`.
    added, undone, unlabelled, lost : int
        Recordings kept and taken back; those that had no label; times that values were lost.
    last : str
        The last event, for the screen.
    prompt : str
        What to say or do now; empty without a prompter.
    """

    label: str = ""
    level: float = 0.0
    active: bool = False
    paused: bool = False
    ended: bool = False
    added: int = 0
    undone: int = 0
    unlabelled: int = 0
    lost: int = 0
    last: str = ""
    prompt: str = ""
    levels: list[float] = field(default_factory=list)


class Recorder:
    """Cuts, labels and saves words.

    Parameters
    ----------
    cutter : Cutter
    store : Store
    label : str
        Of all that is recorded, until :meth:`choose`; empty for what the source says.
    labels : sequence of str
        Those that a board's button chooses in turn.
    prompter : Prompter, optional
        Says what to record when.
    """

    def __init__(
        self,
        cutter: Cutter,
        store: Store,
        label: str = "",
        labels: Sequence[str] = (),
        prompter: Prompter | None = None,
    ) -> None:
        self.store = store
        self._labels, self._prompter = labels, prompter
        self._now = 0.0  # seconds of the stream
        self._pressed = False
        self.state = State(label)
        self._cutter = cutter
        self._last: Cut | None = None

    def run(
        self,
        pieces: Iterable[Piece],
        rate: int,
        real_time: bool,
        step: Callable[[], None] = lambda: None,
    ) -> State:
        """Record until the source ends, or ``step``, called after each chunk, sets the state's ``ended``."""
        due = time.monotonic()
        for piece in _chunks(pieces, max(1, round(CHUNK * rate))):
            if real_time:
                due += len(piece.values) / rate
                time.sleep(max(0.0, due - time.monotonic()))
            self._now += len(piece.values) / rate
            self._press(piece.pressed)
            self._take(piece)
            self._follow_prompter()
            step()
            if self.state.ended:
                break
        self.state.ended = True
        return self.state

    def choose(self, label: str) -> None:
        """Save the next words under ``label``."""
        self.state.label = label

    def undo(self) -> None:
        """Undo the last recording."""
        label = self.store.undo()
        if label:
            self.state.added -= 1
            self.state.undone += 1
            self._last = None
            if self._prompter:
                self._prompter.undone(label)
        self.state.last = f"undone: {label}" if label else "nothing to undo"

    def relabel(self) -> None:
        """Move the last recording to the present label."""
        last, label = self._last, self.state.label
        if last is None or not label:
            self.state.last = "nothing to relabel"
            return
        was = self.store.undo()
        self.store.add(last.values, label)
        if self._prompter:
            self._prompter.undone(was)
            self._prompter.done[label] += 1
        self.state.last = f"{was} is now {label}"

    def next_label(self) -> None:
        """Save the next words under the label after the present one."""
        if self._labels:
            at = self._labels.index(self.state.label) if self.state.label in self._labels else -1
            self.choose(self._labels[(at + 1) % len(self._labels)])

    def _press(self, pressed: bool) -> None:
        """A board's button chooses the next label, once for each time that it is pressed."""
        if pressed and not self._pressed and not (self._prompter and self._prompter.chooses):
            self.next_label()
        self._pressed = pressed

    def _follow_prompter(self) -> None:
        """Choose the label of the next take, count down, and end after the last one."""
        prompter, state = self._prompter, self.state
        if prompter is None:
            return
        if prompter.finished:
            state.ended = True
            return
        if prompter.chooses:
            state.label = prompter.label
        if prompter.opens(self._now):
            self._cutter.lose()  # what is under way began before it was asked for
        elif prompter.missed(self._now, self._cutter.active):
            state.last = "nothing was heard: again"
        state.prompt = prompter.prompt(state.label, self._now)

    def _take(self, piece: Piece) -> None:
        state = self.state
        if piece.lost:
            state.lost += 1
            self._cutter.lose()
        cuts = self._cutter.take(piece.values)
        state.level, state.active = self._cutter.level, self._cutter.active
        state.levels = [*state.levels[-199:], state.level]
        if piece.label:
            self._heard = piece.label
        for cut in cuts:
            if not state.paused and not (self._prompter and not self._prompter.is_open(self._now)):
                self._keep(cut)

    _heard = ""  # the label of the last piece that had one: a word ends in the pause after it

    def _keep(self, cut: Cut) -> None:
        label = self.state.label or self._heard
        if not label:
            self.state.unlabelled += 1
            self.state.last = "a word was not kept: no label is chosen"
            return
        name = self.store.add(cut.values, label)
        self._last = cut
        self.state.added += 1
        if self._prompter:
            self._prompter.taken(label, self._now)
        self.state.last = f"kept as {label}: {name}"


def _chunks(pieces: Iterable[Piece], size: int) -> Iterator[Piece]:
    """Cut pieces into the size that a sensor gives at once."""
    for piece in pieces:
        if not len(piece.values):  # nothing has come: a moment to look at the keys
            yield piece
        for at in range(0, len(piece.values), size):
            yield Piece(piece.values[at : at + size], piece.label, piece.lost and at == 0, piece.pressed)
