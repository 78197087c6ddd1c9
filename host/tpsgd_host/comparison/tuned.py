"""The network's TOML with the update shifts that a comparison chose: ready for ``quantize``."""

from __future__ import annotations

import tomlkit

from tpsgd_host.comparison.integer import IntegerMethod
from tpsgd_host.comparison.methods import method
from tpsgd_host.comparison.problem import Problem
from tpsgd_host.comparison.results import Comparison

_REMARK = 26  # column of remarks in the templates
NAME = "int-tpsgd"  # the network as its TOML says


def has_tuned(one: Comparison) -> bool:
    """Whether there are chosen shifts: the network as it is took part, and not in folds, each of which has its own."""
    return one.entry(NAME) is not None and not one.crossed


def tuned_toml(problem: Problem, toml: str, one: Comparison) -> str:
    """Return the text of the network's TOML with the chosen shifts in each layer that learns, its remarks kept."""
    entry, ours = one.entry(NAME), method(NAME)
    assert entry is not None
    assert isinstance(ours, IntegerMethod)
    chosen = ours.configure(problem.config, entry.setting, problem.config.seed)
    document = tomlkit.parse(toml)
    for table, layer in zip(document["layer"], chosen.layers, strict=True):
        if not layer.frozen:
            table["shifts"] = _item(layer.shifts, isinstance(table, tomlkit.items.Table))
    return tomlkit.dumps(document)


def _item(shifts: tuple[int, ...], remark: bool) -> tomlkit.items.Item:
    """Return update shifts as a value with a remark where the templates put theirs; an inline table has no room."""
    item = tomlkit.item(list(shifts))
    if remark:
        item.comment("chosen by compare")
        item.trivia.comment_ws = " " * max(1, _REMARK - len(f"shifts = {list(shifts)}"))
    return item
