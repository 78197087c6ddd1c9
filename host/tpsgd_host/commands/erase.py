"""``tpsgd-host erase``: remove tpsgd from a board."""

from __future__ import annotations

import json
from pathlib import Path

import click

from tpsgd_host.boards.connect import VIRTUAL
from tpsgd_host.boards.remembered import remember, remembered
from tpsgd_host.commands.options import FILE, board_dir_option, confirmed, json_option, remembered_port, yes_option
from tpsgd_host.flashing.erase import EraseReport, erase
from tpsgd_host.terminal import echo

__all__ = ["EraseReport", "command", "erase"]


@click.command("erase")
@click.option(
    "--board",
    "-b",
    metavar="BOARD",
    help="The board.  [default: the one at --port or --drive, else that of this folder]",
)
@click.option("--port", "-p", metavar="PORT", help="Serial port of a real board.")
@board_dir_option
@click.option("--drive", type=FILE, metavar="DIR", help="Drive of a CircuitPython board.  [default: the only one]")
@yes_option
@json_option
def command(
    board: str | None, port: str | None, board_dir: Path | None, drive: Path | None, yes: bool, as_json: bool
) -> None:
    """Remove the trainer and its model from a board.

    What the model has learned is removed too.

    The firmware and all other files stay, including your own main.py. Real boards are reached through mpremote,
    CircuitPython through its drive.

    \b
    Examples:
      tpsgd-host erase
      tpsgd-host erase --port /dev/ttyUSB0
    """
    if board is None and port is None and drive is None:
        port = remembered_port() or None
    which = f"the board at {port or drive}" if port or drive else f"the {board or 'virtual'} board"
    confirmed(yes, f"Program, model and everything that {which} has learned will be lost. Continue?")
    report = erase(board, folder=board_dir, port=port, drive=drive)
    note = remembered(Path())
    if note is not None and port in (note.port, note.present_port):
        remember(Path(), VIRTUAL, VIRTUAL)  # the board has no program any more
    if as_json:
        echo(json.dumps(report.as_dict(), indent=2))
        return
    echo(f"{len(report.removed)} files removed from {which}: {report.place}")
    for name in report.kept:
        echo(f"  {name} is not tpsgd's and was kept")
    echo("next: tpsgd-host flash MODEL")
