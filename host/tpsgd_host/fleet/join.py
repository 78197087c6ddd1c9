"""A fleet over a network, at a gateway: one board behind it learns what its server asks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tpsgd_host.data.rejects import BadRows
from tpsgd_host.errors import BoardGoneError, MismatchError
from tpsgd_host.fleet.members import OnBoard, load_member
from tpsgd_host.fleet.rounds import Turn
from tpsgd_host.fleet.run import require_flower
from tpsgd_host.model.modelfile import load_model

if TYPE_CHECKING:
    from flwr.app import Message

#: Seconds to try to reach a server that does not answer.
PATIENCE = 120.0


@dataclass(frozen=True)
class JoinPlan:
    """The options of a board that joins.

    Attributes
    ----------
    server : str
        HOST:PORT.
    authority : Path
        The server's ``ca.pem``.
    name : str
        What the server calls the board.
    patience : float
        Seconds to try to reach a server that does not answer.
    port, folder, heap, baud
        The board, as for :func:`~tpsgd_host.boards.connect.connect`.
    """

    server: str
    authority: Path
    name: str
    data: Path
    model: Path
    port: str
    folder: Path | None = None
    heap: int | None = None
    baud: int = 115200
    test_split: float = 0.2
    split_seed: int = 1
    bad_rows: BadRows = "stop"
    patience: float = PATIENCE


def join(plan: JoinPlan, on_turn: Callable[[Turn], None]) -> Turn:
    """Let a board learn what a server asks, until the fleet's last round is over; return how that ended.

    Raises
    ------
    ConfigError, DataError, ModelError, DependencyError
    PortError, BoardError, MismatchError
        When the board does not answer before it joins, the server is not there, or it has another network.
    """
    require_flower()
    model = load_model(plan.model)
    member = load_member(
        plan.data, model, plan.name, test_split=plan.test_split, split_seed=plan.split_seed, bad_rows=plan.bad_rows
    )
    board = OnBoard(model, plan.port, plan.folder, plan.heap, plan.baud)
    board.check()
    from tpsgd_host.fleet import apps, supernode  # Flower takes a second to import

    turns: list[Turn] = []

    def on_answer(asked: Message, answer: Message) -> bool:
        turn = apps.turn(asked, answer)
        if turn is not None:
            turns.append(turn)
            on_turn(turn)
        over: bool = asked.metadata.message_type == apps.OVER
        return over

    app = apps.client_app(lambda _: member, model, board)
    try:
        supernode.serve(plan.server, plan.authority, app, plan.patience, on_answer)
    except BoardGoneError:
        if not turns or turns[-1].number:  # else the server ended after the last round, and that word was lost
            raise
    if not turns:
        raise MismatchError(
            f"the server at {plan.server} asked {plan.name} nothing", f"Is {plan.model} the model that it serves?"
        )
    return turns[-1]
