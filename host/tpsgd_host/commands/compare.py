"""``tpsgd-host compare``: integer tpSGD against backprop and its rivals, on the user's own data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from tpsgd_host.adaptation.new_class import study_new_class
from tpsgd_host.adaptation.new_subject import study_new_subject
from tpsgd_host.adaptation.output import show_study
from tpsgd_host.adaptation.sources import source_subjects
from tpsgd_host.commands.options import (
    FILE,
    data_options,
    json_option,
    parse_leave_out,
    renamed,
    target_option,
    variation_option,
)
from tpsgd_host.commands.project import data_here
from tpsgd_host.comparison import METHOD_NAMES, compare, compare_networks, cross_validate, file_problem, fold_problems
from tpsgd_host.comparison.board import run_on_board
from tpsgd_host.comparison.cluster import check_backend
from tpsgd_host.comparison.finished import forget
from tpsgd_host.comparison.folder import kept_folder
from tpsgd_host.comparison.jobs import Crew, cores
from tpsgd_host.comparison.output import Kept, Output
from tpsgd_host.comparison.problem import Problem
from tpsgd_host.comparison.sources import Source, changed_source, find_config, task_sources
from tpsgd_host.comparison.view import ProgressView
from tpsgd_host.data.layout import layout_of
from tpsgd_host.data.subjects import without_column
from tpsgd_host.errors import ConfigError
from tpsgd_host.native.binding import library
from tpsgd_host.tasks.task import NAMES
from tpsgd_host.terminal import echo

F = TypeVar("F", bound=Callable[..., Any])

EPOCHS = 20  # on a user's own data, as in README's example
TEST_SPLIT = 0.2


def _methods(context: click.Context, option: click.Parameter, value: str | None) -> tuple[str, ...]:  # noqa: ARG001
    """Return the methods named, in the order of the table."""
    if value is None:
        return METHOD_NAMES
    names = tuple(name.strip() for name in value.split(",") if name.strip())
    for name in names:
        if name not in METHOD_NAMES:
            raise click.BadParameter(f"there is no method {name!r}; the methods are {', '.join(METHOD_NAMES)}")
    if not names:
        raise click.BadParameter(f"name one or more of {', '.join(METHOD_NAMES)}")
    return tuple(name for name in METHOD_NAMES if name in names)


def _source_options(function: F) -> F:
    """The data to compare on."""
    for option in reversed((
        click.option("--model", "-m", type=FILE, metavar="FILE",
                     help="TOML of the network.  [default: the only one beside DATA or here]"),
        target_option,
        click.option("--suite", "whole_suite", is_flag=True,
                     help="Instead of DATA: all tasks whose data are available."),
        click.option("--task", "tasks", multiple=True, type=click.Choice(NAMES),
                     help="Instead of DATA: this task; may be repeated."),
        click.option("--data", "data_dir", type=FILE, metavar="DIR",
                     help="Folder with the data that no package ships (fsdd, wand, mnist)."),
        click.option("--epochs", "-e", type=click.IntRange(1),
                     help=f"Passes over the training samples.  [default: {EPOCHS}, or the task's]"),
        click.option("--test", type=FILE, metavar="FILE", help="Test samples."),
        click.option("--test-split", type=click.FloatRange(0, 1, min_open=True, max_open=True), metavar="SHARE",
                     help="Share of each class's recordings in DATA to test on.  "
                          f"[default: {TEST_SPLIT}]"),
        click.option("--folds", type=click.IntRange(2), metavar="N",
                     help="Cross-validate: test on each of N folds after learning from the others. "
                          "Takes N times as long; tells more if there are few recordings."),
        click.option("--split-seed", default=1, show_default=True, help="Seed of that choice."),
        click.option("--shuffle-seed", type=click.IntRange(0), default=1, show_default=True,
                     help="Seed of the order of samples; 0 keeps file order."),
        variation_option,
    )):  # fmt: skip
        function = option(function)
    return function


@click.command("compare")
@click.argument("data", type=FILE, required=False)
@_source_options
@click.option(
    "--methods", "--rules", "methods", callback=_methods, metavar="A,B,...",
    help="Methods to compare, as listed above.  [default: all]",
)  # fmt: skip
@click.option(
    "--networks", is_flag=True,
    help="Compare networks instead: convolution over time, RNN and MLP of equal RAM, all trained by tpsgd.",
)  # fmt: skip
@click.option(
    "--ram", type=click.IntRange(1), metavar="BYTES",
    help="With --networks: RAM for training.  [default: that of the TOML's network]",
)  # fmt: skip
@click.option("--seeds", type=click.IntRange(1), default=5, show_default=True, help="Networks of each method.")
@click.option(
    "--board", "on_board", is_flag=True, help="Also train the first seed on the virtual board, and compare the weights."
)
@click.option(
    "--leave-out", multiple=True, metavar="COLUMN[=NAME]",
    help="Study adapting to a new speaker or wearer, named in COLUMN. Each is left out of "
    "training in turn, or only NAME; may be repeated.",
)  # fmt: skip
@click.option("--shift", hidden=True, expose_value=False, callback=renamed("--leave-out"))
@click.option("--new-class", is_flag=True, help="Study adding a class to a trained network.")
@click.option(
    "--held-out",
    multiple=True,
    metavar="NAME",
    help="With --new-class: the class to hold out; may be repeated.  [default: each in turn]",
)
@click.option("--jobs", "-j", type=click.IntRange(1), help="Processes.  [default: one per core]")
@click.option(
    "--on", metavar="dask://HOST:PORT", default="",
    help="Train on a Dask cluster, or another backend of joblib, such as loky. The figures are the same; only where "
    "workers have CPUs of other types may methods in floats differ in their last bits.",
)  # fmt: skip
@click.option(
    "--out",
    "-o",
    type=FILE,
    metavar="DIR",
    help="Folder for figures, tables, pictures and the network with the chosen rates. Where a comparison was stopped, "
    "the same command goes on from what it has trained.",
)
@click.option("--markdown", "as_markdown", is_flag=True, help="Print only the tables, as Markdown.")
@data_options
@json_option
def command(
    data: Path | None, methods: tuple[str, ...], seeds: int, on_board: bool, leave_out: tuple[str, ...],
    new_class: bool, held_out: tuple[str, ...], jobs: int | None, on: str, out: Path | None, as_markdown: bool,
    as_json: bool, **named: Any,
) -> None:  # fmt: skip
    """Compare tpSGD with backprop and its rivals.

    All methods train the same network on the same samples, on this computer.

    Each method's learning rates are chosen on recordings held out of the training part. The test part is used only
    once, at the end. The table shows what each method achieves and costs; the sentences below it say what that means.

    \b
    int-tpsgd   the network as its TOML says: what a board computes
    int-label   the same, but hidden layers have their own targets (no feedback)
    int-frozen  only the output layer    frozen              the same in floats
    bp          backprop (through time)  tpsgd-l2, tpsgd-l1  tpSGD in floats
    dfa, fa, drtp                        rivals of backprop

    With --networks the method is the same and the networks differ: convolution over time (TDNN), RNN and MLP, each as
    large as the RAM allows. --out gets the one that is best on the validation parts.

    \b
    Examples:
      tpsgd-host compare data.csv --out compared
      tpsgd-host compare data.csv --model gestures.toml --methods int-tpsgd,int-frozen,bp
      tpsgd-host compare data.csv --folds 5
      tpsgd-host compare data.csv --networks --out compared
      tpsgd-host compare data.csv --leave-out wearer
      tpsgd-host compare --suite --data DIR --markdown
      tpsgd-host compare --suite --on dask://10.0.0.5:8786 --out compared
    """
    if data is None and not named["tasks"] and not named["whole_suite"]:
        data = data_here()
    column, subjects = parse_leave_out(leave_out)
    _check(data, methods, on_board, as_json, as_markdown, column, new_class, held_out, named)
    if on:
        if jobs is not None:
            raise click.UsageError("--jobs is for processes on this computer: leave it out with --on.")
        check_backend(on)
    output = Output(as_json, as_markdown, click.get_current_context().with_resource(kept_folder(out)))
    sources = [
        changed_source(source, named["target"], named["variation"]) for source in _sources(data, column, output, named)
    ]
    if library() is None and not output.quiet:
        echo("note: there is no compiled trainer; NumPy simulates the integers, about 30 times slower", err=True)
    crew = Crew(jobs or cores(), on, out)
    if not column and not new_class:
        folded = [_problems(source, named["folds"], named["split_seed"]) for source in sources]
        if named["networks"]:
            _compare_networks(sources, folded, named["ram"], seeds, crew, output)
        else:
            _compare(sources, folded, methods, seeds, on_board, crew, output)
        if out is not None:
            forget(out)
        return
    (source,) = sources
    with ProgressView(source.problem.name, quiet=output.as_json) as view:
        options: dict[str, Any] = {"seeds": seeds, "jobs": crew, "progress": view.report}
        if new_class:
            found = study_new_class(source.problem, held_out=held_out, **options)
        else:
            whom = source_subjects(source, column)
            found = study_new_subject(source.problem, *whom, column, held_out=subjects, **options)
    show_study(output, source, found)


def _check(
    data: Path | None, methods: tuple[str, ...], on_board: bool, as_json: bool, as_markdown: bool, column: str,
    new_class: bool, held_out: tuple[str, ...], named: dict[str, Any],
) -> None:  # fmt: skip
    """Raise for options that contradict each other."""
    if data is not None and (named["tasks"] or named["whole_suite"]):
        raise click.UsageError("Name either a data file, or --suite, or tasks with --task.")
    if as_json and as_markdown:
        raise click.UsageError("Use either --json or --markdown.")
    if column and new_class:
        raise click.UsageError("Use either --leave-out or --new-class.")
    if on_board and not any(name.startswith("int-") for name in methods):
        raise click.UsageError("--board needs an integer method: --methods int-tpsgd,...")
    if held_out and not new_class:
        raise click.UsageError("--held-out is for --new-class; name a speaker or wearer with --leave-out COLUMN=NAME.")
    if (column or new_class) and data is None and len(named["tasks"]) != 1:
        raise click.UsageError("--leave-out and --new-class take a data file, or one --task.")
    if named["folds"] is not None:
        if column or new_class:
            raise click.UsageError("--folds cannot be used with --leave-out or --new-class.")
        if named["test"] is not None or named["test_split"] is not None:
            raise click.UsageError("--folds tests on all of DATA: leave out --test and --test-split.")
    if named["networks"]:
        _check_networks(on_board, bool(column) or new_class, named)
    elif named["ram"] is not None:
        raise click.UsageError("--ram is for --networks.")
    if named["test"] is not None and named["test_split"] is not None:
        raise ConfigError("--test and --test-split both choose test samples", "Use only one of them.")


def _check_networks(on_board: bool, adapting: bool, named: dict[str, Any]) -> None:
    """Raise for options that do not work with ``--networks``."""
    source = click.get_current_context().get_parameter_source("methods")
    if source is not ParameterSource.DEFAULT:
        raise click.UsageError("--networks cannot be used with --methods: tpsgd trains every network.")
    if adapting:
        raise click.UsageError("--networks cannot be used with --leave-out or --new-class.")
    if on_board:
        raise click.UsageError("--networks cannot be used with --board: quantize and flash the network that it finds.")
    if named["target"] == "label":
        raise click.UsageError("--networks cannot be used with --target label: a temporal layer learns from feedback.")


def _sources(data: Path | None, column: str, output: Output, named: dict[str, Any]) -> list[Source]:
    """Return what to compare on."""
    if data is None:
        sources, missing = task_sources(named["tasks"], named["data_dir"], named["epochs"])
        for remark in missing:
            echo(remark, err=True)
        return sources
    config = find_config(data, named["model"])
    if not output.quiet:
        echo(f"network: {config.source}", err=True)
    layout = layout_of(config.layout, named["label"], named["group"], named["columns"])
    if column:
        layout = without_column(data, column, layout)
    problem = file_problem(
        data, config, test=named["test"], test_split=named["test_split"] or TEST_SPLIT,
        split_seed=named["split_seed"], epochs=named["epochs"] or EPOCHS, shuffle_seed=named["shuffle_seed"],
        bad_rows=named["bad_rows"], layout=layout,
    )  # fmt: skip
    return [Source(problem, Path(config.source).read_text(encoding="utf-8-sig"), data, named["test"])]


def _problems(source: Source, folds: int | None, seed: int) -> tuple[Problem, ...]:
    """Return the problem of a source, or those of its folds."""
    return (source.problem,) if folds is None else fold_problems(source.problem, folds, seed)


def _compare(
    sources: list[Source], folded: list[tuple[Problem, ...]], methods: tuple[str, ...], seeds: int, on_board: bool,
    jobs: Crew, output: Output,
) -> None:  # fmt: skip
    """Compare methods on every source."""
    done: list[Kept] = []
    for source, problems in zip(sources, folded, strict=True):
        with ProgressView(problems[0].name, quiet=output.as_json) as view:
            options: dict[str, Any] = {"seeds": seeds, "jobs": jobs, "progress": view.report}
            if len(problems) == 1:
                one = compare(problems[0], methods, **options)
            else:
                one = cross_validate(problems, methods, **options)
            if on_board:
                view.report(1, 1, "training on the virtual board")
                one = replace(one, board=run_on_board(problems[0], one))
        done.append((problems, source.toml, one))
        output.add(done)
    output.close([one for _, _, one in done])


def _compare_networks(
    sources: list[Source], folded: list[tuple[Problem, ...]], ram: int | None, seeds: int, jobs: Crew, output: Output
) -> None:
    """Compare networks on every source."""
    done: list[Kept] = []
    for source, problems in zip(sources, folded, strict=True):
        with ProgressView(problems[0].name, quiet=output.as_json) as view:
            found = compare_networks(problems, source.toml, ram=ram, seeds=seeds, jobs=jobs, progress=view.report)
        done.append((found.problems, found.toml, found.comparison))
        output.add(done)
    output.close([one for _, _, one in done])
