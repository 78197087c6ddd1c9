"""``tpsgd-host flash``: put the trainer and a model on a board."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
from rich.progress import Progress, TaskID

from tpsgd_host.boards.connect import VIRTUAL
from tpsgd_host.boards.hearing import describe_front
from tpsgd_host.boards.many import Place, Teller
from tpsgd_host.boards.profiles import load_profile
from tpsgd_host.boards.remembered import remember
from tpsgd_host.commands.many import all_option, on_all, places_of
from tpsgd_host.commands.options import (
    FILE,
    HeapType,
    board_dir_option,
    confirmed,
    json_option,
    remembered_port,
    yes_option,
)
from tpsgd_host.commands.project import model_here
from tpsgd_host.console import Console
from tpsgd_host.errors import ConfigError
from tpsgd_host.flashing.flash import FlashReport, dry_run, flash
from tpsgd_host.model.modelfile import load_model
from tpsgd_host.terminal import echo

__all__ = ["FlashReport", "command", "flash"]


@click.command("flash")
@click.argument("model", type=FILE, required=False)
@click.option(
    "--board",
    "-b",
    default="virtual",
    show_default=True,
    metavar="BOARD",
    help="The board; tpsgd-host boards lists them.",
)
@click.option("--port", "-p", default="", metavar="PORT", help="Port of a real board.  [default: the only one]")
@click.option(
    "--firmware",
    default="",
    metavar="FILE|VERSION",
    help="Firmware to write first: a file, or a MicroPython release such as 1.26.1.",
)
@click.option("--deploy-only", is_flag=True, help="Leave the firmware alone in any case.")
@click.option("--erase", is_flag=True, help="Erase the whole flash before writing firmware (ESP32).")
@click.option("--drive", type=FILE, metavar="DIR", help="Drive of a CircuitPython board.  [default: the only one]")
@click.option("--sensor", default="", metavar="NAME", help="Write a sensor.py for it; tpsgd-host sensors lists them.")
@click.option("--pins", default="", metavar="NAME=PIN,...", help="Where the sensor is, such as sck=18,ws=19,sd=20.")
@board_dir_option
@all_option
@click.option("--heap", type=HeapType(), metavar="SIZE", help="Heap of the virtual board, such as 48k.")
@click.option("--dry-run", "dry", is_flag=True, help="Show every step without taking any.")
@yes_option
@json_option
def command(
    model: Path | None, board: str, port: str, firmware: str, deploy_only: bool, erase: bool, drive: Path | None,
    sensor: str, pins: str, board_dir: Path | None, everyone: bool, heap: int | None, dry: bool, yes: bool,
    as_json: bool,
) -> None:  # fmt: skip
    """Put the trainer and MODEL on a board.

    Both are verified, and the board is started once.

    MODEL defaults to the only one in this folder, which is made from its TOML if it is missing or older.

    What an earlier model learned on the board is lost. Memory is checked first: a model that cannot fit is refused.
    Firmware is written only if you name it, or if no MicroPython answers; then the official release is fetched from
    micropython.org. Both need your consent. After an interruption, just run the command again.

    \b
    Examples:
      tpsgd-host flash --board esp32
      tpsgd-host flash gestures.tpsgd --board virtual
      tpsgd-host flash gestures.tpsgd --heap 64k
      tpsgd-host flash gestures.tpsgd --board esp32 --port /dev/ttyUSB0 --firmware 1.28.0
      tpsgd-host flash gestures.tpsgd --board pico --dry-run
      tpsgd-host flash words.tpsgd --board pico --sensor i2s --pins sck=18,ws=19,sd=20
      tpsgd-host flash gestures.tpsgd --board pico --all
    """
    if deploy_only and (firmware or erase):
        raise ConfigError(
            "--deploy-only leaves the firmware alone", "leave out --firmware and --erase, or --deploy-only"
        )
    if erase and not firmware:
        raise ConfigError("--erase would leave a board without firmware", "name the firmware: --firmware FILE")
    if everyone:
        if dry or drive is not None:
            raise click.UsageError(f"{'--dry-run' if dry else '--drive'} is for one board: leave out --all.")
        how = {
            "heap": heap, "firmware": firmware, "erase": erase, "deploy_only": deploy_only, "sensor": sensor,
            "pins": pins,
        }  # fmt: skip
        _flash_all(model or model_here(), load_profile(board).name, how, yes, as_json)
        return
    model, port = model or model_here(), port or remembered_port(load_profile(board).name)
    if dry:
        steps = dry_run(
            model,
            board,
            port=port,
            firmware=firmware,
            erase=erase,
            deploy_only=deploy_only,
            drive=drive,
            folder=board_dir,
            heap=heap,
            sensor=sensor,
            pins=pins,
        )
        echo(json.dumps(steps, indent=2) if as_json else "\n".join(steps))
        return
    progress = Progress(console=Console(stderr=True), transient=True, disable=as_json)
    tasks: dict[str, TaskID] = {}

    def advance(step: str, done: int, total: int) -> None:
        if step not in tasks:
            tasks[step] = progress.add_task(step)
            progress.start()  # start again after a question stopped it
        progress.update(tasks[step], completed=done, total=total or None)

    def tell(text: str) -> None:
        if not as_json or "waiting" in text or "press" in text:  # the user may have to press a button
            progress.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def ask(question: str) -> None:
        progress.stop()  # it would overwrite the question
        confirmed(yes, question)

    try:
        report = flash(
            model, board, folder=board_dir, heap=heap, port=port, firmware=firmware, erase=erase,
            deploy_only=deploy_only, drive=drive, sensor=sensor, pins=pins, ask=ask, tell=tell, progress=advance,
        )  # fmt: skip
    finally:
        progress.stop()
    talks = remember(Path(), report.board, report.place if report.started and report.board != VIRTUAL else "")
    if as_json:
        echo(json.dumps(report.as_dict(), indent=2))
        return
    _show(report, port)
    for line in describe_front(load_model(model)):
        echo(f"  {line}")
    if talks:
        echo("      from now on, stream, eval, monitor and pull in this folder use that board")


def _flash_all(model: Path, board: str, how: dict[str, Any], yes: bool, as_json: bool) -> None:
    """Flash every board of a kind; ``how``: what else :func:`flash` takes."""

    def work(place: Place, tell: Teller) -> FlashReport:
        def ask(question: str) -> None:
            if not yes:
                raise ConfigError(
                    f"{place.name} was not flashed: it needs your consent. {question}",
                    "To agree for every board, add --yes; or flash this one alone.",
                )

        def advance(step: str, done: int, total: int) -> None:
            tell(f"{step} {done} of {total}" if total else step)

        port = "" if place.port == VIRTUAL else place.port
        return flash(model, board, folder=place.folder, port=port, ask=ask, tell=tell, progress=advance, **how)

    on_all(places_of(board), work, FlashReport.as_dict, _line, as_json)


def _line(report: FlashReport) -> str:
    """Return a flash's result, for a report on many."""
    what = f"{report.model}, model CRC {report.model_crc:08x}, {report.written} bytes"
    return f"{what}; {report.todo}" if report.todo else f"{what}, engine {report.engine}"


def _show(report: FlashReport, port: str) -> None:
    if report.firmware:
        echo(f"{report.firmware} is on the {report.board} board")
    echo(f"{report.model} ({report.network}) is on the {report.board} board, verified: {report.place}")
    form = "compiled (.mpy)" if report.compiled else f"sources (.py): {report.why_sources}"
    echo(f"  {report.files} files, {report.written} bytes, {form}; model CRC {report.model_crc:08x}")
    if report.started:
        echo(f"  engine {report.engine} on {report.machine}")
        if report.why_not_native:
            echo(f"  no native module trains: {report.why_not_native}")
        echo(f"  training state {report.state_measured} bytes, {report.state_planned} of them planned buffers")
        echo(f"  heap {report.heap_used} bytes in use, {report.heap_free} free")
    elif not report.todo:
        echo("  not started: its port is not known")
    real = "" if report.board == "virtual" else f" --port {port or (report.place if report.started else 'PORT')}"
    if report.todo:
        echo(f"now:  {report.todo}")
    echo(f"next: tpsgd-host stream DATA.csv --epochs 20 --test-split 0.2{real}")
