"""Choose learning rates for ``new`` and ``quantize``, and report them."""

from __future__ import annotations

import time
from pathlib import Path

import click

from tpsgd_host.comparison.tuning import EPOCHS, Tuned, tune_file
from tpsgd_host.comparison.view import ProgressView, duration
from tpsgd_host.data.samples import Samples
from tpsgd_host.terminal import echo

epochs_option = click.option(
    "--epochs", "-e", type=click.IntRange(1), default=EPOCHS, show_default=True,
    help="Passes in the planned run, for which to choose rates; with quantize --misses, passes to train.",
)  # fmt: skip


def tune_rates(
    path: Path, samples: Samples, epochs: int, quiet: bool = False, weigh_variation: bool = False
) -> Tuned:  # fmt: skip
    """Choose the rates of the network in a TOML, and whether its samples are varied; write and report both."""
    since = time.monotonic()
    with ProgressView(path.stem, quiet) as view:
        found = tune_file(path, samples, epochs=epochs, weigh_variation=weigh_variation, progress=view.report)
    if not quiet:
        hidden, output = found.rates
        rates = f"hidden layers {hidden}, output {output}" if hidden else f"output {output}"
        echo(
            f"rates: {rates}, chosen on {found.samples:,} held-out samples: accuracy {found.after:.1%} there, "
            f"{found.before:.1%} with the old rates; {found.tried} tried in {duration(time.monotonic() - since)}"
        )
        if weigh_variation and (found.unvaried or found.config.training.variation != "none"):
            _report_variation(found)
    return found


def _report_variation(found: Tuned) -> None:
    """Say whether samples are varied, and why."""
    if found.unvaried:
        echo("variation: none, because the network is better without it on those samples")
    else:
        kind = found.config.training.variation
        echo(f"variation: {kind}: each sample is varied anew before it is learned; --variation none turns it off")
