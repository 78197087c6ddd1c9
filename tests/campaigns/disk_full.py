"""Runs on a disk that is full, at every size: one message, no half file, and the trained model before anything else.

python tests/campaigns/disk_full.py --step 4

simulate: the run's folder is on a disk of so many KB, from nothing to more than a run needs. stream: the same with the
virtual board; the disk is made larger afterwards, and the run goes on with --resume to the weights of an undisturbed
one. The disk is a tmpfs: mounting it takes root (unshare --map-root-user --mount python ... will do).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import base
from commands import call, simulated
from motions import write_motions

from tpsgd_host.errors import TpsgdError
from tpsgd_host.model.modelfile import load_model
from tpsgd_host.runs.folder import RunFolder

EPOCHS = 3

#: KB that are enough for all that a run leaves.
ENOUGH = 400


def mount(where: Path, kilobytes: int, *options: str) -> str:
    """Put a disk of a size at ``where``; return why that failed, or nothing."""
    options = ("-o", ",".join((f"size={kilobytes}k", *options)))
    done = subprocess.run(["mount", "-t", "tmpfs", *options, "none", str(where)], capture_output=True, text=True)
    return done.stderr.strip() if done.returncode else ""


@contextmanager
def disk(where: Path, kilobytes: int) -> Iterator[None]:
    """Have a disk of a size at ``where``."""
    where.mkdir(exist_ok=True)
    if why := mount(where, kilobytes):
        raise OSError(why)
    try:
        yield
    finally:
        subprocess.run(["umount", str(where)], check=True)


def lay_out() -> int:
    """Put data, model and a flashed board into the present folder; return the CRC of an undisturbed run's weights."""
    os.environ["TPSGD_VIRTUAL"] = str(Path("board").resolve())
    write_motions(Path("train.csv"), 90, 1)
    call("new", "motion", "--data", "train.csv", "--network", "rnn", "--hidden", "12", "--steps", "10")
    call("quantize", "motion.toml", "--data", "train.csv")
    call("flash", "motion.tpsgd", "--board", "virtual")
    return int(simulated(EPOCHS)["weights_crc"])


def faults(command: str, kilobytes: int, crc: int) -> list[str]:
    """Make a run on a disk of some size; return what is wrong with its messages and files."""
    words = ["--model", "motion.tpsgd"] if command == "simulate" else []
    with disk(Path("disk"), kilobytes):
        done = _run(command, "train.csv", *words, "--epochs", str(EPOCHS), "--runs", "disk/runs", "--json")
        found = _left(done, crc)
        unfinished = done.returncode and command == "stream" and list(Path("disk").glob("runs/*/config.json"))
        if unfinished:
            mount(Path("disk"), 4 * ENOUGH, "remount")
            again = _run("stream", "--resume", "--runs", "disk/runs", "--json")
            if again.returncode or json.loads(again.stdout)["weights_crc"] != crc:
                found.append(f"goes on wrongly: {again.stdout[:80]} {again.stderr[-200:]}")
        return found


def _run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "tpsgd_host", *words], capture_output=True, text=True)


def _left(done: subprocess.CompletedProcess[str], crc: int) -> list[str]:
    found = []
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    if "Traceback" in done.stderr + done.stdout or done.returncode not in (0, 4):
        found.append(f"exit code {done.returncode}: {done.stderr[-300:]}")
    if len(errors) != bool(done.returncode) or any("No space left" not in line for line in errors):
        found.append(f"says {errors}")
    found += [
        f"leaves {path.name}" for path in Path("disk").rglob("*") if path.suffix == ".tmp" or path.name == ".reserve"
    ]
    for config in Path("disk").glob("runs/*/config.json"):
        folder = RunFolder.open(config.parent)
        try:
            events, complete = list(folder.events()), folder.complete
        except TpsgdError as error:
            found.append(f"leaves a damaged folder: {error}")
            continue
        model = config.with_name("model.tpsgd")
        if model.exists() and load_model(model).weights_crc != crc:
            found.append("keeps another model")
        if not done.returncode and not complete:
            found.append("ends well without model, result or the end of its log")
        if any(vars(event).get("status") == "complete" for event in events) and not model.exists():
            found.append("is complete without a model")
    return found


def campaign(commands: tuple[str, ...], sizes: range) -> list[str]:
    """Make a run of each command on a disk of each size; return the faults."""
    crc, found = lay_out(), []
    progress = base.Progress("disk full", len(commands) * len(sizes))
    for command in commands:
        for kilobytes in sizes:
            found += [f"{command}, {kilobytes} KB: {fault}" for fault in faults(command, kilobytes, crc)]
            progress.step()
    return found


def main() -> int:
    """Run the campaign; 1 where something was wrong."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--step", type=int, default=4, help="KB from one size to the next; a page is 4")
    options = parser.parse_args()
    sizes = range(4, ENOUGH, options.step)
    here = Path.cwd()
    with tempfile.TemporaryDirectory(prefix="tpsgd-") as folder:
        os.chdir(folder)
        try:
            found = campaign(("simulate", "stream"), sizes)
        finally:
            os.chdir(here)
    print("\n".join(found) or f"{2 * len(sizes)} runs, {len(sizes)} sizes: one message each, nothing lost")
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
