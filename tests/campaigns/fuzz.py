"""Mutated frames and files, on both sides: no hang, no exception but the documented ones, no change of state.

python tests/campaigns/fuzz.py --count 100000

device frames: damaged on the wire (nothing may change), and with a CRC that is right (an answer or an ERROR, never a
fault). host frames: the decoder, and sessions behind which a board answers nonsense. files: models and checkpoints,
with and without a right CRC, through the parsers of device and host.
"""

from __future__ import annotations

import argparse
import io
import random
import struct
import tempfile
import time
from pathlib import Path
from zlib import crc32

import base
import cases
import numpy as np
from boards import case_records

from tpsgd import checkpoint, frames, modelfile, runtime
from tpsgd.modelfile import Model
from tpsgd.network import build
from tpsgd.serve import FAULT, Server
from tpsgd_host.checkpoint import parse_checkpoint
from tpsgd_host.errors import BoardError, FitError, ModelError, PortError
from tpsgd_host.link.messages import Done, Info, board_error
from tpsgd_host.link.session import Session
from tpsgd_host.link.wire import Decoder, Frame
from tpsgd_host.model import parse_model

KINDS = (frames.HELLO, frames.START, frames.DATA, frames.SYNC_UP, frames.READ, frames.BYE)
ANSWERS = (frames.INFO, frames.ACK, frames.DONE, frames.CHUNK, frames.UNSAVED, frames.ERROR)


def mutate(dice: random.Random, data: bytes) -> bytes:
    """Return data with a few bytes changed, dropped, doubled or inserted."""
    out = bytearray(data)
    for _ in range(dice.choice((1, 1, 2, 4, 12))):
        at = dice.randrange(len(out) + 1)
        kind = dice.randrange(6)
        if kind == 0:
            out[at:at] = dice.randbytes(dice.randrange(1, 9))
        elif not out:
            continue
        elif kind == 1:
            del out[at : at + dice.randrange(1, 9)]
        elif kind == 2:
            out[at:at] = out[at : at + dice.randrange(1, 9)]
        elif kind == 3:
            out[at % len(out)] = dice.choice((0, 1, 127, 128, 255))
        else:
            out[at % len(out)] ^= 1 << dice.randrange(8)
    return bytes(out)


# -- device: frames


class Wire:
    """What a server reads from, and writes to."""

    def __init__(self) -> None:
        self.incoming = io.BytesIO()
        self.answers = bytearray()

    def readinto(self, view):
        return self.incoming.readinto(view)

    def write(self, data):
        self.answers += data

    def give(self, server, data: bytes) -> list[Frame]:
        """Have the server read ``data`` to its end; return what it answered."""
        self.incoming = io.BytesIO(data)
        self.answers.clear()
        server.link._have = server.link._used = 0
        server.serve()
        return [item for item in Decoder().feed(bytes(self.answers)) if isinstance(item, Frame)]


def state(server) -> tuple:
    """Return all that a frame could change."""
    network = server.network
    return (
        server.expected, server.answered, server.taken, server.run_id, server.applied, server.confirmed, server.every,
        server.generation, server.op, server.label, server.at, bytes(server.results),
        network and (network.crc(), network.seen, network.total, network.state[0]),
    )  # fmt: skip


def genuine(dice: random.Random, server) -> bytes:
    """Return a frame as a host might send it now."""
    kind = dice.choice(KINDS)
    if dice.random() < 0.9:  # mostly in the middle of a run
        kind = frames.HELLO if server.expected < 0 else frames.START if server.taken < 0 else dice.choice(KINDS[2:5])
    payload = {
        frames.HELLO: lambda: struct.pack("<BBI", 1, dice.choice((0,) * 30 + (1, 2, 5)), dice.getrandbits(32)),
        frames.START: lambda: struct.pack(
            "<BIIII", dice.randrange(4), dice.randrange(3), dice.randrange(99), 0, dice.randrange(9)
        ),
        frames.DATA: lambda: (
            struct.pack("<HH", server.confirmed & 0xFFFF, max(0, server.taken))
            + bytes([dice.randrange(2), 0])
            + dice.randbytes(dice.randrange(190))
        ),
        frames.SYNC_UP: lambda: struct.pack("<BH", 0, dice.randrange(9)),
        frames.READ: lambda: struct.pack("<BIB", dice.randrange(2), dice.randrange(2000), dice.randrange(1, 117)),
        frames.BYE: lambda: b"",
    }[kind]()
    number = server.expected if server.expected >= 0 and dice.random() < 0.9 else dice.randrange(256)
    return Frame(kind, number, payload).encode()


