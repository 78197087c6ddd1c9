"""What happened in each round: who answered, who did not, and why.

Shapes: W trained weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from zlib import crc32

import numpy as np
import numpy.typing as npt

from tpsgd_host.errors import BoardError
from tpsgd_host.fleet.averaging import Rule, Vector, unfit

#: The most samples that an answer may claim to count for.
MOST = 1 << 24


@dataclass(frozen=True)
class Answer:
    """A board's answer in a round.

    Attributes
    ----------
    name : str
        The board's.
    weights : ndarray of uint16
        What it learned; of any shape until it is checked.
    samples : int
        How many samples it learned from.
    """

    name: str
    weights: npt.NDArray[np.uint16]
    samples: int


@dataclass(frozen=True)
class Round:
    """How a round ended.

    Attributes
    ----------
    asked : int
        Boards that were asked.
    answered : tuple of str
        Boards whose answers were used.
    missing : dict
        The others, and why.
    crc : int
        CRC-32 of the new weights that travel.
    seconds : float
    """

    number: int
    asked: int
    answered: tuple[str, ...]
    missing: dict[str, str]
    crc: int
    seconds: float = field(default=0.0, compare=False)

    def as_dict(self) -> dict[str, object]:
        """Return it for JSON."""
        return {
            "round": self.number, "asked": self.asked, "answered": len(self.answered), "missing": self.missing,
            "crc": f"{self.crc:08x}", "seconds": round(self.seconds, 3),
        }  # fmt: skip


@dataclass(frozen=True)
class Turn:
    """What a board was asked, and how it ended.

    Attributes
    ----------
    number : int
        The round; 0 after the last.
    failed : str
        Why it has no answer; empty where it has one.
    tests, fleet, own : int
        After the last round: the right ones of so many tests, with the average and with the board's own network.
    """

    number: int
    failed: str = ""
    tests: int = 0
    fleet: int = 0
    own: int = 0


class Averager:
    """Makes the next weights from a round's answers, whatever their order, and keeps what happened.

    Parameters
    ----------
    rule : Rule
    weighed : bool
        Whether an answer counts for its samples, rather than every board alike.
    least : int
        Answers without which a round changes nothing.
    """

    def __init__(self, rule: Rule, weighed: bool = False, least: int = 1) -> None:
        self._rule, self._weighed, self._least = rule, weighed, least
        self.rounds: list[Round] = []

    def next(
        self, present: Vector, asked: Sequence[str], answers: Sequence[Answer], lost: dict[str, str], seconds: float
    ) -> Vector:
        """Return the weights after a round.

        Parameters
        ----------
        present : ndarray of uint16, shape (W,)
        asked : sequence of str
            Names of all boards that were asked.
        answers : sequence of Answer
        lost : dict
            Why boards said that they have no answer, by name.
        """
        missing = {name: lost.get(name, "no answer in time") for name in asked}
        used: list[Answer] = []
        for answer in sorted(answers, key=lambda answer: answer.name):
            why = unfit(answer.weights, len(present))
            if not why and not 1 <= answer.samples <= MOST:
                why = f"it claims {answer.samples} samples"
            if why:
                missing[answer.name] = f"refused: {why}"
            else:
                missing.pop(answer.name, None)
                used.append(answer)
        after = present
        if len(used) >= max(1, self._least):
            counts = [answer.samples if self._weighed else 1 for answer in used]
            after = self._rule(present, np.stack([answer.weights for answer in used]), counts)
        names = tuple(answer.name for answer in used)
        crc = crc32(after.astype("<u2").tobytes())
        self.rounds.append(Round(len(self.rounds) + 1, len(asked), names, missing, crc, seconds))
        return after

    def require_answers(self) -> None:
        """Raise if no board answered in the last round."""
        last = self.rounds[-1]
        if not last.answered:
            reason = next(iter(last.missing.values()), "none was asked")
            raise BoardError(f"no board answered in round {last.number}: {reason}", "give boards longer with --timeout")
