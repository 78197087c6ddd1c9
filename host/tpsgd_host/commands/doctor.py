"""``tpsgd-host doctor``: check a board, and say what to do."""

from __future__ import annotations

import json
from pathlib import Path

import click

from tpsgd_host.commands.options import board_options, json_option
from tpsgd_host.errors import BoardError, PortError
from tpsgd_host.flashing.doctor import FAIL, OK, Check, doctor
from tpsgd_host.terminal import echo

__all__ = ["Check", "command", "doctor"]

COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}


@click.command("doctor")
@board_options
@click.option("--restart", is_flag=True, help="Ask the REPL even if the trainer runs, which restarts it.")
@json_option
def command(port: str, baud: int, board_dir: Path | None, heap: int | None, restart: bool, as_json: bool) -> None:
    """Check a board: firmware, memory, engine, link.

    It also looks at the port, ulab, native code, .mpy files and flash.

    Every line is ok, warn or fail, and says what to do. A trainer that answers keeps what it has learned; any other
    program is interrupted. The exit code is 6 or 7 if a check fails.

    \b
    Example:
      tpsgd-host doctor
      tpsgd-host doctor --port /dev/ttyUSB0 --json
    """
    found = []
    for check in doctor(port, folder=board_dir, heap=heap, baud=baud, restart=restart):
        found.append(check)
        if not as_json:
            _show(check)
    failed = [check for check in found if check.state == FAIL]
    if as_json:
        echo(json.dumps({"port": port, "checks": [c.as_dict() for c in found], "ok": not failed}, indent=2))
    if failed:
        code = (PortError if failed[0].name == "port" else BoardError).exit_code
        raise click.exceptions.Exit(code)


def _show(check: Check) -> None:
    echo(f"{check.state:4}", fg=COLOURS[check.state], nl=False)
    echo(f"  {check.name:9} {check.said}")
    if check.todo and check.state != OK:
        echo(f"      {'':9} -> {check.todo}")
