"""``tpsgd-host eval``: classify samples with a board or a model file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import numpy as np

from tpsgd_host.boards.evaluating import evaluate, evaluate_stream
from tpsgd_host.commands.options import FILE, board_options, data_options, json_option
from tpsgd_host.commands.project import data_here
from tpsgd_host.console import Console
from tpsgd_host.names import listing
from tpsgd_host.runs.view.report import confusion_report, percent
from tpsgd_host.terminal import echo


@click.command("eval")
@click.argument("data", type=FILE, required=False)
@click.option(
    "--model",
    "-m",
    "model_path",
    type=FILE,
    metavar="FILE",
    help="Classify on this computer with this model, not on a board.",
)
@click.option("--predictions", type=FILE, metavar="FILE", help="Write all predictions to this CSV.")
@click.option("--stream", is_flag=True, help="DATA is hours in which nothing should be accepted: count what is.")
@board_options
@data_options
@json_option
def command(
    data: Path | None, model_path: Path | None, predictions: Path | None, stream: bool, port: str, baud: int,
    board_dir: Path | None, heap: int | None, label: str | None, group: str | None, columns: str | None,
    bad_rows: Any, as_json: bool,
) -> None:  # fmt: skip
    """Classify samples with what a board has learned.

    Nothing is learned from them.

    DATA needs no labels; if it has any, accuracy and confusions are shown. A model with a class none counts samples
    with other labels than its own as none. DATA defaults to the only data file in this
    folder.

    With --stream DATA is a long recording, or a folder of them: a WAV file for a model that hears, a table of readings
    for one that watches. A board's front end finds words or gestures in it; how many of them the network takes for a
    class, in an hour, is what wakes a device by mistake.

    \b
    Examples:
      tpsgd-host eval test.csv
      tpsgd-host eval new.csv --model learned.tpsgd --predictions out.csv
      tpsgd-host eval afternoon.wav --stream --model words.tpsgd
    """
    if stream:
        _stream(data or data_here(), predictions, as_json, model_path=model_path, port=port, folder=board_dir,
                heap=heap, baud=baud)  # fmt: skip
        return
    found = evaluate(
        data or data_here(), model_path=model_path, port=port, folder=board_dir, heap=heap, baud=baud,
        names=(label, group, columns), bad_rows=bad_rows,
    )  # fmt: skip
    if predictions:
        found.write_predictions(predictions)
    if as_json:
        echo(json.dumps(found.as_dict(), indent=2))
        return
    tally = found.metrics.test
    console = Console(highlight=False)
    if tally.count:
        console.print(confusion_report(found.metrics.confusion, found.model.classes, "samples", console.width))
        console.print(f"accuracy {percent(tally.accuracy)} of {tally.count} samples, loss {tally.loss:.3f}")
    else:
        counts = np.bincount(found.predicted, minlength=len(found.model.classes))
        for name, count in zip(found.model.classes, counts.tolist(), strict=True):
            console.print(f"{name}: {count}")
        console.print(f"{len(found.samples)} samples without labels classified")
    if predictions:
        console.print(f"predictions in {predictions}")


def _stream(data: Path, predictions: Path | None, as_json: bool, **where: Any) -> None:
    """Count false accepts and show them."""
    found = evaluate_stream(data, **where)
    if predictions:
        found.write_predictions(predictions)
    if as_json:
        echo(json.dumps(found.as_dict(), indent=2))
        return
    accepted = {name: n for name, n in found.accepted.items() if n}
    which = f": {listing([f'{name} {n}' for name, n in accepted.items()], 8)}" if accepted else ""
    echo(f"{found.hours:.2f} hours, heard {len(found.heard):,}, accepted {sum(accepted.values()):,}{which}")
    echo(f"false accepts an hour: {found.an_hour:.1f}")
    if not len(found.heard):
        echo("note: a front end hears words or gestures with quiet between them; without --stream each file is one")
    elif not found.refuses:
        echo("note: this model has no class none, so it accepts whatever it hears: tpsgd-host quantize --misses 5%")
    if predictions:
        echo(f"predictions in {predictions}")
