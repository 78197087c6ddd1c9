"""``tpsgd-host teach``: teach a board live; it hears words or gestures, and learns those that get a key."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click

from tpsgd_host.boards.connect import VIRTUAL, connect
from tpsgd_host.boards.live import BUDGET, PASSES
from tpsgd_host.boards.profiles import load_profile
from tpsgd_host.boards.sensors import load_sensor
from tpsgd_host.commands.options import FILE, HeapType, board_options, column_names, confirmed, json_option, yes_option
from tpsgd_host.console import Console
from tpsgd_host.data.wav import is_sound
from tpsgd_host.errors import BoardError, ConfigError, DependencyError, FitError, PortError
from tpsgd_host.flashing.flash import flash
from tpsgd_host.names import listing
from tpsgd_host.teaching.begin import Begun, begin
from tpsgd_host.teaching.teach import Scene, Source, TeachReport, open_lesson, report
from tpsgd_host.terminal import echo

__all__ = ["command", "teach"]


def teach(
    source: Source,
    *,
    port: str = VIRTUAL,
    folder: Path | None = None,
    heap: int | None = None,
    baud: int = 115200,
    data: Path | None = None,
    memory: int = BUDGET,
    passes: int = PASSES,
    quiet: bool = False,
) -> TeachReport:
    """Teach a board: with a screen in a terminal, else as the labels of the recordings say.

    Parameters
    ----------
    source, port, folder, heap, baud, data, memory, passes
        See :func:`tpsgd_host.teaching.teach.open_lesson`.
    quiet : bool
        Without a screen.

    Raises
    ------
    ConfigError
        When there is no terminal, and no recordings whose labels would teach.
    DependencyError
        When the screen's package is not installed.
    """
    console = Console(stderr=True)
    shown = not quiet and sys.stdin.isatty() and sys.stdout.isatty()
    if not shown and not source.samples:
        raise ConfigError(
            "there is no terminal whose keys could teach", "--play FOLDER --as-labelled teaches as the files say"
        )
    if shown:
        _require_screen()
    notes: list[str] = []
    with open_lesson(
        source, port, folder=folder, heap=heap, baud=baud, data=data, memory=memory, passes=passes,
        on_note=notes.append,
    ) as scene:  # fmt: skip
        try:
            done = _on_screen(scene, notes) if shown else _in_silence(scene)
        except KeyboardInterrupt:
            done = report(scene)
    for note in notes:
        console.print(note, markup=False, soft_wrap=True)
    return done


def _require_screen() -> None:
    try:
        import textual  # noqa: F401 - only whether it is there
    except ImportError as error:
        raise DependencyError(
            f"the screen of a lesson needs the package textual: {error}",
            "pip install 'tpsgd[teach]'; without it: --play FOLDER --as-labelled --json",
        ) from error


def _on_screen(scene: Scene, notes: list[str]) -> TeachReport:
    """Show the lesson until the user leaves."""
    from tpsgd_host.teaching.screen import LessonApp

    model = scene.lesson.session.model
    app = LessonApp(scene, f"{model.name}: {listing(model.classes, 8)}")
    app.run()
    if app.error is not None:
        notes.append(f"taught samples are in {scene.lesson.keeper.path}")
        raise app.error
    return report(scene, scene.conductor.outcome if scene.conductor else None)


def _in_silence(scene: Scene) -> TeachReport:
    """Teach as the recordings' labels say; save what was learned."""
    assert scene.conductor is not None
    outcome = scene.conductor.run()
    crc = scene.lesson.save()
    return report(scene, outcome, crc)


def prepare(
    classes: Sequence[str], source: Source, board: str, port: str, name: str, sensor: str, pins: str,
    folder: Path | None, heap: int | None, baud: int, yes: bool, quiet: bool,
) -> None:  # fmt: skip
    """Make an untrained model for some classes, and put it on the board unless it is there already."""
    begun = begin(classes, _kind(source, sensor), name, source.play)
    place = port or (VIRTUAL if board == VIRTUAL else "")
    if not begun.fresh and place and _has(begun, place, folder, heap, baud):
        return
    if not quiet:
        echo(f"{begun.path}: {begun.model.shape}, {len(begun.model.classes)} classes, nothing learned yet", err=True)
    flashed = flash(
        begun.path, board, folder=folder, heap=heap, port=port if port != VIRTUAL else "", sensor=sensor, pins=pins,
        ask=lambda question: confirmed(yes, question), tell=lambda text: echo(text, err=True),
    )  # fmt: skip
    if not quiet:
        echo(f"it is on the {flashed.board} board: {flashed.place}", err=True)


def _kind(source: Source, sensor: str) -> str:
    """Return whether a new model is for sound or for motion."""
    if source.play is not None:
        return "sound" if is_sound(source.play) else "motion"
    if sensor and (kind := load_sensor(sensor).kind) != "any":
        return kind
    return "sound"


def _has(begun: Begun, port: str, folder: Path | None, heap: int | None, baud: int) -> bool:
    """Whether the board at a port has the model already, and maybe has learned."""
    try:
        with connect(port, folder=folder, heap=heap, baud=baud) as board:
            return board.info.model_crc == begun.model.crc
    except (BoardError, FitError, PortError):
        return False


