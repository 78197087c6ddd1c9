"""Compute a run on the host along with the board, to notice a board that errs or lies (docs/DESIGN.md)."""

from __future__ import annotations

import numpy as np

from tpsgd_host.errors import MismatchError
from tpsgd_host.model.modelfile import Model
from tpsgd_host.native.binding import library
from tpsgd_host.training.executor import Outcome, RecordSource
from tpsgd_host.training.simulator import Simulator


class Lockstep:
    """The simulation of a run, up to where the board is.

    Parameters
    ----------
    start : Model
        The model, with the weights at the start of the run.
    source : RecordSource
        The run's records.
    """

    def __init__(self, start: Model, source: RecordSource) -> None:
        self._simulator = Simulator(start)
        self._simulator.begin(0, source, fresh=True)
        self._done = 0

    @staticmethod
    def affordable() -> bool:
        """Whether the trainer in C is available. Without it the host could be slower than the board."""
        return library() is not None

    def follow(self, results: bytes | bytearray) -> None:
        """Compute the same results as the board, and compare.

        Parameters
        ----------
        results : bytes
            All results of the run so far, two bytes each: predicted class, p_y.

        Raises
        ------
        MismatchError
            At the first result that differs.
        """
        known = len(results) // 2
        for computed in self._simulator.apply(self._done, known):
            piece = results[2 * self._done : 2 * (self._done + len(computed))]
            said = np.frombuffer(bytes(piece), np.uint8).reshape(-1, 2)
            differs = (said != computed).any(axis=1)
            if differs.any():
                at = int(differs.argmax())
                raise _mismatch(self._done + at, said[at].tolist(), computed[at].tolist())
            self._done += len(computed)

    def require(self, said: Outcome) -> None:
        """Raise if the run's end differs from the one computed here, in records, training samples or weights."""
        computed = self._simulator.finish()
        if (computed.applied, computed.seen, computed.weights_crc) != (said.applied, said.seen, said.weights_crc):
            raise MismatchError(
                f"the board reports {said.applied} records applied, {said.seen} of them learned, and that its "
                f"weights have CRC {said.weights_crc:08x}; the host computed {computed.applied}, {computed.seen} and "
                f"{computed.weights_crc:08x}",
                "the board's memory or program is faulty: flash it again; its results were right until then",
            )


def _mismatch(record: int, said: list[int], computed: list[int]) -> MismatchError:
    return MismatchError(
        f"record {record}: the board gave class {said[0]} with {said[1]}/127; the host computed class {computed[0]} "
        f"with {computed[1]}/127",
        "the board's memory or program is faulty: flash it again, and begin a new run",
    )
