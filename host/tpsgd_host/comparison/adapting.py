"""Ways to adapt a trained network to somebody new, each as a model that a board can run.

Shapes: R old samples a class, N classes, T steps, C channels.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from tpsgd_host.build import build_layer, freeze, initial_span
from tpsgd_host.comparison.integer import present
from tpsgd_host.config import LayerConfig
from tpsgd_host.data.order import epochs as orders
from tpsgd_host.data.samples import Samples
from tpsgd_host.model import Layer, Model, Weights, initial_weights, memory
from tpsgd_host.runs.executor import Bytes
from tpsgd_host.simulator import Simulator

EPOCHS = (10, 40, 100)  # passes over the few samples
SHIFTS = ((5,), (6,), (7,), (6, 7, 8))  # of the output layer
SLOWER = (2, 4)  # hidden layers learn by shifts so much larger
ADAPTOR_UNITS = 32


@dataclass(frozen=True, order=True)
class Tuning:
    """How to adapt: update shifts of the output, by how much larger those of other layers are, and passes."""

    shifts: tuple[int, ...]
    slower: int
    epochs: int

    def __str__(self) -> str:
        slower = f", hidden +{self.slower}" if self.slower else ""
        return f"shifts {'/'.join(map(str, self.shifts))}{slower}, {self.epochs} passes"


@dataclass(frozen=True)
class Way:
    """A way to adapt.

    Attributes
    ----------
    body : bool
        Whether the hidden layers learn too.
    adaptor : int
        Units of a dense layer that is put before the output and learns with it; 0 for none.
    old : int
        R, samples a class of the known ones that are kept and learned again among the new.
    """

    name: str
    title: str
    body: bool = False
    adaptor: int = 0
    old: int = 0

    def tunings(self) -> tuple[Tuning, ...]:
        """Return what to choose from."""
        slower = SLOWER if self.body or self.adaptor else (0,)
        return tuple(Tuning(shifts, s, epochs) for epochs in EPOCHS for shifts in SHIFTS for s in slower)

    def start(self, base: Model, known: Samples, epochs: int, shuffle_seed: int) -> Model:
        """Return the network that is to be adapted: ``base``, or what an adaptor makes of it on the known samples."""
        if not self.adaptor:
            return base
        model = _with_adaptor(base, self.adaptor)
        return train_model(model, known, epochs, shuffle_seed)

    def model(self, start: Model, tuning: Tuning) -> Model:
        """Return the network as it adapts: layers that stay keep one byte a weight."""
        learning = 1 + bool(self.adaptor)  # layers from the end
        layers: list[Layer] = []
        weights: list[Weights] = []
        for i, (layer, w) in enumerate(zip(start.layers, start.weights, strict=True)):
            last = i == len(start.layers) - 1
            shifts = tuple(min(15, s + (0 if last else tuning.slower)) for s in tuning.shifts)
            if layer.frozen or not (self.body or i >= len(start.layers) - learning):
                layers.append(replace(layer, shifts=shifts, frozen=True))
                weights.append(w if layer.frozen else freeze(w))
            else:
                layers.append(replace(layer, shifts=shifts))
                weights.append(w)
        return replace(start, layers=tuple(layers), weights=tuple(weights))

    def bytes(self, start: Model) -> int:
        """Return the RAM that adapting takes on a board, the kept samples with it."""
        size = start.layout.steps * start.layout.channels
        return memory(self.model(start, self.tunings()[0])).total + self.old * len(start.classes) * (size + 1)


WAYS = (
    Way("last", "last layer"),
    Way("all", "all layers", body=True),
    Way("adaptor", "adaptor and last layer", adaptor=ADAPTOR_UNITS),
    Way("replay", "last layer, 5 old samples a class", old=5),
)


def train_model(model: Model, samples: Samples, epochs: int, shuffle_seed: int) -> Model:
    """Return a network trained on samples with its own update shifts."""
    return model.with_weights(
        trained(model, model.scaling.encode(samples.values), samples.labels, epochs, shuffle_seed).weights()
    )


def trained(model: Model, data: Bytes, labels: Bytes, epochs: int, shuffle_seed: int) -> Simulator:
    """Return a simulator that has trained a network for so many passes, shuffled anew for each."""
    simulator = Simulator(model)
    simulator.begin(0, epochs * len(labels), True)
    for order in orders(len(labels), epochs, shuffle_seed):
        present(simulator, data[order], labels[order])
    return simulator


def few(samples: Samples, count: int, seed: int) -> npt.NDArray[np.int64]:
    """Return the indices of ``count`` samples a class, or all where there are fewer, drawn by the seed."""
    dice = np.random.default_rng(seed)
    drawn = [dice.permutation(np.flatnonzero(samples.labels == y))[:count] for y in range(len(samples.classes))]
    return np.concatenate(drawn).astype(np.int64)


def _with_adaptor(base: Model, units: int) -> Model:
    """Return ``base`` with its body frozen, a fresh dense layer before the output, and an output that begins anew."""
    output = base.layers[-1]
    given = LayerConfig("dense", units, tuple(min(15, s + 2) for s in output.shifts), amplitude=127)
    adaptor = build_layer(given, output.inputs, len(base.classes))
    index = len(base.layers) - 1
    drawn = initial_weights(base.seed, index, units, adaptor.inputs, initial_span(adaptor, 1.0))
    empty = initial_weights(base.seed, index + 1, output.units, units, 0)
    body = tuple(replace(layer, frozen=True) for layer in base.layers[:-1])
    still = (w if layer.frozen else freeze(w) for layer, w in zip(base.layers, base.weights[:-1], strict=False))
    return replace(base, layers=(*body, adaptor, replace(output, inputs=units)), weights=(*still, drawn, empty))
