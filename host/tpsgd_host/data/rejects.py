"""What happens to a row that cannot be used: it stops the reading, or it is left out and counted."""

from __future__ import annotations

from typing import Literal

from tpsgd_host.data.samples import BadRow
from tpsgd_host.errors import DataError

BadRows = Literal["stop", "skip"]


class Rejects:
    """Collect bad rows, or stop at the first.

    Parameters
    ----------
    source : str
        The file, as the user named it.
    policy : {"stop", "skip"}
        Whether a bad row raises or is only remembered.
    unit : str
        What the numbers count: ``"line"`` of a text file or ``"row"`` of an array.
    """

    def __init__(self, source: str, policy: BadRows = "stop", unit: str = "line") -> None:
        self.source = source
        self.policy = policy
        self.unit = unit
        self._rows: list[BadRow] = []

    @property
    def rows(self) -> tuple[BadRow, ...]:
        """What was left out so far, in the file's order."""
        return tuple(sorted(self._rows, key=lambda row: row.line))

    def add(self, line: int, reason: str, hint: str = "") -> None:
        """Leave a row out.

        Parameters
        ----------
        line : int
            Where it stands.
        reason : str
            Why it cannot be used, without a full stop.
        hint : str, optional
            Likely cause, put before the advice to skip.

        Raises
        ------
        DataError
            If the policy is to stop.
        """
        if self.policy == "stop":
            advice = "Correct the file, or leave such rows out with --bad-rows skip."
            raise DataError(f"{self.source}, {self.unit} {line}: {reason}.", f"{hint} {advice}".strip())
        self._rows.append(BadRow(line, reason))

    def require(self, left: int) -> None:
        """Raise DataError if nothing is left after the bad rows."""
        if left:
            return
        if not self._rows:
            raise DataError(f"{self.source} holds no samples.", "Record some data first.")
        first = self.rows[0]
        raise DataError(
            f"{self.source}: no sample is left; rows or recordings left out: {len(self._rows)}.",
            f"The first, {self.unit} {first.line}: {first.reason}.",
        )
