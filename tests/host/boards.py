"""Boards for tests: the device program in this process, and a port that does harm."""

from __future__ import annotations

import io
import os
import random
import select
import threading
from pathlib import Path
from typing import Any

import cases
import numpy as np

from tpsgd import frames
from tpsgd.serve import Server
from tpsgd_host.boards.virtual import MAIN, interpreter_mpy
from tpsgd_host.flashing.mpy import MpyFormat, source_files
from tpsgd_host.flashing.ownership import SUMS, sums_of
from tpsgd_host.link.port import Port
from tpsgd_host.runs.records import cut
from tpsgd_host.training.executor import Records

DEVICE = Path(frames.__file__).parent


def put_on(folder: Path, model: bytes) -> None:
    """Lay a board's files out: the device package, a model, the start-up program."""
    (folder / "tpsgd").mkdir(parents=True)
    package = source_files(MpyFormat.of(interpreter_mpy()))
    for name, data in package.items():
        (folder / name).write_bytes(data)
    (folder / SUMS).write_bytes(sums_of(package))
    (folder / "model.tpsgd").write_bytes(model)
    (folder / "main.py").write_text(MAIN)


def written_once(folder: Path, path: str, data: bytes) -> None:
    """Lay a file out on a board as an earlier flash left it: with its hash among the sums."""
    (folder / path).write_bytes(data)
    with (folder / SUMS).open("ab") as file:
        file.write(sums_of({path: data}))


def case_records(case: int, count: int = cases.SAMPLES) -> Records:
    """Return the samples that ``cases.train`` applies for a case."""
    steps, channels, classes = cases.describe(case)[:3]
    dice = cases.Dice(case + 2000)
    data, labels = [], []
    for _ in range(count):
        data.append([dice.roll(1, 255) for _ in range(steps * channels)])
        labels.append(dice.roll(0, classes - 1))
    ops = [1 if i % 8 == 7 else 0 for i in range(count)]
    return Records(np.array(ops, np.uint8), np.array(labels, np.uint8), np.array(data, np.uint8))


class OneEpoch:
    """The source of a case's records."""

    def __init__(self, case, count=cases.SAMPLES):
        self.all = case_records(case, count)
        self.total = len(self.all)

    def records(self, first, end):
        return cut(self.all, first, end)


class PipePort:
    """The host's end of two pipes."""

    def __init__(self, source: int, sink: int) -> None:
        self._source, self._sink = source, sink

    def read(self, timeout: float) -> bytes:
        """Return what has arrived."""
        ready, _, _ = select.select([self._source], [], [], timeout)
        return os.read(self._source, 4096) if ready else b""

    def write(self, data: bytes) -> None:
        """Send all."""
        os.write(self._sink, data)

    def close(self) -> None:
        """Close both pipes: the board sees the end."""
        os.close(self._sink)
        os.close(self._source)


class _Sink(io.FileIO):
    """The board's way to a host that may have gone."""

    def __init__(self, descriptor: int) -> None:
        super().__init__(descriptor, "wb")

    def write(self, data: Any) -> int:
        """Send all; if the other side is gone, the next read sees the end."""
        try:
            return super().write(data)
        except BrokenPipeError:
            return len(data)


class LocalBoard:
    """The device program as a thread of this process, at the end of pipes; a context manager."""

    def __init__(self, folder: Path, model: bytes, receive_buffer: int = 1024) -> None:
        (folder / "model.tpsgd").write_bytes(model)
        down, self._host_writes = os.pipe()
        self._host_reads, up = os.pipe()

        self._ends = [os.fdopen(down, "rb", buffering=0), _Sink(up)]
        poller = select.poll()
        poller.register(down, select.POLLIN)
        self.server = Server(frames.Frames(*self._ends), poller, receive_buffer, f"{folder}/")
        self.port = PipePort(self._host_reads, self._host_writes)
        self._thread = threading.Thread(target=self.server.serve, daemon=True)

    def __enter__(self) -> LocalBoard:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.port.close()
        self._thread.join(5)
        assert not self._thread.is_alive()
        for end in self._ends:
            end.close()


class FaultyPort:
    """A port that flips, drops and doubles bytes and throws in garbage, each with a small chance, both ways."""

    def __init__(self, port: Port, seed: int, chance: float = 0.01) -> None:
        self._port, self._dice, self._chance = port, random.Random(seed), chance
        self.faults = 0

    def _harm(self, data: bytes) -> bytes:
        out = bytearray()
        for byte in data:
            if self._dice.random() >= self._chance:
                out.append(byte)
                continue
            self.faults += 1
            kind = self._dice.randrange(4)
            if kind == 0:
                out.append(byte ^ 1 << self._dice.randrange(8))
            elif kind == 1:
                out += bytes([byte, byte])
            elif kind == 2:
                out += bytes([byte]) + self._dice.randbytes(self._dice.randrange(1, 30))
        return bytes(out)

    def read(self, timeout: float) -> bytes:
        """Return what has arrived, harmed."""
        return self._harm(self._port.read(timeout))

    def write(self, data: bytes) -> None:
        """Send, harmed."""
        self._port.write(self._harm(data))

    def close(self) -> None:
        """Close the port."""
        self._port.close()
