"""How much of a line's capacity the link uses, and whether the board trains while the next samples travel.

Shapes: R records of T*C + 2 bytes.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tpsgd_host.bench.timing import network
from tpsgd_host.boards.virtual import VirtualBoard
from tpsgd_host.flashing.flash import flash
from tpsgd_host.link.paced import PacedPort
from tpsgd_host.link.port import Port
from tpsgd_host.link.session import Session
from tpsgd_host.model.modelfile import Model
from tpsgd_host.training.executor import Records

#: A net that computes much faster than the line delivers, and one that does not (on the engine ``plain``).
FAST, SLOW = ("viper", 4, (60, 32, 16, 6)), ("plain", 1, (60, 48, 6))


@dataclass(frozen=True)
class LinkResult:
    """Figures of one run over a paced line.

    Attributes
    ----------
    share : float
        Bytes of records per second, as a share of what the line can carry (a tenth of the baud rate).
    line, compute, both : float
        Seconds for the records on the line alone, in the trainer alone, and measured with both.
    """

    engine: str
    network: str
    baud: int
    receive_buffer: int
    samples: int
    share: float
    line: float
    compute: float
    both: float

    @property
    def overlap(self) -> float:
        """Share of the shorter job that was done while the other ran, 0 to 1."""
        return min(1.0, max(0.0, (self.line + self.compute - self.both) / min(self.line, self.compute)))


def measure_link(baud: int, seconds: float = 5.0, receive_buffer: int | None = None) -> list[LinkResult]:
    """Stream a fast net and a slow one to the virtual board over a line of ``baud``.

    Parameters
    ----------
    seconds : float
        How long the line is busy.
    receive_buffer : int, optional
        Maximum bytes under way, such as the 240 of an ESP32's UART; by default the board's own.
    """
    results = []
    with tempfile.TemporaryDirectory(prefix="tpsgd-") as place:
        for name, number, sizes in (FAST, SLOW):
            model = network(sizes)
            folder = Path(place) / name
            model.save(Path(place) / "model.tpsgd")
            flash(Path(place) / "model.tpsgd", folder=folder)
            count = int(seconds * baud / 10 / (sizes[0] + 2))
            records = _records(model, count)
            compute = _run(folder, number, records, None, None)[0]
            both, used = _run(folder, number, records, baud, receive_buffer)
            line = count * (sizes[0] + 2) * 10 / baud
            results.append(LinkResult(name, model.shape, baud, used, count, line / both, line, compute, both))
    return results


def _records(model: Model, count: int) -> Records:
    dice = np.random.default_rng(1)
    data = dice.integers(1, 256, (count, model.layout.steps * model.layout.channels)).astype(np.uint8)
    labels = dice.integers(0, len(model.classes), count).astype(np.uint8)
    return Records(np.zeros(count, np.uint8), labels, data)


def _run(
    folder: Path, engine: int, records: Records, baud: int | None, receive_buffer: int | None
) -> tuple[float, int]:
    """Stream records; return the seconds it took and the size of the receive buffer."""
    with VirtualBoard(folder) as board:
        port: Port = board.open_port()
        if baud:
            port = PacedPort(port, baud)
        session = Session(port)
        session.hello(engine, receive_buffer)
        session.start(1, len(records), fresh=True)
        begun = time.perf_counter()
        for _ in session.stream(records):
            pass
        spent = time.perf_counter() - begun
        assert session.info is not None
        used = session.info.receive_buffer
        session.bye()
        port.close()
    return spent, used
