"""Networks of equal RAM on the same data: a temporal layer, a recurrent one, a dense one.

Each network is a method of a comparison, so folds, rates, paired differences and intervals work as in any comparison.
The accuracy on the validation parts chooses the network to keep.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tpsgd_host.comparison.cross_validation import cross_validate
from tpsgd_host.comparison.differences import differences
from tpsgd_host.comparison.integer import IntegerMethod
from tpsgd_host.comparison.jobs import Crew
from tpsgd_host.comparison.problem import Problem
from tpsgd_host.comparison.results import Comparison, Setting
from tpsgd_host.comparison.study import compare
from tpsgd_host.comparison.training import Progress
from tpsgd_host.comparison.verdict import network_verdict
from tpsgd_host.errors import ConfigError
from tpsgd_host.model.alternatives import Alternative, kind, largest, training_bytes
from tpsgd_host.model.build import build_model
from tpsgd_host.model.config import Config
from tpsgd_host.model.template import Network

NETWORKS: tuple[Network, ...] = ("tdnn", "rnn", "mlp")
OWN = "own"  # name of a network of no kind, with only an output layer


class NetworkMethod(IntegerMethod):
    """A separate network, trained in integers in place of the problem's network.

    Parameters
    ----------
    name, title : str
    network : Config
        Its layers and readout steps are used; the data are the problem's.
    """

    def __init__(self, name: str, title: str, network: Config) -> None:
        super().__init__(name, title)
        self._network = network

    def __repr__(self) -> str:
        """Return all that it depends on, by which finished jobs are known again."""
        return f"NetworkMethod({self.name!r}, {self._network!r})"

    def describe(self, config: Config, setting: Setting) -> tuple[str, str]:
        """Return the update shifts of this network."""
        return super().describe(self._placed(config), setting)

    def valid(self, config: Config, setting: Setting) -> bool:
        """Whether the update shifts of a setting are possible in this network."""
        return super().valid(self._placed(config), setting)

    def configure(self, config: Config, setting: Setting, seed: int) -> Config:
        """Return this network with the update shifts of a setting and with a seed."""
        return super().configure(self._placed(config), setting, seed)

    def _placed(self, config: Config) -> Config:
        return replace(config, layers=self._network.layers, training=self._network.training)


@dataclass(frozen=True)
class NetworkComparison:
    """Networks that were compared, and everything to save of the chosen one.

    Attributes
    ----------
    problems : tuple of Problem
        The problems, with the chosen network.
    toml : str
        Text of its TOML.
    comparison : Comparison
        Each entry is a network; ``chosen`` names the one with the highest accuracy on the validation parts.
    """

    problems: tuple[Problem, ...]
    toml: str
    comparison: Comparison


def candidates(problem: Problem, toml: str, ram: int | None = None) -> tuple[list[Alternative], list[str]]:
    """Return networks of equal RAM, and a note on each one that is not possible.

    Parameters
    ----------
    toml : str
        Text of the problem's network.
    ram : int, optional
        Bytes for training. By default those of the problem's own network, which then represents its kind.

    Raises
    ------
    ConfigError
        When there are fewer than two networks to compare.
    """
    config = problem.config
    found: list[Alternative] = []
    if ram is None:
        ram = training_bytes(config, problem.train)
        found.append(Alternative(kind(config), toml, config, ram))
    notes = []
    for network in NETWORKS:
        if any(one.network == network for one in found):
            continue
        if network != "mlp" and config.layout.steps == 1:
            continue
        try:
            found.append(largest(toml, config, network, ram, problem.train))
        except ConfigError as error:
            notes.append(f"there is no {network.upper()}: {error.message}")
    if len(found) > 1:
        return found, notes
    if config.layout.steps == 1:
        raise ConfigError(
            f"{problem.name}: each sample is a single step, for which there is only an MLP",
            "If a row holds several steps, set steps in [data], or use tpsgd-host new --steps.",
        )
    raise ConfigError(
        f"{problem.name}: there are fewer than two networks to compare; {'; '.join(notes)}", "Allow more: --ram"
    )


def compare_networks(
    problems: Sequence[Problem],
    toml: str,
    *,
    ram: int | None = None,
    seeds: int = 5,
    jobs: int | Crew = 1,
    progress: Progress = lambda done, of, text: None,
) -> NetworkComparison:
    """Compare a TDNN, an RNN and an MLP that train in the same RAM.

    Parameters
    ----------
    problems : sequence of Problem
        One, or one per fold.
    toml, ram
        As for :func:`candidates`, which may raise its errors.
    seeds, jobs, progress
        As for :func:`tpsgd_host.comparison.compare`, which may raise its errors.
    """
    found, notes = candidates(problems[0], toml, ram)
    methods = [_method(problems[0], one) for one in found]
    if len(problems) == 1:
        one = compare(problems[0], methods, seeds=seeds, jobs=jobs, progress=progress)
    else:
        one = cross_validate(problems, methods, seeds=seeds, jobs=jobs, progress=progress)
    best = max(one.entries, key=lambda entry: entry.validation)
    network = found[one.entries.index(best)]
    comparison = replace(
        one,
        network=f"networks of at most {ram or found[0].bytes:,} bytes",
        differences=differences(one.entries, one.test_samples, best.name),
        verdict=network_verdict(best, one.entries, one.test_samples),
        notes=(*one.notes, *notes),
        fold_results=tuple(replace(fold, chosen=best.name) for fold in one.fold_results),
        chosen=best.name,
    )
    kept = tuple(replace(problem, config=network.config) for problem in problems)
    return NetworkComparison(kept, network.toml, comparison)


def _method(problem: Problem, one: Alternative) -> NetworkMethod:
    shape, _, _ = build_model(one.config, problem.train).shape.partition(" K=")
    return NetworkMethod(one.network or OWN, shape, one.config)
