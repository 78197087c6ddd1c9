"""Decide what happens to a row that cannot be used: it stops the reading, or it is left out and counted."""

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
        Whether a bad row raises an error or is only recorded.
    unit : str
        What the numbers count: ``"line"`` in a text file, ``"row"`` in an array.
    """

    def __init__(self, source: str, policy: BadRows = "stop", unit: str = "line") -> None:
        self.source = source
        self.policy = policy
        self.unit = unit
        self._rows: list[BadRow] = []

    @property
    def rows(self) -> tuple[BadRow, ...]:
        """The rows left out so far, in file order."""
        return tuple(sorted(self._rows, key=lambda row: row.line))

    def add(self, line: int, reason: str, hint: str = "") -> None:
        """Leave a row out.

        Parameters
        ----------
        line : int
            Its line or row number.
        reason : str
            Why it cannot be used, without a final period.
        hint : str, optional
            Likely cause; precedes the advice to skip.

        Raises
        ------
        DataError
            If the policy is ``"stop"``.
        """
        if self.policy == "stop":
            advice = "Correct the file, or leave such rows out with --bad-rows skip."
            raise DataError(f"{self.source}, {self.unit} {line}: {reason}.", f"{hint} {advice}".strip())
        self._rows.append(BadRow(line, reason))

    def require(self, left: int) -> None:
        """Raise DataError if no good rows are left."""
        if left:
            return
        if not self._rows:
            raise DataError(f"{self.source} holds no samples.", "Record some data first.")
        first = self.rows[0]
        raise DataError(
            f"{self.source}: no samples are left; {len(self._rows)} rows or recordings were left out.",
            f"The first, {self.unit} {first.line}: {first.reason}.",
        )
