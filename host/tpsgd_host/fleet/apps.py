"""The fleet as apps of Flower: a ``ClientApp`` with boards, a ``ServerApp`` that averages.

Shapes: W trained weights.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Message, MetricRecord, RecordDict
from flwr.app.error import Error
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import Strategy

from tpsgd_host.errors import TpsgdError
from tpsgd_host.fleet.averaging import Vector, trained_vector, with_vector
from tpsgd_host.fleet.members import Learning, Member, right
from tpsgd_host.fleet.rounds import Answer, Averager, Turn
from tpsgd_host.model.modelfile import Model
from tpsgd_host.terminal import one_line

_WEIGHTS, _CONFIG, _FACTS, _COUNTS = "weights", "config", "facts", "counts"
_BOARD_FAILED = 1  # the code of an error that a board's host reports
_GREETING = 30.0  # seconds that a new board has to say who it is
_LOOK = 0.5  # seconds between two looks for new boards

#: The type of the last message: boards may leave.
OVER = "query.over"


@dataclass(frozen=True)
class Work:
    """What a board does when it is asked.

    Attributes
    ----------
    passes : int
        Through its samples, in each round.
    own : int
        Passes through its samples after the last round, which it keeps for itself.
    """

    passes: int = 1
    own: int = 20


@dataclass
class Result:
    """What a board says of the final weights: its correct classifications of ``tests`` samples."""

    name: str
    user: str
    samples: int
    tests: int
    fleet: int
    own: int


#: Called before a board learns in a round; raises, waits or returns other weights in a drill.
Drill = Callable[[Member, int, Vector], Vector]


def client_app(
    member_of: Callable[[Context], Member], model: Model, learning: Learning, drill: Drill | None = None
) -> ClientApp:
    """Return the app of the boards.

    Parameters
    ----------
    member_of : callable
        Returns the board that a context is for.
    model : Model
        The network; its weights are replaced in each round.
    """
    app = ClientApp()

    @app.query()
    def meet(message: Message, context: Context) -> Message:
        member = member_of(context)
        facts = {"name": member.name, "user": member.user, "model": model.crc}
        return _reply(message, {_FACTS: ConfigRecord(facts)})

    @app.query("over")
    def over(message: Message, context: Context) -> Message:
        return _reply(message, {})

    @app.train()
    def train(message: Message, context: Context) -> Message:
        member, number = member_of(context), _asked(message, "round")
        try:
            learned = learning.learn(member, with_vector(model, _vector(message)), _asked(message, "passes"), number)
        except TpsgdError as error:
            return _failed(message, member, error)
        after = trained_vector(learned)
        if drill is not None:
            after = drill(member, number, after)
        facts = {"name": member.name, "samples": len(member.train)}
        return _reply(message, {_WEIGHTS: _record(after), _FACTS: ConfigRecord(facts)})

    @app.evaluate()
    def evaluate(message: Message, context: Context) -> Message:
        member, present = member_of(context), with_vector(model, _vector(message))
        try:
            own = learning.learn(member, present, _asked(message, "own"), 1)
        except TpsgdError as error:
            return _failed(message, member, error)
        counts = {
            "samples": len(member.train), "tests": len(member.test), "fleet": right(present, member.test),
            "own": right(own, member.test),
        }  # fmt: skip
        facts = {"name": member.name, "user": member.user}
        return _reply(message, {_COUNTS: MetricRecord(counts), _FACTS: ConfigRecord(facts)})

    return app


class Averaging(Strategy):
    """Flower's loop of rounds with the averages of SPEC 6.

    Boards may come, go and come back: a board is known by its name, so one that joins again takes its old place.

    Parameters
    ----------
    averager : Averager
    model : Model
    rounds : int
    work : Work
    boards : int
        Boards to wait for before the first round.
    wait : float
        Seconds to wait for them at most.
    parting : float
        Seconds in which boards answer that they know that the fleet is over; 0: nobody is told.
    on_board : callable
        Called with the name of each board that joins, and why it is left out; empty where it is not.
    on_round : callable
        Called after each round.

    Attributes
    ----------
    results : list of Result
        What the boards say of the final weights, in the order of their names.
    strangers : dict
        Boards that are left out, and why.
    """

    def __init__(
        self, averager: Averager, model: Model, rounds: int, work: Work, boards: int, *, wait: float = 0.0,
        parting: float = 0.0,
        on_board: Callable[[str, str], None] = lambda *_: None, on_round: Callable[[Averager], None] = lambda _: None,
    ) -> None:  # fmt: skip
        self._averager, self._model, self._rounds, self._work = averager, model, rounds, work
        self._boards, self._wait, self._parting = boards, wait, parting
        self._on_board, self._on_round = on_board, on_round
        self._names: dict[int, str] = {}  # of the boards that take part, by node
        self._greeted: set[int] = set()
        self._here: set[int] = set()
        self._patience = 0.0
        self._grid: Grid
        self._present = trained_vector(model)
        self._begun = 0.0
        self.results: list[Result] = []
        self.strangers: dict[str, str] = {}

    @property
    def names(self) -> list[str]:
        """The boards that have joined."""
        return sorted(self._names.values())

    def meet(self, grid: Grid, timeout: float) -> None:
        """Wait for the boards, and learn their names; those with another network are left out."""
        self._patience = timeout
        until = time.monotonic() + self._wait
        self._greet(grid)
        while len(self._names) < self._boards and time.monotonic() < until:
            time.sleep(_LOOK)
            self._greet(grid)

    def part(self, grid: Grid) -> None:
        """Tell all who are there that the fleet is over, those who were left out too."""
        if self._parting:
            nodes = sorted(grid.get_node_ids())
            messages = [Message(RecordDict(), dst_node_id=node, message_type=OVER) for node in nodes]
            grid.send_and_receive(messages, timeout=self._parting)

    def configure_train(
        self,
        server_round: int,
        arrays: ArrayRecord,
        config: ConfigRecord,
        grid: Grid,
    ) -> Iterable[Message]:
        """Return the messages that begin a round; where no board is there, wait for one as long as for an answer."""
        self._begun = time.monotonic()
        self._present, self._grid = arrays[_WEIGHTS].numpy(), grid
        self._greet(grid)
        while not self._here and time.monotonic() < self._begun + self._patience:
            time.sleep(_LOOK)
            self._greet(grid)
        return self._messages(arrays, "train", {"round": server_round, "passes": self._work.passes})

    def aggregate_train(
        self,
        server_round: int,
        replies: Iterable[Message],
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        """Return the weights after a round."""
        answers = []
        there = self._here & set(self._grid.get_node_ids())
        lost = {name: "not connected" for node, name in self._names.items() if node not in there}
        for reply in replies:
            name = self._names.get(reply.metadata.src_node_id)
            if name is None:  # Flower's own word that a board is gone comes from no board
                continue
            if reply.has_error():
                lost[name] = _why(reply.error.reason)
            else:
                # The name that the node gave when it was met counts, not the one that an answer claims.
                answers.append(Answer(name, _vector(reply), _number(reply, _FACTS, "samples")))
        seconds = time.monotonic() - self._begun
        self._present = self._averager.next(self._present, self.names, answers, lost, seconds)
        self._on_round(self._averager)
        return _record(self._present), None

    def configure_evaluate(
        self,
        server_round: int,
        arrays: ArrayRecord,
        config: ConfigRecord,
        grid: Grid,
    ) -> Iterable[Message]:
        """Return the messages that ask for accuracies: after the last round."""
        if server_round < self._rounds:
            return []
        self._greet(grid)
        return self._messages(arrays, "evaluate", {"own": self._work.own})

    def aggregate_evaluate(self, server_round: int, replies: Iterable[Message]) -> MetricRecord | None:
        """Keep what the boards say of the final weights."""
        for reply in replies:
            name = self._names.get(reply.metadata.src_node_id)
            if name is not None and not reply.has_error():
                counts = (_number(reply, _COUNTS, count) for count in ("samples", "tests", "fleet", "own"))
                self.results.append(Result(name, _text(reply, "user"), *counts))
        self.results.sort(key=lambda result: result.name)
        return None

    def summary(self) -> None:
        """Say nothing: the report does."""

    @property
    def model(self) -> Model:
        """The network with the present weights."""
        return with_vector(self._model, self._present)

    def _greet(self, grid: Grid) -> None:
        """Find who is there, and learn the names of those who are new."""
        there = set(grid.get_node_ids())
        new = sorted(there - self._greeted)
        self._greeted.update(new)
        messages = [Message(RecordDict(), dst_node_id=node, message_type="query") for node in new]
        for reply in grid.send_and_receive(messages, timeout=min(self._patience, _GREETING)) if new else ():
            if not reply.has_error():
                self._take_in(reply.metadata.src_node_id, _text(reply, "name"), _number(reply, _FACTS, "model"))
        self._here = there & set(self._names)

    def _take_in(self, node: int, name: str, crc: int) -> None:
        if crc != self._model.crc:
            self.strangers[name] = f"it has model {crc:08x}"
            self._on_board(name, self.strangers[name])
            return
        self._names = {other: known for other, known in self._names.items() if known != name} | {node: name}
        self._on_board(name, "")

    def _messages(self, arrays: ArrayRecord, kind: str, config: dict[str, int]) -> list[Message]:
        content = RecordDict({_WEIGHTS: arrays, _CONFIG: ConfigRecord(config)})
        return [Message(content, dst_node_id=node, message_type=kind) for node in sorted(self._here)]


def server_app(
    strategy: Averaging, start: Model, rounds: int, timeout: float, over: Callable[[], object] = lambda: None
) -> ServerApp:
    """Return the app that leads ``rounds`` rounds; one waits for answers at most ``timeout`` seconds.

    ``over`` is called at the end, however it comes.
    """
    app = ServerApp()

    @app.main()
    def main(grid: Grid, context: Context) -> None:
        try:
            strategy.meet(grid, timeout)
            strategy.start(grid, _record(trained_vector(start)), num_rounds=rounds, timeout=timeout)
            strategy.part(grid)
        finally:
            over()

    return app


def turn(asked: Message, answer: Message) -> Turn | None:
    """Return what a board was asked and how that ended; None for a greeting or the end."""
    if asked.metadata.message_type.startswith("query"):
        return None
    number = _number(asked, _CONFIG, "round")
    if answer.has_error():
        return Turn(number, _why(answer.error.reason))
    tests, fleet, own = (_number(answer, _COUNTS, name) for name in ("tests", "fleet", "own"))
    return Turn(number, "", tests, fleet, own)


def _why(reason: str) -> str:
    """Return what an error of Flower's says, without its type: ``<class 'X'>:<'words'>``."""
    _, found, words = reason.partition(":<'")
    return (words.removesuffix("'>") if found else reason).strip().splitlines()[-1][:200]


