"""``tpsgd-host fleet serve`` and ``fleet join``: boards on several computers learn together."""

from __future__ import annotations

import json
import platform
import re
from pathlib import Path
from typing import Any

import click

from tpsgd_host.commands.fleet_view import show, show_round
from tpsgd_host.commands.options import FILE, Seconds, board_options, json_option
from tpsgd_host.commands.project import data_here, model_here
from tpsgd_host.errors import BoardError
from tpsgd_host.fleet.averaging import STRATEGIES
from tpsgd_host.fleet.certificates import Certificates
from tpsgd_host.fleet.join import PATIENCE, JoinPlan, join
from tpsgd_host.fleet.rounds import Round, Turn
from tpsgd_host.fleet.run import OWN, PASSES, ROUNDS
from tpsgd_host.fleet.serve import PORT, ServePlan, Watch, serve
from tpsgd_host.terminal import echo


@click.command("serve")
@click.option("--model", type=FILE, metavar="FILE", help="The network.  [default: the only model here]")
@click.option(
    "--start",
    type=FILE,
    metavar="FILE",
    help="Weights to begin from, such as fleet/fleet.tpsgd of a server that died.  [default: the model's]",
)
@click.option(
    "--boards",
    type=click.IntRange(1),
    default=2,
    show_default=True,
    metavar="N",
    help="How many boards to wait for before the first round.",
)
@click.option(
    "--wait",
    type=Seconds(min=0),
    default=600.0,
    show_default=True,
    help="Seconds to wait for them; then those that are there begin.",
)
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
@click.option(
    "--timeout",
    type=Seconds(min=0, min_open=True),
    default=600.0,
    show_default=True,
    help="Seconds to wait for answers in a round.",
)
@click.option("--host", default="0.0.0.0", show_default=True, help="Address to listen on.")
@click.option(
    "--listen",
    "port",
    type=click.IntRange(0, 65535),
    default=PORT,
    show_default=True,
    metavar="PORT",
    help="Port to listen on; 0 for any that is free.",
)
@click.option(
    "--certificates",
    type=FILE,
    default=Path("certificates"),
    show_default=True,
    metavar="DIR",
    help="Folder with ca.pem, server.pem and server.key; they are made where it has none.",
)
@click.option(
    "--name",
    "names",
    multiple=True,
    metavar="HOST",
    help="A name or address by which boards reach this computer, for new certificates. May be repeated.",
)
@click.option(
    "--out",
    "-o",
    type=FILE,
    default=Path("fleet"),
    show_default=True,
    metavar="DIR",
    help="Folder for the averaged model, the picture and the report.",
)
@json_option
def serve_command(model: Path | None, weigh: str, as_json: bool, **options: Any) -> None:
    """Lead boards on other computers, which join with fleet join.

    Each board has the same model and samples of its own, which stay there. Weights travel over HTTPS. A board that
    dies, is unplugged or does not answer in time is left out of the round; when it comes back it takes part again.

    \b
    Example:
      tpsgd-host fleet serve --boards 3 --name gateway.example.org
    """
    plan = ServePlan(model or model_here(), weighed=weigh == "samples", **options)
    report = serve(plan, Watch() if as_json else _Shown(plan.rounds))
    if as_json:
        echo(json.dumps(report.as_dict(), indent=2))
        return
    show(report)


class _Shown(Watch):
    """Prints what happens."""

    def __init__(self, rounds: int) -> None:
        self._rounds = rounds

    def listening(self, port: int, files: Certificates) -> None:
        """Say how boards join."""
        if files.made:
            echo(f"new certificates in {files.authority.parent}: copy {files.authority} to those who join")
        echo(f"boards join with: tpsgd-host fleet join --server {platform.node()}:{port} --ca {files.authority.name} "
             "--name NAME --data FILE")  # fmt: skip

    def joined(self, name: str, why: str) -> None:
        """Say who has joined."""
        echo(f"{name} takes no part: {why}" if why else f"{name} has joined")

    def round(self, done: Round) -> None:
        """Say how a round ended."""
        show_round(done, self._rounds)


def _address(_context: click.Context, _option: click.Parameter, value: str) -> str:
    """Check ``HOST:PORT``."""
    host, _, port = value.rpartition(":")
    if not re.fullmatch(r"[\w.-]+|\[[0-9a-fA-F:]+\]", host) or not port.isdecimal() or not 0 < int(port) < 65536:
        raise click.BadParameter(f"{value!r} must be HOST:PORT, such as gateway:{PORT}")
    return value


@click.command("join")
@click.option("--server", required=True, callback=_address, metavar="HOST:PORT", help="Where fleet serve runs.")
@click.option(
    "--ca",
    "authority",
    type=FILE,
    required=True,
    metavar="FILE",
    help="ca.pem of the server's certificates, by which it is known.",
)
@click.option("--name", required=True, metavar="NAME", help="What the server calls this board; each has its own.")
@click.option("--data", type=FILE, metavar="FILE", help="Samples of the board's user.  [default: the only file here]")
@click.option("--model", type=FILE, metavar="FILE", help="The network on the board.  [default: the only model here]")
@click.option(
    "--test-split",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.2,
    show_default=True,
    help="Share of the recordings to test on.",
)
@click.option("--split-seed", default=1, show_default=True, help="Seed of that choice.")
@click.option(
    "--bad-rows",
    type=click.Choice(["stop", "skip"]),
    default="stop",
    show_default=True,
    help="What to do with a row that cannot be used.",
)
@click.option(
    "--patience",
    type=Seconds(min=0, min_open=True),
    default=PATIENCE,
    show_default=True,
    help="Seconds to try to reach a server that does not answer.",
)
@board_options
@json_option
def join_command(
    data: Path | None, model: Path | None, board_dir: Path | None, as_json: bool, **options: Any
) -> None:  # fmt: skip
    """Let a board learn in the fleet of a server.

    In each round the board gets the average of all boards, learns from the samples of DATA, and sends its weights; the
    samples stay here. After the last round it learns them a few passes more and keeps that network. The board must have
    the server's model: tpsgd-host flash MODEL.

    \b
    Example:
      tpsgd-host fleet join --server gateway:9443 --ca ca.pem --name kitchen --data words.csv --port /dev/ttyUSB0
    """
    plan = JoinPlan(data=data or data_here(), model=model or model_here(), folder=board_dir, **options)
    last = join(plan, lambda turn: None if as_json else _show_turn(turn))
    if last.failed:
        raise BoardError(
            last.failed, "the board may not have the average: tpsgd-host push puts a model's weights on it"
        )
    if as_json:
        echo(json.dumps({"tests": last.tests, "fleet": last.fleet, "own": last.own}, indent=2))


def _show_turn(turn: Turn) -> None:
    """Print what a board was asked."""
    if turn.number:
        echo(f"round {turn.number}: {turn.failed or 'learned'}")
    elif not turn.failed:
        shares = [f"{100 * right / turn.tests:.1f}%" if turn.tests else "-" for right in (turn.fleet, turn.own)]
        echo(f"the average is right in {shares[0]} of {turn.tests} tests, the board's own network in {shares[1]}")
