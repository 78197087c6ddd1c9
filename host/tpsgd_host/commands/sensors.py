"""``tpsgd-host sensors``: the sensors that flash can write a sensor.py for."""

from __future__ import annotations

import json

import click
from rich.table import Table

from tpsgd_host.boards.sensors import SensorProfile, load_sensors
from tpsgd_host.commands.options import json_option
from tpsgd_host.console import Console
from tpsgd_host.terminal import echo

__all__ = ["command", "sensors"]


def sensors() -> list[SensorProfile]:
    """Return the sensors that are known."""
    return list(load_sensors().values())


@click.command("sensors")
@json_option
def command(as_json: bool) -> None:
    """List the supported microphones and motion sensors.

    Each is named by flash --sensor, which writes a sensor.py for it. A driver in the last column must be on the board.

    \b
    Example:
      tpsgd-host sensors
    """
    known = sensors()
    if as_json:
        echo(json.dumps([one.as_dict() for one in known], indent=2))
        return
    table = Table("sensor", "gives", "pins", "driver: mpremote mip install")
    for one in known:
        table.add_row(one.name, one.kind, ", ".join(one.pins) or "-", one.install or "-")
    console = Console()
    console.print(table)
    for one in known:
        names = ", ".join((one.name, *one.aliases))
        echo(f"{names}: {one.title}. {one.notes}")
