"""``--all``: one command for every board, with one line each and one report."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click
from click.core import ParameterSource
from rich.live import Live
from rich.table import Table
from rich.text import Text

from tpsgd_host.boards.connect import VIRTUAL
from tpsgd_host.boards.many import Ended, Place, Teller, named_places, plugged_places, side_by_side, virtual_places
from tpsgd_host.comparison.jobs import cores
from tpsgd_host.console import Console
from tpsgd_host.terminal import echo, one_line

Result = TypeVar("Result")

all_option = click.option(
    "--all",
    "everyone",
    is_flag=True,
    help="Every board that is plugged in, side by side; with --port A,B those, with --board-dir each folder in DIR.",
)


def places_of(board: str = "") -> list[Place]:
    """Return the boards that ``--all`` means, from the options of the present command.

    Parameters
    ----------
    board : str
        The kind of board; empty for any.
    """
    context = click.get_current_context()

    def given(name: str) -> Any:
        said = context.get_parameter_source(name) is ParameterSource.COMMANDLINE
        return context.params[name] if said else None

    folder, port = given("board_dir"), given("port")
    if folder is not None and port is not None:
        raise click.UsageError("--port and --board-dir name different boards: use one of them with --all.")
    if folder is not None or board == VIRTUAL:
        if folder is None:
            raise click.UsageError("--all --board virtual needs --board-dir DIR: each folder in DIR is a board.")
        return virtual_places(Path(folder))
    if port is not None:
        return named_places(part.strip() for part in port.split(",") if part.strip())
    return plugged_places(board)


def on_all(
    places: Sequence[Place],
    work: Callable[[Place, Teller], Result],
    as_dict: Callable[[Result], dict[str, Any]],
    as_text: Callable[[Result], str],
    as_json: bool,
    *,
    rows: bool = True,
    together: bool = False,
    indent: int | None = 2,
) -> None:
    """Work on all boards, show one line each and a report; end the command with an exit code if some failed.

    Parameters
    ----------
    as_dict, as_text : callable
        Return a board's result for JSON, and for the report.
    rows : bool
        Whether to show what each board does.
    together : bool
        Whether all are at work at the same time, virtual ones too; else as many of these as suit this computer.
    indent : int or None
        Of the JSON; None for one line.
    """
    virtual = all(place.port == VIRTUAL for place in places)
    at_once = 2 * cores() if virtual and not together else len(places)
    with _Rows(places, quiet=as_json or not rows) as view:
        ends, interrupted = side_by_side(places, work, view.show, at_once)
    failed = [end for end in ends if end.error is not None]
    if as_json:
        echo(json.dumps({
            "boards": [_entry(end, as_dict) for end in ends], "failed": len(failed), "interrupted": interrupted,
        }, indent=indent))  # fmt: skip
    else:
        _report(ends, as_text)
    if interrupted:
        raise KeyboardInterrupt
    if failed:
        codes = {end.error.exit_code for end in failed if end.error is not None}
        raise click.exceptions.Exit(codes.pop() if len(codes) == 1 else 1)


def _entry(end: Ended[Result], as_dict: Callable[[Result], dict[str, Any]]) -> dict[str, Any]:
    error = end.error
    said = {} if error is None else {"error": error.message, "hint": error.hint, "exit_code": error.exit_code}
    return {
        "board": end.place.name, "done": end.result is not None, **said,
        **({} if end.result is None else as_dict(end.result)),
    }  # fmt: skip


def _report(ends: Sequence[Ended[Result]], as_text: Callable[[Result], str]) -> None:
    """Print a line for each board; for those that failed also what to do."""
    wide = max(len(one_line(end.place.name)) for end in ends)
    for end in ends:
        text = "interrupted" if end.result is None else as_text(end.result)
        echo(f"{one_line(end.place.name):<{wide}}  {text if end.error is None else 'failed: ' + end.error.message}")
        if end.error is not None and end.error.hint:
            echo(f"{'':<{wide}}  {end.error.hint}")
    done = sum(end.result is not None for end in ends)
    echo(f"{done} of {len(ends)} boards done")


class _Rows:
    """A line for each board: on a terminal they stay in place, elsewhere there is one line for each that ends."""

    def __init__(self, places: Sequence[Place], quiet: bool) -> None:
        self._console = Console(highlight=False, stderr=True)
        self._said = {place.name: "waiting" for place in places}
        self._quiet = quiet
        self._live: Live | None = None

    def __enter__(self) -> _Rows:
        if not self._quiet and self._console.is_terminal and not self._console.is_dumb_terminal:
            self._live = Live(get_renderable=self._table, console=self._console, refresh_per_second=4, transient=True)
            self._live.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, place: Place, text: str) -> None:
        """Show what a board does."""
        self._said[place.name] = one_line(text)
        if self._live is None and not self._quiet and text.startswith(("done", "failed", "interrupted")):
            self._console.print(f"{one_line(place.name)}: {one_line(text)}", markup=False, soft_wrap=True)

    def _table(self) -> Table:
        table = Table.grid(padding=(0, 2))
        for name, text in self._said.items():
            table.add_row(Text(one_line(name)), Text(text, overflow="ellipsis", no_wrap=True))
        return table
