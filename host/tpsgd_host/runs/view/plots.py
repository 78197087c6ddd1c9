"""Draw pictures of runs: accuracy during training, and confusion. They use no global state of pyplot.

The colours are those of Okabe and Ito, safe for the colour-blind; marks and dashes tell runs apart in greyscale.

Shapes: N classes.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, PercentFormatter

from tpsgd_host.errors import ConfigError, DataError
from tpsgd_host.files import write_atomic
from tpsgd_host.runs.events import class_names
from tpsgd_host.runs.folder import RunFolder
from tpsgd_host.runs.metrics import Matrix, Metrics, recall
from tpsgd_host.runs.view.report import clip
from tpsgd_host.runs.view.trace import Trace, trace

Dash: TypeAlias = tuple[float, tuple[int, ...]]

FORMATS = ("png", "svg")

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
_MARKS = "os^DvPX"
_HELD_OUT_DASH: Dash = (0.0, (4, 2))
_DASHES: tuple[Dash, ...] = ((0.0, ()), (0.0, (6, 2)), (0.0, (2, 1)), (0.0, (6, 2, 1, 2)))
_POINTS = 2000  # of a curve that are drawn
_GREY = "#555555"


def plot_accuracy(runs: Sequence[RunFolder], path: Path) -> None:
    """Draw prequential and held-out accuracy against training samples, as PNG or SVG by the suffix of ``path``.

    Raises
    ------
    DataError
        When a log is damaged or holds no results, or ``path`` cannot be written.
    ConfigError
        When the suffix is neither.
    """
    names = [run.name for run in runs]
    traces = [_trace(run, str(run.path) if names.count(run.name) > 1 else run.name) for run in runs]
    figure = Figure(figsize=(8, 4.4 + 0.12 * len(traces)), layout="constrained")
    axes = figure.add_subplot()
    for i, one in enumerate(traces):
        _draw_trace(axes, one, i, len(traces) > 1)
    _dress(axes, traces)
    handles = _key(traces[0]) if len(traces) == 1 else _keys(traces)
    columns = 2 if len(traces) == 1 else max(1, 80 // (8 + max(len(str(h.get_label())) for h in handles)))
    legend = figure.legend(handles=handles, loc="outside lower center", ncols=columns, frameon=False)
    for label in legend.get_texts():
        label.set_parse_math(False)
    save(figure, path)


def _trace(run: RunFolder, name: str) -> Trace:
    one = trace(name, run.events())
    if not len(one.samples) and not len(one.held_out):
        raise DataError(f"{run.path} has no results yet", "Plot it after its first samples are in log.csv.")
    return one


def _draw_trace(axes: Axes, one: Trace, i: int, several: bool) -> None:
    # The mean of the very first samples jumps between 0 and 1 and means nothing.
    first = int(np.searchsorted(one.samples, one.span // 10, side="right"))
    shown = slice(min(first, len(one.samples) // 2), None, max(1, len(one.samples) // _POINTS))
    colour, mark, dash = _style(i)
    faint = 0.55 if several else 0.9
    held_out_colour = colour if several else COLOURS[1]
    line = (0.0, ()) if several else _HELD_OUT_DASH
    axes.plot(one.samples[shown], one.prequential[shown], color=colour, lw=1.3, alpha=faint, ls=dash, zorder=2)
    every = max(1, len(one.held_out) // 25)
    axes.plot(
        one.held_out_samples, one.held_out, color=held_out_colour, lw=1.6, ls=line, marker=mark, ms=6.5,
        markevery=every, markeredgecolor="white", markeredgewidth=0.6, zorder=3,
    )  # fmt: skip


def _style(i: int) -> tuple[str, str, Dash]:
    return COLOURS[i % len(COLOURS)], _MARKS[i % len(_MARKS)], _DASHES[i % len(_DASHES)]


def _dress(axes: Axes, traces: Sequence[Trace]) -> None:
    """Set up axes, grid and title, and show epochs at the top if the runs agree on them."""
    axes.set_xlabel("training samples")
    axes.set_ylabel("accuracy")
    axes.set_ylim(0, 1.02)
    axes.set_xlim(left=0)
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.0f}"))
    axes.grid(color="#dddddd", lw=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    longest = max((one.epoch_ends for one in traces), key=len)
    if longest and all(one.epoch_ends == longest[: len(one.epoch_ends)] for one in traces):
        _epoch_axis(axes, longest)
    if len(traces) == 1:
        axes.set_title(clip(traces[0].name, 80), fontsize=11, parse_math=False)


def _epoch_axis(axes: Axes, ends: Sequence[tuple[int, int]]) -> None:
    step = next(s * 10**e for e in range(16) for s in (1, 2, 5) if len(ends) <= 12 * s * 10**e)
    shown = [end for i, end in enumerate(ends, 1) if i % step == 0 or len(ends) < step]
    top = axes.secondary_xaxis("top")
    top.set_xticks([samples for _, samples in shown], [str(epoch) for epoch, _ in shown])
    top.tick_params(colors=_GREY, labelsize=9, length=3)
    top.set_xlabel("epoch", color=_GREY, fontsize=9)
    top.spines["top"].set_visible(False)


def _key(one: Trace) -> list[Line2D]:
    before = f"prequential: each sample before it is learned, mean of {one.span}"
    handles = [Line2D([], [], color=COLOURS[0], lw=1.5, label=before)]
    if len(one.held_out):
        handles.append(Line2D([], [], color=COLOURS[1], marker=_MARKS[0], ls=_HELD_OUT_DASH, label="held out"))
    return handles


def _keys(traces: Sequence[Trace]) -> list[Line2D]:
    handles = []
    for i, one in enumerate(traces):
        colour, mark, _ = _style(i)
        label = clip(one.name, 40)
        handles.append(Line2D([], [], color=colour, marker=mark, lw=1.6, label=label))
    handles.append(Line2D([], [], color=_GREY, lw=1.3, alpha=0.6, label="no marks: prequential"))
    handles.append(Line2D([], [], color=_GREY, lw=1.6, marker="o", label="marks: held out"))
    return handles


def plot_confusion(run: RunFolder, path: Path) -> None:
    """Draw the confusion matrix with normalized rows and counts in the cells, as PNG or SVG by the suffix of ``path``.

    It counts the held-out samples of the last complete pass, else the last epoch's training samples.

    Raises
    ------
    DataError
        When the log is damaged or holds no results, or ``path`` cannot be written.
    ConfigError
        When the suffix is neither.
    """
    metrics = Metrics.of(run.events())
    counts = metrics.confusion
    if not counts.any():
        raise DataError(f"{run.path} has no results yet", "Plot it after its first samples are in log.csv.")
    n = len(counts)
    names = [clip(name, 24) for name in class_names(run.config, n)]
    cell = float(np.clip(12 / n, 0.32, 0.62))
    margin = 0.09 * max(map(len, names))
    figure = Figure(figsize=(n * cell + margin + 2.5, n * cell + margin + 1.3), layout="compressed")
    axes = figure.add_subplot()
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    _name_classes(axes, names, recall(counts))
    if n <= 60:
        _write_counts(axes, counts, shares, cell)
    what = "held out" if metrics.held_out.count else "last epoch, before learning"
    right = counts.diagonal().sum() / counts.sum()
    axes.set_title(f"{clip(run.name, 60)}\n{what}, {right:.1%} right", fontsize=11, parse_math=False, pad=10)
    bar = figure.colorbar(image, ax=axes, shrink=0.8, pad=0.02, aspect=30, format=PercentFormatter(1))
    bar.outline.set_visible(False)
    bar.set_label("share of the label")
    save(figure, path)


def _name_classes(axes: Axes, names: Sequence[str], shares: npt.NDArray[np.float64]) -> None:
    """Write class names on both axes, and each row's recall on the right."""
    n = len(names)
    size = 10 if n <= 12 else 8.5
    ticks = range(n)
    flat = max(map(len, names)) * n <= 36
    axes.set_xticks(ticks, names, fontsize=size, parse_math=False)
    axes.set_yticks(ticks, names, fontsize=size, parse_math=False)
    if not flat:
        steep = n > 12
        for label in axes.get_xticklabels():
            label.set(rotation=90 if steep else 45, rotation_mode="anchor", ha="right", va="center" if steep else "top")
    axes.set_xlabel("predicted")
    axes.set_ylabel("label")
    right = axes.secondary_yaxis("right")
    right.set_yticks(ticks, ["" if np.isnan(share) else f"{share:.0%}" for share in shares], fontsize=size)
    right.set_ylabel("recall")
    for side in (axes, right):
        side.tick_params(length=0)
        side.spines[:].set_visible(False)
    axes.set_xticks(np.arange(n + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(n + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="#dddddd", lw=0.6)
    axes.tick_params(which="minor", length=0)


def _write_counts(axes: Axes, counts: Matrix, shares: npt.NDArray[np.float64], cell: float) -> None:
    digits = len(str(int(counts.max())))
    size = min(10.0, cell * 72 * 0.85 / (0.62 * digits))
    cmap = colormaps["Blues"]
    for i, j in np.argwhere(counts):
        red, green, blue, _ = cmap(shares[i, j])
        dark = 0.299 * red + 0.587 * green + 0.114 * blue < 0.55
        colour = "white" if dark else "black"
        axes.text(j, i, str(counts[i, j]), ha="center", va="center", fontsize=size, color=colour)


def save(figure: Figure, path: Path) -> None:
    """Write a picture, completely or not at all, as PNG or SVG by the suffix of ``path``."""
    kind = path.suffix.lower().removeprefix(".")
    if kind not in FORMATS:
        raise ConfigError(f"{path} is neither .png nor .svg", "Use one of these suffixes.")
    data = io.BytesIO()
    metadata = {"Date": None} if kind == "svg" else {}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph", UserWarning)  # a name in a script that the font lacks
        figure.savefig(data, format=kind, dpi=150, metadata=metadata)
    write_atomic(path, data.getvalue())
