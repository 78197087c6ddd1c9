"""Draw an adaptation study: accuracy against the number of samples, on the new item and on the old ones."""

from __future__ import annotations

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from tpsgd_host.adaptation.results import AdaptationStudy
from tpsgd_host.runs.view.plots import COLOURS, save

_MARKS = "osD^vPX"


def plot_study(one: AdaptationStudy, path: Path) -> None:
    """Draw both curves of every way, averaged over held-out items and seeds, as PNG or SVG by the suffix."""
    figure = Figure(figsize=(9, 4.6), layout="constrained")
    new, old = figure.subplots(1, 2, sharey=True)
    places = range(len(one.counts) + 1)
    for i, (name, title, _) in enumerate(one.ways):
        for axes, forgetting in ((new, False), (old, True)):
            shares = [one.mean(name, n, forgetting) for n in (0, *one.counts)]
            axes.plot(
                places, shares, color=COLOURS[i % len(COLOURS)], marker=_MARKS[i % len(_MARKS)], ms=7, lw=1.6,
                markeredgecolor="white", label=title if axes is new else None,
            )  # fmt: skip
    known = max(one.mean(name, 0, old=True) for name, _, _ in one.ways)
    new.axhline(known, color="#555555", lw=1.2, ls=(0.0, (4, 2)), label="old ones, before")
    _dress(new, one, f"new {one.column}")
    _dress(old, one, "old ones")
    new.set_ylabel("accuracy")
    figure.suptitle(f"{one.problem}: {one.network}, one {one.column} held out", fontsize=11, parse_math=False)
    figure.legend(loc="outside lower center", ncols=3, frameon=False)
    save(figure, path)


def _dress(axes: Axes, one: AdaptationStudy, title: str) -> None:
    axes.set_title(title, fontsize=11, parse_math=False)
    axes.set_xticks(range(len(one.counts) + 1), ["0", *map(str, one.counts)])
    axes.set_xlabel("samples per class")
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    axes.set_ylim(top=1.005)
    axes.grid(color="#dddddd", lw=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
