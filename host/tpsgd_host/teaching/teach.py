"""Teach a board: connect it with what it hears, with its data, and with what shows the lesson."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tpsgd_host.boards.connect import VIRTUAL
from tpsgd_host.boards.live import BUDGET, PASSES, LiveSession, live_session
from tpsgd_host.boards.player import Player
from tpsgd_host.boards.virtual import default_folder
from tpsgd_host.data.layout import Layout
from tpsgd_host.data.playing import Piece, played, recordings
from tpsgd_host.errors import ConfigError
from tpsgd_host.names import file_name
from tpsgd_host.recording.microphone import hear
from tpsgd_host.teaching.keeping import Keeper, Overheard
from tpsgd_host.teaching.lesson import Lesson
from tpsgd_host.teaching.progress import Answer, Progress, share
from tpsgd_host.teaching.recital import Conductor, Outcome, Recital

#: Where taught samples are kept, if the user names no place.
FOLDER = Path("taught")


@dataclass(frozen=True)
class Source:
    """What the virtual board hears.

    Attributes
    ----------
    play : Path or None
        WAV files, or a table of gestures.
    microphone : bool
        Whether it is the computer's microphone.
    pause : float or None
        Seconds between two recordings.
    samples : int
        Recordings of each class that are taught as their files say, the others are tested; 0: the user teaches.
    seed : int
        Of their choice and order.
    """

    play: Path | None = None
    microphone: bool = False
    pause: float | None = None
    samples: int = 0
    seed: int = 1


@dataclass
class TeachReport:
    """What came of a lesson.

    Attributes
    ----------
    data : str
        Where the taught samples are.
    taught : dict
        Words taught in this lesson, by class.
    kept_data : dict
        Samples in the data, by label, earlier ones included.
    prequential : float or None
        Share of the taught words that were right before they were learned.
    tested, right : int
        Words with a label that were not taught, and those that were right; words not heard count as wrong.
    unheard, extra : int
        As in :class:`tpsgd_host.teaching.recital.Outcome`.
    saved : bool
        Whether a checkpoint has all that was learned.
    """

    data: str
    classes: list[str]
    taught: dict[str, int]
    kept_data: dict[str, int]
    prequential: float | None
    words: int
    kept: int
    seen: int
    overruns: int
    torn: int
    tested: int = 0
    right: int = 0
    accuracy: float | None = None
    unheard: int = 0
    extra: int = 0
    weights_crc: int | None = None
    saved: bool = False
    confusion: list[list[int]] = field(default_factory=list)


@dataclass
class Scene:
    """A lesson that is under way.

    Attributes
    ----------
    lesson : Lesson
    conductor : Conductor or None
        Teaches, where the recordings' labels do.
    player : Player or None
    """

    lesson: Lesson
    player: Player | None = None
    conductor: Conductor | None = None

    def playing(self) -> str:
        """Return what is played at present; empty in a pause, or where nothing is."""
        return self.player.label if self.player else ""

    def check(self) -> None:
        """Raise the error for which what is played ended early."""
        if self.player and self.player.error:
            raise self.player.error

    def over(self) -> bool:
        """Whether all was played."""
        return self.player is not None and self.player.ended


@contextmanager
def open_lesson(
    source: Source,
    port: str = VIRTUAL,
    *,
    folder: Path | None = None,
    heap: int | None = None,
    baud: int = 115200,
    data: Path | None = None,
    memory: int = BUDGET,
    passes: int = PASSES,
    on_note: Callable[[str], None] = lambda text: None,
) -> Iterator[Scene]:
    """Open a lesson with a board, and close it after the block.

    Parameters
    ----------
    source : Source
        What the virtual board hears; a real one hears its own sensor.
    port, folder, heap, baud
        See :func:`tpsgd_host.boards.connect.connect`.
    data : Path, optional
        Where to keep taught samples; by default in :data:`FOLDER`, under the model's name.
    memory : int
        Bytes of the board's RAM for taught samples.
    passes : int
        How often the board practises each kept sample.
    on_note : callable
        Called with notes for the user.

    Raises
    ------
    ConfigError
        When a real board is to hear what the computer plays, or the virtual one nothing.
    """
    if port != VIRTUAL and (source.play or source.microphone):
        raise ConfigError(
            "a real board hears its own sensor", "leave out --play and --microphone, or use --port virtual"
        )
    if port == VIRTUAL and not (source.play or source.microphone):
        raise ConfigError(
            "the virtual board has no sensor of its own",
            "--microphone gives it the computer's, --play FOLDER plays recordings; --port names a real board",
        )
    recite = source.samples > 0
    with ExitStack() as stack:
        session = stack.enter_context(
            live_session(
                port,
                folder=folder,
                heap=heap,
                baud=baud,
                budget=memory,
                passes=0 if recite else passes,
                hold=recite,
                on_note=on_note,
            )
        )
        layout = session.model.layout
        overheard = Overheard(layout) if port == VIRTUAL else None
        keeper = Keeper(data or default_data(session), layout, session.classes, overheard)
        lesson = Lesson(session, keeper, 0 if recite else passes)
        scene = Scene(lesson)
        if overheard is not None:
            assert layout.front is not None
            recital = _recital(source, layout, session) if recite else None
            pieces = recital.pieces(layout, source.pause) if recital else _pieces(source, layout)
            scene.player = Player(
                overheard.hear(pieces), folder or default_folder(), layout.front.rate, real_time=not recite
            )
            stack.enter_context(scene.player)
            if recital:
                scene.conductor = Conductor(lesson, recital, scene.player, passes)
                stack.callback(recital.go_on)  # first of all: the player may be waiting for it
        yield scene


def _recital(source: Source, layout: Layout, session: LiveSession) -> Recital:
    assert source.play is not None
    return Recital(recordings(source.play, layout), session.classes, source.samples, source.seed)


def _pieces(source: Source, layout: Layout) -> Iterator[Piece]:
    if source.play is not None:
        return played(source.play, layout, source.pause, source.seed, shuffled=True)
    if not layout.hears:
        raise ConfigError("a microphone hears, and the board's model takes readings", "--play FILE.csv plays gestures")
    assert layout.front is not None
    return hear(layout.front.rate)


def default_data(session: LiveSession) -> Path:
    """Return where a board's taught samples are kept, if the user names no place."""
    return FOLDER / file_name(session.model.name, "model")


