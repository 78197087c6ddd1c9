"""The events of a run, also as JSON.

A run is one :class:`RunStarted`, then sample results in the order in which the samples were applied, one
:class:`EpochEnded` after each epoch, text and notes anywhere between, and one :class:`RunEnded`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from typing import Any, Literal, TypeAlias

from tpsgd_host.runs.checks import Check, matrix, number, one_of, optional, table, text, whole

Kind: TypeAlias = Literal["train", "test"]
Status: TypeAlias = Literal["complete", "interrupted", "failed"]

_LOSS = tuple(math.log(127 / max(p, 0.5)) for p in range(128))


@dataclass(frozen=True)
class RunStarted:
    """The run begins.

    Attributes
    ----------
    config : dict
        Everything that determines the run, ready for JSON. These are read here, all optional: ``name``, ``classes``
        (list of N names), ``epochs``, ``total`` (results to expect, training and test).
    """

    config: dict[str, Any]


@dataclass(frozen=True)
class SampleResult:
    """A sample was applied: predicted, and then learned if ``kind`` is ``train``.

    Attributes
    ----------
    index : int
        Position in the run, from 0; training and test samples count together.
    epoch : int
        From 1.
    label, predicted : int
        Classes; the label is 255 where unknown.
    p_true : int
        Probability of the label before learning, 0..127 (127 means 1).
    line : int
        Line of the data file where the sample begins.
    """

    index: int
    epoch: int
    kind: Kind
    label: int
    predicted: int
    p_true: int
    line: int

    @property
    def correct(self) -> bool:
        """Whether the prediction was right."""
        return self.label == self.predicted

    @property
    def loss(self) -> float:
        """``-ln(max(p_true, 0.5)/127)``."""
        return _LOSS[self.p_true]


@dataclass(frozen=True)
class EpochEnded:
    """An epoch ended; ``samples`` is its number of training samples, None means "no such samples"."""

    epoch: int
    train_accuracy: float | None
    train_loss: float | None
    test_accuracy: float | None
    test_loss: float | None
    samples: int
    seconds: float


@dataclass(frozen=True)
class BoardText:
    """Text that the board printed between frames."""

    text: str


@dataclass(frozen=True)
class Note:
    """A note from the host for the user."""

    text: str


@dataclass(frozen=True)
class RunEnded:
    """The run ended.

    Attributes
    ----------
    weights_crc : int or None
        CRC-32 of the weights; None if the board could no longer be asked.
    samples : int
        Training samples learned in the run.
    test_accuracy : float or None
        Accuracy of the last complete held-out pass.
    train_accuracy : float or None
        Prequential accuracy of the last epoch.
    confusion : list of list of int, shape (N, N), or None
        Rows are labels, columns predictions; held-out if there is a ``test_accuracy``, else prequential.
    details : dict
        Anything else worth keeping, ready for JSON.
    """

    status: Status
    weights_crc: int | None
    samples: int
    seconds: float
    test_accuracy: float | None
    train_accuracy: float | None
    confusion: list[list[int]] | None
    details: dict[str, Any] = field(default_factory=dict)


Event: TypeAlias = RunStarted | SampleResult | EpochEnded | BoardText | Note | RunEnded

_COUNT = whole(1 << 53)
_BYTE = whole(256)
_NUMBER = number(1 << 53)

_NAMES: dict[type, str] = {
    RunStarted: "started",
    SampleResult: "sample",
    EpochEnded: "epoch",
    BoardText: "board",
    Note: "note",
    RunEnded: "ended",
}
_TYPES: dict[str, type[Event]] = {name: cls for cls, name in _NAMES.items()}

# What each field may hold; a field that several events have is the same in all of them.
_FIELDS: dict[str, Check] = {
    "config": table,
    "index": _COUNT,
    "epoch": _COUNT,
    "kind": one_of("train", "test"),
    "label": _BYTE,
    "predicted": _BYTE,
    "p_true": whole(128),
    "line": _COUNT,
    "train_accuracy": optional(_NUMBER),
    "train_loss": optional(_NUMBER),
    "test_accuracy": optional(_NUMBER),
    "test_loss": optional(_NUMBER),
    "samples": _COUNT,
    "seconds": _NUMBER,
    "text": text,
    "status": one_of("complete", "interrupted", "failed"),
    "weights_crc": optional(whole(1 << 32)),
    "confusion": optional(matrix),
    "details": table,
}


def to_dict(event: Event) -> dict[str, Any]:
    """Return an event as a flat dict whose first key, ``event``, names its kind."""
    return {"event": _NAMES[type(event)], **vars(event)}


def from_dict(raw: object) -> Event:
    """Return the event that :func:`to_dict` encoded; unknown keys are ignored.

    Raises
    ------
    ValueError
        When a field is missing or out of range, or the kind of event is unknown.
    """
    if not isinstance(raw, dict):
        raise ValueError("not an object")
    name = raw.get("event")
    cls = _TYPES.get(name) if isinstance(name, str) else None
    if cls is None:
        raise ValueError(f"unknown event {_brief(name)}")
    values = {}
    for key in (f.name for f in fields(cls)):
        if key not in raw:
            raise ValueError(f"{name}: {key} is missing")
        if not _FIELDS[key](raw[key]):
            raise ValueError(f"{name}: {key} is {_brief(raw[key])}")
        values[key] = raw[key]
    return cls(**values)


def _brief(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 40 else shown[:37] + "..."


def class_names(config: dict[str, Any], n: int = 0) -> tuple[str, ...]:
    """Return the class names of a run's config, with numbers in place of missing ones up to ``n``."""
    given = config.get("classes")
    names = tuple(str(name) for name in given) if isinstance(given, (list, tuple)) else ()
    return names + tuple(str(i) for i in range(len(names), n))
