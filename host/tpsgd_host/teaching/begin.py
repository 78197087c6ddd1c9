"""Begin a lesson from nothing: a model for words or gestures of which there are no recordings yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tpsgd_host.data.wav import is_sound
from tpsgd_host.errors import ConfigError
from tpsgd_host.model.build import build_untrained
from tpsgd_host.model.modelfile import Model
from tpsgd_host.model.new import new_model
from tpsgd_host.model.parsing import load_config
from tpsgd_host.recording.store import check_label

#: The network: few filters, for a small heap, and one high rate that never falls.
HIDDEN = (12,)
STEPS = 16
SHIFTS = (5,)

NAMES = {"sound": "words", "motion": "gestures"}


@dataclass(frozen=True)
class Begun:
    """A model to teach; ``fresh``: whether it was made now."""

    model: Model
    toml: Path
    path: Path
    fresh: bool


def begin(
    classes: Sequence[str], kind: str, name: str = "", data: Path | None = None, folder: Path = Path(), seed: int = 1
) -> Begun:
    """Return an untrained model for some classes; write its TOML and model file where they are not there yet.

    Parameters
    ----------
    classes : sequence of str
    kind : {"sound", "motion"}
    name : str
        Of the model and its files; by default "words" or "gestures".
    data : Path, optional
        A table of gestures like those to come, from which to take columns and range.
    folder : Path
        Where the files are.
    seed : int
        Of the initial weights.

    Raises
    ------
    ConfigError
        When a class's name is no label, or there is a model of this name for other classes.
    """
    for one in classes:
        check_label(one)
    name = name or NAMES[kind]
    toml, path = folder / f"{name}.toml", folder / f"{name}.tpsgd"
    fresh = not toml.exists()
    if fresh:
        table = data if data is not None and not is_sound(data) else None
        new_model(
            name, toml, "tdnn", table, HIDDEN, STEPS, seed, motion=kind == "motion", sound=kind == "sound",
            named=tuple(classes), shifts=SHIFTS,
        )  # fmt: skip
    config = load_config(toml)
    if config.classes != tuple(classes):
        raise ConfigError(
            f"{toml} is a model of {', '.join(config.classes) or 'other classes'}, not of {', '.join(classes)}",
            "Name another model: --name NAME; or leave the classes out to go on with what the board has.",
        )
    model = build_untrained(config)
    if not path.exists() or path.stat().st_mtime < toml.stat().st_mtime:
        model.save(path)
        fresh = True
    return Begun(model, toml, path, fresh)
