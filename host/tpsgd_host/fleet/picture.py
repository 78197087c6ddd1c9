"""Draw what learning together brought each user."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from tpsgd_host.runs.view.plots import COLOURS, save

if TYPE_CHECKING:
    from tpsgd_host.fleet.report import UserRow

#: Name of a column, its words, colour and mark.
_SERIES = (
    ("alone", "alone: own samples only", COLOURS[6], "o"),
    ("fleet", "fleet: the average", COLOURS[1], "s"),
    ("own", "own: the average, then own samples", COLOURS[0], "D"),
    ("together", "together: all samples in one place", COLOURS[4], "^"),
)

_MOST = 40  # users that are named


def plot_users(users: Sequence[UserRow], path: Path) -> None:
    """Draw the accuracies of each user, as PNG or SVG by the suffix; of very many only their order is shown."""
    figure = Figure(figsize=(8, min(10.0, 1.8 + 0.32 * len(users))), layout="constrained")
    axes = figure.add_subplot()
    rows = np.arange(len(users))
    for name, words, colour, mark in _SERIES:
        values = [getattr(user, name) for user in users]
        known = [i for i, value in enumerate(values) if value is not None]
        if known:
            axes.plot(
                [values[i] for i in known], rows[known], ls="none", marker=mark, color=colour, label=words, ms=7,
                markeredgecolor="white",
            )  # fmt: skip
    if len(users) <= _MOST:
        axes.set_yticks(rows, [f"{user.user} ({user.samples})" for user in users])
    axes.invert_yaxis()
    axes.grid(axis="y", alpha=0.3)
    axes.xaxis.set_major_formatter(PercentFormatter(1))
    axes.set_xlabel("test accuracy")
    axes.set_ylabel("user (samples to learn from)")
    figure.legend(loc="outside upper center", ncols=2, frameon=False)
    save(figure, path)
