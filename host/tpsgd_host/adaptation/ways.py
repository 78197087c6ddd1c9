"""Ways to adapt a trained network to a new subject, each as a model that a board can run.

Shapes: R old samples per class, N classes, T steps, C channels.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from tpsgd.taught import kept_bytes
from tpsgd_host.comparison.integer import present
from tpsgd_host.data.order import epochs as orders
from tpsgd_host.data.samples import Samples
from tpsgd_host.data.subjects import Subjects
from tpsgd_host.model.modelfile import Model, memory
from tpsgd_host.model.surgery import ADAPTOR_UNITS, LARGEST_SHIFT, own_shift, with_adaptor, with_learning, with_shifts
from tpsgd_host.training.executor import Bytes
from tpsgd_host.training.practice import taught, variation_of, with_prototypes
from tpsgd_host.training.simulator import Simulator

PASSES = (30, 120)  # through the few samples
VARIED_PASSES = (60, 120)  # the same, of samples that are varied anew in each
VARIED_SHIFTS = (5, 6)
USUAL_SHIFTS = (5, 7)  # of the output layer, smallest and largest


@dataclass(frozen=True, order=True)
class Tuning:
    """How to adapt: update shift of the output layer (others learn more slowly, see ``with_shifts``), and passes."""

    shift: int
    passes: int

    def __str__(self) -> str:
        return f"shift {self.shift}, {self.passes} passes"

    @classmethod
    def of(cls, text: str) -> Tuning:
        """Return the tuning from its ``str``."""
        _, shift, passes, _ = text.replace(",", "").split()
        return cls(int(shift), int(passes))


@dataclass(frozen=True)
class Choice:
    """A chosen tuning, and its mean accuracy on new and old subjects in choosing."""

    tuning: Tuning
    new: float
    old: float


#: The choices, by way and number of samples.
Choices: TypeAlias = dict[tuple[str, int], Choice]


def chosen(found: dict[Tuning, list[tuple[float, float]]], old: bool) -> Choice:
    """Return the tuning with the best (new, old) pairs of accuracies, with or without the old ones."""
    means = {tuning: (fmean(n for n, _ in pairs), fmean(o for _, o in pairs)) for tuning, pairs in found.items()}
    best = max(sorted(means), key=lambda tuning: means[tuning][0] + (means[tuning][1] if old else 0.0))
    return Choice(best, *means[best])


def shifts_to_try(model: Model, slower: int = 0) -> tuple[int, ...]:
    """Return the output's update shifts to choose from: the default ones, and those around the model's own.

    Parameters
    ----------
    slower : int
        Number of additional shifts at the slow end.
    """
    own = own_shift(model)
    around = range(max(1, own - 1), min(LARGEST_SHIFT, own + 1 + slower) + 1)
    return tuple(sorted({*range(USUAL_SHIFTS[0], USUAL_SHIFTS[1] + slower + 1), *around}))


@dataclass(frozen=True)
class Way:
    """A way to adapt.

    Attributes
    ----------
    body : bool
        Whether the hidden layers also learn.
    adaptor : int
        Units (at least one per class) of a dense layer inserted before the output, which learns with it; 0 for none.
    old : int
        R, old samples per class that are kept and learned again among the new ones.
    untrained : bool
        Whether the hidden layers were never trained, not even on the known subjects.
    answers : str
        How a network with prototypes answers, see :class:`~tpsgd_host.model.prototypes.Prototypes`; empty: without.
    """

    name: str
    title: str
    body: bool = False
    adaptor: int = 0
    old: int = 0
    untrained: bool = False
    answers: str = ""

    @property
    def keeps_known(self) -> bool:
        """Whether it learns what stands for the known subjects again: their samples, or their means."""
        return bool(self.old or self.answers)

    def tunings(self, start: Model) -> tuple[Tuning, ...]:
        """Return the tunings to choose from for a network: default update shifts, and those around its own."""
        if self.answers == "prototypes":
            return (Tuning(own_shift(start), 0),)
        if self.answers:
            return tuple(Tuning(shift, passes) for passes in VARIED_PASSES for shift in VARIED_SHIFTS)
        return tuple(Tuning(shift, passes) for passes in PASSES for shift in shifts_to_try(start))

    def start(self, drawn: Model, base: Model, known: Samples, epochs: int, shuffle_seed: int) -> Model:
        """Return the network to adapt, trained on the known samples.

        Parameters
        ----------
        drawn, base : Model
            The network before and after it was trained on them.
        """
        if self.untrained:
            return train_model(with_learning(drawn, 1), known, epochs, shuffle_seed)
        return self.shaped(base)

    def shaped(self, base: Model) -> Model:
        """Return a network with the layers that this way needs."""
        return with_adaptor(base, max(self.adaptor, len(base.classes))) if self.adaptor else base

    def model(self, start: Model, tuning: Tuning) -> Model:
        """Return the network for adapting; layers that do not learn have one byte per weight."""
        learning = len(start.layers) if self.body else 1 + bool(self.adaptor)
        return with_shifts(with_learning(start, learning), (tuning.shift,))

    def with_means(self, start: Model, known: Samples, persons: Subjects) -> Model:
        """Return the network to adapt with the means of the known samples, a way without prototypes as it is."""
        if not self.answers:
            return start
        model, tuning = with_learning(start, 1), self.tunings(start)[0]
        return with_prototypes(
            with_shifts(model, (tuning.shift,)), model.scaling.encode(known.values), known.labels, persons,
            way=self.answers, variation=variation_of(model),
        )  # fmt: skip

    def taught(self, start: Model, tuning: Tuning, new: Samples) -> Model:
        """Return a network with means after it was taught samples and practised."""
        model = with_shifts(start, (tuning.shift,))
        return taught(model, model.scaling.encode(new.values), new.labels, tuning.passes)

    def bytes(self, start: Model, count: int = 0, sure: bool = False) -> int:
        """Return the RAM that adapting needs on a board, including kept samples: of prototypes ``count`` a class.

        ``sure``: with thresholds for what is foreign.
        """
        size = start.layout.steps * start.layout.channels
        total = memory(self.model(start, self.tunings(start)[0])).total + self.old * len(start.classes) * (size + 1)
        return total + (taught_bytes(start, self.answers, count * len(start.classes), sure) if self.answers else 0)


LAST_LAYER = Way("last", "last layer")

WAYS = (
    LAST_LAYER,
    Way("untrained", "last layer, body untrained", untrained=True),
    Way("all", "all layers", body=True),
    Way("adaptor", "adaptor and last layer", adaptor=ADAPTOR_UNITS),
    Way("replay", "last layer, 5 old per class", old=5),
    Way("prototypes", "prototypes, nothing learns", answers="prototypes"),
    Way("practice", "last layer, varied, with means", answers="network"),
    Way("both", "that and prototypes", answers="both"),
)


def taught_bytes(model: Model, answers: str, samples: int, sure: bool = False) -> int:
    """Return the RAM that prototypes take on a board besides the network, with so many taught samples.

    Parameters
    ----------
    answers : str
        The way.
    sure : bool
        Whether there are thresholds for what is foreign: they need the distances.
    """
    size, inputs = model.layout.steps * model.layout.channels, model.layers[-1].inputs
    varied = answers != "prototypes" and variation_of(model) != "none"
    each, once = kept_bytes(inputs, size, varied, answers != "network" or sure)
    return int(2 * inputs + 6 * len(model.classes) + samples * each + once)


def train_model(model: Model, samples: Samples, epochs: int, shuffle_seed: int) -> Model:
    """Return a network trained on samples with its own update shifts."""
    return model.with_weights(
        trained(model, model.scaling.encode(samples.values), samples.labels, epochs, shuffle_seed).weights()
    )


def trained(model: Model, data: Bytes, labels: Bytes, epochs: int, shuffle_seed: int) -> Simulator:
    """Return a simulator that has trained a network for some passes, shuffled for each."""
    simulator = Simulator(model)
    simulator.start(0, epochs * len(labels), True)
    for order in orders(len(labels), epochs, shuffle_seed):
        present(simulator, data[order], labels[order], shuffle_seed)
    return simulator


def few(samples: Samples, count: int, seed: int) -> npt.NDArray[np.int64]:
    """Return the indices of ``count`` samples per class (all if there are fewer), drawn by the seed."""
    dice = np.random.default_rng(seed)
    drawn = [dice.permutation(np.flatnonzero(samples.labels == y))[:count] for y in range(len(samples.classes))]
    return np.concatenate(drawn).astype(np.int64)
