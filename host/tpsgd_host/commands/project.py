"""Defaults for commands: the only model, description or data file in the folder."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from tpsgd_host.errors import ConfigError, DataError
from tpsgd_host.model.project import DATA, data_files, descriptions, models, outdated, set_aside
from tpsgd_host.names import listing
from tpsgd_host.quantization.quantize import quantize
from tpsgd_host.terminal import echo

HERE = Path()


def data_here() -> Path:
    """Return the only data file in this folder.

    Raises
    ------
    DataError
        When there is none.
    click.UsageError
        When there are several, and the user cannot be asked.
    """
    found = data_files(HERE)
    if not found:
        raise DataError(
            f"no data file was named, and there is none here (*{', *'.join(DATA)}, *.npz)",
            "Name the file, or change to its folder.",
        )
    return _one(found, "data file")


def description_here() -> Path:
    """Return the only description of a model in this folder.

    Raises
    ------
    ConfigError
        When there is none.
    click.UsageError
        When there are several, and the user cannot be asked.
    """
    found = descriptions([HERE])
    if not found:
        raise ConfigError("no model was named, and there is no model's TOML here", f"Begin one: {_first_steps()[0]}")
    return _one(found, "description")


def model_here() -> Path:
    """Return the only model in this folder; make it from its TOML if it is missing or older.

    Raises
    ------
    ConfigError
        When there is none.
    click.UsageError
        When there are several, and the user cannot be asked.
    """
    found = models(HERE)
    if not found:
        raise ConfigError(
            "no model was named, and there is none here: no .tpsgd, and no TOML to make one from",
            "Make one: " + "; then: ".join(_first_steps()),
        )
    model = _one(found, "model")
    source = outdated(model)
    if source is None:
        echo(f"model: {model}", err=True)
        return model
    data = data_here()
    why = f"is older than {source}" if model.is_file() else "does not exist yet"
    old = f"; the old one is now {set_aside(model)}" if model.is_file() else ""
    quantize(source, data, model)
    echo(f"model: {model} {why}: made with tpsgd-host quantize {source} --data {data}{old}", err=True)
    return model


def _one(found: Sequence[Path], what: str) -> Path:
    """Return the only file, or let the user choose."""
    if len(found) == 1:
        return found[0]
    names = [str(path) for path in found]
    if not sys.stdin.isatty():
        raise click.UsageError(f"Which {what}? There are {len(names)} here: {listing(names)}. Name one.")
    return Path(click.prompt(f"Which {what}?", type=click.Choice(names), err=True))


def _first_steps() -> list[str]:
    """Return the commands that create a model."""
    found = data_files(HERE)
    data = found[0] if len(found) == 1 else Path("DATA.csv")
    name = data.stem if len(found) == 1 else "gestures"
    return [f"tpsgd-host new {name} --data {data}", f"tpsgd-host quantize {name}.toml --data {data}"]
