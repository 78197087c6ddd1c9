"""``tpsgd-host adapt``: prepare a trained model to learn more on a board."""

from __future__ import annotations

import json
from pathlib import Path

import click

from tpsgd_host.adaptation.adapt import PASSES, TRAIN, AdaptReport, adapt
from tpsgd_host.commands.options import FILE, json_option
from tpsgd_host.model.surgery import ADAPTOR_UNITS
from tpsgd_host.names import listing
from tpsgd_host.terminal import echo


def show(report: AdaptReport) -> None:
    """Print what changed in the model, and what to do next."""
    model = report.model
    new = f", new: {listing(report.added, 8)}" if report.added else ""
    echo(f"{report.out}: {model.name} ({model.shape}), {len(model.classes)} classes{new}")
    for name, size, shifts in report.learning:
        echo(f"  learns: {name}, {size:,} weights, update shift {' '.join(map(str, shifts))}")
    frozen = [f"{layer.kind} {i}" for i, layer in enumerate(model.layers) if layer.frozen]
    if frozen:
        echo(f"  stays:  {listing(frozen)}, one byte per weight")
    before, now = report.ram
    echo(f"  RAM to train in: {before:,} -> {now:,} bytes, including the link's buffers")
    for remark in report.remarks:
        echo(f"note: {remark}")
    echo("next:")
    echo(f"  tpsgd-host flash {report.out} --board virtual")
    echo(f"  tpsgd-host stream FEW.csv --epochs {PASSES}")


def _shifts(_context: click.Context, _parameter: click.Parameter, value: str | None) -> tuple[int, ...]:
    """Read ``6`` or ``5,6,7``; empty for the model's own shifts."""
    if value is None:
        return ()
    parts = [part.strip() for part in value.split(",")]
    shifts = tuple(int(part) for part in parts if part.isdecimal())
    if len(shifts) < len(parts) or not 1 <= len(shifts) <= 8 or not 1 <= min(shifts) <= max(shifts) <= 15:
        raise click.BadParameter(f"{value!r} must be 1 to 8 numbers from 1 to 15, separated by commas")
    return shifts


@click.command("adapt")
@click.argument("trained", type=FILE)
@click.option("--out", "-o", type=FILE, required=True, metavar="FILE", help="Model file to write.")
@click.option(
    "--train",
    type=click.Choice(TRAIN),
    help="What learns on the board, as listed above.  [default: output, with --adaptor adaptor]",
)
@click.option(
    "--adaptor",
    "units",
    type=click.IntRange(2, 1024),
    metavar="UNITS",
    help=f"Insert a dense layer with this many units before the output.   [with --train adaptor: {ADAPTOR_UNITS}]",
)
@click.option("--add-class", "added", multiple=True, metavar="NAME", help="A new class; may be repeated.")
@click.option(
    "--shifts",
    callback=_shifts,
    metavar="A,B,...",
    help="Update shifts, one per phase; larger ones learn more slowly. Layers before the output use 3 more.  "
    "[default: the smallest at which the model's output learned]",
)
@click.option("--force", is_flag=True, help="Replace an existing file.")
@json_option
def command(
    trained: Path, out: Path, train: str | None, units: int | None, added: tuple[str, ...], shifts: tuple[int, ...],
    force: bool, as_json: bool,
) -> None:  # fmt: skip
    """Prepare a TRAINED model to learn more on a board.

    The result is a model to flash, for a new wearer, place or class.

    This needs no data and trains nothing: the new model first predicts the same as the trained one, and then learns
    from the few samples that you stream to it, or that the board's own sensor sees. Layers that do not learn take one
    byte per weight instead of two.

    \b
    --train output   the output layer learns: least RAM, and usually enough
    --train adaptor  a small dense layer is inserted before it and learns too
    --train all      every layer learns

    \b
    Examples:
      tpsgd-host pull -o trained.tpsgd
      tpsgd-host adapt trained.tpsgd -o mine.tpsgd
      tpsgd-host adapt trained.tpsgd -o more.tpsgd --add-class wave
    """
    if train == "output" and units:
        raise click.UsageError("--train output has no adaptor: leave out --adaptor, or use --train adaptor.")
    report = adapt(
        trained, out, train=train or ("adaptor" if units else "output"), units=units or 0, added=added, shifts=shifts,
        force=force,
    )  # fmt: skip
    if as_json:
        echo(json.dumps(report.as_dict(), indent=2))
        return
    show(report)
