"""Options that several commands share, each defined once."""

from __future__ import annotations

import sys
from collections.abc import Callable
from math import isfinite
from pathlib import Path
from typing import Any, TypeVar

import click

from tpsgd_host.data.subjects import LeaveOut
from tpsgd_host.errors import TpsgdError
from tpsgd_host.terminal import clean, echo

F = TypeVar("F", bound=Callable[..., Any])

FILE = click.Path(path_type=Path)


class Seconds(click.FloatRange):
    """A time that passes: a finite number from 0 on."""

    name = "seconds"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the seconds."""
        seconds = float(super().convert(value, param, ctx))
        if not isfinite(seconds):
            self.fail(f"{value!r} is no time in seconds", param, ctx)
        return seconds


class HeapType(click.ParamType):  # type: ignore[type-arg]  # generic from click 8.2 on
    """Bytes, said like 48k or 1m."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the bytes."""
        from tpsgd_host.boards.virtual import parse_heap

        if isinstance(value, int):
            return value
        try:
            return parse_heap(value)
        except TpsgdError as error:
            self.fail(f"{error.message}; {error.hint}", param, ctx)


def _all(options: list[Callable[[F], F]]) -> Callable[[F], F]:
    def decorate(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


board_dir_option = click.option(
    "--board-dir",
    type=FILE,
    envvar="TPSGD_VIRTUAL",
    metavar="DIR",
    help="Flash of the virtual board.  [default: in your configuration folder]",
)


def remembered_port(board: str = "") -> str:
    """Return the port of the board that this folder was flashed to last; empty for the virtual one.

    Parameters
    ----------
    board : str
        Only if it was this board; empty: whichever.
    """
    from tpsgd_host.boards.remembered import remembered

    note = remembered(Path())
    if note is None or board not in ("", note.board):
        return ""
    echo(f"board: {note.board} at {note.present_port}, as flashed from this folder (--port names another)", err=True)
    return note.present_port


def _port() -> str:
    return remembered_port() or "virtual"


def board_options(function: F) -> F:
    """Where the board is."""
    return _all([
        click.option("--port", "-p", default=_port, metavar="PORT",
                     help="Serial port of the board (/dev/ttyUSB0, socket://host:port), or virtual.  [default: that of "
                          "the board that this folder was flashed to last, else virtual]"),
        click.option("--baud", default=115200, show_default=True, help="Speed of a serial port."),
        board_dir_option,
        click.option("--heap", type=HeapType(), metavar="SIZE",
                     help="Heap of the virtual board, such as 48k.  [default: as it was flashed]"),
    ])(function)  # fmt: skip


def data_options(function: F) -> F:
    """How to read a data file, where that is not as the model says."""
    return _all([
        click.option("--label", metavar="COLUMN", help="Column with the class.  [default: the model's]"),
        click.option("--group", metavar="COLUMN", help="Column that tells recordings apart.  [default: the model's]"),
        click.option("--columns", metavar="A,B,...", help="Columns with the values.  [default: the model's]"),
        click.option("--bad-rows", type=click.Choice(["stop", "skip"]), default="stop", show_default=True,
                     help="What to do with a row that cannot be used."),
    ])(function)  # fmt: skip


def renamed(new: str) -> Callable[[click.Context, click.Parameter, Any], None]:
    """Return what refuses an option that has another name now."""

    def refuse(_context: click.Context, option: click.Parameter, value: Any) -> None:
        if value is not None:
            raise click.UsageError(f"{option.opts[0]} is called {new} now: {new} {value}")

    return refuse


def parse_leave_out(given: tuple[str, ...], named: bool = False) -> tuple[str, tuple[str, ...]]:
    """Read ``COLUMN`` or ``COLUMN=NAME``, once or several times: the column, and the names.

    Parameters
    ----------
    named : bool
        Whether a name must be there.
    """
    pairs = [(column.strip(), name.strip()) for column, _, name in (text.partition("=") for text in given)]
    if len({column for column, _ in pairs}) > 1:
        raise click.UsageError("--leave-out takes one column: repeat it with other names only.")
    if any(not column or ("=" in text and not name) for text, (column, name) in zip(given, pairs, strict=True)):
        raise click.UsageError(
            "--leave-out is COLUMN=NAME: the column that says whom a row is from, and whom to leave out."
        )
    if named and not all(name for _, name in pairs):
        column = pairs[0][0]
        raise click.UsageError(
            f"--leave-out {column}: whom? Say --leave-out {column}=NAME; compare takes each in turn."
        )
    return pairs[0][0] if pairs else "", tuple(dict.fromkeys(name for _, name in pairs if name))


def leave_out_option(what: str) -> Callable[[F], F]:
    """Return the option that names whom to leave out of what is learned; ``what`` says what that is for."""

    def read(_context: click.Context, _option: click.Parameter, value: tuple[str, ...]) -> LeaveOut | None:
        column, names = parse_leave_out(value, named=True)
        return LeaveOut(column, names) if column else None

    return click.option(
        "--leave-out", multiple=True, callback=read, metavar="COLUMN=NAME",
        help=f"{what}; COLUMN says whom a row is from. May be repeated.",
    )  # fmt: skip


def run_options(function: F) -> F:
    """What a run applies, and where it is noted."""
    return _all([
        click.option("--epochs", "-e", type=click.IntRange(1), default=10, show_default=True,
                     help="Passes over the training samples."),
        click.option("--test", type=FILE, metavar="FILE", help="Held-out samples, classified after every epoch."),
        click.option("--test-split", type=click.FloatRange(0, 1, min_open=True, max_open=True), metavar="SHARE",
                     help="Hold this share of DATA's recordings out instead, class by class."),
        click.option("--split-seed", default=1, show_default=True, help="Seed of that choice."),
        leave_out_option("Hold out the samples of NAME instead, a speaker or wearer"),
        click.option("--test-every", type=click.IntRange(1), default=1, show_default=True,
                     help="Epochs between two looks at the held-out samples."),
        click.option("--shuffle-seed", type=click.IntRange(0), default=1, show_default=True,
                     help="Seed of the order of the samples; 0 keeps the file's."),
        click.option("--runs", "root", type=FILE, default=Path("runs"), show_default=True, metavar="DIR",
                     help="Where the run's folder goes."),
        click.option("--name", metavar="NAME", help="Name of the run.  [default: the model's]"),
    ])(function)  # fmt: skip


target_option = click.option(
    "--target",
    type=click.Choice(["feedback", "label"]),
    help="What hidden layers learn from: the error of the next layer, or targets of their own, the paper's rule.  "
    "[default: as the network says; feedback in a new one]",
)


yes_option = click.option("--yes", "-y", is_flag=True, help="Do not ask first.")

json_option = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON, and nothing else.")


def confirmed(yes: bool, question: str) -> None:
    """Ask the user, unless ``yes`` was given; end the command where the answer is no, or nobody is there."""
    if yes:
        return
    try:
        agreed = click.confirm(clean(question), err=True)
    except click.Abort:
        if sys.stdin.isatty():
            raise
        raise click.UsageError("Nobody is there to answer, and nothing was changed: give --yes.") from None
    if not agreed:
        echo("nothing was changed", err=True)
        raise click.exceptions.Exit(1)


def column_names(text: str | None) -> tuple[str, ...] | None:
    """Return the names in ``A,B,...``, None where nothing was said."""
    return tuple(name.strip() for name in text.split(",")) if text else None
