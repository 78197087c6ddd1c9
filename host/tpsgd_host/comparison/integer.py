"""The integer trainer as a method: it simulates the device's own arithmetic.

Shapes: S samples, T steps, C channels, P phases.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from tpsgd_host.comparison.problem import Part
from tpsgd_host.comparison.results import Setting, Trained
from tpsgd_host.data.order import epochs as orders
from tpsgd_host.data.samples import Samples
from tpsgd_host.model.alternatives import training_bytes
from tpsgd_host.model.build import build_model
from tpsgd_host.model.config import Config, LayerConfig, label_targets
from tpsgd_host.model.modelfile import Model
from tpsgd_host.training.executor import TEST, TRAIN, Bytes, Records
from tpsgd_host.training.simulator import Simulator
from tpsgd_host.training.varied import varied

LEAST, MOST = 1, 15  # update shifts (SPEC 1.3)


class IntegerMethod:
    """What a board computes, in integers: the network as in its TOML, or with changed hidden layers.

    A setting is a pair of offsets to the update shifts in the model's TOML: (hidden layers, output layer).

    Parameters
    ----------
    name, title : str
    frozen : bool
        Whether the hidden layers keep their initial weights.
    labels : bool
        Whether hidden layers that would learn from feedback get targets of their own, the paper's rule.
    """

    integer = True

    def __init__(self, name: str, title: str, frozen: bool = False, labels: bool = False) -> None:
        self.name, self.title, self.frozen, self.labels = name, title, frozen, labels

    def applies(self, config: Config) -> bool:
        """Whether this differs from the unchanged network and is possible; temporal layers have no targets."""
        if not self.labels:
            return True
        hidden = config.layers[:-1]
        return any(_feedback(layer) for layer in hidden) and not any(layer.kind == "temporal" for layer in hidden)

    def settings(self) -> tuple[Setting, ...]:
        """Return the offsets to try first, the most likely first, because an earlier one wins a tie."""
        hidden = (0,) if self.frozen else (0, 2, -2)
        pairs = [(h, o) for h in hidden for o in (0, 2, -2)]
        return tuple(sorted(pairs, key=lambda pair: abs(pair[0]) + abs(pair[1])))

    def around(self, best: Setting) -> tuple[Setting, ...]:
        """Return the settings to try when ``best`` is the best so far: those next to it."""
        hidden, output = best
        steps = (0,) if self.frozen else (0, 1, -1)
        return tuple((hidden + h, output + o) for h in steps for o in (0, 1, -1))

    def describe(self, config: Config, setting: Setting) -> tuple[str, str]:
        """Return the update shifts of hidden layers (empty if they do not learn) and of the output."""
        hidden = {_text(_shifted(layer, setting[0])) for layer in config.layers[:-1] if not self._still(layer)}
        return " ".join(sorted(hidden)), _text(_shifted(config.layers[-1], setting[1]))

    def valid(self, config: Config, setting: Setting) -> bool:
        """Whether the update shifts of a setting are possible."""
        layers = [layer for layer in config.layers[:-1] if not self._still(layer)]
        offsets = [(layer, setting[0]) for layer in layers] + [(config.layers[-1], setting[1])]
        return all(LEAST <= s + offset <= MOST for layer, offset in offsets for s in layer.shifts if s)

    def train(
        self, config: Config, part: Part, settings: tuple[Setting, ...], epochs: int, shuffle_seed: int,
        progress: Callable[[float], None],
    ) -> Trained:  # fmt: skip
        """Train a network for each setting and seed; see :class:`~tpsgd_host.comparison.results.Trained`."""
        runs = len(settings) * len(part.seeds)
        right = np.zeros((len(settings), len(part.seeds), len(part.test)), bool)
        history = np.zeros((epochs, len(settings), len(part.seeds)))
        done = 0
        for i, setting in enumerate(settings):
            for j, seed in enumerate(part.seeds):
                model = build_model(self.configure(config, setting, seed), part.train)
                simulator = Simulator(model)
                for epoch, share in enumerate(learn(simulator, model, part.train, epochs, shuffle_seed)):
                    history[epoch, i, j] = share
                    progress((done + (epoch + 1) / epochs) / runs)
                right[i, j] = classified(simulator, records(model, part.test))
                done += 1
        return Trained(right.mean(axis=2), history, np.zeros(right.shape[:2], bool), right)

    def configure(self, config: Config, setting: Setting, seed: int) -> Config:
        """Return the network with the update shifts of a setting and with a seed."""
        hidden = [self._layer(layer, setting[0]) for layer in config.layers[:-1]]
        output = replace(config.layers[-1], shifts=_shifted(config.layers[-1], setting[1]))
        training = config.training
        if self.labels and _feedback(config.layers[0]):
            training = replace(training, update_at="readout")
        return replace(config, seed=seed, training=training, layers=(*hidden, output))

    def bytes(self, config: Config, samples: Samples) -> int:
        """Return the RAM that training needs on a board, including the link's buffers."""
        return training_bytes(self.configure(config, (0, 0), config.seed), samples)

    def _layer(self, layer: LayerConfig, offset: int | float) -> LayerConfig:
        if self._still(layer):
            return replace(layer, frozen=True)
        layer = replace(layer, shifts=_shifted(layer, offset))
        return replace(layer, **label_targets(layer.kind)) if self.labels and _feedback(layer) else layer

    def _still(self, layer: LayerConfig) -> bool:
        return self.frozen or layer.frozen


def learn(simulator: Simulator, model: Model, train: Samples, epochs: int, shuffle_seed: int) -> Iterator[float]:
    """Train on samples; yield after every epoch the share classified correctly before learning."""
    simulator.start(0, epochs * len(train), True)
    data = model.scaling.encode(train.values)
    for order in orders(len(train), epochs, shuffle_seed):
        yield present(simulator, data[order], train.labels[order], shuffle_seed)


def present(simulator: Simulator, data: Bytes, labels: Bytes, shuffle_seed: int) -> float:
    """Train on samples in order, varied as the model says; return the share classified correctly before learning."""
    model = simulator.model
    data = varied(model.variation, model.layout, data, shuffle_seed, simulator.seen)
    ops = np.full(len(labels), TRAIN, np.uint8)
    found = np.concatenate(list(simulator.stream(Records(ops, labels, data))))
    return float((found[:, 0] == labels).mean())


def records(model: Model, samples: Samples) -> Records:
    """Return samples as the records of a test."""
    return Records(np.full(len(samples), TEST, np.uint8), samples.labels, model.scaling.encode(samples.values))


def accuracy(simulator: Simulator, check: Records) -> float:
    """Return the share of records that are classified correctly, 0 to 1."""
    return float(classified(simulator, check).mean())


def classified(simulator: Simulator, check: Records) -> npt.NDArray[np.bool_]:
    """Return whether each record is classified correctly, shape (S,)."""
    right: npt.NDArray[np.bool_] = simulator.evaluate(check)[:, 0] == check.labels
    return right


def _feedback(layer: LayerConfig) -> bool:
    """Whether a layer learns from the error of the next layer (SPEC 1.3)."""
    return layer.kind != "output" and not layer.frozen and not layer.amplitude


def _shifted(layer: LayerConfig, offset: int | float) -> tuple[int, ...]:
    """Return a layer's update shifts with an offset; 0 still means no learning."""
    return tuple(s + int(offset) if s else 0 for s in layer.shifts)


def _text(shifts: tuple[int, ...]) -> str:
    return "/".join(map(str, shifts))
