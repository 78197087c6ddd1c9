"""``tpsgd-host demo``: all steps on real data, without hardware."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import click

from tpsgd_host.boards.hearing import describe_front
from tpsgd_host.boards.streaming import stream, verify
from tpsgd_host.commands.options import FILE, HeapType, json_option, target_option
from tpsgd_host.commands.teach import show as show_lesson
from tpsgd_host.commands.teach import teach
from tpsgd_host.data.load import load_samples
from tpsgd_host.errors import ConfigError
from tpsgd_host.flashing.flash import FlashReport, flash
from tpsgd_host.model.build import build_model
from tpsgd_host.model.modelfile import memory
from tpsgd_host.model.new import new_model
from tpsgd_host.model.parsing import load_config
from tpsgd_host.model.target import Target, retarget
from tpsgd_host.names import listing
from tpsgd_host.runs.folder import RunFolder
from tpsgd_host.runs.run import RunPlan, RunReport
from tpsgd_host.runs.view.live import LiveView
from tpsgd_host.tasks import keyword, voices
from tpsgd_host.tasks.export import write_csv
from tpsgd_host.tasks.task import load_task
from tpsgd_host.teaching import example
from tpsgd_host.teaching.begin import begin
from tpsgd_host.teaching.teach import Source, TeachReport
from tpsgd_host.terminal import echo, paragraph

KEYWORD = "keyword"
TEACH = "teach"
DEMOS = ("gesture", "voice", "digits", KEYWORD, TEACH, "digits-cnn", "gesture-rnn", "voice-rnn")

#: Of each word so many recordings are taught in the demo, the others are its test.
TAUGHT = 5

#: Heap of its board: what the link and a lesson take on 64 bits, where most objects are twice as large as on a board.
LESSON_HEAP = 144 * 1024

Say = Callable[[str], None]


@dataclass(frozen=True)
class DemoReport:
    """The result of a demo."""

    folder: Path
    flashed: FlashReport
    run: RunReport
    simulated_crc: int
    confusion: Path
    goal: float

    def as_dict(self) -> dict[str, object]:
        """Return the report for JSON."""
        return {
            **self.run.as_dict(), "flash": self.flashed.as_dict(), "simulated_crc_hex": f"{self.simulated_crc:08x}",
            "crc_equal": self.simulated_crc == self.run.outcome.weights_crc, "demo_folder": str(self.folder),
            "goal": self.goal,
        }  # fmt: skip


@dataclass(frozen=True)
class Prepared:
    """A demo's data and model as files, and how to train; ``goal`` as in :class:`DemoReport`."""

    train: Path
    test: Path
    toml: Path
    epochs: int
    shuffle_seed: int = 1
    goal: float = 0.0


