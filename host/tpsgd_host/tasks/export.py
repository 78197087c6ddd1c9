"""Write a task as files that a user would have: two CSVs and a model's TOML."""

from __future__ import annotations

import csv
from pathlib import Path

from tpsgd_host.data.layout import Layout
from tpsgd_host.data.table import Table
from tpsgd_host.errors import DataError
from tpsgd_host.model.parsing import parse_config
from tpsgd_host.tasks.task import Task


def write_csv(task: Task, folder: str | Path) -> tuple[Path, Path, Path]:
    """Write ``train.csv``, ``test.csv`` and ``model.toml``, which the commands of the tool read.

    Parameters
    ----------
    task : Task
    folder : str or Path
        Created if missing; files of these names are replaced.

    Returns
    -------
    train, test, model : Path
        The files. Loading the first two with the model's layout gives ``task.train`` and ``task.test`` again.

    Raises
    ------
    DataError
        When they cannot be written.
    """
    folder = Path(folder)
    layout = parse_config(task.toml, task.name).layout
    train, test, model = folder / "train.csv", folder / "test.csv", folder / "model.toml"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _write(train, task.train_table, layout)
        _write(test, task.test_table, layout)
        model.write_text(task.toml, encoding="utf-8")
    except OSError as error:
        raise DataError(f"{folder} cannot be written to: {error.strerror or error}.", "Name another folder.") from None
    return train, test, model


def _write(path: Path, table: Table, layout: Layout) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        grouped = bool(layout.group)
        writer.writerow([*([layout.group] if grouped else []), *table.columns, layout.label])
        for group, values, label in zip(table.groups, table.values.tolist(), table.labels, strict=True):
            writer.writerow([*([group] if grouped else []), *map(_text, values), label])


def _text(value: float) -> str:
    """Return the shortest text that reads back as ``value``."""
    return str(int(value)) if value.is_integer() else repr(value)
