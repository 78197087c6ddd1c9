"""Save a comparison in a folder: figures, tables, pictures, and what is needed to repeat it."""

from __future__ import annotations

import csv
import io
import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tpsgd_host.comparison.problem import Problem, validation_parts
from tpsgd_host.comparison.results import Comparison, document
from tpsgd_host.comparison.tables import markdown
from tpsgd_host.comparison.tuned import has_tuned, tuned_toml
from tpsgd_host.files import cannot_write, write_atomic
from tpsgd_host.runs.log import write_json

TUNED = "-tuned.toml"
README = """\
Results of `tpsgd-host compare`, which this command repeats:

    {command}

- `result.json`: everything, including every setting that was tried and its accuracy on the validation parts
- `tables.md`: tables and verdicts
- `accuracies.csv`: one row for each tested network
- `NAME.toml`: the network, or the best of several; `NAME-tuned.toml`: the same with the rates chosen for tpsgd, for
  `tpsgd-host quantize`
- `NAME-split.csv`: which recordings were trained, validated and tested on, or in which fold
  they were tested
- `NAME-ram.png`, `NAME-curves.png`: accuracy against RAM; how the networks learned
"""


@contextmanager
def kept_folder(path: Path | None) -> Iterator[Path | None]:
    """Create the folder before the long work begins, and remove it if it stays empty.

    Raises
    ------
    DataError
        When it cannot be created.
    """
    if path is None:
        yield None
        return
    new = [folder for folder in (path, *path.parents) if not folder.exists()]
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(path, error) from error
    try:
        yield path
    finally:
        for folder in new:
            if not any(folder.iterdir()):
                folder.rmdir()


def write_folder(
    folder: Path, comparisons: Sequence[tuple[Sequence[Problem], str, Comparison]], command: Sequence[str]
) -> None:
    """Write everything about comparisons; each comes with its problem (or one per fold) and the text of its TOML."""
    from tpsgd_host.comparison.pictures import (
        picture_files,
    )  # matplotlib is slow to import, and the work is done by now

    found = [comparison for _, _, comparison in comparisons]
    write_json(folder / "result.json", {**document(found), "command": list(command)})
    _write(folder / "tables.md", markdown(found))
    _write(folder / "README.md", README.format(command=shlex.join(command)))
    _write(folder / "accuracies.csv", _accuracies(found))
    for problems, toml, comparison in comparisons:
        _write(folder / f"{comparison.stem}.toml", toml)
        if has_tuned(comparison):
            _write(folder / f"{comparison.stem}{TUNED}", tuned_toml(problems[0], toml, comparison))
        parts = _tested_in(problems) if comparison.fold_results else _split(*problems)
        _write(folder / f"{comparison.stem}-split.csv", parts)
        picture_files(comparison, folder)


def _write(path: Path, text: str) -> None:
    write_atomic(path, text.encode())


def _accuracies(comparisons: Sequence[Comparison]) -> str:
    rows = [
        (one.problem, entry.name, seed, f"{accuracy:.6f}")
        for one in comparisons
        for entry in one.entries
        for seed, accuracy in zip(one.seeds, entry.accuracies, strict=True)
    ]
    return _csv(("task", "method", "seed", "accuracy"), rows)


def _split(problem: Problem) -> str:
    """Return the part of each recording, in every fold and in the final split."""
    parts = validation_parts(problem)
    folds = [set(part.test.groups) for part in parts]
    rows: list[tuple[object, ...]] = [
        (group, "train", *("validation" if group in fold else "train" for fold in folds))
        for group in dict.fromkeys(problem.train.groups)
    ]
    rows += [(group, "test", *("" for _ in folds)) for group in dict.fromkeys(problem.test.groups)]
    return _csv(("recording", "part", *(f"fold {i}" for i in range(1, len(folds) + 1))), rows)


def _tested_in(problems: Sequence[Problem]) -> str:
    """Return the fold in which each recording was tested; none for the only one of its class."""
    fold = {group: i for i, problem in enumerate(problems, 1) for group in problem.test.groups}
    everything = dict.fromkeys(problems[0].train.groups + problems[0].test.groups)
    return _csv(("recording", "tested in fold"), [(group, fold.get(group, "")) for group in everything])


def _csv(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(heads)
    writer.writerows(rows)
    return text.getvalue()
