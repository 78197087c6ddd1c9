"""``tpsgd-host flash``: put the trainer and a model on a board."""

from __future__ import annotations

import json
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress

from tpsgd_host.boards.flash import FlashReport, flash
from tpsgd_host.commands.options import FILE, HeapType, json_option

__all__ = ["FlashReport", "command", "flash"]


@click.command("flash")
@click.argument("model", type=FILE)
@click.option("--board", "-b", default="virtual", show_default=True, metavar="BOARD", help="Which board.")
@click.option(
    "--board-dir",
    type=FILE,
    envvar="TPSGD_VIRTUAL",
    metavar="DIR",
    help="Flash of the virtual board.  [default: in your configuration folder]",
)
@click.option("--heap", type=HeapType(), metavar="SIZE", help="Heap the virtual board gets, such as 48k.")
@json_option
def command(model: Path, board: str, board_dir: Path | None, heap: int | None, as_json: bool) -> None:
    """Put the trainer and MODEL on a board, verify both, and start it once.

    What an earlier model learned on the board is forgotten. The memory is checked first: a model that cannot fit is
    refused with the figures. An interrupted flash can simply be run again.

    \b
    Examples:
      tpsgd-host flash gestures.tpsgd --board virtual
      tpsgd-host flash gestures.tpsgd --heap 64k
    """
    with Progress(console=Console(stderr=True), transient=True, disable=as_json) as progress:
        tasks = {step: progress.add_task(step, total=None) for step in ("write", "start")}
        report = flash(
            model, board, folder=board_dir, heap=heap,
            progress=lambda step, done, total: progress.update(tasks[step], completed=done, total=total),
        )  # fmt: skip
    if as_json:
        click.echo(json.dumps(report.as_dict(), indent=2))
        return
    click.echo(f"{report.model} ({report.network}) is on the {report.board} board, verified: {report.place}")
    click.echo(f"  {report.files} files, {report.written} bytes; model CRC {report.model_crc:08x}")
    click.echo(f"  engine {report.engine} on {report.machine}")
    click.echo(f"  training state {report.state_measured} bytes, {report.state_planned} of them planned buffers")
    click.echo(f"  heap {report.heap_used} bytes in use, {report.heap_free} free")
    click.echo("next: tpsgd-host stream DATA.csv --epochs 20 --test-split 0.2")
