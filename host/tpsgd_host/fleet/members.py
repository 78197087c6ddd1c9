"""The boards of a fleet: each has one user's samples, and learns from them alone.

Shapes: W trained weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from tpsgd_host.boards.connect import VIRTUAL, connect
from tpsgd_host.data.encoded import EncodedSamples
from tpsgd_host.data.load import load_encoded
from tpsgd_host.data.rejects import BadRows
from tpsgd_host.data.split import split
from tpsgd_host.data.subjects import subjects_of, without_column
from tpsgd_host.errors import BoardError, ConfigError, DataError
from tpsgd_host.flashing.virtual import flash_virtual
from tpsgd_host.model.modelfile import Model
from tpsgd_host.names import file_name, listing
from tpsgd_host.runs.records import Presentation, RunRecords
from tpsgd_host.training.executor import TEST, Executor, Records
from tpsgd_host.training.simulator import Simulator

_RUN = 1  # the id of a round's run: a board begins each afresh


@dataclass(frozen=True)
class Member:
    """A board of the fleet, and whose it is.

    Attributes
    ----------
    name : str
        Of the board: the user's, with a number where a user has several.
    user : str
    train, test : EncodedSamples
        The user's samples; ``test`` is never learned.
    """

    name: str
    user: str
    train: EncodedSamples
    test: EncodedSamples


class Learning(Protocol):
    """Where a member's network learns."""

    def learn(self, member: Member, model: Model, passes: int, shuffle_seed: int) -> Model:
        """Return a model that has learned a member's samples, from its own weights on; without a pass it has these."""


class Simulated:
    """Members learn on this computer, with the bits of a board."""

    def learn(self, member: Member, model: Model, passes: int, shuffle_seed: int) -> Model:
        """Return a model that has learned a member's samples, from its own weights on."""
        return learned(Simulator(model), model, member.train, passes, shuffle_seed)


class OnBoard:
    """The member learns on a board: weights are put on it, and read when it has learned.

    Parameters
    ----------
    base : Model
        The model that was flashed.
    port, folder, heap, baud
        As for :func:`~tpsgd_host.boards.connect.connect`.
    """

    def __init__(
        self, base: Model, port: str, folder: Path | None = None, heap: int | None = None, baud: int = 115200
    ) -> None:
        self._base, self._port, self._folder, self._heap, self._baud = base, port, folder, heap, baud

    def check(self) -> None:
        """Raise if the board does not answer, or has another model."""
        with connect(self._port, folder=self._folder, heap=self._heap, baud=self._baud) as board:
            board.require(self._base)

    def learn(self, member: Member, model: Model, passes: int, shuffle_seed: int) -> Model:
        """Return a model that has learned a member's samples, from its own weights on."""
        with connect(self._port, folder=self._folder, heap=self._heap, baud=self._baud) as board:
            board.require(self._base)
            board.put_weights(model)
            return learned(board, model, member.train, passes, shuffle_seed, fresh=False)


class OnVirtualBoards:
    """Each member learns on a virtual board of its own.

    Parameters
    ----------
    base : Model
        The model to flash.
    place : Path
        Below it each board has a folder, its flash.
    heap : int, optional
        Of each, in bytes.
    """

    def __init__(self, base: Model, place: Path, heap: int | None = None) -> None:
        self._base, self._place, self._heap = base, place, heap
        self._boards: dict[str, OnBoard] = {}

    def learn(self, member: Member, model: Model, passes: int, shuffle_seed: int) -> Model:
        """Return a model that has learned a member's samples, from its own weights on."""
        board = self._boards.get(member.name)
        if board is None:
            flash = self._place / file_name(member.name, "board")
            flash_virtual(self._base, flash, self._heap, _ask, lambda *_: None)
            board = self._boards[member.name] = OnBoard(self._base, VIRTUAL, flash, self._heap)
        return board.learn(member, model, passes, shuffle_seed)


