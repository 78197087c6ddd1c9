"""How a board shall know somebody new: measured on those who are known, each held out in turn.

Shapes: R samples, T steps, C channels, N classes; n samples a class of somebody new.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from statistics import fmean
from typing import Any, TypeAlias

import numpy as np

from tpsgd_host.adaptation.ways import WAYS, Way
from tpsgd_host.comparison.integer import accuracy, records
from tpsgd_host.data.order import epochs as orders
from tpsgd_host.data.samples import Samples
from tpsgd_host.data.split import split
from tpsgd_host.errors import ConfigError, DataError
from tpsgd_host.model.modelfile import Model
from tpsgd_host.model.surgery import with_learning, with_shifts
from tpsgd_host.names import listing
from tpsgd_host.rules import Architecture
from tpsgd_host.training.doubt import VALIDATION, Doubt, anew, with_doubt
from tpsgd_host.training.practice import PASSES, SHIFT, taught, trained_on, variation_of, with_prototypes
from tpsgd_host.training.simulator import Simulator

COUNTS = (1, 2, 3, 5, 10)
MOST = 4  # persons that are held out
EPOCHS = 20  # of a network without somebody

#: Cycles of an RP2040 with the engine thumb: a multiplication, a place of a pass, a varied value (`bench practice`).
CYCLES, PLACE, VALUE = 16, 60_000, 80
HERTZ = 125e6

#: Accuracies on the new person and on the others, by way and n.
Pairs: TypeAlias = dict[tuple[str, int], list[tuple[float, float]]]

#: The ways to choose from, by how the model answers.
KNOWING = {way.answers: way for way in WAYS if way.answers}


@dataclass(frozen=True)
class Expected:
    """What to expect of a way for each n: accuracy on somebody new and on the others, seconds of practice, bytes.

    Accuracies are None where nobody has so many samples.
    """

    way: str
    counts: tuple[int, ...]
    new: tuple[float | None, ...]
    old: tuple[float | None, ...]
    seconds: tuple[float, ...]
    bytes: tuple[int, ...]

    def at(self, count: int) -> float:
        """Return the mean of both accuracies at ``count``, or at the most samples that were tried below it."""
        tried = [(a + b) / 2 for n, a, b in zip(self.counts, self.new, self.old, strict=True)
                 if n <= count and a is not None and b is not None]  # fmt: skip
        return tried[-1] if tried else 0.0


@dataclass(frozen=True)
class Known:
    """What was found.

    Attributes
    ----------
    model : Model
        The network, with prototypes.
    expected : tuple of Expected
        Of each way; empty where no column says who made each sample.
    doubt : Doubt or None
        The thresholds, with a class none.
    """

    model: Model
    expected: tuple[Expected, ...] = ()
    doubt: Doubt | None = None

    def as_dict(self) -> dict[str, object]:
        """Return the figures for JSON."""
        return {
            "way": self.way, "expected": [asdict(one) for one in self.expected],
            "doubt": None if self.doubt is None else asdict(self.doubt),
        }  # fmt: skip

    @property
    def way(self) -> str:
        """The chosen way."""
        assert self.model.prototypes is not None
        return self.model.prototypes.way


def know(
    model: Model, samples: Samples, persons: Sequence[str] = (), *, count: int = 5, ram: int = 0,
    misses: float | None = None, epochs: int = EPOCHS,
) -> Known:  # fmt: skip
    """Return a network with prototypes that answers in the way that is best for somebody new.

    Parameters
    ----------
    model : Model
        A trained network.
    samples : Samples
        Recordings of its classes.
    persons : sequence of str, length R
        Who made each sample; empty: nothing is measured, and the model answers by both.
    count : int
        n, the samples a class that somebody new will show.
    ram : int
        Most bytes for learning on the board, kept samples counted; 0: as many as it takes.
    misses : float, optional
        Add a class none, and refuse this share of the known samples.
    epochs : int
        Passes to train a network without somebody, or without the recordings that thresholds are set on.

    Raises
    ------
    ConfigError
        When no way fits into the RAM.
    DataError
        When there are too few persons or samples.
    """
    counts, sure = tuple(sorted({*COUNTS, count})), misses is not None
    fitting = [way for way in KNOWING.values() if not ram or way.bytes(model, count, sure) <= ram]
    if not fitting:
        least = min(way.bytes(model, count, sure) for way in KNOWING.values())
        raise ConfigError(
            f"no way to know somebody new fits into {ram:,} bytes: {count} samples a class take {least:,}",
            "Give more with --ram, or keep fewer samples: --samples.",
        )
    named = np.flatnonzero(samples.labels < len(model.classes))  # recordings of none are no class of this model yet
    whom = tuple(persons[i] for i in named.tolist()) if persons else ()
    expected = _measured(model, samples.take(named), whom, counts, epochs, sure) if persons else ()
    way = "both" if KNOWING["both"] in fitting else fitting[-1].answers
    if expected:
        by = {one.way: one for one in expected}
        way = max((one.answers for one in fitting), key=lambda name: by[name].at(count))
    how: dict[str, Any] = {"way": way, "variation": variation_of(model), "passes": 0 if way == "prototypes" else PASSES}
    data = model.scaling.encode(samples.values)
    if misses is None:
        ready = with_shifts(with_learning(model, 1), (SHIFT,))
        return Known(with_prototypes(ready, data, samples.labels, persons, **how), expected)
    ready, doubt = with_doubt(model, samples, persons, misses=misses, epochs=epochs, **how)
    return Known(ready, expected, doubt)


def _measured(
    model: Model, samples: Samples, persons: Sequence[str], counts: tuple[int, ...], epochs: int, sure: bool
) -> tuple[Expected, ...]:
    """Hold out each person in turn, let a network without him be taught his samples, and test it on his others."""
    names = sorted(set(persons))
    if len(names) < 3:
        raise DataError(
            f"the samples are from {listing(names)}; three persons are needed to find out how to know somebody new",
            "Leave out --persons: then the model answers by network and prototypes.",
        )
    found: Pairs = {}
    for name in names[:MOST]:
        own = np.array([person == name for person in persons])
        rest, new = samples.take(np.flatnonzero(~own)), samples.take(np.flatnonzero(own))
        others = [person for person in persons if person != name]
        fit, check = split(rest, VALIDATION, 1)
        who = dict(zip(rest.lines.tolist(), others, strict=True))
        data = model.scaling.encode(fit.values)
        base = trained_on(anew(model), data, fit.labels, list(orders(len(fit), epochs, 1)))
        base = with_shifts(with_learning(base, 1), (SHIFT,))
        base = with_prototypes(
            base, data, fit.labels, [who[line] for line in fit.lines.tolist()], variation=variation_of(model)
        )
        assert base.prototypes is not None
        least = min(int((new.labels == y).sum()) for y in set(new.labels.tolist()))
        for n in counts:
            if 2 * n > least:
                continue
            shown = np.concatenate([np.flatnonzero(new.labels == y)[:n] for y in sorted(set(new.labels.tolist()))])
            left = np.setdiff1d(np.arange(len(new)), shown)
            for way in KNOWING:
                one = replace(base, prototypes=replace(base.prototypes, way=way))
                few = new.take(shown)
                one = taught(one, one.scaling.encode(few.values), few.labels, PASSES)
                simulator = Simulator(one)
                pair = accuracy(simulator, records(one, new.take(left))), accuracy(simulator, records(one, check))
                found.setdefault((way, n), []).append(pair)
    return tuple(_expected(model, way, counts, found, len(names), sure) for way in KNOWING.values())


def _expected(model: Model, way: Way, counts: tuple[int, ...], found: Pairs, people: int, sure: bool) -> Expected:
    pairs = [found.get((way.answers, n), []) for n in counts]
    return Expected(
        way.answers, counts,
        tuple(fmean(new for new, _ in p) if p else None for p in pairs),
        tuple(fmean(old for _, old in p) if p else None for p in pairs),
        tuple(practice_seconds(model, way.answers, n, people) for n in counts),
        tuple(way.bytes(model, n, sure) for n in counts),
    )  # fmt: skip


def practice_seconds(model: Model, way: str, count: int, people: int) -> float:
    """Return about how long an RP2040 practises ``count`` samples a class; each person and class has a mean."""
    if way == "prototypes":
        return 0.0
    classes, whole = len(model.classes), Architecture.from_model(model).multiplies()
    mean = PLACE + CYCLES * 2 * classes * (model.layers[-1].inputs + 1)
    sample = mean
    if variation_of(model) != "none":
        sample += CYCLES * whole + VALUE * model.layout.steps * model.layout.channels
    return PASSES * classes * (count * sample + people * mean) / HERTZ
