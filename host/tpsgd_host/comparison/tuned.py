"""Write the update shifts that a comparison chose into the network's TOML, ready for ``quantize``."""

from __future__ import annotations

from collections import Counter

import tomlkit

from tpsgd_host.comparison.integer import IntegerMethod
from tpsgd_host.comparison.methods import method
from tpsgd_host.comparison.problem import Problem
from tpsgd_host.comparison.results import OURS, Comparison
from tpsgd_host.model.config import Config

_REMARK = 26  # column of remarks in the templates


def has_tuned(one: Comparison) -> bool:
    """Whether shifts were chosen, because the unchanged network or several networks were compared."""
    return one.entry(one.chosen) is not None


def tuned_toml(problem: Problem, toml: str, one: Comparison) -> str:
    """Return the network's TOML with the shifts that a comparison chose; for several folds, the most common choice."""
    ours = method(OURS)
    assert isinstance(ours, IntegerMethod)
    entries = [entry for part in one.fold_results or (one,) if (entry := part.entry(one.chosen)) is not None]
    ((setting, _),) = Counter(entry.setting for entry in entries).most_common(1)
    return with_rates(toml, ours.configure(problem.config, setting, problem.config.seed), "chosen by compare")


def with_rates(toml: str, config: Config, remark: str) -> str:
    """Return a network's TOML, remarks included, with the update shifts of ``config`` in each layer that learns."""
    document = tomlkit.parse(toml)
    for table, layer in zip(document["layer"], config.layers, strict=True):
        if not layer.frozen:
            table["shifts"] = _item(layer.shifts, remark if isinstance(table, tomlkit.items.Table) else "")
    return tomlkit.dumps(document)


def _item(shifts: tuple[int, ...], remark: str) -> tomlkit.items.Item:
    """Return update shifts as a value with a remark where the templates put theirs; an inline table has no room."""
    item = tomlkit.item(list(shifts))
    if remark:
        item.comment(remark)
        item.trivia.comment_ws = " " * max(1, _REMARK - len(f"shifts = {list(shifts)}"))
    return item
