"""``tpsgd-host plot``: draw pictures of runs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, TypeAlias

import click

from tpsgd_host.errors import ConfigError
from tpsgd_host.files import cannot_write
from tpsgd_host.runs.folder import RunFolder
from tpsgd_host.terminal import echo

PlotKind: TypeAlias = Literal["accuracy", "confusion", "both"]
Format: TypeAlias = Literal["png", "svg"]

_FORMATS = ("png", "svg")
_EXAMPLE = """\b
Example:
  tpsgd-host plot runs/wand-20250131-120000 --kind both
  tpsgd-host plot runs/wand-* -o compare.svg
"""


def plot_runs(
    runs: Sequence[Path], out: Path | None = None, kind: PlotKind = "accuracy", fmt: Format | None = None
) -> list[Path]:
    """Draw pictures of runs and return their paths.

    Parameters
    ----------
    runs : sequence of Path
        Run folders. One accuracy picture compares them all; each gets its own confusion picture.
    out : Path, optional
        A file ``.png`` or ``.svg`` for a single picture, else a folder. By default the run's folder, or the current
        folder for a comparison.
    kind : {"accuracy", "confusion", "both"}
    fmt : {"png", "svg"}, optional
        By the suffix of ``out``, else PNG.

    Raises
    ------
    DataError
        When a folder is not a run's, a log is damaged, or a picture cannot be written.
    ConfigError
        When ``out`` and the other arguments contradict each other.
    """
    from tpsgd_host.runs.view.plots import plot_accuracy, plot_confusion  # matplotlib is slow to import

    if not runs:
        raise ConfigError("there is no run to plot", "Name the folder of a run, such as runs/wand-20250131-120000.")
    folders = [RunFolder.open(path) for path in dict.fromkeys(runs)]
    pictures = 0 if kind == "accuracy" else len(folders)
    pictures += kind != "confusion"
    single = _single(out, fmt, pictures)
    suffix = fmt or "png"
    written: list[Path] = []
    if kind in ("accuracy", "both"):
        where = out or (folders[0].path if len(folders) == 1 else Path())
        written.append(single or _inside(where, f"accuracy.{suffix}"))
        plot_accuracy(folders, written[-1])
    if kind in ("confusion", "both"):
        for folder in folders:
            stem = f"{folder.name}-confusion" if out and len(folders) > 1 else "confusion"
            written.append(single or _inside(out or folder.path, f"{stem}.{suffix}"))
            plot_confusion(folder, written[-1])
    return written


def _single(out: Path | None, fmt: Format | None, pictures: int) -> Path | None:
    """Return ``out`` if it names a picture, None if it is a folder."""
    if out is None or out.is_dir() or not out.suffix:
        return None
    suffix = out.suffix.lower().removeprefix(".")
    if suffix not in _FORMATS:
        raise ConfigError(f"{out} is neither .png nor .svg", "Use -o with one of these suffixes, or with a folder.")
    if fmt is not None and suffix != fmt:
        raise ConfigError(f"{out} is not {fmt.upper()}", "Leave out --format, or change the suffix.")
    if pictures > 1:
        raise ConfigError(
            f"{pictures} pictures cannot go into one file, {out}", "Use -o with a folder, or --kind accuracy."
        )
    _inside(out.parent, "")
    return out


def _inside(folder: Path, name: str) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(folder, error) from error
    return folder / name


@click.command("plot", epilog=_EXAMPLE)
@click.argument("runs", metavar="RUN...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), help="File (.png, .svg) or folder. [default: the run's folder]"
)
@click.option(
    "--kind", type=click.Choice(["accuracy", "confusion", "both"]), default="accuracy", show_default=True,
    help="Accuracy during training (several runs in one picture), confusion of classes, or both.",
)  # fmt: skip
@click.option("--format", "fmt", type=click.Choice(_FORMATS), help="[default: by the suffix of -o, else png]")
@click.option("--json", "as_json", is_flag=True, help="Print the paths as JSON.")
def command(runs: tuple[Path, ...], out: Path | None, kind: PlotKind, fmt: Format | None, as_json: bool) -> None:
    """Draw the accuracy or the confusion of one or more runs.

    Several runs are compared in one accuracy picture, accuracy.png in the current folder unless -o says otherwise.
    Unfinished runs can be plotted too.
    """
    written = plot_runs(runs, out, kind, fmt)
    if as_json:
        echo(json.dumps({"files": [str(path) for path in written]}))
        return
    for path in written:
        echo(f"wrote {path}")
