"""Who takes part in a comparison, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from tpsgd_host.comparison.floats import FloatMethod
from tpsgd_host.comparison.integer import IntegerMethod
from tpsgd_host.comparison.problem import Part
from tpsgd_host.comparison.results import Setting, Trained
from tpsgd_host.data.samples import Samples
from tpsgd_host.errors import ConfigError
from tpsgd_host.model.config import Config
from tpsgd_host.names import suggestion


class Method(Protocol):
    """A way to train the network of a problem, with a learning rate to choose.

    Attributes
    ----------
    name, title : str
        For options and for people.
    integer : bool
        Whether it is what a board computes.
    """

    name: str
    title: str
    integer: bool

    def applies(self, config: Config) -> bool:
        """Whether this is a method of its own on a network, or another one under a second name."""

    def settings(self) -> tuple[Setting, ...]:
        """Return the settings to try first; of two that do equally well the earlier is taken."""

    def around(self, best: Setting) -> tuple[Setting, ...]:
        """Return the settings to try when ``best`` is the best so far; those already tried do no harm."""

    def valid(self, config: Config, setting: Setting) -> bool:
        """Whether a setting can be."""

    def describe(self, config: Config, setting: Setting) -> tuple[str, str]:
        """Return a setting in words: of the hidden layers (empty where they do not learn), and of the output."""

    def train(
        self, config: Config, part: Part, settings: tuple[Setting, ...], epochs: int, shuffle_seed: int,
        progress: Callable[[float], None],
    ) -> Trained:  # fmt: skip
        """Train a network for each setting and seed of ``part``; ``progress`` is told the share that is done."""

    def bytes(self, config: Config, samples: Samples) -> int:
        """Return the RAM that training takes on a board."""


METHODS: tuple[Method, ...] = (
    IntegerMethod("int-tpsgd", "tpsgd, integers"),
    IntegerMethod("int-label", "tpSGD targets, integers", labels=True),
    IntegerMethod("int-frozen", "frozen, integers", frozen=True),
    FloatMethod("bp", "backprop", "bp"),
    FloatMethod("tpsgd-l2", "tpSGD, floats, l2", "tpsgd", "l2"),
    FloatMethod("tpsgd-l1", "tpSGD, floats, l1", "tpsgd", "l1"),
    FloatMethod("dfa", "DFA", "dfa"),
    FloatMethod("fa", "feedback alignment", "fa"),
    FloatMethod("drtp", "DRTP", "drtp"),
    FloatMethod("frozen", "frozen, floats", "frozen"),
)

METHOD_NAMES = tuple(method.name for method in METHODS)


def method(name: str) -> Method:
    """Return the method of that name.

    Raises
    ------
    ConfigError
        When there is none.
    """
    for one in METHODS:
        if one.name == name:
            return one
    raise ConfigError(
        f"There is no method {name!r}.", f"The methods: {', '.join(METHOD_NAMES)}.{suggestion(name, METHOD_NAMES)}"
    )
