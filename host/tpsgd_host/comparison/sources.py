"""Make problems from what a user names on the command line: a data file with its network, or tasks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tpsgd_host.comparison.problem import Problem, task_problem
from tpsgd_host.errors import ConfigError, DataError, DependencyError
from tpsgd_host.model.config import Config
from tpsgd_host.model.parsing import load_config, parse_config
from tpsgd_host.model.project import descriptions
from tpsgd_host.model.target import Target, retarget
from tpsgd_host.model.varying import with_variation
from tpsgd_host.tasks.task import NAMES, load_task


@dataclass(frozen=True)
class Source:
    """A problem and its origin.

    Attributes
    ----------
    toml : str
        Text of the network's TOML.
    data, test : Path or None
        The files; ``test`` is None if the test part was split from ``data``, ``data`` is None for a task.
    """

    problem: Problem
    toml: str
    data: Path | None = None
    test: Path | None = None


def find_config(data: Path, model: Path | None) -> Config:
    """Return the network to compare on ``data``: the named one, else the only one beside the data or here.

    Raises
    ------
    ConfigError
        When there is none, or several.
    """
    if model is not None:
        if model.suffix == ".tpsgd":
            raise ConfigError(
                f"{model} holds a network with its weights, but a comparison draws new weights for every seed.",
                f"Name the TOML that it was made from: --model {model.with_suffix('.toml').name}",
            )
        return load_config(model)
    models = descriptions([data.parent, Path()])
    if len(models) == 1:
        return load_config(models[0])
    if models:
        names = ", ".join(path.name for path in models)
        raise ConfigError(f"There are several networks here: {names}.", f"Name one: --model {models[0].name}")
    raise ConfigError(
        f"There is no network to compare on {data}: no model's TOML beside it or here, and no --model.",
        f"Create one with: tpsgd-host new {data.stem} --data {data}",
    )


def changed_source(source: Source, target: Target | None, variation: str | None) -> Source:
    """Return a problem whose network learns from another target or varied samples, None as before, and its TOML."""
    before, toml = source.problem.config, source.toml
    if target is not None:
        toml = retarget(toml, target)
    if variation is not None:
        toml = with_variation(toml, variation)
    if toml == source.toml:
        return source
    config = parse_config(toml, before.source)
    config = replace(config, layout=before.layout, classes=before.classes)
    return replace(source, problem=replace(source.problem, config=config), toml=toml)


def task_sources(names: Sequence[str], data_dir: Path | None, epochs: int | None) -> tuple[list[Source], list[str]]:
    """Return the named tasks, or all with available data, and a remark on each that was left out.

    Raises
    ------
    DataError, DependencyError
        When the data of a named task, or of all tasks, are not available.
    """
    sources, missing = [], []
    for name in names or NAMES:
        try:
            sources.append(Source(task_problem(name, data_dir, epochs), load_task(name, data_dir).toml))
        except (DataError, DependencyError) as error:
            if names:
                raise
            missing.append(f"{name} is left out: {error.message} {error.hint}")
    if not sources:
        raise DataError("The data of no task are available.", "pip install 'tpsgd[demo]', or name a folder: --data DIR")
    return sources, missing
