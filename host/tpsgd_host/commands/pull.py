"""``tpsgd-host pull``: fetch what a board has learned."""

from __future__ import annotations

import json
from pathlib import Path

import click
from rich.progress import Progress

from tpsgd_host.boards.connect import connect
from tpsgd_host.commands.options import FILE, board_options, json_option
from tpsgd_host.console import Console
from tpsgd_host.errors import ConfigError
from tpsgd_host.model.modelfile import Model
from tpsgd_host.names import file_name
from tpsgd_host.terminal import echo


def pull(
    out: Path | None = None,
    *,
    port: str = "virtual",
    folder: Path | None = None,
    heap: int | None = None,
    baud: int = 115200,
    force: bool = False,
    progress: Progress | None = None,
) -> tuple[Path, Model]:
    """Write the board's model with its present weights to a file; return its path and the model.

    Parameters
    ----------
    out : Path, optional
        By default the model's name, in the current folder.
    force : bool
        Whether to replace an existing file.
    """
    with connect(port, folder=folder, heap=heap, baud=baud) as board:
        task = progress.add_task("read", total=None) if progress else None

        def advance(done: int) -> None:
            if progress and task is not None:
                progress.update(task, completed=done)

        model = board.pull(advance)
    path = out or Path(f"{file_name(model.name, 'model')}-trained.tpsgd")
    if path.exists() and not force:
        raise ConfigError(f"{path} exists", "Name another file with -o, or replace it with --force.")
    model.save(path)
    return path, model


@click.command("pull")
@click.option("--out", "-o", type=FILE, metavar="FILE", help="File to write.  [default: NAME-trained.tpsgd]")
@click.option("--force", is_flag=True, help="Replace an existing file.")
@board_options
@json_option
def command(
    out: Path | None, force: bool, port: str, baud: int, board_dir: Path | None, heap: int | None, as_json: bool
) -> None:
    """Fetch a board's model with its learned weights.

    \b
    Examples:
      tpsgd-host pull -o learned.tpsgd
      tpsgd-host flash learned.tpsgd --board virtual
    """
    with Progress(console=Console(stderr=True), transient=True, disable=as_json) as progress:
        path, model = pull(out, port=port, folder=board_dir, heap=heap, baud=baud, force=force, progress=progress)
    if as_json:
        echo(json.dumps({"path": str(path), "name": model.name, "weights_crc": model.weights_crc,
                               "weights_crc_hex": f"{model.weights_crc:08x}"}, indent=2))  # fmt: skip
        return
    echo(f"{path}: {model.name} ({model.shape}), weights CRC {model.weights_crc:08x}")
