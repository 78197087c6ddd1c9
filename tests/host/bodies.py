"""Untrained models of one layer before the output, whose body several tests freeze and teach."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tpsgd_host.data.samples import Samples
from tpsgd_host.model.build import build_model
from tpsgd_host.model.parsing import parse_config

BODY = """
[model]
seed = 4
classes = ["one", "two", "three"]
[data]
steps = 8
{data}
[training]
shifts = [5]
{more}
[[layer]]
kind = "{kind}"
units = 6
frozen = {frozen}
[[layer]]
kind = "output"
"""
ROWS = 'channels = 5\nscale = "fixed"\noffset = 0\ngain = 1'
FRONT = '[frontend]\nkind = "logmel"\n'
KINDS = {"temporal": ("temporal", ""), "recurrent": ("recurrent", "readout_steps = 2"), "dense": ("dense", "")}


def write_model(path: Path, kind: str = "temporal", frozen: bool = False, data: str = ROWS) -> None:
    """Write an untrained model."""
    name, more = KINDS[kind]
    config = parse_config(BODY.format(kind=name, more=more, frozen=str(frozen).lower(), data=data), "body.toml")
    shape = (3, config.layout.steps, config.layout.channels)
    model = build_model(config, Samples(np.zeros(shape), np.arange(3, dtype=np.uint8), config.classes, ("",) * 3,
                                        np.arange(3)))  # fmt: skip
    path.write_bytes(model.to_bytes())
