"""``tpsgd-host push``: put learned weights on a board."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import click
from rich.progress import Progress

from tpsgd_host.boards.connect import connect
from tpsgd_host.commands.options import FILE, board_options, json_option
from tpsgd_host.console import Console
from tpsgd_host.errors import MismatchError
from tpsgd_host.model.checkpoint import Checkpoint, load_checkpoint
from tpsgd_host.model.modelfile import Model, load_model
from tpsgd_host.terminal import echo


@dataclass(frozen=True)
class PushReport:
    """The weights that a board got.

    Attributes
    ----------
    model : str
        Name of the model that they are of.
    old_crc, weights_crc : int
        CRC-32 over the board's weights before and after.
    checkpoint : int
        Generation of the checkpoint that they are in.
    """

    model: str
    old_crc: int
    weights_crc: int
    checkpoint: int


def push(
    path: Path,
    checkpoint: Path | None = None,
    *,
    port: str = "virtual",
    folder: Path | None = None,
    heap: int | None = None,
    baud: int = 115200,
    progress: Progress | None = None,
) -> PushReport:
    """Put the weights of a model file on a board that has the same network; other parameters as for ``connect``.

    Parameters
    ----------
    checkpoint : Path, optional
        A checkpoint that belongs to the model: then its weights, and where it was in its run.

    Raises
    ------
    MismatchError
        When the board's network is another, or the checkpoint does not belong to the model.
    """
    model, kept = load_model(path), None
    if checkpoint is not None:
        model, kept = _with_checkpoint(model, path, checkpoint)
    with connect(port, folder=folder, heap=heap, baud=baud) as board:
        task = progress.add_task("write", total=None) if progress else None

        def advance(done: int) -> None:
            if progress and task is not None:
                progress.update(task, completed=done)

        generation = board.put_weights(model, kept, advance, str(path))
        return PushReport(model.name, board.info.weights_crc, model.weights_crc, generation)


def _with_checkpoint(model: Model, path: Path, file: Path) -> tuple[Model, Checkpoint]:
    """Return the model with a checkpoint's weights, and the checkpoint."""
    kept = load_checkpoint(file)
    if not kept.belongs_to(model):
        raise MismatchError(
            f"{file} belongs to model {kept.model_crc:08x}, but {path} is {model.crc:08x}",
            f"name the file that was flashed on that board; tpsgd-host inspect {file} shows what it holds",
        )
    return kept.apply_to(model), kept


@click.command("push")
@click.argument("model", type=FILE)
@click.option(
    "--checkpoint",
    type=FILE,
    metavar="FILE",
    help="A board's checkpoint (slot0.ckpt) of this model: its weights, and where it was in its run.",
)
@board_options
@json_option
def command(
    model: Path, checkpoint: Path | None, port: str, baud: int, board_dir: Path | None, heap: int | None, as_json: bool
) -> None:
    """Put the weights of MODEL on a board.

    The board keeps its program, model file and what it was taught; it must have the same network. Only what its network
    has learned is replaced, permanently: by all of MODEL's weights or, if the cable is pulled or the power fails, by
    none of them. The CRC of its weights is verified.

    
    Examples:
      tpsgd-host push learned.tpsgd
      tpsgd-host push gestures.tpsgd --checkpoint slot0.ckpt
    """
    with Progress(console=Console(stderr=True), transient=True, disable=as_json) as progress:
        report = push(model, checkpoint, port=port, folder=board_dir, heap=heap, baud=baud, progress=progress)
    if as_json:
        echo(json.dumps({**asdict(report), "weights_crc_hex": f"{report.weights_crc:08x}"}, indent=2))
        return
    echo(f"{report.model}: weights CRC {report.old_crc:08x} -> {report.weights_crc:08x}, as in {model}", nl=False)
    echo(f", checkpoint {report.checkpoint}")
