"""Put weights on a board over an open session (SPEC 4.3)."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

from tpsgd.incoming import PART, PLACED, PUT
from tpsgd.plan import PAYLOAD
from tpsgd_host.errors import BoardError, MismatchError
from tpsgd_host.link.session import Session

#: Bytes of weights in one PART.
SIZE = PAYLOAD - 4


@dataclass(frozen=True)
class Counts:
    """Where a board is in its schedule once it has the weights.

    Attributes
    ----------
    seen, total : int
        Training samples of the run so far, and those announced for it.
    generator : int
        State of the run's generator; 0 for its first.
    """

    seen: int
    total: int
    generator: int = 0


@dataclass(frozen=True)
class Placed:
    """What a board says about weights that are put on it; fields as in SPEC 4.3."""

    taken: int
    generation: int
    weights_crc: int


def put(session: Session, learning: bytes, weights_crc: int, counts: Counts, progress: Callable[[int], None]) -> Placed:
    """Put weights on a board; return its answer to the last byte.

    Parameters
    ----------
    learning : bytes
        Weights of the layers that learn, as stored.
    weights_crc : int
        The weights' CRC that the whole network is to have.
    progress : callable
        Called with the number of bytes that the board has.

    Raises
    ------
    BoardError
        When the board refuses them. It has its old weights.
    MismatchError
        When it says that it has others now.
    """
    placed = _ask(session, PUT, struct.pack("<IIII", counts.seen, counts.total, counts.generator, weights_crc))
    for at in range(0, len(learning), SIZE):
        placed = _ask(session, PART, struct.pack("<I", at) + learning[at : at + SIZE])
        progress(placed.taken)
    if placed.taken != len(learning) or not placed.generation or placed.weights_crc != weights_crc:
        raise MismatchError(
            f"the board took {placed.taken} of {len(learning)} bytes, its weights have CRC "
            f"{placed.weights_crc:08x} now, and those sent have {weights_crc:08x}",
            "is another program talking to the board? Close it and push again",
        )
    return placed


def _ask(session: Session, kind: int, payload: bytes) -> Placed:
    answer = session.request(kind, payload, PLACED).payload
    if len(answer) != 12:
        raise BoardError(f"the board's PLACED has {len(answer)} bytes", "flash the board again: tpsgd-host flash MODEL")
    return Placed(*struct.unpack("<III", answer))
