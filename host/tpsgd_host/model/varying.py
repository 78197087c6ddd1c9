"""How the samples of a run are varied: what suits data, and how a TOML says it (SPEC 1.13)."""

from __future__ import annotations

import tomlkit

from tpsgd_host.data.frontend import LogMel
from tpsgd_host.data.layout import Layout

AXES = ("x", "y", "z")


def usual_variation(layout: Layout) -> str:
    """Return the variation for new data: of a front end's kind, or motion where columns come in x, y, z."""
    if layout.steps == 1:
        return "none"
    if layout.front is not None:
        return "words" if isinstance(layout.front, LogMel) else "motion"
    axes = [name.strip().lower()[-1:] for name in layout.columns]
    sensors, rest = divmod(len(axes), len(AXES))
    moving = layout.windows == "recording" and sensors > 0 and not rest and axes == list(AXES) * sensors
    return "motion" if moving else "none"


def with_variation(toml: str, kind: str) -> str:
    """Return a model's TOML, remarks included, whose samples are varied in another way."""
    document = tomlkit.parse(toml)
    training = document.get("training", {})
    if training.get("variation", "none") != kind:
        document.setdefault("training", tomlkit.table())["variation"] = kind  # a remark on the line stays
    return tomlkit.dumps(document)