def device_frames(count: int, seed: int) -> str:
    """Send damaged frames, and frames of nonsense, to the device program."""
    dice = random.Random(seed)
    kept = answered = errors = 0
    runtime.heap = lambda: (0, 0)  # a collection at each answer takes a hundred times as long as the answer
    with tempfile.TemporaryDirectory(prefix="tpsgd-") as place:
        (Path(place) / "model.tpsgd").write_bytes(cases.model_bytes(1))
        wire = Wire()
        server = Server(frames.Frames(wire, wire), None, 1024, f"{place}/")
        progress = base.Progress("device frames", count)
        for i in range(count):
            whole = genuine(dice, server)
            if i % 2:  # on the wire: the CRC tells
                data = mutate(dice, whole)
                before = state(server)
                if whole not in data and not any(isinstance(item, Frame) for item in Decoder().feed(data)):
                    wire.give(server, data)
                    assert state(server) == before, f"seed {seed}, frame {i}: {data.hex()} changed the state"
                    kept += 1
                    continue
            else:  # nonsense with a right CRC
                kind = whole[2] if dice.random() < 0.8 else dice.randrange(256)
                data = Frame(kind, whole[3], mutate(dice, whole[4:-4])[:200]).encode()
            for answer in wire.give(server, data):
                answered += 1
                if answer.kind == frames.ERROR:
                    errors += 1
                    assert answer.payload[0] != FAULT, f"seed {seed}, frame {i}: {data.hex()}: {answer.payload}"
            progress.step()
    return (
        f"{count} frames to the device: {kept} damaged and without effect, {answered} answers, {errors} of them ERROR"
    )


# -- host: frames


class Nonsense:
    """A port behind which a board answers with frames of nonsense, and is gone after a while."""

    def __init__(self, dice: random.Random, genuine_answers: list[bytes]) -> None:
        self._dice, self._answers = dice, genuine_answers
        self._last = Frame(0, 0, b"")
        self._left = 60
        self.frames = 0

    def write(self, data: bytes) -> None:
        found = [item for item in Decoder().feed(data) if isinstance(item, Frame)]
        self._last = found[-1] if found else self._last

    def read(self, timeout: float) -> bytes:
        """Return a mutated answer; most with a right CRC and to the right question."""
        self._left -= 1
        if self._left < 0:
            raise PortError("the board is gone")
        self.frames += 1
        dice = self._dice
        answer = dice.choice(self._answers)
        asked = {1: frames.INFO, 2: frames.INFO, 4: frames.ACK, 5: frames.DONE, 6: frames.CHUNK}.get(self._last.kind)
        if asked and dice.random() < 0.7:
            answer = next(a for a in self._answers if a[2] == asked)
        if dice.random() < 0.3:
            return mutate(dice, answer)
        payload = answer[4:-4] if dice.random() < 0.5 else mutate(dice, answer[4:-4])
        return Frame(answer[2], self._last.number, payload[:200]).encode()

    def close(self) -> None:
        """Do nothing."""


def answers() -> list[bytes]:
    """Return one answer of each kind, as a board sends them."""
    info = struct.pack("<BBHBBIIIIIIIIII", 1, 1, 240, 32, 0, 1, 2, 3, 0, 0, 40, 5, 6, 7, 8) + b"\x05plain\x010\x02me"
    done = struct.pack("<IIIIIIIH", 1, 2, 3, 4, 5, 6, 7, 28)
    made = (info, struct.pack("<HI", 9, 0) + bytes(4), done, bytes(120), struct.pack("<H", 30), b"\5x")
    return [Frame(kind, 0, payload).encode() for kind, payload in zip(ANSWERS, made, strict=True)]


