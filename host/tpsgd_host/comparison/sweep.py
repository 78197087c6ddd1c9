"""Train a network for every combination of settings, to see what a setting is worth and how much is luck."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import tomlkit

from tpsgd_host.comparison.integer import accuracy, learn, records
from tpsgd_host.comparison.jobs import Workers, cores
from tpsgd_host.data.samples import Samples
from tpsgd_host.errors import ConfigError
from tpsgd_host.model.build import build_model
from tpsgd_host.model.parsing import parse_config
from tpsgd_host.training.simulator import Simulator

Settings = dict[str, Any]


@dataclass(frozen=True)
class Trial:
    """One network: its settings, by position in the TOML, and its test accuracy, 0 to 1."""

    settings: Settings
    accuracy: float


@dataclass(frozen=True)
class Sweep:
    """The trials of a sweep, in the order of the settings; the last setting varies fastest."""

    trials: tuple[Trial, ...]

    @property
    def best(self) -> Trial:
        """The first trial with the highest accuracy."""
        return max(self.trials, key=lambda trial: trial.accuracy)

    def mean_by(self, name: str) -> dict[Any, float]:
        """Return the mean accuracy for each value of a setting, over all values of the others."""
        found: dict[Any, list[float]] = {}
        for trial in self.trials:
            value = trial.settings[name]
            found.setdefault(tuple(value) if isinstance(value, list) else value, []).append(trial.accuracy)
        return {value: sum(accuracies) / len(accuracies) for value, accuracies in found.items()}

    def as_rows(self) -> list[dict[str, Any]]:
        """Return one dict per trial with its settings and accuracy, for use as a table."""
        return [{**trial.settings, "accuracy": trial.accuracy} for trial in self.trials]

    def __repr__(self) -> str:
        best = ", ".join(f"{name} = {value}" for name, value in self.best.settings.items())
        return f"<Sweep of {len(self.trials)} networks, best {self.best.accuracy:.1%} with {best}>"


@dataclass(frozen=True)
class _Common:
    """The data that all trials share."""

    toml: str
    source: str
    train: Samples
    test: Samples
    epochs: int
    shuffle_seed: int


def sweep(
    toml: str,
    source: str,
    train: Samples,
    test: Samples,
    settings: Mapping[str, Sequence[Any]],
    epochs: int,
    shuffle_seed: int = 1,
    jobs: int | None = None,
    progress: Callable[[float], None] = lambda done: None,
) -> Sweep:
    """Train a network for each combination of settings; the figures do not depend on the number of processes.

    Parameters
    ----------
    toml, source : str
        The network's TOML, and its name in errors.
    settings : mapping
        Values by position in the TOML: ``{"model.seed": [1, 2], "layer.0.units": [16, 32]}``.
    jobs : int, optional
        Number of processes; by default one per core.
    progress : callable
        Called with the number of trained networks.

    Raises
    ------
    ConfigError
        When a position does not exist, or a value is refused.
    """
    names = list(settings)
    combinations = [dict(zip(names, values, strict=True)) for values in product(*settings.values())]
    if not combinations:
        raise ConfigError("There is nothing to sweep over.", 'Name values: {"model.seed": [1, 2, 3]}')
    for combination in combinations:  # checked before the first network trains
        parse_config(changed(toml, combination), source)
    common = _Common(toml, source, train, test, epochs, shuffle_seed)
    count = min(jobs or cores(), len(combinations))
    with Workers(_train, common, count) as workers:
        accuracies = workers.run(combinations, [1.0] * len(combinations), progress)
    trials = (Trial(combination, found) for combination, found in zip(combinations, accuracies, strict=True))
    return Sweep(tuple(trials))


def changed(toml: str, settings: Settings) -> str:
    """Return a TOML text with some settings changed.

    Raises
    ------
    ConfigError
        When there is no such table or layer.
    """
    document = tomlkit.parse(toml)
    for place, value in settings.items():
        *path, key = place.split(".")
        table: Any = document
        for part in path:
            try:
                table = table[int(part) if part.isdigit() else part]
            except (KeyError, IndexError, TypeError):
                raise ConfigError(
                    f"{place} does not exist in the network's TOML: there is no {part}",
                    "Write positions like model.seed, training.readout_steps or layer.0.units.",
                ) from None
        table[key] = value
    return tomlkit.dumps(document)


def _train(common: _Common, settings: Settings, report: Callable[[float], None]) -> float:
    """Train the network with these settings; return its test accuracy."""
    config = parse_config(changed(common.toml, settings), common.source)
    model = build_model(config, common.train)
    simulator = Simulator(model)
    for epoch, _ in enumerate(learn(simulator, model, common.train, common.epochs, common.shuffle_seed), 1):
        report(epoch / common.epochs)
    return accuracy(simulator, records(model, common.test))
