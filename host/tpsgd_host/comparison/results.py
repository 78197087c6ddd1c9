"""The numerical results of a comparison, from which tables, pictures and sentences are made.

Legend: n networks of one method (one per seed), E epochs.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import ceil
from statistics import fmean, stdev
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from tpsgd_host import __version__
from tpsgd_host.names import file_name

SCHEMA = 1  # of the JSON
OURS = "int-tpsgd"  # the network as in its TOML, in integers
HOPELESS = 100  # times the present recordings; nobody would record more to decide

#: A method's learning rates: rates, or offsets to the update shifts.
Setting: TypeAlias = tuple[float, ...]


@dataclass(frozen=True)
class Trained:
    """Networks of one method, trained on one part of the data.

    Attributes
    ----------
    accuracies : ndarray of float, shape (settings, seeds)
        On the part's own test samples, after the last epoch.
    history : ndarray of float, shape (E, settings, seeds)
        Share of the training samples classified correctly before learning.
    diverged : ndarray of bool, shape (settings, seeds)
        Networks whose weights overflowed.
    right : ndarray of bool, shape (settings, seeds, S), or None
        Whether each test sample was classified correctly; None if that was not recorded.
    seconds : float
        Processor time for all of it.
    """

    accuracies: npt.NDArray[np.float64]
    history: npt.NDArray[np.float64]
    diverged: npt.NDArray[np.bool_]
    right: npt.NDArray[np.bool_] | None = None
    seconds: float = 0.0


@dataclass(frozen=True)
class Tried:
    """Learning rates that were tried: as text, epochs, and mean accuracy on the validation parts."""

    rates: tuple[str, str]
    epochs: int
    accuracy: float


@dataclass(frozen=True)
class Entry:
    """One method's figures on one problem.

    Attributes
    ----------
    setting : tuple of float
        The chosen learning rates.
    rates : tuple of str
        The same as text: for the hidden layers (empty if they do not learn), and for the output.
    tried : tuple of Tried
        All settings: first those of the short runs, then those of the full runs.
    validation : float
        Mean accuracy of the chosen setting on the validation parts.
    curve : tuple of float, length E
        Share of the training samples classified correctly before learning, mean over the seeds.
    accuracies : tuple of float, length n
        On the test part, 0 to 1, one per seed.
    bytes : int
        RAM that training needs on a board; for the float rules with four bytes per number.
    seconds : float
        Processor time for training one network on this computer.
    diverged : int
        Test networks whose weights overflowed.
    by_recording : tuple of float
        Accuracy on each recording of the test part, mean over its samples and the seeds, in the same order for all
        methods; empty if that was not recorded.
    by_fold : tuple of float
        Accuracy on each fold of a cross-validation, mean over the seeds; empty with a single test part.
    """

    name: str
    title: str
    integer: bool
    setting: Setting
    rates: tuple[str, str]
    tried: tuple[Tried, ...]
    validation: float
    curve: tuple[float, ...]
    accuracies: tuple[float, ...]
    bytes: int
    seconds: float
    diverged: int = 0
    by_recording: tuple[float, ...] = ()
    by_fold: tuple[float, ...] = ()

    @property
    def mean(self) -> float:
        """Mean test accuracy, 0 to 1."""
        return fmean(self.accuracies)

    @property
    def deviation(self) -> float:
        """Standard deviation over the seeds; 0 for a single one."""
        return stdev(self.accuracies) if len(self.accuracies) > 1 else 0.0


@dataclass(frozen=True)
class Difference:
    """How far one method is above another, in points (percent of the test samples).

    Attributes
    ----------
    one, other : str
        Their titles.
    points : float
        Mean of the paired differences.
    noise : float or None
        Half the width of its 95% interval; None with a single seed.
    recordings : int
        Number of test recordings.
    """

    one: str
    other: str
    points: float
    noise: float | None
    recordings: int

    @property
    def decided(self) -> bool:
        """Whether the interval excludes zero."""
        return self.noise is not None and abs(self.points) > self.noise

    @property
    def needed(self) -> int | None:
        """Test recordings needed for the interval to exclude zero, if the difference stays the same.

        Its width falls with the square root of their number. None if there is no such number, or it is too large.
        """
        if self.noise is None or self.decided or not self.recordings or not self.points:
            return None
        times = (self.noise / self.points) ** 2
        return ceil(times * self.recordings) if times <= HOPELESS else None

    def as_dict(self) -> dict[str, object]:
        """Return everything for JSON."""
        return {**asdict(self), "decided": self.decided, "needed": self.needed}


@dataclass(frozen=True)
class BoardRun:
    """The run of one seed on the virtual board: test accuracy, CRC of the weights, bytes of training state."""

    name: str
    seed: int
    accuracy: float
    crc: int
    state_bytes: int
    seconds: float


@dataclass(frozen=True, repr=False)
class Comparison:
    """All methods on one problem.

    Attributes
    ----------
    folds : int
        Number of times that the training part was split to choose learning rates.
    validation_samples : int
        Number of validation samples over all folds.
    differences : tuple of Difference
        Differences between the unchanged network and each of the other methods.
    verdict : tuple of str
        Sentences.
    board : BoardRun or None
        A run on the virtual board, which gave the same weights.
    fold_results : tuple of Comparison
        The result of each fold of a cross-validation; empty with a single test part.
    chosen : str
        Name of the entry whose network and rates are saved for use.
    """

    problem: str
    network: str
    classes: tuple[str, ...]
    train_samples: int
    test_samples: int
    epochs: int
    seeds: tuple[int, ...]
    shuffle_seed: int
    folds: int
    validation_samples: int
    data: str
    entries: tuple[Entry, ...]
    differences: tuple[Difference, ...] = ()
    verdict: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    board: BoardRun | None = None
    fold_results: tuple[Comparison, ...] = ()
    chosen: str = OURS

    def __repr__(self) -> str:
        figures = ", ".join(f"{entry.name} {entry.mean:.1%}" for entry in self.entries)
        return f"<Comparison on {self.problem}, {self.network}: {figures}>"

    @property
    def stem(self) -> str:
        """The beginning of its file names."""
        return file_name(self.problem, "network")

    def entry(self, name: str) -> Entry | None:
        """Return a method's figures, None if it was not compared."""
        return next((entry for entry in self.entries if entry.name == name), None)

    def as_dict(self) -> dict[str, object]:
        """Return everything for JSON."""
        entries = [{**asdict(e), "mean": e.mean, "deviation": e.deviation} for e in self.entries]
        return {
            **asdict(self), "entries": entries, "differences": [gap.as_dict() for gap in self.differences],
            "fold_results": [one.as_dict() for one in self.fold_results],
        }  # fmt: skip


def document(comparisons: list[Comparison]) -> dict[str, object]:
    """Return the JSON of several comparisons."""
    return {"schema": SCHEMA, "tpsgd": __version__, "comparisons": [one.as_dict() for one in comparisons]}
