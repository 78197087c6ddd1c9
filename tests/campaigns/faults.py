"""Runs on the virtual board over a wire that does harm: the weights and results are those of an undisturbed run.

python tests/campaigns/faults.py --runs 200

A run's seed decides everything about it: the network, the receive buffer, which bytes are flipped, dropped or doubled,
where garbage bursts in, when the wire stalls, when the port vanishes, and whether the board is reset meanwhile.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

import base
import cases
import numpy as np
from boards import FaultyPort, OneEpoch, case_records, put_on

from tpsgd_host.boards.board import Board
from tpsgd_host.boards.reconnecting import ReconnectingBoard
from tpsgd_host.boards.virtual import VirtualBoard
from tpsgd_host.errors import PortError, TpsgdError
from tpsgd_host.link import session as link
from tpsgd_host.link.session import Session
from tpsgd_host.model.modelfile import parse_model
from tpsgd_host.training.simulator import Simulator

RECORDS = 120
HEAP = 256 * 1024


class StormyPort(FaultyPort):
    """A faulty port that stalls now and then, takes bursts of garbage, and vanishes after so many bytes."""

    def __init__(self, port, dice, life):
        super().__init__(port, dice.randrange(1 << 30))
        self._weather, self._life = dice, life
        self.stalls = 0

    def _pass(self, data):
        self._life -= len(data)
        if self._life < 0:
            raise PortError("the wire was pulled")
        if self._weather.random() < 0.003:
            self.stalls += 1
            time.sleep(self._weather.uniform(0.02, 0.4))
        if self._weather.random() < 0.005:
            self.faults += 1
            data = self._weather.randbytes(self._weather.randrange(300)) + data
        return data

    def read(self, timeout):
        return self._pass(super().read(timeout))

    def write(self, data):
        super().write(self._pass(data))


class Bench:
    """A virtual board that now and then is reset while its port is away: an opener for ReconnectingBoard."""

    def __init__(self, folder, seed):
        self.folder, self.dice = folder, random.Random(seed)
        self.receive_buffer = self.dice.choice((240, 480, 2048))
        self.every = self.dice.choice((0, 7, 16))
        self.board = None
        self.faults = self.stalls = self.opened = self.resets = 0

    @contextmanager
    def __call__(self):
        self.opened += 1
        if self.board is not None and self.dice.random() < 0.5:
            self.resets += 1
            self.stop()
        if self.board is None:
            self.board = VirtualBoard(self.folder, HEAP)
            self.board.start()
        life = self.dice.randrange(4000, 40000) if self.opened < 6 else 1 << 60
        port = StormyPort(self.board.open_port(), self.dice, life)
        try:
            yield Board(Session(port, patience=30.0), every=self.every, receive_buffer=self.receive_buffer)
        finally:
            self.faults += port.faults
            self.stalls += port.stalls
            port.close()

    def stop(self):
        if self.board is not None:
            self.board.stop()
            self.board = None


@dataclass
class Tally:
    """What the runs of a campaign went through."""

    runs: int = 0
    faults: int = 0
    stalls: int = 0
    vanished: int = 0
    resets: int = 0


def undisturbed(case):
    """Return the CRCs of weights and results of a run in the simulator."""
    simulator = Simulator(parse_model(cases.model_bytes(case), "case"))
    simulator.start(0, RECORDS, fresh=True)
    results = np.concatenate(list(simulator.stream(case_records(case, RECORDS))))
    return simulator.finish().weights_crc, crc32(results.tobytes())


def one_run(place: Path, seed: int, tally: Tally) -> tuple[bool, str]:
    """Make the run of a seed; return whether it ended as an undisturbed one, and what to say of it."""
    case = seed % cases.CASES
    folder = place / str(case)
    if not folder.is_dir():
        put_on(folder, cases.model_bytes(case))
    for slot in folder.glob("*.ckpt"):
        slot.unlink()
    bench = Bench(folder, seed)
    records = OneEpoch(case, RECORDS)
    try:
        with ReconnectingBoard(bench, 60.0, lambda text: None) as line:
            line.follow(parse_model(cases.model_bytes(case), "case"))
            line.begin(1 + seed, records, True)
            results = np.concatenate(list(line.apply(0, RECORDS)))
            said = line.finish().weights_crc, crc32(results.tobytes())
    except TpsgdError as error:
        return False, f"{type(error).__name__}: {error.message}"
    finally:
        bench.stop()
        tally.runs += 1
        tally.faults += bench.faults
        tally.stalls += bench.stalls
        tally.vanished += bench.opened - 1
        tally.resets += bench.resets
    return said == undisturbed(case), f"{bench.faults} faults, port opened {bench.opened} times, {bench.resets} resets"


def campaign(runs: int, first: int, place: Path) -> tuple[Tally, list[int]]:
    """Make ``runs`` runs from seed ``first`` on; return what they went through and the seeds that failed."""
    link.RETRY = 0.1
    tally, failed = Tally(), []
    progress = base.Progress("faults", runs)
    for seed in range(first, first + runs):
        right, what = one_run(place, seed, tally)
        if not right:
            failed.append(seed)
            print(f"seed {seed} FAILED: {what}", flush=True)
        progress.step(f"(seed {seed}: {what})")
    return tally, failed


def main() -> int:
    """Run the campaign; 1 where a run failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    options = parser.parse_args()
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="tpsgd-") as place:
        tally, failed = campaign(options.runs, options.first, Path(place))
    print(f"seeds {options.first} to {options.first + options.runs - 1}: {tally}, {time.monotonic() - begun:.0f} s")
    print(
        f"{tally.runs - len(failed)} of {tally.runs} ended with the undisturbed CRCs; failed seeds: {failed or 'none'}"
    )
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