def report(scene: Scene, outcome: Outcome | None = None, weights_crc: int | None = None) -> TeachReport:
    """Return what came of a lesson."""
    progress, keeper = scene.lesson.progress, scene.lesson.keeper
    outcome = outcome or Outcome()
    return TeachReport(
        data=str(keeper.path),
        classes=list(progress.classes),
        taught={name: progress.counts[name] for name in progress.classes},
        kept_data=dict(sorted(keeper.counts.items())),
        prequential=progress.accuracy,
        words=progress.words,
        kept=progress.kept,
        seen=max(0, progress.seen),
        overruns=progress.overruns,
        torn=progress.torn,
        tested=len(progress.tested),
        right=sum(answer.right for answer in progress.tested),
        accuracy=share(progress.tested),
        unheard=outcome.unheard,
        extra=outcome.extra,
        weights_crc=weights_crc,
        saved=not progress.unsaved,
        confusion=confusion(progress, progress.tested),
    )


def confusion(progress: Progress, answers: list[Answer]) -> list[list[int]]:
    """Return how often each class (row) was taken for each (column); the last column: none, or not heard."""
    classes = progress.classes
    columns = {name: i for i, name in enumerate(classes)}
    counts = [[0] * (len(classes) + 1) for _ in classes]
    for answer in answers:
        counts[columns[answer.label]][columns.get(answer.predicted, len(classes))] += 1
    return counts
