"""What learning together brought each user: the report of a fleet, and the files that it leaves."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from tpsgd_host.files import write_atomic
from tpsgd_host.fleet.averaging import trained_vector
from tpsgd_host.fleet.rounds import Round
from tpsgd_host.model.modelfile import Model

#: Files that a run leaves.
MODEL, PICTURE, REPORT = "fleet.tpsgd", "fleet.png", "fleet.json"


@dataclass(frozen=True)
class UserRow:
    """What learning together brought a user: accuracies, 0 to 1; None where not measured.

    Attributes
    ----------
    samples : int
        That the user's boards learned from.
    alone : float or None
        Of networks that learned the user's samples only.
    fleet : float or None
        Of the average.
    own : float or None
        Of the average after passes through the board's own samples.
    together : float or None
        Of one network that learned everybody's samples in one place.
    """

    user: str
    boards: int
    samples: int
    tests: int
    alone: float | None
    fleet: float | None
    own: float | None
    together: float | None


@dataclass(frozen=True)
class FleetReport:
    """How a fleet learned.

    Attributes
    ----------
    model : Model
        The network with the averaged weights.
    memory : int
        Most bytes that this process held.
    """

    folder: Path
    model: Model
    users: tuple[UserRow, ...]
    rounds: tuple[Round, ...]
    strangers: dict[str, str]
    seconds: float
    memory: int

    def mean(self, name: str) -> float | None:
        """Return the mean of a column over the users, None where it is not known for all."""
        values = [getattr(row, name) for row in self.users]
        return None if None in values or not values else float(np.mean(values))

    @property
    def traffic(self) -> int:
        """Bytes of weights to and from a board in a round."""
        return 2 * trained_vector(self.model).nbytes

    def as_dict(self) -> dict[str, object]:
        """Return the report for JSON."""
        return {
            "model": str(self.folder / MODEL), "weights_crc": f"{self.model.weights_crc:08x}",
            "mean": {name: self.mean(name) for name in ("alone", "fleet", "own", "together")},
            "users": [asdict(row) for row in self.users], "rounds": [one.as_dict() for one in self.rounds],
            "refused_boards": self.strangers, "bytes_a_board_and_round": self.traffic,
            "seconds": round(self.seconds, 1), "memory": self.memory,
        }  # fmt: skip


def save(report: FleetReport) -> None:
    """Write the averaged model, the picture and the report."""
    from tpsgd_host.fleet.picture import plot_users  # matplotlib is slow to import

    report.folder.mkdir(parents=True, exist_ok=True)
    report.model.save(report.folder / MODEL)
    write_atomic(report.folder / REPORT, json.dumps(report.as_dict(), indent=2).encode())
    plot_users(report.users, report.folder / PICTURE)
