"""``tpsgd-host demo``: all steps on real data, without hardware."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import click

from tpsgd_host.boards.streaming import stream, verify
from tpsgd_host.commands.options import FILE, HeapType, json_option, target_option
from tpsgd_host.data.load import load_samples
from tpsgd_host.flashing.flash import FlashReport, flash
from tpsgd_host.model.build import build_model
from tpsgd_host.model.modelfile import memory
from tpsgd_host.model.parsing import load_config
from tpsgd_host.model.target import Target, retarget
from tpsgd_host.runs.folder import RunFolder
from tpsgd_host.runs.run import RunPlan, RunReport
from tpsgd_host.runs.view.live import LiveView
from tpsgd_host.runs.view.plots import plot_confusion
from tpsgd_host.tasks.export import write_csv
from tpsgd_host.tasks.task import load_task
from tpsgd_host.terminal import echo

DEMOS = ("gesture", "voice", "digits", "digits-cnn", "gesture-rnn", "voice-rnn")


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


def demo(
    name: str,
    folder: Path,
    *,
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
        Folder for the data as CSV, the model, the board's flash and the run.
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
            echo(text)

    task = load_task(name)
    if target is not None:
        task = replace(task, toml=retarget(task.toml, target))
    train, test, toml = write_csv(task, folder)
    say(f"{task.title}: {len(task.train)} training samples, {len(task.test)} held out ({task.source})")
    config = load_config(toml)
    model = build_model(config, load_samples(train, config.layout, config.classes or None))
    path = folder / "model.tpsgd"
    model.save(path)
    say(f"$ tpsgd-host quantize {toml} --data {train} -o {path}")
    say(f"  {model.shape}, {model.parameters} weights, {memory(model).total} bytes to train in")
    board = folder / "board"
    say(f"$ tpsgd-host flash {path} --board virtual --board-dir {board}")
    flashed = flash(path, folder=board, heap=heap)
    say(f"  {flashed.machine}, engine {flashed.engine}, {flashed.heap_free} bytes of heap free")
    plan = RunPlan(
        train, epochs=epochs or task.epochs, test=test, shuffle_seed=task.shuffle_seed, root=folder / "runs",
        test_every=max(1, (epochs or task.epochs) // 20),
    )  # fmt: skip
    say(f"$ tpsgd-host stream {train} --test {test} --epochs {plan.epochs} --board-dir {board}")
    report = stream(plan, folder=board, view=LiveView(mode="quiet" if quiet else "auto"))
    confusion = report.folder / "confusion.png"
    plot_confusion(RunFolder.open(report.folder), confusion)
    return DemoReport(folder, flashed, report, verify(report, plan, model), confusion, task.goal)


@click.command("demo")
@click.argument("name", type=click.Choice(DEMOS))
@click.option("--out", "-o", type=FILE, metavar="DIR", help="Folder for everything.  [default: tpsgd-NAME]")
@click.option("--heap", type=HeapType(), metavar="SIZE", help="Heap of the virtual board, such as 64k.")
@click.option("--epochs", "-e", type=click.IntRange(1), help="Passes through the samples.  [default: the task's]")
@target_option
@json_option
def command(
    name: str, out: Path | None, heap: int | None, epochs: int | None, target: Target | None, as_json: bool
) -> None:
    """Watch a board learn, with real data but no hardware.

    The board is the real MicroPython interpreter.

    gesture: movements of a wrist; voice: nine speakers by one vowel; digits: handwriting; digits-cnn: the same with a
    conv layer; -rnn: with a recurrent layer instead of a convolution over time. The data come from installed packages:
    pip install 'tpsgd[demo]'. The demo keeps its files in a folder, and shows the commands that it runs. At the end it
    compares the board's weights with a simulation of the same run, bit for bit.

    \b
    Examples:
      tpsgd-host demo gesture
      tpsgd-host demo digits --target label
    """
    report = demo(name, out or Path(f"tpsgd-{name}"), heap=heap, epochs=epochs, target=target, quiet=as_json)
    if as_json:
        echo(json.dumps(report.as_dict(), indent=2))
        return
    details = report.run.outcome.details
    echo(f"the board trained in {details['state_bytes']} bytes: weights, buffers, generator and link")
    echo(f"weights' CRC: board {report.run.outcome.weights_crc:08x}, "
               f"simulation {report.simulated_crc:08x}: equal, bit for bit")  # fmt: skip
    echo(f"pictures and log: {report.run.folder}")
