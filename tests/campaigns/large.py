"""Memory that a run of many samples takes on the host: peak of the resident set, by the number of rows.

python tests/campaigns/large.py --rows 10000 100000 1000000

Each size is a table of 60 values a row, simulated for one epoch with a fifth held out, in a process of its own.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import base  # noqa: F401  (finds the helpers)
import numpy as np
from commands import call

VALUES = 60
CLASSES = 6


def write_table(path: Path, rows: int) -> None:
    """Write a table of random values whose mean depends on the class."""
    dice = np.random.default_rng(1)
    with path.open("w") as file:
        file.write(",".join([*(f"x{i}" for i in range(VALUES)), "label"]) + "\n")
        for first in range(0, rows, 10_000):
            labels = dice.integers(0, CLASSES, min(10_000, rows - first))
            for row, label in zip(dice.normal(labels[:, None] * 0.3, 1, (len(labels), VALUES)), labels, strict=True):
                file.write(",".join(f"{value:.4f}" for value in row) + f",c{label}\n")


def peak(*words: str) -> float:
    """Run a command of tpsgd-host in a process of its own; return the peak of its resident set in MB."""
    process = subprocess.Popen([sys.executable, "-m", "tpsgd_host", *words], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"tpsgd-host {' '.join(words)} ended with {process.returncode}")
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6


def main() -> int:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tpsgd-") as folder:
        os.chdir(folder)
        write_table(Path("few.csv"), 2000)
        call("new", "net", "--data", "few.csv", "--network", "mlp")
        call("quantize", "net.toml", "--data", "few.csv")
        for rows in options.rows:
            write_table(Path("many.csv"), rows)
            run = ("simulate", "many.csv", "--model", "net.tpsgd", "--epochs", "1", "--test-split", "0.2", "--json")
            used = peak(*run)
            print(
                f"{rows:,} rows of {VALUES}: {used:.0f} MB, {rows * VALUES / 1e6:.1f} of them activations", flush=True
            )
        os.chdir("/")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
