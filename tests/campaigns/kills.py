"""Kill board and host at random moments: the run continues, and its log and weights are those of an undisturbed one.

python tests/campaigns/kills.py --board 100 --host 40 --port 20

board: the virtual board is killed (SIGKILL) under a host that waits for it. host: the host is killed, and the board
with it; stream --resume goes on. port: the host alone is killed; the board is reached by its port and lives on.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import base  # noqa: F401  (finds the helpers)
from commands import call
from motions import write_motions
from processes import board_pids

from tpsgd_host.boards.virtual import VirtualBoard

OPTIONS = ["--epochs", "8", "--test", "test.csv", "--engine", "plain", "--json"]


class Place:
    """A folder with data, a flashed virtual board, and an undisturbed run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.board = folder / "board"
        os.environ["TPSGD_VIRTUAL"] = str(self.board)
        os.chdir(folder)
        write_motions(folder / "train.csv", 90, 1)
        write_motions(folder / "test.csv", 30, 2)
        call("new", "motion", "--data", "train.csv", "--network", "rnn", "--hidden", "12", "--steps", "10")
        call("quantize", "motion.toml", "--data", "train.csv")
        call("flash", "motion.tpsgd", "--board", "virtual")
        report = json.loads(call("stream", "train.csv", *OPTIONS))
        self.crc = report["weights_crc"]
        self.log = (folder / report["folder"] / "log.csv").read_text()
        self.seconds = report["seconds"]

    def check(self, report: dict, what: str) -> bool:
        """Whether a run ended as the undisturbed one; says so where not."""
        log = (self.folder / report["folder"] / "log.csv").read_text()
        right = report["weights_crc"] == self.crc and log == self.log
        if not right:
            print(f"{what} FAILED: CRC {report['weights_crc']:08x} for {self.crc:08x}, log equal: {log == self.log}")
        return right


def kill_boards(place: Path, stop: threading.Event, dice: random.Random, most: float) -> list[int]:
    """Kill the board again and again, once a run is on; return the processes killed."""
    killed = []
    runs = len(list(Path().glob("kills/*/log.jsonl")))
    while len(list(Path().glob("kills/*/log.jsonl"))) == runs and not stop.wait(0.01):
        pass
    while not stop.wait(dice.uniform(0.05, most)):
        for pid in board_pids(place):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                killed.append(pid)
    return killed


def board_run(place: Place, seed: int) -> tuple[bool, int]:
    """Make one run while the board is killed at random moments; return whether it is right, and the kills."""
    dice = random.Random(seed)
    every = dice.choice(["7", "20", "50"])
    stop, kills = threading.Event(), []
    thread = threading.Thread(target=lambda: kills.extend(kill_boards(place.board, stop, dice, place.seconds)))
    thread.start()
    try:
        report = json.loads(call("stream", "train.csv", *OPTIONS, "--checkpoint-every", every, "--runs", "kills"))
    finally:
        stop.set()
        thread.join()
    return place.check(report, f"board seed {seed}"), len(kills)


def host_run(place: Place, seed: int, port: list[str]) -> tuple[bool, int]:
    """Make one run whose host is killed again and again; return whether it is right, and the kills."""
    dice = random.Random(seed)
    root = f"host{seed}{'p' if port else ''}"
    every = dice.choice(["7", "20", "50", "0"])
    first = ["train.csv", *OPTIONS, "--checkpoint-every", every, "--runs", root, *port]
    kills = 0
    while True:
        begun = bool(list(Path(root).glob("*/log.jsonl")))
        words = ["--resume", "--runs", root, "--json", *port] if begun else first
        process = subprocess.Popen([sys.executable, "-m", "tpsgd_host", "stream", *words], stdout=subprocess.PIPE)
        # Without checkpoints every start begins again when the board dies too, so let it come further each time.
        wait = dice.uniform(1.0, 2.0 + place.seconds / 2) + 0.3 * kills
        try:
            output, _ = process.communicate(timeout=wait)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            kills += 1
            continue
        if process.returncode == 4 and begun:  # killed with all done, but for saying so
            (folder,) = Path(root).iterdir()
            report = json.loads((folder / "result.json").read_text()) | {"folder": str(folder)}
            return place.check(report, f"host seed {seed}"), kills
        if process.returncode:
            print(f"host seed {seed} FAILED: exit code {process.returncode} after {kills} kills")
            return False, kills
        return place.check(json.loads(output), f"host seed {seed}"), kills


def port_run(place: Place, seed: int) -> tuple[bool, int]:
    """Make one run whose host alone is killed: the board at its port lives on."""
    with VirtualBoard(place.board) as board:
        return host_run(place, seed, ["--port", board.path])


def repeat(what: str, run, wanted: int, first: int) -> bool:
    """Make runs until so many kills have happened; return whether all were right."""
    begun, kills, runs, right, seed = time.monotonic(), 0, 0, True, first
    while kills < wanted:
        good, count = run(seed)
        right, kills, runs, seed = right and good, kills + count, runs + 1, seed + 1
        print(f"{what}: seed {seed - 1}, {count} kills, {'right' if good else 'WRONG'}", flush=True)
    print(
        f"{what}: {kills} kills in {runs} runs, seeds {first} to {seed - 1}, {time.monotonic() - begun:.0f} s: "
        f"{'all ended with the undisturbed CRC and log' if right else 'FAILED'}"
    )
    return right


def main() -> int:
    """Run the campaign; 1 where a run failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--board", type=int, default=100, help="kills of the board")
    parser.add_argument("--host", type=int, default=40, help="kills of the host, and the board with it")
    parser.add_argument("--port", type=int, default=20, help="kills of the host alone")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    options = parser.parse_args()
    here = Path.cwd()
    with tempfile.TemporaryDirectory(prefix="tpsgd-") as folder:
        place = Place(Path(folder))
        right = repeat("board", lambda seed: board_run(place, seed), options.board, options.first)
        right &= repeat("host", lambda seed: host_run(place, seed, []), options.host, options.first)
        right &= repeat("port", lambda seed: port_run(place, seed), options.port, options.first)
        os.chdir(here)
    return 0 if right else 1


if __name__ == "__main__":
    raise SystemExit(main())