def learned(
    executor: Executor, model: Model, train: EncodedSamples, passes: int, shuffle_seed: int, fresh: bool = True
) -> Model:
    """Return a model that has learned samples on an executor, varied as it says.

    ``fresh``: from its own weights on, else from the executor's.
    """
    if not passes:
        return model
    records = RunRecords(model, Presentation(train, None, passes, shuffle_seed, variation=model.variation))
    executor.begin(_RUN, records, fresh)
    for _ in executor.apply(0, records.total):
        pass
    executor.finish()
    return model.with_weights(executor.weights())


def right(model: Model, test: EncodedSamples) -> int:
    """Return how many samples a model classifies correctly."""
    ops = np.full(len(test), TEST, np.uint8)
    found = Simulator(model).evaluate(Records(ops, test.labels, test.activations(slice(None))))
    return int((found[:, 0] == test.labels).sum())


def load_member(
    path: Path, model: Model, name: str, *, test_split: float = 0.2, split_seed: int = 1, bad_rows: BadRows = "stop"
) -> Member:
    """Return the one board whose user's samples a file holds.

    Parameters
    ----------
    test_split : float
        Share of the recordings that is never learned.

    Raises
    ------
    ConfigError, DataError
        When the file cannot be read, or nothing is left to learn.
    """
    samples = load_encoded(path, model.layout, model.scaling, model.classes, bad_rows)
    train, test = split(samples, test_split, split_seed)
    return Member(name, name, train, test)


def load_members(
    path: Path, model: Model, by: str, boards: int | None = None, *, test_split: float = 0.2, split_seed: int = 1,
    few: Sequence[tuple[str, int]] = (), bad_rows: BadRows = "stop",
) -> list[Member]:  # fmt: skip
    """Return the boards of a fleet, in the order of their users' names.

    Parameters
    ----------
    by : str
        The column that names each row's user.
    boards : int, optional
        Boards in all; by default one for each user. Where there are more, a user's samples are dealt out to several.
    test_split : float
        Share of each user's recordings that is never learned.
    few : sequence of (str, int)
        Users who have only so many training samples of each class.

    Raises
    ------
    ConfigError, DataError
        When a column or user is missing, or a board would have nothing to learn.
    """
    samples = load_encoded(path, without_column(path, by, model.layout), model.scaling, model.classes, bad_rows)
    owners = subjects_of(path, by, samples, model.layout.group)
    users = sorted(set(owners))
    limits = dict(few)
    if unknown := sorted(set(limits) - set(users)):
        raise ConfigError(f"{path}: nobody in column {by} is called {unknown[0]!r}", f"There are {listing(users)}.")
    if len(users) < 2:
        raise DataError(
            f"{path}: all samples are {users[0]}'s: column {by} names one user, and a fleet has at least two",
            "name another column with --by, or train one board: tpsgd-host stream",
        )
    users = users[: boards or len(users)]
    members: list[Member] = []
    for number, user in enumerate(users):
        own = samples.take(np.flatnonzero(np.array([owner == user for owner in owners])))
        train, test = split(own, test_split, split_seed)
        if user in limits:
            train = _fewer(train, limits[user])
        count = len(range(number, boards or len(users), len(users)))
        members += _dealt(user, train, test, count)
    return members


def _dealt(user: str, train: EncodedSamples, test: EncodedSamples, count: int) -> list[Member]:
    """Return a user's ``count`` boards; each gets samples of as many classes as there are samples."""
    if count == 1:
        return [Member(user, user, train, test)]
    if count > len(train):
        raise ConfigError(
            f"{user} has {len(train)} samples to learn, too few for {count} boards",
            "ask for fewer with --boards, or record more",
        )
    order = np.argsort(train.labels, kind="stable")
    return [Member(f"{user}-{i + 1}", user, train.take(np.sort(order[i::count])), test) for i in range(count)]


def _fewer(train: EncodedSamples, most: int) -> EncodedSamples:
    """Return the first ``most`` samples of each class."""
    kept = [np.flatnonzero(train.labels == label)[:most] for label in np.unique(train.labels)]
    return train.take(np.sort(np.concatenate(kept)))


def _ask(question: str) -> None:
    """Refuse a board's folder with other people's files in it."""
    raise BoardError(question, "name an empty folder with --out")
