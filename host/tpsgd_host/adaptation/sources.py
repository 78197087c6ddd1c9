"""Find the subjects of the samples in a comparison's source."""

from __future__ import annotations

from collections.abc import Callable

from tpsgd_host.comparison.sources import Source
from tpsgd_host.data.samples import Samples
from tpsgd_host.data.subjects import Subjects, subjects_of
from tpsgd_host.errors import ConfigError

#: How the tasks' recording names tell the subject, by task and column.
_TASKS: dict[str, dict[str, Callable[[str], str]]] = {"fsdd": {"speaker": lambda name: name.split("_")[1]}}


def source_subjects(source: Source, column: str) -> tuple[Subjects, Subjects]:
    """Return the subjects of the samples in a source's training and test parts."""
    train, test = source.problem.train, source.problem.test
    if source.data is None:
        return task_subjects(source.problem.name, column, train), task_subjects(source.problem.name, column, test)
    pattern = source.problem.config.layout.group
    return (
        subjects_of(source.data, column, train, pattern),
        subjects_of(source.test or source.data, column, test, pattern),
    )


def task_subjects(task: str, column: str, samples: Samples) -> Subjects:
    """Return the subject of each sample in a task.

    Raises
    ------
    ConfigError
        When the task has no such column.
    """
    known = _TASKS.get(task, {})
    if column not in known:
        names = ", ".join(f"{name}: {', '.join(columns)}" for name, columns in _TASKS.items())
        raise ConfigError(
            f"The task {task} has no column {column!r} that names each sample's subject.", f"There is {names}."
        )
    return tuple(known[column](group) for group in samples.groups)
