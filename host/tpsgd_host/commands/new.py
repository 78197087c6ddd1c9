"""``tpsgd-host new``: start a model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from tpsgd_host.commands.options import as_options, column_names, held_out, held_out_options, target_option
from tpsgd_host.commands.tuning import epochs_option, tune_rates
from tpsgd_host.data.subjects import HeldOut, LeaveOut, load_divided
from tpsgd_host.data.summary import TableSummary
from tpsgd_host.errors import ConfigError, DataError
from tpsgd_host.model.new import STEPS, new_model
from tpsgd_host.model.parsing import load_config
from tpsgd_host.model.target import Target
from tpsgd_host.model.template import Network
from tpsgd_host.names import listing
from tpsgd_host.native.binding import library
from tpsgd_host.terminal import echo, paragraph

#: Files of more bytes take so long to read that progress is shown.
LARGE = 4_000_000


def _units(_context: click.Context, _parameter: click.Parameter, value: str | None) -> tuple[int, ...]:
    """Read ``32,16``."""
    try:
        units = tuple(int(part) for part in value.split(",")) if value else ()
    except ValueError:
        units = (0,)
    if not all(0 < unit <= 1024 for unit in units):
        raise ConfigError(f"--hidden is {value!r}, but must be numbers from 1 to 1024, with commas", "Try 32,16.")
    return units


def show(found: TableSummary) -> None:
    """Print what the data hold, and their likely mistakes."""
    counts = found.recordings or found.label_counts
    if found.group:
        least, most = found.readings
        each = f"{most:,}" if least == most else f"{least:,} to {most:,}"
        echo(f"{sum(counts.values()):,} recordings of {each} readings (column {found.group})")
    else:
        echo(f"{found.rows:,} rows")
    names = listing([f"{name} {count:,}" for name, count in counts.items()], 8)
    paragraph(f"  {len(counts)} classes (column {found.label}): {names}", indent="    ")
    ranges = [f"{name} {low:g} to {high:g}" for name, (low, high) in found.ranges.items()]
    paragraph(f"  {len(ranges)} columns of values: {listing(ranges, 6)}", indent="    ")
    if found.unused:
        unused = [f"{name} ({what})" for name, what in found.unused.items()]
        paragraph(f"  not used: {listing(unused, 6)}", indent="    ")
    if found.rate:
        echo(f"  {found.rate:g} readings per second")
    for suspicion in found.suspicions:
        echo(f"look: {suspicion.fact}\n      {suspicion.mend}")


def _tune(path: Path, data: Path, epochs: int, held: HeldOut) -> None:
    """Choose rates, or explain why the default ones stay."""
    if library() is None:
        echo("rates: the defaults, because there is no compiled trainer; quantize --tune chooses them, slowly")
        return
    try:
        config = load_config(path)
        samples, _ = load_divided(data, config.layout, config.classes, "skip", held)
        tune_rates(path, samples, epochs, weigh_variation=True)
    except DataError as error:
        echo(f"rates: the defaults, because none can be chosen. {error.message} {error.hint}")


@contextmanager
def _reading(data: Path | None) -> Iterator[None]:
    """Show that a large file is being read."""
    size = data.stat().st_size if data is not None and data.is_file() else 0
    if size < LARGE:
        yield
        return
    from tpsgd_host.console import Console  # Rich is slow to import, and most files are small

    with Console(stderr=True).status(f"reading {data}, {size / 1e6:.0f} MB"):
        yield


@click.command("new")
@click.argument("name")
@click.option("-o", "--out", type=click.Path(path_type=Path), help="File to write. [default: NAME.toml]")
@click.option(
    "--network",
    type=click.Choice(["tdnn", "rnn", "mlp", "cnn"]),
    help="tdnn: convolution over time.  [default: tdnn for recordings, mlp for single rows]",
)
@click.option("--data", type=click.Path(path_type=Path), help="CSV, .npz or folder of WAV files to start from.")
@click.option(
    "--hidden", callback=_units, help="Units of the hidden layers. [default: tdnn, rnn 32; mlp 32,16; cnn 8,16]"
)
@click.option("--steps", type=click.IntRange(1, 4096), help=f"Steps of a sample. [default: {STEPS}; single rows 1]")
@click.option(
    "--seed", type=click.IntRange(1, 2**32 - 1), default=1, show_default=True, help="Seed of all random choices."
)
@click.option("--window", type=click.IntRange(0, 2**32 - 1), default=0, help="Readings in a window. [default: 0, all]")
@click.option("--hop", type=click.IntRange(0, 2**32 - 1), default=0, help="Readings from one window to the next.")
@click.option("--label", default="", help="Column of the class. [default: guessed]")
@click.option("--group", default="", help="Column of the recording. [default: guessed]")
@click.option("--columns", metavar="A,B,...", help="Columns with the values. [default: guessed]")
@target_option
@click.option(
    "--tune/--no-tune", default=True, help="With --data: choose learning rates on held-out recordings.  [default: tune]"
)
@epochs_option
@held_out_options("when choosing rates")
@click.option("--motion", is_flag=True, help="The model finds gestures by itself in a stream of a sensor's readings.")
@click.option("--sound", is_flag=True, help="The model hears words; needed only where there are no WAV files yet.")
@click.option("--classes", metavar="A,B,...", help="What to recognize.  [default: the labels in the data]")
@click.option("--force", is_flag=True, help="Replace an existing file.")
def command(
    name: str,
    out: Path | None,
    network: Network | None,
    data: Path | None,
    hidden: tuple[int, ...],
    steps: int | None,
    seed: int,
    window: int,
    hop: int,
    label: str,
    group: str,
    columns: str | None,
    target: Target | None,
    tune: bool,
    epochs: int,
    leave_out: LeaveOut | None,
    test_split: float | None,
    split_seed: int,
    motion: bool,
    sound: bool,
    classes: str | None,
    force: bool,
) -> None:
    """Start a model: write a TOML file that explains itself.

    With --data the file matches the columns, classes and recordings of your CSV, and its learning rates are chosen by
    training on some recordings and testing on others. After you edit the network, quantize --tune chooses them again.

    \b
    Example:
      tpsgd-host new gestures --data recordings.csv
      tpsgd-host new digits --network mlp --hidden 64,32 --data digits.csv
      tpsgd-host new gestures --target label --data recordings.csv
      tpsgd-host new digits --network cnn --steps 8 --data digits.csv
      tpsgd-host new words --data recordings/
    """
    held = held_out(leave_out, test_split, split_seed)
    with _reading(data):
        made = new_model(
            name, out, network, data, hidden, steps, seed, window, hop, label, group, column_names(columns) or (),
            target or "feedback", force, motion, sound, column_names(classes) or (),
        )  # fmt: skip
    if made.found is not None:
        show(made.found)
    if made.why:
        paragraph(f"network: {made.why}", indent="  ")
    if data is not None and tune:
        _tune(made.path, data, epochs, held)
    echo(f"wrote {made.path}: look it over, then\n  {made.next} {as_options(held)}".rstrip())