def _failed(message: Message, member: Member, error: TpsgdError) -> Message:
    return Message(Error(_BOARD_FAILED, f"{member.name}: {error.message}"), reply_to=message)


def _asked(message: Message, name: str) -> int:
    return int(message.content[_CONFIG][name])


def _number(message: Message, record: str, name: str) -> int:
    """Return a number that a board says, 0 where it says none."""
    try:
        return int(message.content[record][name])
    except (KeyError, TypeError, ValueError):
        return 0


def _text(message: Message, name: str) -> str:
    """Return what a board says of itself, on one line; empty where it says nothing."""
    try:
        return one_line(str(message.content[_FACTS][name]))[:100]
    except (KeyError, TypeError):
        return ""


def _record(vector: Vector) -> ArrayRecord:
    return ArrayRecord({_WEIGHTS: Array(vector)})


def _vector(message: Message) -> Vector:
    """Return the weights of a message, of any length; empty where they are not numbers as stored."""
    try:
        vector = message.content[_WEIGHTS][_WEIGHTS].numpy()
    except (KeyError, TypeError, ValueError, OSError, EOFError):
        return np.empty(0, np.uint16)
    return vector if vector.dtype == np.uint16 and vector.ndim == 1 else np.empty(0, np.uint16)


def _reply(message: Message, records: dict[str, object]) -> Message:
    return Message(RecordDict(records), reply_to=message)
