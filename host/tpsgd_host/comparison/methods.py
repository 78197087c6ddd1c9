"""The methods of a comparison, by name."""

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
        Names for options and for readers.
    integer : bool
        Whether a board can compute it.
    """

    name: str
    title: str
    integer: bool

    def applies(self, config: Config) -> bool:
        """Whether this is a distinct method for a network, rather than another one under a second name."""

    def settings(self) -> tuple[Setting, ...]:
        """Return the settings to try first; the earlier one wins a tie."""

    def around(self, best: Setting) -> tuple[Setting, ...]:
        """Return the settings to try after ``best``, the best so far; they may include some already tried."""

    def valid(self, config: Config, setting: Setting) -> bool:
        """Whether a setting is possible."""

    def describe(self, config: Config, setting: Setting) -> tuple[str, str]:
        """Return a setting as text: for the hidden layers (empty if they do not learn), and for the output."""

    def train(
        self, config: Config, part: Part, settings: tuple[Setting, ...], epochs: int, shuffle_seed: int,
        progress: Callable[[float], None],
    ) -> Trained:  # fmt: skip
        """Train a network for each setting and seed of ``part``; ``progress`` is called with the share done."""

    def bytes(self, config: Config, samples: Samples) -> int:
        """Return the RAM that training needs on a board."""


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
    """Return a method by its name.

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
