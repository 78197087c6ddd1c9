"""``tpsgd-host eval``: classify samples with a board or a model file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import numpy as np

from tpsgd_host.boards.evaluating import evaluate
from tpsgd_host.commands.options import FILE, board_options, data_options, json_option
from tpsgd_host.commands.project import data_here
from tpsgd_host.console import Console
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
@board_options
@data_options
@json_option
def command(
    data: Path | None, model_path: Path | None, predictions: Path | None, port: str, baud: int, board_dir: Path | None,
    heap: int | None, label: str | None, group: str | None, columns: str | None, bad_rows: Any, as_json: bool,
) -> None:  # fmt: skip
    """Classify samples with what a board has learned.

    Nothing is learned from them.

    DATA needs no labels; if it has any, accuracy and confusions are shown. DATA defaults to the only data file in this
    folder.

    \b
    Examples:
      tpsgd-host eval test.csv
      tpsgd-host eval new.csv --model learned.tpsgd --predictions out.csv
    """
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
