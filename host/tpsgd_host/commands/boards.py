"""``tpsgd-host boards``: list supported boards, and those that are plugged in."""

from __future__ import annotations

import json
from dataclasses import asdict

import click
from rich.markup import escape
from rich.table import Table

from tpsgd_host.boards.plugged import Plugged, plugged
from tpsgd_host.boards.profiles import BoardProfile, load_profiles
from tpsgd_host.commands.options import json_option
from tpsgd_host.console import Console
from tpsgd_host.terminal import echo

__all__ = ["boards", "command"]


def boards() -> tuple[list[BoardProfile], list[Plugged]]:
    """Return the supported boards, and what is plugged in."""
    return list(load_profiles().values()), plugged()


def _known(profiles: list[BoardProfile]) -> Table:
    table = Table("board", "chip", "heap", "native", "firmware by", title="Known", title_justify="left")
    table.columns[0].no_wrap = True
    table.columns[2].justify = "right"
    for board in profiles:
        how = {"uf2": "UF2", "esptool": "esptool", "none": "-"}[board.loader]
        table.add_row(board.name, board.chip, f"{board.heap:,}", board.arch or "-", how)
    return table


@click.command("boards")
@json_option
def command(as_json: bool) -> None:
    """List the supported boards, and those that are plugged in.

    Behind a USB-UART chip such as a CP2102 the kind of board cannot be seen; tpsgd-host doctor asks the board.

    \b
    Example:
      tpsgd-host boards
      tpsgd-host boards --json
    """
    known, found = boards()
    if as_json:
        listed = [{**asdict(board), "heap_ulab": board.heap_ulab or None} for board in known]
        echo(json.dumps({"known": listed, "plugged": [item.as_dict() for item in found]}, indent=2))
        return
    console = Console()
    console.print(_known(known))
    for board in known:
        names = ", ".join((board.name, *board.aliases))
        console.print(f"[bold]{names}[/]: {escape(board.title)}. {escape(board.notes)}", highlight=False)
    console.print()
    if not found:
        echo("No board seems to be plugged in; --board virtual needs none.")
    for item in found:
        names = " or ".join(item.boards) or "unknown"
        doubt = "" if item.sure else "perhaps "
        echo(f"{item.where}  {item.kind}: {doubt}{names} ({item.text})")