def demo(
    name: str,
    folder: Path,
    *,
    data: Path | None = None,
    heap: int | None = None,
    epochs: int | None = None,
    target: Target | None = None,
    quiet: bool = False,
) -> DemoReport:
    """Get data, quantize, flash the virtual board, stream, plot, and compare with the simulation.

    Parameters
    ----------
    name : str
        One of :data:`DEMOS`.
    folder : Path
        Folder for the data, the model, the board's flash and the run.
    data : Path, optional
        Folder of WAV files for ``keyword``; by default synthetic voices.
    heap : int, optional
        Heap of the virtual board in bytes.
    epochs : int, optional
        Passes through the training samples; by default the task's number.
    target : {"feedback", "label"}, optional
        What hidden layers learn from; by default as the task says.

    Raises
    ------
    MismatchError
        When board and simulation differ.
    """

    def say(text: str) -> None:
        if not quiet:
            (echo if text.startswith("$") else paragraph)(text)

    if data is not None and name != KEYWORD:
        raise ConfigError(f"the demo {name} has its own data", f"--data is for {KEYWORD}")
    ready = _words(folder, data, target, say) if name == KEYWORD else _task(name, folder, target, say)
    config = load_config(ready.toml)
    model = build_model(config, load_samples(ready.train, config.layout, config.classes or None))
    path = folder / "model.tpsgd"
    model.save(path)
    say(f"$ tpsgd-host quantize {ready.toml} --data {ready.train} -o {path}")
    say(f"  {model.shape}, {model.parameters} weights, {memory(model).total} bytes to train in")
    for line in describe_front(model):
        say(f"  {line}")
    board = folder / "board"
    say(f"$ tpsgd-host flash {path} --board virtual --board-dir {board}")
    flashed = flash(path, folder=board, heap=heap)
    say(f"  {flashed.machine}, engine {flashed.engine}, {flashed.heap_free} bytes of heap free")
    epochs = epochs or ready.epochs
    plan = RunPlan(
        ready.train, epochs=epochs, test=ready.test, shuffle_seed=ready.shuffle_seed, root=folder / "runs",
        test_every=max(1, epochs // 20),
    )  # fmt: skip
    say(f"$ tpsgd-host stream {ready.train} --test {ready.test} --epochs {epochs} --board-dir {board}")
    report = stream(plan, folder=board, view=LiveView(mode="quiet" if quiet else "auto"))
    from tpsgd_host.runs.view.plots import plot_confusion  # matplotlib is slow to import

    confusion = report.folder / "confusion.png"
    plot_confusion(RunFolder.open(report.folder), confusion)
    return DemoReport(folder, flashed, report, verify(report, plan, model), confusion, ready.goal)


def _task(name: str, folder: Path, target: Target | None, say: Say) -> Prepared:
    """Write a task's data and model as files."""
    task = load_task(name)
    if target is not None:
        task = replace(task, toml=retarget(task.toml, target))
    train, test, toml = write_csv(task, folder)
    say(f"{task.title}: {len(task.train)} training samples, {len(task.test)} held out ({task.source})")
    return Prepared(train, test, toml, task.epochs, task.shuffle_seed, task.goal)


def _words(folder: Path, data: Path | None, target: Target | None, say: Say) -> Prepared:
    """Collect recordings of words and begin a model that hears them, as a user does with his own."""
    if data is None:
        say(f"{voices.NOTE}.")
    found = keyword.collect(folder, data)
    train, test = found.counts
    say(f"{len(found.words)} words, {train} recordings to learn from and {test} held out: {listing(found.words)}")
    if found.strangers:
        say(f"  {len(found.speakers)} speakers are learned; {len(found.strangers)} others are the test: "
            f"{listing(found.strangers)}")  # fmt: skip
    elif found.speakers:
        say(f"  {len(found.speakers)} speakers are in both parts: this says little about others")
    toml = folder / "keyword.toml"
    pattern = f" --group '{found.pattern}'" if found.pattern else ""
    say(f"$ tpsgd-host new {KEYWORD} --data {found.train}{pattern} -o {toml} --no-tune")
    new_model(KEYWORD, toml, "rnn" if target == "label" else None, found.train, group=found.pattern,
              target=target or "feedback", force=True)  # fmt: skip
    return Prepared(found.train, found.test, toml, keyword.EPOCHS, goal=keyword.GOAL if data is None else 0.0)


def demo_teach(folder: Path, data: Path | None = None, heap: int | None = None, quiet: bool = False) -> TeachReport:
    """Have a board hear four words and learn them, five recordings of each, from nothing; test it on the others.

    Parameters
    ----------
    folder : Path
        For the recordings, the model, the board's flash and what was taught.
    data : Path, optional
        Folder of WAV files; by default a synthetic voice.
    heap : int, optional
        Heap of the virtual board in bytes; by default :data:`LESSON_HEAP`.
    """

    def say(text: str) -> None:
        if not quiet:
            (echo if text.startswith("$") else paragraph)(text)

    if data is None:
        say(f"{voices.NOTE}.")
    found = example.collect(folder, data, TAUGHT)
    say(example.describe(found, data))
    toml = folder / "words.toml"
    toml.unlink(missing_ok=True)
    begun = begin(found.words, "sound", folder=folder)
    board = folder / "board"
    words = " ".join(found.words)
    say(f"$ tpsgd-host teach {words} --play {found.folder} --as-labelled --board-dir {board}")
    say(f"  a new network: {begun.model.shape}, {memory(begun.model).total} bytes to train in, nothing learned yet")
    flashed = flash(begun.path, folder=board, heap=heap or LESSON_HEAP)
    say(f"  {flashed.machine}, engine {flashed.engine}, {(heap or LESSON_HEAP) // 1024} KB of heap")
    source = Source(found.folder, samples=TAUGHT)
    shutil.rmtree(folder / "taught", ignore_errors=True)
    return teach(source, folder=board, data=folder / "taught", quiet=quiet)


@click.command("demo")
@click.argument("name", type=click.Choice(DEMOS))
@click.option("--out", "-o", type=FILE, metavar="DIR", help="Folder for everything.  [default: tpsgd-NAME]")
@click.option("--data", type=FILE, metavar="FOLDER",
              help="Recordings for keyword and teach: a folder per word, or LABEL_SPEAKER_TAKE.wav.")  # fmt: skip
@click.option("--heap", type=HeapType(), metavar="SIZE", help="Heap of the virtual board, such as 64k.")
@click.option("--epochs", "-e", type=click.IntRange(1), help="Passes through the samples.  [default: the task's]")
@target_option
@json_option
def command(
    name: str, out: Path | None, data: Path | None, heap: int | None, epochs: int | None, target: Target | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Watch a board learn, with real data but no hardware.

    The board is the real MicroPython interpreter.

    gesture: movements of a wrist; voice: nine speakers by one vowel; digits: handwriting; digits-cnn: the same with a
    conv layer; -rnn: with a recurrent layer instead of a convolution over time. Their data come from installed
    packages: pip install 'tpsgd[demo]'. keyword: spoken words, yours (--data) or a synthesizer's: pip install
    'tpsgd[voices]'. teach: a board hears four words and learns them from nothing, five recordings of each.

    A demo keeps its files in a folder, and shows the commands that it runs. All but teach end with a comparison of the
    board's weights with a simulation of the same run, bit for bit.

    \b
    Examples:
      tpsgd-host demo gesture
      tpsgd-host demo digits --target label
      tpsgd-host demo keyword --data recordings/
      tpsgd-host demo teach
    """
    folder = out or Path(f"tpsgd-{name}")
    if name == TEACH:
        if epochs or target:
            raise click.UsageError("--epochs and --target are for data that are streamed, not for a lesson.")
        done = demo_teach(folder, data, heap, as_json)
        if as_json:
            echo(json.dumps(asdict(done), indent=2))
            return
        show_lesson(done)
        if data is None:
            paragraph(f"remember: {voices.NOTE}")
        echo("next, with your own voice:")
        echo(f"  tpsgd-host teach {' '.join(done.classes)} --microphone")
        return
    report = demo(name, folder, data=data, heap=heap, epochs=epochs, target=target, quiet=as_json)
    if as_json:
        echo(json.dumps(report.as_dict(), indent=2))
        return
    details = report.run.outcome.details
    echo(f"the board trained in {details['state_bytes']} bytes: weights, buffers, generator and link")
    echo(f"weights' CRC: board {report.run.outcome.weights_crc:08x}, "
               f"simulation {report.simulated_crc:08x}: equal, bit for bit")  # fmt: skip
    echo(f"pictures and log: {report.run.folder}")
    if name == KEYWORD:
        if data is None:
            paragraph(f"remember: {voices.NOTE}")
        echo("next, with your own voice:")
        echo("  tpsgd-host record words --labels yes,no")
        echo("  tpsgd-host new words --data words")
