"""``tpsgd-host compare``: integer tpSGD against backprop and its rivals, on the user's own data."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from tpsgd_host.commands.options import FILE, data_options, json_option, layout_of
from tpsgd_host.comparison import RULES, Comparison, Problem, compare, file_problem, task_problem
from tpsgd_host.comparison.folder import make_folder, write_folder
from tpsgd_host.comparison.jobs import cores
from tpsgd_host.comparison.results import document
from tpsgd_host.comparison.tables import LEGEND, heading, how_chosen, markdown, terminal_table
from tpsgd_host.comparison.view import ProgressView
from tpsgd_host.config import Config, load_config
from tpsgd_host.errors import ConfigError, DataError, DependencyError
from tpsgd_host.native.binding import library
from tpsgd_host.settings import read_document
from tpsgd_host.tasks.task import NAMES, load_task

EPOCHS = 20  # on a user's own data, as README's example


@dataclass(frozen=True)
class Found:
    """A problem, the text of its TOML, and what came of it."""

    problem: Problem
    toml: str
    comparison: Comparison


def find_config(data: Path, model: Path | None) -> Config:
    """Return the network to compare on ``data``: the one named, else the only one beside the data or here.

    Raises
    ------
    ConfigError
        When there is none, or several.
    """
    if model is not None:
        if model.suffix == ".tpsgd":
            raise ConfigError(
                f"{model} holds one network with its weights; a comparison draws anew for every seed.",
                f"Name the TOML that it was made from: --model {model.with_suffix('.toml').name}",
            )
        return load_config(model)
    found = sorted({path.resolve() for folder in (data.parent, Path()) for path in folder.glob("*.toml")})
    models = [path for path in found if _is_model(path)]
    if len(models) == 1:
        return load_config(models[0])
    if models:
        names = ", ".join(path.name for path in models)
        raise ConfigError(f"Several networks are here: {names}.", f"Name one: --model {models[0].name}")
    raise ConfigError(
        f"There is no network to compare on {data}: no model's TOML beside it or here, and no --model.",
        f"Begin one with: tpsgd-host new {data.stem} --data {data}",
    )


def _is_model(path: Path) -> bool:
    try:
        return {"data", "layer"} <= set(read_document(path).values)
    except ConfigError:
        return False


def suite(
    names: Sequence[str], data_dir: Path | None, epochs: int | None
) -> tuple[list[tuple[Problem, str]], list[str]]:
    """Return the tasks that can be loaded, and a remark on each that cannot.

    Parameters
    ----------
    names : sequence of str
        Tasks that must be there; empty: all whose data are at hand.
    """
    tasks, missing = [], []
    for name in names or NAMES:
        try:
            tasks.append((task_problem(name, data_dir, epochs), load_task(name, data_dir).toml))
        except (DataError, DependencyError) as error:
            if names:
                raise
            missing.append(f"{name} left out: {error.message} {error.hint}")
    return tasks, missing


def _rules(context: click.Context, option: click.Parameter, value: str | None) -> tuple[str, ...]:  # noqa: ARG001
    """Return the rules named, in the order of the table."""
    if value is None:
        return RULES
    names = tuple(name.strip() for name in value.split(",") if name.strip())
    for name in names:
        if name not in RULES:
            raise click.BadParameter(f"no rule {name!r}; there are {', '.join(RULES)}")
    if not names:
        raise click.BadParameter(f"name one or more of {', '.join(RULES)}")
    return tuple(rule for rule in RULES if rule in names)


@click.command("compare")
@click.argument("data", type=FILE, required=False)
@click.option(
    "--model", "-m", type=FILE, metavar="FILE", help="TOML of the network.  [default: the only one beside DATA or here]"
)
@click.option("--suite", "whole_suite", is_flag=True, help="Compare on all tasks whose data are at hand instead.")
@click.option("--task", "tasks", multiple=True, type=click.Choice(NAMES), help="Compare on this task; may be repeated.")
@click.option(
    "--data", "data_dir", type=FILE, metavar="DIR", help="Folder of the data that no package ships (fsdd, wand, mnist)."
)
@click.option(
    "--rules", callback=_rules, metavar="A,B,...", help=f"Who takes part, of {', '.join(RULES)}.  [default: all]"
)
@click.option("--seeds", type=click.IntRange(1), default=5, show_default=True, help="Networks of each contestant.")
@click.option(
    "--epochs",
    "-e",
    type=click.IntRange(1),
    help=f"Passes over the training samples.  [default: {EPOCHS}, or the task's]",
)
@click.option("--test", type=FILE, metavar="FILE", help="Test samples.")
@click.option(
    "--test-split",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    metavar="SHARE",
    help="Share of DATA's recordings to test on instead, class by class.  [default: 0.2]",
)
@click.option("--split-seed", default=1, show_default=True, help="Seed of that choice.")
@click.option(
    "--shuffle-seed",
    type=click.IntRange(0),
    default=1,
    show_default=True,
    help="Seed of the order of the samples; 0 keeps the file's.",
)
@click.option("--jobs", "-j", type=click.IntRange(1), help="Processes.  [default: one a core]")
@click.option("--out", "-o", type=FILE, metavar="DIR", help="Keep figures, tables and pictures in this folder.")
@click.option("--markdown", "as_markdown", is_flag=True, help="Print the tables as Markdown, and nothing else.")
@data_options
@json_option
def command(
    data: Path | None, model: Path | None, whole_suite: bool, tasks: tuple[str, ...], data_dir: Path | None,
    rules: tuple[str, ...], seeds: int, epochs: int | None, jobs: int | None, out: Path | None,
    as_markdown: bool, as_json: bool, **files: Any,
) -> None:  # fmt: skip
    """Compare tpSGD with backprop and its rivals: the same network, the same samples, on this computer.

    The learning rate of every contestant is chosen on recordings held out of the training part. The test part is looked
    at once, at the end. The table says what each reaches and what it takes; the sentences under it say what that means.

    \b
    int-tpsgd   what a board computes            tpsgd-l2, tpsgd-l1  the same rule in floats
    int-frozen  the output layer alone           frozen              the output layer alone, in floats
    bp          backprop (through time)          dfa, fa, drtp       other rules without backprop

    \b
    Examples:
      tpsgd-host compare data.csv --out compared
      tpsgd-host compare data.csv --model gestures.toml --rules int-tpsgd,int-frozen,bp
      tpsgd-host compare --suite --data DIR --markdown
    """
    quiet = as_json or as_markdown
    if (data is None) == (not tasks and not whole_suite):
        raise click.UsageError("Name either a data file, or --suite, or tasks with --task.")
    if as_json and as_markdown:
        raise click.UsageError("--json and --markdown exclude each other.")
    folder = make_folder(out) if out is not None else None
    problems = _problems(data, model, tasks, data_dir, epochs, files, quiet)
    if library() is None and not quiet:
        click.echo(
            "note: no compiled trainer is installed; integers are simulated by NumPy, some 30 times slower", err=True
        )
    console = Console(highlight=False)
    found: list[Found] = []
    for problem, toml in problems:
        with ProgressView(problem.name, quiet=as_json) as view:
            one = compare(problem, rules, seeds=seeds, jobs=jobs or cores(), progress=view.report)
        found.append(Found(problem, toml, one))
        if not quiet:
            show(console, one)
        if folder is not None:  # after each: what is done is kept when the next is interrupted
            write_folder(folder, [(f.problem, f.toml, f.comparison) for f in found], _command_line())
    if as_json:
        click.echo(json.dumps(document([f.comparison for f in found]), indent=2))
    elif as_markdown:
        click.echo(markdown([f.comparison for f in found]), nl=False)
    else:
        console.print(LEGEND, style="dim")
        if folder is not None:
            click.echo(f"figures, tables and pictures are in {folder}")


def _problems(
    data: Path | None, model: Path | None, tasks: tuple[str, ...], data_dir: Path | None, epochs: int | None,
    files: dict[str, Any], quiet: bool,
) -> list[tuple[Problem, str]]:  # fmt: skip
    """Return what to compare on, each with the text of its TOML."""
    if data is None:
        problems, missing = suite(tasks, data_dir, epochs)
        for remark in missing:
            click.echo(remark, err=True)
        if not problems:
            raise DataError("No task's data are at hand.", "pip install 'tpsgd[demo]', or name a folder: --data DIR")
        return problems
    if files["test"] is not None and files["test_split"] is not None:
        raise ConfigError("--test and --test-split both name test samples", "Use one of them.")
    config = find_config(data, model)
    if not quiet:
        click.echo(f"network: {config.source}", err=True)
    problem = file_problem(
        data, config, test=files["test"], test_split=files["test_split"] or 0.2, split_seed=files["split_seed"],
        epochs=epochs or EPOCHS, shuffle_seed=files["shuffle_seed"], bad_rows=files["bad_rows"],
        layout=layout_of(config.layout, files["label"], files["group"], files["columns"]),
    )  # fmt: skip
    return [(problem, Path(config.source).read_text(encoding="utf-8-sig"))]


def show(console: Console, one: Comparison) -> None:
    """Print a comparison."""
    console.print(f"\n[bold]{heading(one)}[/bold]", soft_wrap=False)
    console.print(how_chosen(one))
    console.print(terminal_table(one))
    for sentence in one.verdict:
        console.print(sentence)
    for note in one.notes:
        console.print(f"note: {note}")


def _command_line() -> list[str]:
    """Return the command as it was given."""
    return ["tpsgd-host", *sys.argv[1:]]
