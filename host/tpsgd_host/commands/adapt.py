"""``tpsgd-host adapt``: make of a trained model one that a board goes on with, on its own samples."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import click

from tpsgd_host.commands.options import FILE, json_option
from tpsgd_host.errors import ConfigError
from tpsgd_host.model.modelfile import Model, load_model, memory
from tpsgd_host.model.surgery import ADAPTOR_UNITS, redrawn, with_adaptor, with_class, with_learning, with_shifts
from tpsgd_host.names import listing

TRAIN = ("output", "adaptor", "all")
SHIFTS = (6,)  # as docs/ON_DEVICE.md found good
PASSES = 30  # over a few samples


@dataclass(frozen=True)
class AdaptReport:
    """What became of a model.

    Attributes
    ----------
    before, model : Model
    out : Path
        The file written.
    added : tuple of str
        New classes.
    remarks : tuple of str
        What the user should know before the board learns.
    """

    before: Model
    model: Model
    out: Path
    added: tuple[str, ...]
    remarks: tuple[str, ...]

    @property
    def learning(self) -> tuple[tuple[str, int, tuple[int, ...]], ...]:
        """Return (name, weights, update shifts) of each layer that learns."""
        layers = zip(self.model.layers, self.model.weights, strict=True)
        return tuple((f"{y.kind} {i}", w.size, y.shifts) for i, (y, w) in enumerate(layers) if not y.frozen)

    @property
    def ram(self) -> tuple[int, int]:
        """Return the bytes that training takes, before and now."""
        return memory(self.before).total, memory(self.model).total

    def as_dict(self) -> dict[str, object]:
        """Return the figures for JSON."""
        before, now = self.ram
        return {
            "model": str(self.out), "name": self.model.name, "network": self.model.shape,
            "classes": list(self.model.classes), "added": list(self.added),
            "learns": [{"layer": name, "weights": size, "shifts": list(s)} for name, size, s in self.learning],
            "ram_bytes_before": before, "ram_bytes": now, "file_bytes": len(self.model.to_bytes()),
            "crc_hex": f"{self.model.crc:08x}", "remarks": list(self.remarks),
        }  # fmt: skip


def adapt(
    source: Path,
    out: Path,
    *,
    train: str = "output",
    units: int = 0,
    added: tuple[str, ...] = (),
    shifts: tuple[int, ...] = SHIFTS,
    force: bool = False,
) -> AdaptReport:
    """Write a model that goes on learning from where a trained one stands.

    Parameters
    ----------
    source : Path
        The trained model.
    train : {"output", "adaptor", "all"}
        What learns: the output layer; a dense layer put before it, too; everything. What does not is kept as one byte
        a weight.
    units : int
        Of the adaptor; 0: none, but for ``train`` "adaptor" 32, or as many as there are classes.
    added : tuple of str
        New classes.
    shifts : tuple of int
        Update shifts of the output, one a phase. Other layers learn slower, see ``with_shifts``.
    force : bool
        Replace a file that exists.

    Raises
    ------
    ModelError
        When the model cannot be read, or be one afterwards.
    ConfigError
        When it cannot be made so, or the file cannot be written.
    """
    before = load_model(source)
    if out.exists() and not force:
        raise ConfigError(f"{out} exists", "Name another file with -o, or replace it with --force.")
    model = with_learning(before, len(before.layers) if train == "all" else 1)
    for name in added:
        model = with_class(model, name)
    if train == "adaptor" and not units:
        units = max(ADAPTOR_UNITS, len(model.classes))
    if units:
        model = with_adaptor(model, units)
    model = with_shifts(model, shifts)
    try:
        model.save(out)
    except OSError as error:
        raise ConfigError(f"{out} cannot be written: {error.strerror}", "Choose another file with -o.") from None
    return AdaptReport(before, model, out, added, _remarks(model, added))


def _remarks(model: Model, added: tuple[str, ...]) -> tuple[str, ...]:
    said = []
    changed = redrawn(model) if added else ()
    if changed:
        said.append(
            f"{listing(changed)} learn{'s' if len(changed) == 1 else ''} towards targets that the number of classes "
            "changes: show all classes again, or keep it as it is with --train output"
        )
    if added:
        said.append("show samples of the old classes among the new ones: what is never shown again is forgotten")
    return tuple(said)


def show(report: AdaptReport) -> None:
    """Print what became of the model, and what to do next."""
    model = report.model
    new = f", new: {listing(report.added, 8)}" if report.added else ""
    click.echo(f"{report.out}: {model.name} ({model.shape}), {len(model.classes)} classes{new}")
    for name, size, shifts in report.learning:
        click.echo(f"  learns: {name}, {size:,} weights, update shift {' '.join(map(str, shifts))}")
    frozen = [f"{layer.kind} {i}" for i, layer in enumerate(model.layers) if layer.frozen]
    if frozen:
        click.echo(f"  stays:  {listing(frozen)}, one byte a weight")
    before, now = report.ram
    click.echo(f"  RAM to train in: {before:,} -> {now:,} bytes, buffers of the link among them")
    for remark in report.remarks:
        click.echo(f"note: {remark}")
    click.echo("next:")
    click.echo(f"  tpsgd-host flash {report.out} --board virtual")
    click.echo(f"  tpsgd-host stream FEW.csv --epochs {PASSES}")


def _shifts(_context: click.Context, _parameter: click.Parameter, value: str | None) -> tuple[int, ...]:
    """Read ``6`` or ``5,6,7``."""
    if value is None:
        return SHIFTS
    parts = [part.strip() for part in value.split(",")]
    shifts = tuple(int(part) for part in parts if part.isdecimal())
    if len(shifts) < len(parts) or not 1 <= len(shifts) <= 8 or not 1 <= min(shifts) <= max(shifts) <= 15:
        raise click.BadParameter(f"{value!r} must be 1 to 8 numbers from 1 to 15, with commas between")
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
    help=f"Put a dense layer of so many units before the output.  [with --train adaptor: {ADAPTOR_UNITS}]",
)
@click.option("--add-class", "added", multiple=True, metavar="NAME", help="A new class; may be repeated.")
@click.option(
    "--shifts",
    callback=_shifts,
    metavar="A,B,...",
    help="Update shifts, one a phase: larger ones learn slower. Layers before the output learn by 3 more.  "
    f"[default: {','.join(map(str, SHIFTS))}]",
)
@click.option("--force", is_flag=True, help="Replace a file that exists.")
@json_option
def command(
    trained: Path, out: Path, train: str | None, units: int | None, added: tuple[str, ...], shifts: tuple[int, ...],
    force: bool, as_json: bool,
) -> None:  # fmt: skip
    """Make of a TRAINED model one to flash that learns on, for a new wearer, place or class.

    Nothing is trained here, and no data are needed: the new model predicts what the trained one does, and goes on from
    there with the few samples that you stream to it, or that the board's own sensor sees. What does not learn takes one
    byte a weight instead of two.

    \b
    --train output   the output layer learns: least RAM, and as a rule enough
    --train adaptor  a small dense layer is put before it, and learns with it
    --train all      every layer learns

    \b
    Examples:
      tpsgd-host pull -o trained.tpsgd
      tpsgd-host adapt trained.tpsgd -o mine.tpsgd
      tpsgd-host adapt trained.tpsgd -o more.tpsgd --add-class wave
    """
    if train == "output" and units:
        raise click.UsageError("--train output puts no adaptor in: leave --adaptor out, or say --train adaptor.")
    report = adapt(
        trained, out, train=train or ("adaptor" if units else "output"), units=units or 0, added=added, shifts=shifts,
        force=force,
    )  # fmt: skip
    if as_json:
        click.echo(json.dumps(report.as_dict(), indent=2))
        return
    show(report)
