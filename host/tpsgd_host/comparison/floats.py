"""The float rules as methods, with the same network, inputs and order of samples as the integers.

Shapes: S samples, T steps, C channels.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from tpsgd_host.boards.hearing import memory_of_front
from tpsgd_host.comparison.problem import Part
from tpsgd_host.comparison.results import Setting, Trained
from tpsgd_host.data.samples import Samples
from tpsgd_host.data.scaling import TOP, ZERO, Scaling
from tpsgd_host.model.build import build_model
from tpsgd_host.model.config import Config
from tpsgd_host.model.modelfile import Model
from tpsgd_host.rules import Architecture, model_weights, shuffled, train, training_bytes
from tpsgd_host.rules.course import Floats
from tpsgd_host.rules.losses import LayerLoss
from tpsgd_host.training.varied import varied

#: Learning rates to try first, for hidden and output layers alike; later those within a factor of two of the best.
RATES = (2.0**-6, 2.0**-4, 2.0**-8, 2.0**-2, 2.0**-10)
FACTORS = (1.0, 0.5, 2.0)

#: Rules that follow an error back, and the norm that their gradients are clipped to, as practitioners do. Without it an
#: RNN unlearns everything at a rate that is a little too large.
CLIPPED = ("bp", "fa", "dfa")
CLIP = 1.0


class FloatMethod:
    """A reference rule in floating point. A setting is a pair of learning rates: (hidden layers, output layer).

    Networks start with the integers' own initial weights, so that a seed is the same network everywhere.

    Parameters
    ----------
    name, title : str
    rule : str
        One of ``tpsgd_host.rules.RULES``.
    loss : str or callable
        Layer loss of tpSGD; see :func:`tpsgd_host.rules.train`.
    """

    integer = False

    def __init__(self, name: str, title: str, rule: str, loss: str | LayerLoss = "l2") -> None:
        self.name, self.title, self.rule, self.loss = name, title, rule, loss

    def applies(self, config: Config) -> bool:
        """Whether the rule can train the network: tpSGD has no targets for a temporal layer."""
        return self.rule != "tpsgd" or config.layers[0].kind != "temporal"

    def settings(self) -> tuple[Setting, ...]:
        """Return the rates to try first."""
        return tuple((0.0 if self._still else rate, rate) for rate in RATES)

    def around(self, best: Setting) -> tuple[Setting, ...]:
        """Return the settings to try after ``best``, the best so far: its neighbours."""
        hidden, output = best
        return tuple((hidden * h, output * o) for h in ((1.0,) if self._still else FACTORS) for o in FACTORS)

    def valid(self, config: Config, setting: Setting) -> bool:  # noqa: ARG002 - every rate is possible
        """Whether a setting is possible."""
        return True

    def describe(self, config: Config, setting: Setting) -> tuple[str, str]:
        """Return the rates of hidden layers (empty if they do not learn) and of the output as text."""
        still = self._still or all(layer.frozen for layer in config.layers[:-1])
        return "" if still else _text(setting[0]), _text(setting[1])

    def train(
        self, config: Config, part: Part, settings: tuple[Setting, ...], epochs: int, shuffle_seed: int,
        progress: Callable[[float], None],
    ) -> Trained:  # fmt: skip
        """Train a network for each setting and seed, all in lockstep."""
        model = build_model(config, part.train)
        hidden = len(config.layers) - 1
        x, y = activations(model.scaling, part.train), part.train.labels.astype(np.int64)
        course = shuffled(x, y, epochs, shuffle_seed, len(config.training.shifts))
        if model.variation != "none":
            course = replace(course, vary=_varying(model, shuffle_seed))
        tests = [(activations(model.scaling, part.test), part.test.labels.astype(np.int64))]
        result = train(
            self.rule, Architecture.from_model(model), course, tests,
            rates=[[h] * hidden + [o] for h, o in settings for _ in part.seeds],
            seeds=list(part.seeds) * len(settings),
            initial=lambda seed: model_weights(build_model(replace(config, seed=seed), part.train)),
            loss=self.loss, progress=progress, clip=CLIP if self.rule in CLIPPED else math.inf,
        )  # fmt: skip
        shape = len(settings), len(part.seeds)
        return Trained(
            result.accuracies[0].reshape(shape),
            result.history.reshape(epochs, *shape),
            result.diverged.reshape(shape),
            result.right[0].reshape(*shape, -1),
        )

    def bytes(self, config: Config, samples: Samples) -> int:
        """Return the RAM that the rule needs for training, with four bytes per number, and that of a front end."""
        model = build_model(config, samples)
        return training_bytes(self.rule, Architecture.from_model(model)) + memory_of_front(model)

    @property
    def _still(self) -> bool:
        return self.rule == "frozen"


def activations(scaling: Scaling, samples: Samples) -> npt.NDArray[np.float32]:
    """Return the network's inputs for samples, shape (S, T*C), -1 to 1: a board's inputs divided by 127."""
    stored = scaling.encode(samples.values).astype(np.float32)
    return (stored - np.float32(ZERO)) / np.float32(TOP)


def _varying(model: Model, seed: int) -> Callable[[Floats, int], Floats]:
    """Return a function that varies inputs as those of the integer network are, from the same draws."""

    def vary(x: Floats, seen: int) -> Floats:
        data = np.rint(x * np.float32(TOP) + np.float32(ZERO)).astype(np.uint8)
        shown = varied(model.variation, model.layout, data, seed, seen).astype(np.float32)
        return (shown - np.float32(ZERO)) / np.float32(TOP)

    return vary


def _text(rate: float) -> str:
    """Format a rate as a power of two, like update shifts."""
    return f"2^{round(np.log2(rate))}"
