"""``tpsgd-host adapt``: prepare a trained model to learn more on a board."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from tpsgd_host.adaptation.adapt import FEW, PASSES, TRAIN, AdaptReport, adapt
from tpsgd_host.adaptation.knowing import EPOCHS, Known
from tpsgd_host.commands.options import FILE, json_option, percentage
from tpsgd_host.model.surgery import ADAPTOR_UNITS
from tpsgd_host.names import listing
from tpsgd_host.terminal import echo
from tpsgd_host.training.doubt import doubt_line


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
    if report.known is not None:
        _show_known(report.known)
    for remark in report.remarks:
        echo(f"note: {remark}")
    echo("next:")
    echo(f"  tpsgd-host flash {report.out} --board virtual")
    if report.known is None:
        echo(f"  tpsgd-host stream FEW.csv --epochs {PASSES}")
    else:
        echo("  tpsgd-host teach, or Learner.teach and practise in your program (docs/ON_DEVICE.md)")


_ANSWERS = {
    "network": "the network, which practises varied samples and the means of the known",
    "prototypes": "the nearest prototype; nothing learns",
    "both": "network and prototypes together; the network practises varied samples and the means",
}


def _show_known(known: Known) -> None:
    """Print how a model with prototypes answers, and what to expect of it."""
    prototypes = known.model.prototypes
    assert prototypes is not None
    echo(f"  answers by: {_ANSWERS[known.way]}")
    echo(f"  {len(prototypes.labels)} prototypes of {prototypes.vectors.shape[1]} bytes, in flash")
    if known.expected:
        counts = known.expected[0].counts
        echo("  somebody new / those known, in percent, by samples a class:")
        echo("    " + f"{'':12}" + "".join(f"{n:>12}" for n in counts))
        for one in known.expected:
            pairs = zip(one.new, one.old, strict=True)
            cells = ["-" if a is None or b is None else f"{100 * a:.1f}/{100 * b:.1f}" for a, b in pairs]
            mark = "*" if one.way == known.way else " "
            echo(f"   {mark}{one.way:12}" + "".join(f"{cell:>12}" for cell in cells))
        (chosen,) = (one for one in known.expected if one.way == known.way)
        echo("    " + f"{'bytes':12}" + "".join(f"{size:>12,}" for size in chosen.bytes))
        echo("    " + f"{'s of RP2040':12}" + "".join(f"{s:>12.1f}" for s in chosen.seconds))
    if known.doubt is not None:
        echo(f"  {doubt_line(known.doubt)}")


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
@click.option("--data", type=FILE, metavar="FILE", help="Recordings of the model's classes: it gets prototypes.")
@click.option("--persons", metavar="COLUMN", help="With --data: who made each; each is held out to find the best way.")
@click.option(
    "--samples", type=click.IntRange(1), metavar="N",
    help=f"With --data: samples a class that somebody new will show.  [default: {FEW}]",
)  # fmt: skip
@click.option("--ram", type=click.IntRange(1), metavar="BYTES", help="With --data: most RAM for learning on the board.")
@click.option(
    "--misses", callback=percentage, metavar="PERCENT",
    help="With --data: add the class none for what is foreign, and let it take this share of the known, such as 5%.",
)  # fmt: skip
@click.option(
    "--epochs", type=click.IntRange(1), metavar="N",
    help=f"With --data: passes to train networks to measure on.  [default: {EPOCHS}]",
)  # fmt: skip
@json_option
def command(
    trained: Path, out: Path, train: str | None, units: int | None, added: tuple[str, ...], shifts: tuple[int, ...],
    force: bool, as_json: bool, **known: Any,
) -> None:  # fmt: skip
    """Prepare a TRAINED model to learn more on a board.

    The result is a model to flash, for a new wearer, place or class.

    Without --data this trains nothing: the new model first predicts the same as the trained one, and then learns
    from the few samples that you stream to it, or that the board's own sensor sees. Layers that do not learn take one
    byte per weight instead of two.

    \b
    --train output   the output layer learns: least RAM, and usually enough
    --train adaptor  a small dense layer is inserted before it and learns too
    --train all      every layer learns

    With --data the model gets prototypes, the means of these recordings. It answers by the network, by the nearest
    prototype, or by both, whichever is best for somebody new; with --misses it says when it is not sure.

    \b
    Examples:
      tpsgd-host pull -o trained.tpsgd
      tpsgd-host adapt trained.tpsgd -o mine.tpsgd
      tpsgd-host adapt trained.tpsgd -o more.tpsgd --add-class wave
      tpsgd-host adapt trained.tpsgd -o mine.tpsgd --data data.csv --misses 5%
    """
    if train == "output" and units:
        raise click.UsageError("--train output has no adaptor: leave out --adaptor, or use --train adaptor.")
    given = {name: value for name, value in known.items() if value is not None}
    if given and "data" not in given:
        raise click.UsageError(f"--{next(iter(given))} needs recordings: name them with --data.")
    if given and (units or train not in (None, "output")):
        raise click.UsageError("With --data only the output learns: leave out --train and --adaptor.")
    report = adapt(
        trained, out, train=train or ("adaptor" if units else "output"), units=units or 0, added=added, shifts=shifts,
        force=force, **given,
    )  # fmt: skip
    if as_json:
        echo(json.dumps(report.as_dict(), indent=2))
        return
    show(report)
