"""A layer loss of one's own against those that tpsgd brings, on the gesture task. See README.md."""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.console import Console

from tpsgd_host.comparison import FloatMethod, compare, task_problem
from tpsgd_host.comparison.tables import heading, terminal_table

Floats = npt.NDArray[np.floating[Any]]


def soft_l1(a: Floats, t: Floats) -> Floats:
    """Return d loss / d a of ``log cosh(4 (a - t)) / 4``: l1 far from the target, l2 near it."""
    return np.tanh(4 * (a - t))


def main() -> None:
    """Choose rates for each loss on training recordings, train with several seeds, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=80)
    options = parser.parse_args()
    own = FloatMethod("soft-l1", "tpSGD, floats, soft l1", "tpsgd", soft_l1)
    problem = replace(task_problem("gesture-rnn"), epochs=options.epochs)
    found = compare(problem, [own, "tpsgd-l1", "tpsgd-l2"], seeds=options.seeds)
    console = Console(highlight=False, width=80)
    console.print(heading(found))
    console.print(terminal_table(found))


if __name__ == "__main__":
    main()
