"""Options that several commands share."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from math import isfinite
from pathlib import Path
from typing import Any, TypeVar

import click

from tpsgd_host.data.split import Share
from tpsgd_host.data.subjects import HeldOut, LeaveOut
from tpsgd_host.errors import ConfigError, TpsgdError
from tpsgd_host.model.parsing import MAX_MISSES
from tpsgd_host.model.prototypes import VARIATIONS
from tpsgd_host.terminal import clean, echo

F = TypeVar("F", bound=Callable[..., Any])

FILE = click.Path(path_type=Path)


class Seconds(click.FloatRange):
    """A duration: a finite number from 0 on."""

    name = "seconds"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the seconds."""
        seconds = float(super().convert(value, param, ctx))
        if not isfinite(seconds):
            self.fail(f"{value!r} is not a time in seconds", param, ctx)
        return seconds


class HeapType(click.ParamType):  # type: ignore[type-arg]  # generic from click 8.2 on
    """Bytes, written like 48k or 1m."""

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
    help="Folder with the virtual board's flash.  [default: in your configuration folder]",
)


def remembered_port(board: str = "") -> str:
    """Return the port of the board that was last flashed from this folder; empty for the virtual one.

    Parameters
    ----------
    board : str
        Only if it was this board; empty for any.
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
    """How to reach the board."""
    return _all([
        click.option("--port", "-p", default=_port, metavar="PORT",
                     help="Serial port of the board (/dev/ttyUSB0, socket://host:port), or virtual.  [default: the "
                          "board that was last flashed from this folder, else virtual]"),
        click.option("--baud", default=115200, show_default=True, help="Speed of a serial port."),
        board_dir_option,
        click.option("--heap", type=HeapType(), metavar="SIZE",
                     help="Heap of the virtual board, such as 48k.  [default: as flashed]"),
    ])(function)  # fmt: skip


def data_options(function: F) -> F:
    """How to read a data file, if not as the model says."""
    return _all([
        click.option("--label", metavar="COLUMN", help="Column with the class.  [default: the model's]"),
        click.option("--group", metavar="COLUMN", help="Column that tells recordings apart.  [default: the model's]"),
        click.option("--columns", metavar="A,B,...", help="Columns with the values.  [default: the model's]"),
        click.option("--bad-rows", type=click.Choice(["stop", "skip"]), default="stop", show_default=True,
                     help="What to do with a row that cannot be used."),
    ])(function)  # fmt: skip


def renamed(new: str) -> Callable[[click.Context, click.Parameter, Any], None]:
    """Return a callback that refuses an option with its new name."""

    def refuse(_context: click.Context, option: click.Parameter, value: Any) -> None:
        if value is not None:
            raise click.UsageError(f"{option.opts[0]} is now called {new}: {new} {value}")

    return refuse


def parse_leave_out(given: tuple[str, ...], named: bool = False) -> tuple[str, tuple[str, ...]]:
    """Read one or more ``COLUMN`` or ``COLUMN=NAME``; return the column and the names.

    Parameters
    ----------
    named : bool
        Whether a name is required.
    """
    pairs = [(column.strip(), name.strip()) for column, _, name in (text.partition("=") for text in given)]
    if len({column for column, _ in pairs}) > 1:
        raise click.UsageError("--leave-out takes one column: repeat it only with other names.")
    if any(not column or ("=" in text and not name) for text, (column, name) in zip(given, pairs, strict=True)):
        raise click.UsageError(
            "--leave-out is COLUMN=NAME: the column that names each row's subject, and the subject to leave out."
        )
    if named and not all(name for _, name in pairs):
        column = pairs[0][0]
        raise click.UsageError(
            f"--leave-out {column} needs a name: --leave-out {column}=NAME; compare takes each in turn."
        )
    return pairs[0][0] if pairs else "", tuple(dict.fromkeys(name for _, name in pairs if name))


def leave_out_option(what: str) -> Callable[[F], F]:
    """Return the option that names subjects to leave out of training; ``what`` says what for."""

    def read(_context: click.Context, _option: click.Parameter, value: tuple[str, ...]) -> LeaveOut | None:
        column, names = parse_leave_out(value, named=True)
        return LeaveOut(column, names) if column else None

    return click.option(
        "--leave-out", multiple=True, callback=read, metavar="COLUMN=NAME",
        help=f"{what}; COLUMN names each row's subject. May be repeated.",
    )  # fmt: skip


def split_options(what: str) -> Callable[[F], F]:
    """Return the options that set a share of the recordings aside; ``what`` says what for."""
    return _all([
        click.option("--test-split", type=click.FloatRange(0, 1, min_open=True, max_open=True), metavar="SHARE",
                     help=f"{what}."),
        click.option("--split-seed", default=1, show_default=True, help="Seed of that choice."),
    ])  # fmt: skip


def held_out_options(what: str) -> Callable[[F], F]:
    """Return the options that hold samples out of ``what`` as a run does that has the same options."""
    return _all(
        [
            leave_out_option(f"Ignore the samples of NAME {what}: a speaker or wearer to test on"),
            split_options(f"Ignore, {what}, the recordings that a run with the same option tests on"),
        ]
    )


def held_out(leave_out: LeaveOut | None, test_split: float | None, split_seed: int) -> HeldOut:
    """Return what the options hold out."""
    if test_split is None:
        return leave_out
    if leave_out is not None:
        raise ConfigError("--test-split and --leave-out both choose held-out samples", "Use only one of them.")
    return Share(test_split, split_seed)


def as_options(held: HeldOut) -> str:
    """Return the options that hold the same out, for a command to show."""
    if isinstance(held, LeaveOut):
        return shlex.join(word for name in held.names for word in ("--leave-out", f"{held.column}={name}"))
    if held is None:
        return ""
    return f"--test-split {held.fraction:g}" + (f" --split-seed {held.seed}" if held.seed != 1 else "")


variation_option = click.option(
    "--variation",
    type=click.Choice(VARIATIONS),
    help="Vary each sample anew before it is learned: levels and bands of words, speed and direction of motion.  "
    "[default: as the model says]",
)


def run_options(function: F) -> F:
    """What a run applies, and where it is saved."""
    return _all([
        click.option("--epochs", "-e", type=click.IntRange(1), default=10, show_default=True,
                     help="Passes through the training samples."),
        click.option("--test", type=FILE, metavar="FILE", help="Held-out samples, classified after every epoch."),
        split_options("Hold out this share of each class's recordings in DATA. Give new and quantize the same option: "
                      "then they choose rates and scale without these recordings"),
        leave_out_option("Hold out the samples of NAME, a speaker or wearer (new and quantize can, too)"),
        click.option("--test-every", type=click.IntRange(1), default=1, show_default=True,
                     help="Epochs between tests on the held-out samples."),
        click.option("--shuffle-seed", type=click.IntRange(0), default=1, show_default=True,
                     help="Seed of the order of samples; 0 keeps file order."),
        variation_option,
        click.option("--runs", "root", type=FILE, default=Path("runs"), show_default=True, metavar="DIR",
                     help="Where to put the run's folder."),
        click.option("--name", metavar="NAME", help="Name of the run.  [default: the model's]"),
    ])(function)  # fmt: skip


target_option = click.option(
    "--target",
    type=click.Choice(["feedback", "label"]),
    help="What hidden layers learn from: the error of the next layer, or their own targets (the paper's rule).  "
    "[default: as the network says; feedback in a new one]",
)


yes_option = click.option("--yes", "-y", is_flag=True, help="Do not ask first.")

json_option = click.option("--json", "as_json", is_flag=True, help="Print only the result, as JSON.")


def confirmed(yes: bool, question: str) -> None:
    """Ask the user, unless ``yes``; end the command if the answer is no, or nobody can answer."""
    if yes:
        return
    try:
        agreed = click.confirm(clean(question), err=True)
    except click.Abort:
        if sys.stdin.isatty():
            raise
        raise click.UsageError("Nobody can answer, so nothing was changed: add --yes.") from None
    if not agreed:
        echo("nothing was changed", err=True)
        raise click.exceptions.Exit(1)


def column_names(text: str | None) -> tuple[str, ...] | None:
    """Return the names in ``A,B,...``, None without a value."""
    return tuple(name.strip() for name in text.split(",")) if text else None


def percentage(_context: click.Context, _parameter: click.Parameter, value: str | None) -> float | None:
    """Read ``5%``, ``5`` or ``0.5%`` as a share."""
    if value is None:
        return None
    try:
        share = float(value.strip().removesuffix("%")) / 100
    except ValueError:
        share = -1.0
    if not 0 <= share <= MAX_MISSES / 100:
        raise click.BadParameter(f"{value!r} must be a percentage from 0% to {MAX_MISSES:g}%")
    return share
