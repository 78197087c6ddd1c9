"""``tpsgd-host fleet``: boards that learn together without sharing their samples."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from tpsgd_host.commands.fleet_network import join_command, serve_command
from tpsgd_host.commands.fleet_view import show, show_round
from tpsgd_host.commands.options import FILE, HeapType, Seconds, json_option
from tpsgd_host.commands.project import data_here, model_here
from tpsgd_host.fleet.averaging import STRATEGIES
from tpsgd_host.fleet.run import OWN, PASSES, ROUNDS, FleetPlan, run
from tpsgd_host.terminal import echo


@click.group("fleet")
def command() -> None:
    """Have boards learn together; their samples stay where they are.

    Only weights travel. The boards' weights are averaged, and every board learns on from the average. Needs Flower:
    pip install 'tpsgd[fleet]'.

    \b
    Examples:
      tpsgd-host fleet run --data data.csv --by speaker
      tpsgd-host fleet serve --boards 3
      tpsgd-host fleet join --server HOST:9443 --ca ca.pem --name kitchen --data words.csv
    """


command.add_command(serve_command)
command.add_command(join_command)


def _few(_context: click.Context, _option: click.Parameter, value: tuple[str, ...]) -> tuple[tuple[str, int], ...]:
    """Read ``NAME=N``."""
    found = []
    for text in value:
        name, _, number = text.rpartition("=")
        if not name or not number.isdecimal() or not int(number):
            raise click.BadParameter(f"{text!r} must be NAME=N, with N at least 1")
        found.append((name, int(number)))
    return tuple(found)


@command.command("run")
@click.option("--data", type=FILE, metavar="FILE", help="Samples of all users.  [default: the only file here]")
@click.option("--model", type=FILE, metavar="FILE", help="The network.  [default: the only model here]")
@click.option("--by", required=True, metavar="COLUMN", help="Column that names each row's user.")
@click.option("--boards", type=click.IntRange(2), metavar="N", help="Boards in all.  [default: one for each user]")
@click.option("--rounds", type=click.IntRange(1), default=ROUNDS, show_default=True, help="How often to average.")
@click.option(
    "--passes",
    type=click.IntRange(1),
    default=PASSES,
    show_default=True,
    help="Passes through a board's samples before each average.",
)
@click.option(
    "--own",
    type=click.IntRange(0),
    default=OWN,
    show_default=True,
    help="Passes through a board's samples after the last average; this result stays on the board.",
)
@click.option(
    "--strategy",
    type=click.Choice(STRATEGIES),
    default="fedavg",
    show_default=True,
    help="How to average; trimmed and krum withstand broken boards.",
)
@click.option(
    "--weigh",
    type=click.Choice(["boards", "samples"]),
    default="boards",
    show_default=True,
    help="Whether every board counts alike, or for its samples.",
)
@click.option("--real", is_flag=True, help="Virtual boards instead of simulated ones: a MicroPython for each.")
@click.option("--heap", type=HeapType(), metavar="SIZE", help="With --real: heap of each board, such as 64k.")
@click.option(
    "--test-split",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.2,
    show_default=True,
    help="Share of each user's recordings to test on.",
)
@click.option("--split-seed", default=1, show_default=True, help="Seed of that choice.")
@click.option(
    "--few",
    multiple=True,
    callback=_few,
    metavar="NAME=N",
    help="Let user NAME have only N training samples of each class. May be repeated.",
)
@click.option(
    "--timeout",
    type=Seconds(min=0, min_open=True),
    default=600.0,
    show_default=True,
    help="Seconds to wait for answers in a round.",
)
@click.option(
    "--baselines/--no-baselines",
    default=True,
    show_default=True,
    help="Also train each board alone, and one network on all samples.",
)
@click.option(
    "--dying",
    type=click.FloatRange(0, 1, max_open=True),
    default=0.0,
    metavar="SHARE",
    help="Drill: this share of the boards dies in each round.",
)
@click.option("--silent", type=click.IntRange(0), default=0, metavar="N", help="Drill: N boards never answer.")
@click.option("--garbage", type=click.IntRange(0), default=0, metavar="N", help="Drill: N boards send random weights.")
@click.option(
    "--out",
    "-o",
    type=FILE,
    default=Path("fleet"),
    show_default=True,
    metavar="DIR",
    help="Folder for the averaged model, the picture and the report.",
)
@click.option(
    "--bad-rows",
    type=click.Choice(["stop", "skip"]),
    default="stop",
    show_default=True,
    help="What to do with a row that cannot be used.",
)
@json_option
def run_command(data: Path | None, model: Path | None, weigh: str, as_json: bool, **options: Any) -> None:
    """Try a fleet on this computer: each user's samples are on a board of their own.

    The table compares, for each user, a network that learned alone, the average of all boards, that average after
    learning the user's own samples, and one network that learned everybody's samples in one place.

    \b
    Example:
      tpsgd-host fleet run --data data.csv --by speaker --rounds 20
    """
    plan = FleetPlan(data or data_here(), model or model_here(), weighed=weigh == "samples", **options)
    report = run(plan, lambda done: None if as_json else show_round(done, plan.rounds))
    if as_json:
        echo(json.dumps(report.as_dict(), indent=2))
        return
    show(report)
