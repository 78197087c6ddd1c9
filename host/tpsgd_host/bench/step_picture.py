"""Draw where a training step's time goes: a bar for each chip and engine."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

from matplotlib.figure import Figure

from tpsgd_host.bench.steps import Step
from tpsgd_host.runs.view.plots import COLOURS, save

PARTS = ("kernels", "glue", "link")


def plot_steps(steps: list[Step], path: Path) -> None:
    """Draw all steps, a panel for each network and chip, as PNG or SVG by the suffix of ``path``."""
    ordered = sorted(steps, key=lambda s: (s.network, s.where))
    panels = [list(group) for _, group in groupby(ordered, key=lambda s: (s.network, s.where))]
    chips = len({s.where for s in steps})
    rows = -(-len(panels) // chips)
    figure = Figure(figsize=(4.2 * chips, 1.6 * rows + 0.6), layout="constrained")
    grid = figure.subplots(rows, chips, squeeze=False).flat
    for axes, panel in zip(grid, panels, strict=False):
        left = [0.0] * len(panel)
        for part, colour in zip(PARTS, COLOURS, strict=False):
            widths = [getattr(s, part) / 1000 for s in panel]
            axes.barh([s.engine for s in panel], widths, left=left, color=colour, label=part)
            left = [a + b for a, b in zip(left, widths, strict=True)]
        axes.set_title(f"{panel[0].where}: {panel[0].network}", fontsize=10, parse_math=False)
        axes.set_xlabel(f"thousand {panel[0].unit}")
        axes.invert_yaxis()
    handles, labels = next(iter(figure.axes)).get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(PARTS), frameon=False)
    save(figure, path)
