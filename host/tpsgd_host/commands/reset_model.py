"""``tpsgd-host reset-model``: make a board forget what it has learned."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import click

from tpsgd_host.boards.connect import connect
from tpsgd_host.commands.options import board_options, confirmed, json_option, yes_option
from tpsgd_host.errors import BoardError, MismatchError
from tpsgd_host.link.messages import unsaved
from tpsgd_host.terminal import echo


@dataclass(frozen=True)
class ResetReport:
    """The result of a reset.

    Attributes
    ----------
    model : str
        Name of the model on the board.
    seen : int
        Training samples in the run that was forgotten.
    old_crc, weights_crc : int
        CRC-32 over the weights before and after; the latter is that of the model file.
    checkpoint : int
        Generation of the checkpoint that makes the reset permanent.
    """

    model: str
    seen: int
    old_crc: int
    weights_crc: int
    checkpoint: int


def reset_model(
    *, port: str = "virtual", folder: Path | None = None, heap: int | None = None, baud: int = 115200
) -> ResetReport:
    """Reset a board to its model file, permanently; parameters as for ``connect``.

    Raises
    ------
    MismatchError
        When the board's weights then differ from its model file's.
    BoardError
        When the board could not save this, so that its next restart brings back what it had learned.
    """
    with connect(port, folder=folder, heap=heap, baud=baud) as board:
        model, before = board.model(), board.info
        board.start(0, model.total, fresh=True)
        board.finish(save=True)
        outcome = board.finish(save=True)  # into the other slot too, so that no old checkpoint is left
        if outcome.weights_crc != model.weights_crc:
            raise MismatchError(
                f"the board's weights have CRC {outcome.weights_crc:08x}, its model file has {model.weights_crc:08x}",
                "flash the model again with: tpsgd-host flash MODEL",
            )
        if failed := int(str(outcome.details["checkpoint_failed"])):
            why, todo = unsaved(failed)
            raise BoardError(
                f"the board was reset to its model file, but could not save that: {why}. Its next restart brings "
                "back its last checkpoint",
                f"{todo}; then run the same command again",
            )
        generation = int(str(outcome.details["checkpoint"]))
    return ResetReport(model.name, before.seen, before.weights_crc, outcome.weights_crc, generation)


@click.command("reset-model")
@yes_option
@board_options
@json_option
def command(yes: bool, port: str, baud: int, board_dir: Path | None, heap: int | None, as_json: bool) -> None:
    """Make a board forget what it learned.

    It starts again from its model file, permanently.

    The CRC of its weights is verified. To keep what it learned, fetch it first with tpsgd-host pull.

    \b
    Example:
      tpsgd-host reset-model --port /dev/ttyUSB0
    """
    confirmed(yes, "What the board has learned will be lost. Continue?")
    report = reset_model(port=port, folder=board_dir, heap=heap, baud=baud)
    if as_json:
        echo(json.dumps({**asdict(report), "weights_crc_hex": f"{report.weights_crc:08x}"}, indent=2))
        return
    if report.old_crc == report.weights_crc:
        echo(f"{report.model}: the board had learned nothing; weights CRC {report.weights_crc:08x}")
        return
    echo(f"{report.model}: weights CRC {report.old_crc:08x} -> {report.weights_crc:08x}, as in its model file")
