"""Draw pictures of a comparison: accuracy against RAM, and how the networks learned."""

from __future__ import annotations

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator, PercentFormatter

from tpsgd_host.comparison.results import Comparison
from tpsgd_host.comparison.tables import seeds_text
from tpsgd_host.runs.view.plots import COLOURS, Dash, save

_SOLID: Dash = (0.0, ())
_DASHED: Dash = (0.0, (5, 2))
_DOTTED: Dash = (0.0, (1, 1))

#: Colour, mark and dash by name; integers are drawn heavier. A user's own methods take unused ones.
_STYLES: dict[str, tuple[str, str, Dash]] = {
    "int-tpsgd": (COLOURS[0], "o", _SOLID),
    "int-label": (COLOURS[4], "o", _SOLID),
    "int-frozen": (COLOURS[1], "s", _SOLID),
    "bp": (COLOURS[6], "^", _DASHED),
    "tpsgd-l2": (COLOURS[4], "D", _DASHED),
    "tpsgd-l1": (COLOURS[4], "v", _DOTTED),
    "dfa": (COLOURS[2], "P", _DASHED),
    "fa": (COLOURS[3], "X", _DASHED),
    "drtp": (COLOURS[5], "p", _DOTTED),
    "frozen": (COLOURS[1], "h", _DOTTED),
    "tdnn": (COLOURS[0], "o", _SOLID),
    "rnn": (COLOURS[1], "s", _SOLID),
    "mlp": (COLOURS[2], "D", _SOLID),
    "cnn": (COLOURS[3], "v", _SOLID),
}
_OWN: tuple[str, str, Dash] = ("#777777", "*", _DASHED)


def plot_ram(one: Comparison, path: Path) -> None:
    """Draw mean and deviation of the test accuracy against the RAM for training, as PNG or SVG by the suffix."""
    figure = Figure(figsize=(8, 4.6), layout="constrained")
    axes = figure.add_subplot()
    handles: list[Line2D] = []
    for entry, size in zip(one.entries, _apart([entry.bytes for entry in one.entries]), strict=True):
        colour, mark, _ = _STYLES.get(entry.name, _OWN)
        reach = [[entry.deviation], [min(entry.deviation, 1 - entry.mean)]]
        axes.errorbar(
            size, entry.mean, yerr=reach, color=colour, marker=mark, ms=10 if entry.integer else 7.5,
            capsize=3, lw=1.2, ls="none", markeredgecolor="white", zorder=4 if entry.integer else 3,
        )  # fmt: skip
        # The legend has only the marks, because an error bar's size would mean nothing there.
        handles += axes.plot(
            [], [], color=colour, marker=mark, ms=10 if entry.integer else 7.5, ls="none", markeredgecolor="white",
            label=entry.title,
        )  # fmt: skip
    axes.set_xscale("log")
    sizes = [entry.bytes for entry in one.entries]
    axes.set_xlim(min(sizes) / 1.3, max(sizes) * 1.3)
    axes.set_xticks(_ticks(min(sizes) / 1.3, max(sizes) * 1.3))
    axes.minorticks_off()
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: _size(x)))
    axes.set_xlabel("RAM for training")
    axes.set_ylabel("test accuracy")
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    _dress(axes, f"{one.problem}: {one.network}")
    figure.legend(handles=handles, loc="outside right upper", frameon=False)
    save(figure, path)


def plot_curves(one: Comparison, path: Path) -> None:
    """Draw the share of samples classified correctly before learning, epoch by epoch."""
    figure = Figure(figsize=(8, 4.6), layout="constrained")
    axes = figure.add_subplot()
    for entry in one.entries:
        colour, mark, dash = _STYLES.get(entry.name, _OWN)
        epochs = range(1, len(entry.curve) + 1)
        axes.plot(
            epochs, entry.curve, color=colour, ls=dash, lw=2.2 if entry.integer else 1.4,
            marker=mark, ms=6, markevery=max(1, len(entry.curve) // 8), markeredgecolor="white", label=entry.title,
            zorder=4 if entry.integer else 3,
        )  # fmt: skip
    axes.set_xlabel("epoch")
    axes.set_ylabel("right before it was learned")
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    axes.set_ylim(top=1.01)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    _dress(axes, f"{one.problem}: {one.network}, training samples, mean of {seeds_text(one.seeds)}")
    figure.legend(loc="outside right upper", frameon=False)
    save(figure, path)


def picture_files(one: Comparison, folder: Path) -> list[Path]:
    """Draw both pictures into a folder; return their paths."""
    paths = [folder / f"{one.stem}-ram.png", folder / f"{one.stem}-curves.png"]
    plot_ram(one, paths[0])
    plot_curves(one, paths[1])
    return paths


def _apart(sizes: list[int]) -> list[float]:
    """Return sizes, with equal ones moved a little so that each can be seen."""
    return [size * (1 + 0.025 * sizes[:i].count(size)) for i, size in enumerate(sizes)]


def _dress(axes: Axes, title: str) -> None:
    axes.grid(color="#dddddd", lw=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_title(title, fontsize=11, parse_math=False)


def _ticks(low: float, high: float) -> list[float]:
    """Return round sizes inside the axis: all of 1, 2, 5 where few decades are shown."""
    steps = (1, 2, 5) if high / low < 300 else (1,)
    return [s * 10**e for e in range(2, 10) for s in steps if low <= s * 10**e <= high]


def _size(size: float) -> str:
    return f"{size / 1000:g} kB" if size >= 1000 else f"{size:g} B"
