"""Results of a comparison, made up: how one method did with five seeds."""

from __future__ import annotations

from tpsgd_host.comparison.results import Entry

OURS = (0.90, 0.91, 0.92, 0.91, 0.90)


def entry(name, accuracies, size=1000, title=None, diverged=0):
    return Entry(
        name, title or name, name.startswith("int"), (0.0,), ("", ""), (), 0.9, (0.5, 0.9), tuple(accuracies), size,
        1.0, diverged,
    )  # fmt: skip