@click.command("teach")
@click.argument("words", nargs=-1)
@click.option("--classes", metavar="A,B,...", help="The same as WORDS, with commas.")
@click.option("--play", type=FILE, metavar="DATA",
              help="The virtual board hears these: a folder of WAV files, or a table of gestures.")  # fmt: skip
@click.option("--microphone", is_flag=True, help="The virtual board hears the computer's microphone.")
@click.option("--as-labelled", is_flag=True,
              help="With --play: teach some recordings of each class as labelled, test the others.")  # fmt: skip
@click.option("--samples", type=click.IntRange(1), default=5, show_default=True,
              help="With --as-labelled: recordings of each class to teach.")  # fmt: skip
@click.option("--seed", default=1, show_default=True, help="With --play: seed of the order, and of the choice.")
@click.option("--pause", type=click.FloatRange(0.3), metavar="SECONDS", help="With --play: pause between two.")
@click.option("--data", type=FILE, metavar="DATA",
              help="Keep what is taught here, beside what is there already.  [default: taught/NAME]")  # fmt: skip
@click.option("--memory", type=HeapType(), default=str(BUDGET), show_default=True,
              metavar="SIZE", help="RAM of the board for taught samples.")  # fmt: skip
@click.option("--passes", type=click.IntRange(0, 255), default=PASSES, show_default=True,
              help="How often the board practises each kept sample by itself, while it is quiet.")  # fmt: skip
@click.option("--name", default="", metavar="NAME", help="With WORDS: name of the model.  [default: words, gestures]")
@click.option("--board", default=VIRTUAL, show_default=True, help="With WORDS: the board to put the model on.")
@click.option("--sensor", default="", metavar="NAME", help="With WORDS: the board's sensor, see tpsgd-host sensors.")
@click.option("--pins", default="", metavar="A=1,B=2", help="With WORDS: the sensor's pins.")
@board_options
@yes_option
@json_option
def command(
    words: tuple[str, ...], classes: str | None, play: Path | None, microphone: bool, as_labelled: bool, samples: int,
    seed: int, pause: float | None, data: Path | None, memory: int, passes: int, name: str, board: str, sensor: str,
    pins: str, port: str, baud: int, board_dir: Path | None, heap: int | None, yes: bool, as_json: bool,
) -> None:  # fmt: skip
    """Teach a board live.

    The board hears words, or sees gestures, and says what it takes them for. A key teaches it the last one. With WORDS
    it begins from nothing: a new model for them is made and put on the board. Without, it goes on with the board's.

    Every taught word is kept on this computer as data, which compare, stream and simulate read. A board keeps a few
    samples in its RAM and practises them while it is quiet. u takes the last one back, s saves, q ends.

    \b
    Examples:
      tpsgd-host teach on off left right --board pico --sensor i2s --pins sck=18,ws=19,sd=20
      tpsgd-host teach on off left right --microphone
      tpsgd-host teach --play recordings/ --as-labelled
    """
    named = (*words, *(column_names(classes) or ()))
    if play is not None and microphone:
        raise click.UsageError("--play and --microphone are two things to hear: use one of them.")
    if as_labelled and play is None:
        raise click.UsageError("--as-labelled is for recordings: name them with --play.")
    if not named and (name or sensor or pins):
        raise click.UsageError("--name, --sensor and --pins are for a new model: name its WORDS, or use flash.")
    if len(named) != len(set(named)):
        raise click.UsageError("each word once: two classes cannot have one name.")
    board = load_profile(board).name
    source = Source(play, microphone, pause, samples if as_labelled else 0, seed)
    if named:
        if board != VIRTUAL and port == VIRTUAL:
            port = ""
        prepare(named, source, board, port, name, sensor, pins, board_dir, heap, baud, yes, as_json)
        port = port or _port_of(board)
    done = teach(
        source, port=port, folder=board_dir, heap=heap, baud=baud, data=data, memory=memory, passes=passes,
        quiet=as_json,
    )  # fmt: skip
    if as_json:
        crc = f"{done.weights_crc:08x}" if done.weights_crc is not None else None
        echo(json.dumps({**asdict(done), "weights_crc_hex": crc}, indent=2))
        return
    show(done)
    echo("next: tpsgd-host monitor")


def _port_of(board: str) -> str:
    """Return the port of the board that was just flashed."""
    from tpsgd_host.boards.plugged import only_port

    return VIRTUAL if board == VIRTUAL else only_port(load_profile(board))


def show(done: TeachReport) -> None:
    """Print what came of a lesson."""
    taught = sum(done.taught.values())
    echo(f"{done.words} words heard, {taught} taught: {listing([f'{k} {n}' for k, n in done.taught.items()])}")
    if done.prequential is not None:
        echo(f"right before it learned them: {done.prequential:.1%}")
    if done.tested:
        echo(f"right among {done.tested} that it was never taught: {done.right}, {done.accuracy:.1%}")
    if done.unheard:
        echo(f"  {done.unheard} recordings were not heard as a word; among the tested they count as wrong")
    if done.overruns:
        echo(f"values were lost {done.overruns} times, {done.torn} words dropped: is the board too slow, or too busy?")
    if done.kept_data:
        echo(f"kept as data: {done.data} ({listing([f'{k} {n}' for k, n in done.kept_data.items()])})")
    if not done.saved:
        echo("not saved: the board forgets it when its power goes")
