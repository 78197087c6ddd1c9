"""A fleet over a network, at its server: boards join, learn in rounds, and their weights are averaged."""

from __future__ import annotations

import resource
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tpsgd_host.errors import ConfigError
from tpsgd_host.fleet.averaging import StrategyName, rule, trained_vector, with_vector
from tpsgd_host.fleet.certificates import Certificates, certificates
from tpsgd_host.fleet.report import MODEL, FleetReport, UserRow, save
from tpsgd_host.fleet.rounds import Averager, Round
from tpsgd_host.fleet.run import OWN, PASSES, ROUNDS, require_flower
from tpsgd_host.model.modelfile import Model, load_model
from tpsgd_host.model.same import require_same

if TYPE_CHECKING:
    from tpsgd_host.fleet.apps import Result

PORT = 9443

_PARTING = 5.0  # seconds in which boards hear that it is over


@dataclass(frozen=True)
class ServePlan:
    """The options of a server; those not named here are as in :class:`~tpsgd_host.fleet.run.FleetPlan`.

    Attributes
    ----------
    certificates : Path
        Folder with the server's certificates, which are made where it has none.
    names : tuple of str
        By which boards reach the server, for certificates that are made.
    start : Path or None
        Model with the weights to begin from; None: those of ``model``.
    boards : int
        Boards to wait for before the first round.
    wait : float
        Seconds to wait for them; then those that are there begin.
    host, port
        Where to listen.
    """

    model: Path
    certificates: Path
    names: tuple[str, ...] = ()
    start: Path | None = None
    boards: int = 2
    wait: float = 600.0
    host: str = "0.0.0.0"
    port: int = PORT
    rounds: int = ROUNDS
    passes: int = PASSES
    own: int = OWN
    strategy: StrategyName = "fedavg"
    weighed: bool = False
    timeout: float = 600.0
    out: Path = Path("fleet")


class Watch:
    """What is called while a server runs; does nothing."""

    def listening(self, port: int, files: Certificates) -> None:
        """Boards may join now."""

    def joined(self, name: str, why: str) -> None:
        """A board has joined; ``why`` it is left out, empty where it is not."""

    def round(self, done: Round) -> None:
        """A round has ended."""


def serve(plan: ServePlan, watch: Watch) -> FleetReport:
    """Serve a fleet until its last round is over.

    Raises
    ------
    ConfigError, ModelError, DependencyError
    MismatchError
        When the weights to begin from are of another network.
    BoardError
        When no board has joined, or none answered in the last round.
    """
    require_flower()
    from tpsgd_host.fleet import apps, superlink  # Flower takes a second to import

    begun = time.monotonic()
    model = load_model(plan.model)
    start = model if plan.start is None else _started(model, plan.start)
    if not trained_vector(model).size:
        raise ConfigError(f"{plan.model}: no layer learns", "thaw one with: tpsgd-host adapt")
    files = certificates(plan.certificates, plan.names)
    averager = Averager(rule(plan.strategy), plan.weighed)
    plan.out.mkdir(parents=True, exist_ok=True)

    def on_round(done: Averager) -> None:
        strategy.model.save(plan.out / MODEL)  # so that a server that dies loses no round
        watch.round(done.rounds[-1])

    strategy = apps.Averaging(
        averager, model, plan.rounds, apps.Work(plan.passes, plan.own), plan.boards, wait=plan.wait, parting=_PARTING,
        on_board=watch.joined, on_round=on_round,
    )  # fmt: skip
    with superlink.SuperLink(plan.host, plan.port, files.certificate, files.key) as link:
        watch.listening(link.port, files)
        link.lead(apps.server_app(strategy, start, plan.rounds, plan.timeout))
    averager.require_answers()
    users = tuple(_row(one) for one in strategy.results)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    report = FleetReport(
        plan.out, strategy.model, users, tuple(averager.rounds), strategy.strangers, time.monotonic() - begun, memory
    )  # fmt: skip
    save(report)
    return report


def _started(model: Model, path: Path) -> Model:
    """Return the network with the weights of another file; boards know it by the file that was flashed."""
    start = load_model(path)
    require_same(model, start, str(path))
    return with_vector(model, trained_vector(start))


def _row(one: Result) -> UserRow:
    """Return the accuracies that a board reports; nobody knows what it would have learned alone."""
    fleet, own = (right / one.tests if one.tests else None for right in (one.fleet, one.own))
    return UserRow(one.user, 1, one.samples, one.tests, None, fleet, own, None)
