"""A fleet on this computer: every user's samples on a board of their own, and what learning together brings."""

from __future__ import annotations

import os
import resource
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from tpsgd_host.data.encoded import EncodedSamples
from tpsgd_host.data.rejects import BadRows
from tpsgd_host.data.words import Words
from tpsgd_host.errors import ConfigError, DependencyError
from tpsgd_host.fleet.averaging import StrategyName, rule, trained_vector
from tpsgd_host.fleet.drills import Drills
from tpsgd_host.fleet.members import Learning, Member, OnVirtualBoards, Simulated, load_members, right
from tpsgd_host.fleet.report import FleetReport, UserRow, save
from tpsgd_host.fleet.rounds import Averager, Round
from tpsgd_host.model.modelfile import Model, load_model

ROUNDS, PASSES, OWN = 120, 1, 20

_BOARDS = "boards"  # the folder of the virtual boards' flashes


@dataclass(frozen=True)
class FleetPlan:
    """The options of a fleet.

    Attributes
    ----------
    by : str
        The column that names each row's user.
    boards : int or None
        Boards in all; None: one for each user.
    rounds, passes, own : int
        Averages; passes through a board's samples before each; and those after the last, which a board keeps.
    weighed : bool
        Whether a board counts for its samples in the average, rather than each alike.
    real : bool
        Whether boards are virtual boards, rather than simulated.
    few : tuple
        Users who have only so many samples of each class.
    timeout : float
        Seconds to wait for answers in a round.
    baselines : bool
        Whether to train each board alone, and one network on all samples, to compare with.
    dying : float
        Drill: share of the boards that die in each round.
    silent, garbage : int
        Drill: boards that never answer, and that send random weights.
    """

    data: Path
    model: Path
    by: str
    boards: int | None = None
    rounds: int = ROUNDS
    passes: int = PASSES
    own: int = OWN
    strategy: StrategyName = "fedavg"
    weighed: bool = False
    real: bool = False
    heap: int | None = None
    test_split: float = 0.2
    split_seed: int = 1
    few: tuple[tuple[str, int], ...] = ()
    timeout: float = 600.0
    baselines: bool = True
    dying: float = 0.0
    silent: int = 0
    garbage: int = 0
    out: Path = Path("fleet")
    bad_rows: BadRows = "stop"


def require_flower() -> None:
    """Raise if Flower is not installed."""
    if find_spec("flwr") is None:
        raise DependencyError("a fleet needs Flower, which is not installed", "pip install 'tpsgd[fleet]'")


def run(plan: FleetPlan, on_round: Callable[[Round], None] = lambda _: None) -> FleetReport:
    """Have boards learn together on this computer, in Flower's simulation.

    Parameters
    ----------
    on_round : callable
        Called after each round.

    Raises
    ------
    ConfigError, DataError, ModelError, DependencyError
    BoardError
        When no board answered in the last round.
    """
    require_flower()
    begun = time.monotonic()
    model = load_model(plan.model)
    members = load_members(
        plan.data, model, plan.by, plan.boards, test_split=plan.test_split, split_seed=plan.split_seed, few=plan.few,
        bad_rows=plan.bad_rows,
    )  # fmt: skip
    if not trained_vector(model).size:
        raise ConfigError(f"{plan.model}: no layer learns", "thaw one with: tpsgd-host adapt")
    learning: Learning = OnVirtualBoards(model, plan.out / _BOARDS, plan.heap) if plan.real else Simulated()
    after, averager, counts, strangers = _in_flower(plan, model, members, learning, on_round)
    alone, together = _baselines(plan, model, members) if plan.baselines else ({}, {})
    users = tuple(_row(user, members, counts, alone, together) for user in dict.fromkeys(m.user for m in members))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    report = FleetReport(
        plan.out, after, users, tuple(averager.rounds), strangers, time.monotonic() - begun, memory
    )  # fmt: skip
    save(report)
    return report


def _in_flower(
    plan: FleetPlan, model: Model, members: Sequence[Member], learning: Learning, on_round: Callable[[Round], None]
) -> tuple[Model, Averager, dict[str, tuple[int, int]], dict[str, str]]:
    """Run all rounds; return the averaged model, what happened, and right answers by board: fleet's and own."""
    from tpsgd_host.fleet import apps, engine  # Flower takes a second to import

    over = threading.Event()
    names = [member.name for member in members]
    drills = Drills(
        plan.dying, frozenset(names[:plan.silent]), frozenset(names[plan.silent :][: plan.garbage]), names,
        wait=lambda: over.wait(),
    )  # fmt: skip
    averager = Averager(rule(plan.strategy), plan.weighed)
    strategy = apps.Averaging(
        averager, model, plan.rounds, apps.Work(plan.passes, plan.own), len(members),
        on_round=lambda done: on_round(done.rounds[-1])
    )  # fmt: skip
    leader = apps.server_app(strategy, model, plan.rounds, plan.timeout, over.set)
    boards = apps.client_app(
        lambda context: members[int(context.node_config[engine.NUMBER])], model, learning, drills
    )  # fmt: skip
    engine.simulate(leader, boards, len(members), (os.cpu_count() or 1) + plan.silent)
    averager.require_answers()
    counts = {one.name: (one.fleet, one.own) for one in strategy.results}
    return strategy.model, averager, counts, strategy.strangers


def _baselines(plan: FleetPlan, model: Model, members: Sequence[Member]) -> tuple[dict[str, int], dict[str, int]]:
    """Return right answers by board: of networks that learned alone, and of one that learned from all samples."""
    passes = plan.rounds * plan.passes
    simulated = Simulated()

    def alone(member: Member) -> int:
        return right(simulated.learn(member, model, passes, 1), member.test)

    everybody = Member("", "", _joined([member.train for member in members]), members[0].test)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        one = pool.submit(simulated.learn, everybody, model, passes, 1)
        found = dict(zip((member.name for member in members), pool.map(alone, members), strict=True))
    return found, {member.name: right(one.result(), member.test) for member in members}


def _row(
    user: str, members: Iterable[Member], counts: dict[str, tuple[int, int]], alone: dict[str, int],
    together: dict[str, int],
) -> UserRow:  # fmt: skip
    """Return a user's accuracies, means over the boards that answered."""
    own = [member for member in members if member.user == user]
    tests = len(own[0].test)

    def share(found: dict[str, int]) -> float | None:
        values = [found[member.name] / tests for member in own if member.name in found]
        return float(np.mean(values)) if values and tests else None

    fleet = {name: pair[0] for name, pair in counts.items()}
    kept = {name: pair[1] for name, pair in counts.items()}
    samples = sum(len(member.train) for member in own)
    return UserRow(user, len(own), samples, tests, share(alone), share(fleet), share(kept), share(together))


def _joined(parts: Sequence[EncodedSamples]) -> EncodedSamples:
    """Return the samples of several parts of one set."""
    return replace(
        parts[0], rows=np.concatenate([part.rows for part in parts]),
        labels=np.concatenate([part.labels for part in parts]),
        groups=Words(group for part in parts for group in part.groups),
        lines=np.concatenate([part.lines for part in parts]),
    )  # fmt: skip
