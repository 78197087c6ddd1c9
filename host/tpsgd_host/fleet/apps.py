"""The fleet as apps of Flower: a ``ClientApp`` with boards, a ``ServerApp`` that averages.

Shapes: W trained weights.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Message, MetricRecord, RecordDict
from flwr.app.error import Error
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import Strategy

from tpsgd_host.errors import TpsgdError
from tpsgd_host.fleet.averaging import Vector, trained_vector, with_vector
from tpsgd_host.fleet.members import Learning, Member, right
from tpsgd_host.fleet.rounds import Answer, Averager
from tpsgd_host.model.modelfile import Model

_WEIGHTS, _CONFIG, _FACTS, _COUNTS = "weights", "config", "facts", "counts"
_BOARD_FAILED = 1  # the code of an error that a board's host reports


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
    member_of: Callable[[Context], Member], model: Model, learning: Learning, work: Work, drill: Drill | None = None
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

    @app.train()
    def train(message: Message, context: Context) -> Message:
        member, number = member_of(context), int(message.content[_CONFIG]["round"])
        try:
            learned = learning.learn(member, with_vector(model, _vector(message)), work.passes, number)
        except TpsgdError as error:
            return Message(Error(_BOARD_FAILED, f"{member.name}: {error.message}"), reply_to=message)
        after = trained_vector(learned)
        if drill is not None:
            after = drill(member, number, after)
        facts = {"name": member.name, "samples": len(member.train)}
        return _reply(message, {_WEIGHTS: _record(after), _FACTS: ConfigRecord(facts)})

    @app.evaluate()
    def evaluate(message: Message, context: Context) -> Message:
        member, present = member_of(context), with_vector(model, _vector(message))
        own = learning.learn(member, present, work.own, 1) if work.own else present
        counts = {
            "samples": len(member.train), "tests": len(member.test), "fleet": right(present, member.test),
            "own": right(own, member.test),
        }  # fmt: skip
        facts = {"name": member.name, "user": member.user}
        return _reply(message, {_COUNTS: MetricRecord(counts), _FACTS: ConfigRecord(facts)})

    return app


class Averaging(Strategy):
    """Flower's loop of rounds with the averages of SPEC 6.

    Parameters
    ----------
    averager : Averager
    model : Model
    rounds : int
    boards : int
        Boards to wait for before the first round.
    on_round : callable
        Called after each round.
    """

    def __init__(
        self, averager: Averager, model: Model, rounds: int, boards: int, wait: float = 600.0,
        on_round: Callable[[Averager], None] = lambda _: None,
    ) -> None:  # fmt: skip
        self._averager, self._model, self._rounds, self._boards = averager, model, rounds, boards
        self._wait, self._on_round = wait, on_round
        self._names: dict[int, str] = {}
        self._present = trained_vector(model)
        self._asked: list[int] = []
        self._begun = 0.0
        self.results: list[Result] = []
        self.strangers: dict[str, str] = {}

    def meet(self, grid: Grid, timeout: float) -> None:
        """Wait for the boards, and learn their names; those with another network are left out."""
        until = time.monotonic() + self._wait
        while len(nodes := sorted(grid.get_node_ids())) < self._boards and time.monotonic() < until:
            time.sleep(1.0)
        messages = [Message(RecordDict(), dst_node_id=node, message_type="query") for node in nodes]
        for reply in grid.send_and_receive(messages, timeout=timeout):
            if reply.has_error():
                continue
            facts, node = reply.content[_FACTS], reply.metadata.src_node_id
            if int(facts["model"]) != self._model.crc:
                self.strangers[str(facts["name"])] = f"it has model {int(facts['model']):08x}"
            else:
                self._names[node] = str(facts["name"])

    def configure_train(
        self,
        server_round: int,
        arrays: ArrayRecord,
        config: ConfigRecord,
        grid: Grid,
    ) -> Iterable[Message]:
        """Return the messages that begin a round."""
        self._begun = time.monotonic()
        self._asked = sorted(self._names)
        return self._messages(arrays, server_round, "train")

    def aggregate_train(
        self,
        server_round: int,
        replies: Iterable[Message],
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        """Return the weights after a round."""
        answers, lost = [], {}
        for reply in replies:
            name = self._names.get(reply.metadata.src_node_id, str(reply.metadata.src_node_id))
            if reply.has_error():
                lost[name] = _why(reply.error.reason)
            else:
                # The name that the node gave when it was met counts, not the one that an answer claims.
                facts = reply.content[_FACTS]
                answers.append(Answer(name, _vector(reply), int(facts["samples"])))
        asked = [self._names[node] for node in self._asked]
        seconds = time.monotonic() - self._begun
        self._present = self._averager.next(self._present, asked, answers, lost, seconds)
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
        return self._messages(arrays, server_round, "evaluate") if server_round == self._rounds else []

    def aggregate_evaluate(self, server_round: int, replies: Iterable[Message]) -> MetricRecord | None:
        """Keep what the boards say of the final weights."""
        for reply in replies:
            if not reply.has_error():
                facts, counts = reply.content[_FACTS], reply.content[_COUNTS]
                numbers = {name: int(counts[name]) for name in ("samples", "tests", "fleet", "own")}
                self.results.append(Result(str(facts["name"]), str(facts["user"]), **numbers))
        self.results.sort(key=lambda result: result.name)
        return None

    def summary(self) -> None:
        """Say nothing: the report does."""

    @property
    def model(self) -> Model:
        """The network with the present weights."""
        return with_vector(self._model, self._present)

    def _messages(self, arrays: ArrayRecord, number: int, kind: str) -> list[Message]:
        content = RecordDict({_WEIGHTS: arrays, _CONFIG: ConfigRecord({"round": number})})
        return [Message(content, dst_node_id=node, message_type=kind) for node in sorted(self._names)]


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
        finally:
            over()

    return app


@dataclass
class Drills:
    """Faults to rehearse: boards whose gateways die, never answer or send garbage.

    Attributes
    ----------
    dying : float
        Share of the boards that die in each round, others each time.
    silent, garbage : frozenset of str
        Names of boards that never answer, and that send random weights.
    wait : callable
        Waits until the run is over.
    """

    dying: float = 0.0
    silent: frozenset[str] = frozenset()
    garbage: frozenset[str] = frozenset()
    names: Sequence[str] = ()
    seed: int = 1
    wait: Callable[[], object] = field(default=lambda: None)

    def __call__(self, member: Member, number: int, after: Vector) -> Vector:
        """Return what a board answers in a round, if it does."""
        if member.name in self.silent:
            self.wait()
        if member.name in self.garbage:
            return np.random.default_rng((self.seed, number)).integers(256, 65536, len(after)).astype(np.uint16)
        count = int(self.dying * len(self.names) + 0.5)
        dead = np.random.default_rng((self.seed, number)).permutation(len(self.names))[:count]
        if count and self.names.index(member.name) in dead:
            raise ConnectionError("the gateway died (drill)")
        return after


def _why(reason: str) -> str:
    """Return what an error of Flower's says, without its type: ``<class 'X'>:<'words'>``."""
    _, found, words = reason.partition(":<'")
    return (words.removesuffix("'>") if found else reason).strip().splitlines()[-1][:200]


def _record(vector: Vector) -> ArrayRecord:
    return ArrayRecord({_WEIGHTS: Array(vector)})


def _vector(message: Message) -> Vector:
    """Return the weights of a message, of any length; empty where they are not numbers as stored."""
    try:
        vector = message.content[_WEIGHTS][_WEIGHTS].numpy()
    except (KeyError, TypeError, ValueError):
        return np.empty(0, np.uint16)
    return vector if vector.dtype == np.uint16 and vector.ndim == 1 else np.empty(0, np.uint16)


def _reply(message: Message, records: dict[str, object]) -> Message:
    return Message(RecordDict(records), reply_to=message)