def host_frames(count: int, seed: int) -> str:
    """Have sessions talk to boards of nonsense, and parsers read it."""
    dice = random.Random(seed)
    made = answers()
    records = case_records(1, 40)
    told: dict[str, int] = {}
    seen = 0
    progress = base.Progress("host frames", count)
    while seen < count:
        port = Nonsense(dice, made)
        session = Session(port, patience=0.5)
        try:
            session.hello()
            session.start(1, 40, fresh=True)
            results = sum(len(part) for part in session.stream(records))
            assert results == len(records)
            session.sync(save=False)
            session.read(1)
        except (BoardError, FitError, ModelError, PortError) as error:
            told[type(error).__name__] = told.get(type(error).__name__, 0) + 1
        assert session.received_results <= max(40, session._index)
        seen += port.frames
        progress.step()
        for parse in (Info.parse, Done.parse, board_error):
            try:
                parse(mutate(dice, dice.choice(made)[4:-4]))
            except BoardError:
                pass
        text = mutate(dice, b"".join(dice.sample(made, 3)))
        decoder = Decoder()
        rest = sum(len(i) if isinstance(i, bytes) else len(i.payload) + 8 for i in decoder.feed(text))
        assert rest + len(decoder._buffer) <= len(text)
    return f"{seen} frames to the host: sessions ended with {told}"


# -- files


def right_crc(data: bytes) -> bytes:
    """Return a file with the CRC that its other bytes have, and its length where that is said."""
    if len(data) < 16:
        return data
    data = data[:8] + struct.pack("<I", len(data)) + data[12:]
    return data[:-4] + struct.pack("<I", crc32(data[:-4]))


def model_files(count: int, seed: int) -> str:
    """Give mutated model files to the parsers of device and host."""
    dice = random.Random(seed)
    whole = [cases.model_bytes(case) for case in range(8)]
    taken = 0
    progress = base.Progress("model files", count)
    for i in range(count):
        data = mutate(dice, dice.choice(whole))
        if i % 2:
            data = right_crc(data)
        device = host = True
        try:
            Model(io.BytesIO(data))
        except modelfile.ModelError:
            device = False
        try:
            parse_model(data, "it")
        except ModelError:
            host = False
        assert device or not host, f"seed {seed}, file {i}: the host takes what the device refuses"
        assert i % 2 or not device or data in whole, f"seed {seed}, file {i}: a damaged file was taken"
        taken += device
        progress.step()
    return f"{count} model files: {taken} well-formed, all others refused by device and host"


def checkpoint_files(count: int, seed: int) -> str:
    """Put mutated checkpoints into a slot: the other one is found, or the mutant if its CRC is right."""
    dice = random.Random(seed)
    file = io.BytesIO(cases.model_bytes(1))
    network = build(file, Model(file), runtime.engine(1))
    taken = 0
    with tempfile.TemporaryDirectory(prefix="tpsgd-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as place:
        folder = f"{place}/"
        checkpoint.save(folder, network, 5, 1, 10)
        checkpoint.save(folder, network, 5, 1, 20)
        path = Path(place) / checkpoint.SLOTS[1]
        whole, crc = path.read_bytes(), network.crc()
        progress = base.Progress("checkpoints", count)
        for i in range(count):
            data = mutate(dice, whole)
            if i % 2:
                data = right_crc(data)
            path.write_bytes(data)
            found = checkpoint.newest(folder, network, 5)
            assert found is not None, f"seed {seed}, file {i}: nothing was found"
            mutant = found.path.endswith(checkpoint.SLOTS[1])
            assert i % 2 or not mutant or data == whole, f"seed {seed}, file {i}: a damaged file was taken"
            try:
                parse_checkpoint(data, "it")
            except ModelError:
                assert not mutant, f"seed {seed}, file {i}: the host refuses what the device takes"
            assert network.crc() == crc, f"seed {seed}, file {i}: looking changed the network"
            taken += mutant
            progress.step()
    return f"{count} checkpoints: {taken} well-formed, for all others the device found the other slot"


CAMPAIGNS = {
    "device-frames": device_frames, "host-frames": host_frames, "models": model_files, "checkpoints": checkpoint_files,
}  # fmt: skip


def main() -> int:
    """Run the campaign."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=100_000, help="mutants of each kind")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=list(CAMPAIGNS))
    options = parser.parse_args()
    np.seterr(all="raise")
    for name, campaign in CAMPAIGNS.items():
        if options.only in (None, name):
            begun = time.monotonic()
            print(f"seed {options.seed}: {campaign(options.count, options.seed)}, {time.monotonic() - begun:.0f} s")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
