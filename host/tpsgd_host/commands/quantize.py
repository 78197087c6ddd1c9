"""``tpsgd-host quantize``: make a model file from a description or a trained network."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import click
from rich.markup import escape
from rich.table import Table

from tpsgd_host.boards.hearing import describe_front
from tpsgd_host.boards.profiles import Fit, fits
from tpsgd_host.commands.options import (
    FILE,
    as_options,
    column_names,
    data_options,
    held_out,
    held_out_options,
    json_option,
    percentage,
)
from tpsgd_host.commands.project import data_here, description_here
from tpsgd_host.commands.tuning import epochs_option, tune_rates
from tpsgd_host.console import Console
from tpsgd_host.data.rejects import BadRows
from tpsgd_host.data.subjects import LeaveOut, load_divided
from tpsgd_host.errors import ConfigError
from tpsgd_host.model.parsing import load_config
from tpsgd_host.names import listing
from tpsgd_host.quantization.floatnet import ACTIVATIONS
from tpsgd_host.quantization.quantize import QuantizeReport, quantize
from tpsgd_host.quantization.quantizer import Inputs
from tpsgd_host.terminal import echo
from tpsgd_host.training.doubt import doubt_line

#: A network's inputs in training, in words.
SEEN: dict[Inputs, str] = {
    "raw": "the readings as they are",
    "std": "standardized readings (minus their mean, divided by their deviation)",
    "unit": "readings scaled to -1..1",
}


def as_dict(fit: Fit) -> dict[str, object]:
    """Return for JSON whether the model fits on a board."""
    return {"board": fit.board.name, "need": fit.need, "heap": fit.board.heap, "fits": fit.fits}


def show(report: QuantizeReport, boards: Sequence[Fit], console: Console) -> None:
    """Print the report."""
    model = report.model
    console.print(
        f"[bold]{escape(model.name)}[/] {escape(model.shape)}: {len(model.classes)} classes, "
        f"{escape(listing(model.classes, 8))}"
    )
    console.print(
        f"{model.parameters:,} parameters, {len(model.to_bytes()):,} bytes of file, "
        f"{report.memory.total:,} bytes of RAM for training, including the link's buffers"
    )
    table = Table(
        "board", "needs", "heap", "", "left", title="Including the trainer's code, in bytes", title_justify="left"
    )
    for column in (1, 2, 4):
        table.columns[column].justify = "right"
    for fit in boards:
        verdict = "[green]fits[/]" if fit.fits else "[red]does not fit[/]"
        table.add_row(fit.board.name, f"{fit.need:,}", f"{fit.board.heap:,}", verdict, f"{fit.left:,}")
    console.print(table)
    for line in describe_front(model):
        console.print(line)
    count = len(report.source)
    if model.layout.front is None:
        console.print(
            f"{count:,} calibration samples: channels use {report.used:.0%} of the input range, "
            f"{report.clamped:.2%} of the readings are clamped to it"
        )
    else:
        console.print(f"{count:,} samples; nothing is calibrated, the front end has a fixed scale")
    if report.source.bad_rows:
        console.print(f"[yellow]{len(report.source.bad_rows)} rows were left out[/]")
    if report.constant:
        console.print(
            f"[yellow]the network cannot see channels that never change: {escape(listing(report.constant, 6))}[/]"
        )
    if report.doubt is not None:
        console.print(f"trained, with a class none; {doubt_line(report.doubt)}")
    elif report.float_accuracy is None:
        console.print("The weights are random: nothing has been learned yet, so quantizing lost nothing.")
    if report.float_accuracy is None or report.integer_accuracy is None or report.agreement is None:
        return
    lost = 100 * (report.float_accuracy - report.integer_accuracy)
    console.print(
        f"accuracy on them: {report.float_accuracy:.1%} in floating point, {report.integer_accuracy:.1%} in integers "
        f"({lost:+.1f} points lost); both predict the same for {report.agreement:.1%}"
    )
    if report.better_inputs:
        inputs, accuracy = report.better_inputs
        console.print(
            f"[yellow]With --inputs {inputs} the network's float accuracy would be {accuracy:.1%}, so it was "
            f"probably trained on {SEEN[inputs]}. Add that option, and quantize again.[/]"
        )
    elif lost > 2 or report.agreement < 0.9:
        console.print(
            "[yellow]That is a lot. Is --inputs what the network was trained on? Does each channel have its own scale "
            '(scale = "std", per_channel = true)?[/]'
        )


def _names(_context: click.Context, _parameter: click.Parameter, value: str | None) -> tuple[str, ...]:
    """Read ``a,b,c``."""
    names = tuple(name.strip() for name in value.split(",")) if value else ()
    if value and (len(set(names)) < max(2, len(names)) or "" in names or len(names) > 255):
        raise ConfigError(f"--classes is {value!r}, but must be 2 to 255 names, with commas")
    return names


@click.command("quantize")
@click.argument("model", type=FILE, required=False)
@click.option(
    "--data", "-d", type=FILE, metavar="FILE", help="Calibration data, .csv or .npz.  [default: the only one here]"
)
@click.option("--out", "-o", type=FILE, metavar="FILE", help="Model file to write.  [default: MODEL.tpsgd]")
@click.option("--config", type=FILE, metavar="TOML", help="Data layout and training settings for .npz and .onnx.")
@click.option("--classes", callback=_names, metavar="A,B,...", help="Classes, in the order of the network's outputs.")
@click.option(
    "--inputs",
    type=click.Choice(["raw", "std", "unit"]),
    default="raw",
    show_default=True,
    help="What the network was trained on: readings, standardized ones, or -1..1 as the TOML scales them.",
)
@click.option(
    "--activation",
    type=click.Choice(ACTIVATIONS),
    default="tanh",
    show_default=True,
    help="Activation of the hidden layers, for an .npz that does not name it.",
)
@click.option(
    "--tune", is_flag=True, help="Choose the TOML's learning rates on held-out recordings, and write them to it."
)
@click.option(
    "--misses", callback=percentage, metavar="PERCENT",
    help="Train here, with a class none for what is foreign that may take this share of the known, such as 5%.",
)  # fmt: skip
@click.option(
    "--background",
    type=FILE,
    metavar="FILE",
    help="With --misses: recordings of what is foreign, whatever their labels.",
)
@epochs_option
@held_out_options("for scaling and rates")
@data_options
@json_option
def command(
    model: Path | None, data: Path | None, out: Path | None, config: Path | None, classes: tuple[str, ...],
    inputs: Inputs, activation: str, tune: bool, misses: float | None, background: Path | None, epochs: int,
    leave_out: LeaveOut | None,
    test_split: float | None, split_seed: int,
    label: str | None, group: str | None, columns: str | None,
    bad_rows: BadRows, as_json: bool,
) -> None:  # fmt: skip
    """Make the integer model that a board runs.

    It also reports the memory that the model needs, and what quantizing costs.

    With --misses (or misses in [training]) it trains the network for --epochs, and the model says when it is not sure:
    it gets a class none, prototypes, and thresholds that refuse this share of recordings that are held out for it. What
    is foreign is made of your recordings; better are some that DATA labels none, or a --background file.

    MODEL is a TOML from tpsgd-host new, or a network that was trained elsewhere, .npz or .onnx. It defaults to the only
    TOML in this folder.

    \b
    Example:
      tpsgd-host quantize gestures.toml --data recordings.csv
      tpsgd-host quantize trained.onnx --data recordings.csv --config gestures.toml --inputs std
      tpsgd-host quantize gestures.toml --data recordings.csv --misses 5%
    """
    model, data = model or description_here(), data or data_here()
    held = held_out(leave_out, test_split, split_seed)
    if tune:
        if model.suffix.lower() != ".toml":
            raise ConfigError(f"--tune chooses the rates in a TOML, but {model} is not one", "Leave it out.")
        given = load_config(model)
        layout = given.layout.named(label, group, column_names(columns))
        samples, _ = load_divided(data, layout, classes or given.classes or None, bad_rows, held)
        tune_rates(model, samples, epochs, as_json)
    report = quantize(
        model, data, out, config, classes, bad_rows, label, group, column_names(columns), activation, inputs, held,
        misses=misses, background=background, epochs=epochs,
    )  # fmt: skip
    boards = fits(report.model, report.memory)
    if as_json:
        echo(json.dumps({**report.as_dict(), "boards": [as_dict(fit) for fit in boards]}))
        return
    show(report, boards, Console())
    if report.doubt is not None:
        echo(f"wrote {report.out}: tpsgd-host eval NEW --model {report.out}, or flash it and teach it more")
        return
    echo(f"wrote {report.out}: try it with")
    echo(f"  tpsgd-host simulate {data} --model {report.out} --epochs 20 {as_options(held) or '--test-split 0.2'}")
