"""Mutated frames and files, on both sides: no hang, no exception but the documented ones, no change of state.

python tests/campaigns/fuzz.py --count 100000
python tests/campaigns/fuzz.py --vm --count 100000

device frames, lessons (tapes, too): damaged on the wire (nothing may change), and with a CRC that is right (an answer
or an ERROR, never a fault). host frames: the decoder, and sessions whose board answers nonsense. files: models and
checkpoints, with and without a right CRC, through the parsers of device and host; all other files that the host reads
(``fuzz_files.py``). What concerns the device is in ``fuzz_board.py``;
``--vm`` runs that in MicroPython (TPSGD_MICROPYTHON names another interpreter), its native engine included.
"""

from __future__ import annotations

import argparse
import struct
import subprocess
import tempfile
import time
from pathlib import Path

import base
import cases
import fuzz_board
import fuzz_files
import numpy as np
from boards import DEVICE, case_records
from fuzz_board import Dice, mutate
from known import known_bytes

from tpsgd import frames
from tpsgd_host.boards.virtual import find_interpreter
from tpsgd_host.errors import BoardError, FitError, ModelError, PortError
from tpsgd_host.link.messages import Done, Info, board_error
from tpsgd_host.link.session import Session
from tpsgd_host.link.wire import Decoder, Frame
from tpsgd_host.model.build import build_untrained
from tpsgd_host.model.checkpoint import parse_checkpoint
from tpsgd_host.model.modelfile import parse_model
from tpsgd_host.model.parsing import parse_config

ANSWERS = (frames.INFO, frames.ACK, frames.DONE, frames.CHUNK, frames.UNSAVED, frames.ERROR)

#: Seconds that a mutant may take on average, and some: more is a hang.
PATIENCE = 0.05


def models() -> list[bytes]:
    """Return the model files that are mutated."""
    return [cases.model_bytes(case) for case in range(8)]


def known_models() -> list[bytes]:
    """Return the model files with prototypes that are mutated."""
    return [
        known_bytes(case, way, kind)
        for case, way, kind in ((1, "both", "motion"), (0, "prototypes", "none"), (3, "network", "words"))
    ]


def listening() -> bytes:
    """Return a small model with a front end, which can have lessons."""
    text = """
[model]
classes = ["a", "b"]
[data]
columns = ["x", "y", "z"]
steps = 4
[frontend]
kind = "motion"
counts = 1000
full_scale = 2000
[[layer]]
kind = "output"
"""
    return build_untrained(parse_config(text, "listening.toml")).to_bytes()


# -- the device, here and in its interpreter


def device_frames(count: int, seed: int) -> str:
    """Send damaged frames, and frames of nonsense, to the device program."""
    with tempfile.TemporaryDirectory(prefix="tpsgd-") as place:
        return fuzz_board.device_frames(count, seed, place, models())


def device_lessons(count: int, seed: int) -> str:
    """Send damaged frames, and frames of nonsense, to a device program that has lessons and tapes."""
    with tempfile.TemporaryDirectory(prefix="tpsgd-") as place:
        return fuzz_board.lessons(count, seed, place, [listening()])


def in_vm(kind: str, count: int, seed: int) -> str:
    """Run a campaign of ``fuzz_board.py`` in MicroPython."""
    with tempfile.TemporaryDirectory(prefix="tpsgd-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as place:
        lists = {"lessons": lambda: [listening()], **dict.fromkeys(fuzz_board.KNOWN, known_models)}
        for number, model in enumerate(lists.get(kind, models)()):
            (Path(place) / f"{number:02}.case").write_bytes(model)
        program = str(base.HERE / "fuzz_board.py")
        command = [find_interpreter(), "-X", "heapsize=4m", program, kind, str(count), str(seed), place]
        done = subprocess.run(
            command, env={"MICROPYPATH": str(DEVICE.parent)}, capture_output=True, text=True, check=False,
            timeout=120 + PATIENCE * count,
        )  # fmt: skip
    if done.returncode:
        raise AssertionError(f"{kind}, seed {seed}: exit code {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout.strip()


# -- host: frames


class Nonsense:
    """A port whose board answers with frames of nonsense and is gone after a while."""

    def __init__(self, dice: Dice, genuine_answers: list[bytes]) -> None:
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
    dice = Dice(seed)
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
        text = mutate(dice, b"".join([dice.choice(made) for _ in range(3)]))
        decoder = Decoder()
        rest = sum(len(i) if isinstance(i, bytes) else len(i.payload) + 8 for i in decoder.feed(text))
        assert rest + len(decoder._buffer) <= len(text)
    return f"{seen} frames to the host: sessions ended with {told}"


# -- files


def model_files(count: int, seed: int) -> str:
    """Give mutated model files to the parsers of device and host."""
    whole = models()
    taken = 0
    progress = base.Progress("model files", count)
    for i, data in fuzz_board.model_mutants(Dice(seed), count, whole):
        device = fuzz_board.reads(data)
        try:
            parse_model(data, "it")
            host = True
        except ModelError:
            host = False
        assert device or not host, f"seed {seed}, file {i}: the host takes what the device refuses"
        assert i % 2 or not device or data in whole, f"seed {seed}, file {i}: a damaged file was taken"
        taken += device
        progress.step()
    return f"{count} model files: {taken} well-formed, all others refused by device and host"


def checkpoint_files(count: int, seed: int) -> str:
    """Put mutated checkpoints into a slot; the host must take what the device takes."""

    def judge(data: bytes, taken: bool) -> None:
        try:
            parse_checkpoint(data, "it")
        except ModelError:
            assert not taken, f"seed {seed}: the host refuses what the device takes: {data.hex()}"

    with tempfile.TemporaryDirectory(prefix="tpsgd-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as place:
        return fuzz_board.checkpoint_files(count, seed, place, models(), judge)


def prototypes(count: int, seed: int) -> str:
    """Model files with prototypes, for the device and the host."""
    for i, data in fuzz_board.model_mutants(Dice(seed), count, known_models()):
        try:
            made = parse_model(data, "it")
        except ModelError:
            continue
        assert fuzz_board.reads(data), f"seed {seed}, file {i}: the host takes what the device refuses: {data.hex()}"
        assert parse_model(made.to_bytes(), "it").crc == made.crc
    return fuzz_board.prototypes(count, seed, "", known_models())


def rings(count: int, seed: int) -> str:
    """Files of taught samples."""
    with tempfile.TemporaryDirectory(prefix="tpsgd-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as place:
        return fuzz_board.rings(count, seed, place, known_models())


CAMPAIGNS = {
    "device-frames": device_frames, "lessons": device_lessons, "host-frames": host_frames, "models": model_files,
    "checkpoints": checkpoint_files, "prototypes": prototypes, "rings": rings, **fuzz_files.CAMPAIGNS,
}  # fmt: skip
IN_VM = {f"vm-{kind}": lambda count, seed, kind=kind: in_vm(kind, count, seed) for kind in fuzz_board.CAMPAIGNS}


def main() -> int:
    """Run the campaign."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=100_000, help="mutants of each kind")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--vm", action="store_true", help="the device's part, in MicroPython")
    parser.add_argument("--only", choices=[*CAMPAIGNS, *IN_VM])
    options = parser.parse_args()
    np.seterr(all="raise")
    for name, campaign in {**CAMPAIGNS, **IN_VM}.items():
        if options.only == name or (options.only is None and (name in IN_VM) == options.vm):
            begun = time.monotonic()
            said = campaign(options.count, options.seed)
            print(f"seed {options.seed}: {said}, {time.monotonic() - begun:.0f} s", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
