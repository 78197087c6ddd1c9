"""Accuracy of words that a board was taught from scratch, a few times each, by Learner alone.

python tests/campaigns/teaching.py FOLDER [--live]

FOLDER holds recordings in the layout of the Free Spoken Digit Dataset, ``{digit}_{speaker}_{take}.wav``. For each
speaker a virtual board (64 KB of heap, compiled program) with an untrained network is taught a few samples of four
words, practises, and predicts the speaker's other recordings of these words. ``--rp2040`` teaches the first lesson
to an emulated RP2040 instead, and says how many seconds the chip takes. Samples are made by the front end on the
host, of whole recordings, because these have no silence around the word.

With ``--live`` the recordings are played to the virtual board, one after the other with pauses: it finds the words by
itself, and ``teach`` teaches and tests it over the link. A recording in which it hears no word counts as wrong. The
link's program takes more of the heap than Learner's: on 64 bits about 120 KB are needed.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
from pathlib import Path

import base  # noqa: F401  (finds the helpers)
import numpy as np
import numpy.typing as npt

from tpsgd_host.bench.emulated import rp2040
from tpsgd_host.bench.emulated.board import EmulatedBoard
from tpsgd_host.boards.virtual import find_interpreter, interpreter_mpy
from tpsgd_host.data.frontend import LogMel, mel_edges
from tpsgd_host.data.samples import Samples
from tpsgd_host.data.sound import frames, word
from tpsgd_host.data.wav import find_recordings, read_wav
from tpsgd_host.flashing.flash import flash
from tpsgd_host.flashing.mpy import MpyFormat, package_files
from tpsgd_host.model.build import build_model
from tpsgd_host.model.parsing import parse_config
from tpsgd_host.teaching.begin import begin
from tpsgd_host.teaching.teach import Source, TeachReport, open_lesson, report

FRONT = LogMel(8000, 256, 128, mel_edges(16, 100.0, 4000.0))
STEPS = 16
SAMPLE = STEPS * FRONT.channels

TOML = """
[model]
seed = {seed}
classes = {classes}
[data]
steps = {steps}
channels = 16
scale = "fixed"
offset = 0
gain = 1
[training]
shifts = [5]
[[layer]]
kind = "temporal"
units = 12
[[layer]]
kind = "output"
"""

#: The board's main.py: taught.bin holds a label and a sample (int8) each, shown.bin what it shall predict then.
MAIN = """
import gc
from array import array
from tpsgd import Learner
learner = Learner("model.tpsgd", replay={budget})
x = array("b", bytes({size}))
with open("taught.bin", "rb") as file:
    for _ in range({count}):
        y = file.read(1)[0]
        file.readinto(x)
        learner.feed(x)
        learner.teach(y)
learner.practise({practice})
{taught}
right = 0
with open("shown.bin", "rb") as file:
    for n in range({shown}):
        y = file.read(1)[0]
        file.readinto(x)
        learner.feed(x)
        right += learner.predict() == learner.classes[y]
gc.collect()
print(right, n + 1, learner.replay.kept, learner.network.crc(), gc.mem_free() if hasattr(gc, "mem_free") else 0)
"""

#: Prints the milliseconds of teaching, on a board that has a clock.
TAUGHT = "print(time.ticks_diff(time.ticks_ms(), t0))"

#: Samples that an emulated board predicts: few, because accuracy is measured on the virtual one.
SHOWN = 10

Bytes = npt.NDArray[np.uint8]


def load(folder: Path) -> dict[str, dict[str, Bytes]]:
    """Return the samples of each speaker and digit, shape (S, T*C)."""
    found: dict[str, dict[str, list[Bytes]]] = {}
    for recording in find_recordings(folder, "{label}_{speaker}_{take}"):
        sample = word(frames(read_wav(recording.path, FRONT.rate), FRONT), STEPS, FRONT.reach).reshape(-1)
        found.setdefault(recording.fields["speaker"], {}).setdefault(recording.label, []).append(sample)
    return {who: {label: np.stack(group) for label, group in said.items()} for who, said in found.items()}


def signed(stored: Bytes) -> bytes:
    """Return stored activations as signed bytes, which the model takes as readings."""
    return (stored ^ 128).tobytes()


def teach(
    said: dict[str, Bytes], words: tuple[str, ...], samples: int, passes: int, seed: int, heap: int, python: str = "",
    board: EmulatedBoard | None = None,
) -> tuple[int, ...]:  # fmt: skip
    """Teach a board words; return (right, predicted, samples kept, CRC of the weights, bytes of heap left).

    ``python`` names another interpreter than the virtual board's, which then runs the sources. An emulated
    ``board`` is taught instead; the milliseconds which it took stand first.
    """
    dice = np.random.default_rng(seed)
    rows = {w: said[w][dice.permutation(len(said[w]))] for w in words}
    config = parse_config(TOML.format(seed=seed, steps=STEPS, classes=list(words)), "words.toml")
    count = len(words)  # the scale is fixed: data are needed for their form only
    none = Samples(
        np.zeros((count, STEPS, FRONT.channels)), np.arange(count, dtype=np.uint8), words, words, np.arange(count)
    )  # fmt: skip
    model = build_model(config, none)
    taught = [bytes([y]) + signed(rows[w][i]) for i in range(samples) for y, w in enumerate(words)]
    shown = [bytes([y]) + signed(row) for y, w in enumerate(words) for row in rows[w][samples:]]
    count = samples * len(words)
    lesson = {"budget": count * (SAMPLE + 48) + SAMPLE, "size": SAMPLE, "count": count, "practice": passes * count}
    if board:
        data = {"model.tpsgd": model.to_bytes(), "taught.bin": b"".join(taught), "shown.bin": b"".join(shown)}
        return seconds_of(board, data, MAIN.format(**lesson, shown=SHOWN, taught=TAUGHT))
    main = MAIN.format(**lesson, shown=len(shown), taught="")
    with tempfile.TemporaryDirectory(prefix="tpsgd-") as place:
        folder = Path(place)
        files = package_files(None if python else MpyFormat.of(interpreter_mpy()))
        files |= {"model.tpsgd": model.to_bytes(), "taught.bin": b"".join(taught), "shown.bin": b"".join(shown)}
        files["main.py"] = main.encode()
        for path, data in files.items():
            (folder / path).parent.mkdir(exist_ok=True)
            (folder / path).write_bytes(data)
        command = [python] if python else [find_interpreter(), "-X", f"heapsize={heap}"]
        done = subprocess.run([*command, "main.py"], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    return tuple(int(part) for part in done.stdout.split())


def live(
    folder: Path, who: str, words: tuple[str, ...], samples: int, passes: int, seed: int, heap: int
) -> TeachReport:
    """Teach a board that hears the recordings of a speaker; return what came of it."""
    with tempfile.TemporaryDirectory(prefix="tpsgd-") as text:
        place = Path(text)
        (place / "said").mkdir()
        for recording in find_recordings(folder, "{label}_{speaker}_{take}"):
            if recording.fields["speaker"] == who and recording.label in words:
                (place / "said" / recording.path.name).symlink_to(recording.path.resolve())
        begun = begin(words, "sound", folder=place, seed=seed)
        flash(begun.path, folder=place / "board", heap=heap)
        source = Source(place / "said", samples=samples, seed=seed)
        with open_lesson(source, folder=place / "board", data=place / "kept", passes=passes) as scene:
            assert scene.conductor is not None
            return report(scene, scene.conductor.run())


def main_live(options: argparse.Namespace) -> int:
    """Measure the lessons over the link."""
    speakers = sorted({one.fields["speaker"] for one in find_recordings(options.folder, "{label}_{speaker}_{take}")})
    if options.rp2040:
        who, said = min(load(options.folder).items())
        with rp2040.RP2040() as board:
            found = teach(said, tuple(options.words[0]), options.samples, options.passes, 1, 0, board=board)
        print(f"{who}: {found[0] / 1000:.1f} s to start, teach and practise; {found[5]} bytes free")
        return 0
    means = []
    for who in speakers:
        done = [
            live(options.folder, who, tuple(w), options.samples, options.passes, 1 + i, options.heap * 1024)
            for i, w in enumerate(options.words)
        ]
        shares = [100 * one.right / one.tested for one in done]
        means.append(sum(shares) / len(shares))
        unheard, extra = sum(one.unheard for one in done), sum(one.extra for one in done)
        of = " ".join(f"{share:.1f}" for share in shares)
        print(f"{who}: {means[-1]:.1f} %  ({of}), {unheard} not heard, {extra} heard as two", flush=True)
    print(f"mean {sum(means) / len(means):.1f} %")
    return 0


def seconds_of(board: EmulatedBoard, files: dict[str, bytes], main: str) -> tuple[int, ...]:
    """Teach an emulated board; return its milliseconds, then what :data:`MAIN` prints."""
    number = int(board.run("import sys\nprint(sys.implementation._mpy)"))
    board.make_folder("tpsgd")
    for path, data in {**package_files(MpyFormat.of(number)), **files}.items():
        board.write(path, data)
    return tuple(int(part) for part in board.run("import time\nt0 = time.ticks_ms()\n" + main, 1800).split())


def main() -> int:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--words", nargs="+", default=["2468", "0379", "1586", "2790"], help="digits of each lesson")
    parser.add_argument("--samples", type=int, default=5)
    parser.add_argument("--passes", type=int, default=10)
    parser.add_argument("--rp2040", action="store_true", help="seconds on an emulated RP2040 at 125 MHz")
    parser.add_argument("--heap", type=int, default=0, help="KB; by default 64, and 144 with --live")
    parser.add_argument("--live", action="store_true", help="play the recordings to the board, and teach over the link")
    options = parser.parse_args()
    options.heap = options.heap or (144 if options.live else 64)
    if options.live:
        return main_live(options)
    if options.rp2040:
        who, said = min(load(options.folder).items())
        with rp2040.RP2040() as board:
            found = teach(said, tuple(options.words[0]), options.samples, options.passes, 1, 0, board=board)
        print(f"{who}: {found[0] / 1000:.1f} s to start, teach and practise; {found[5]} bytes free")
        return 0
    means = []
    for who, said in sorted(load(options.folder).items()):
        lessons = [
            teach(said, tuple(words), options.samples, options.passes, 1 + i, options.heap * 1024)
            for i, words in enumerate(options.words)
        ]
        shares = [100 * right / count for right, count, *_ in lessons]
        means.append(sum(shares) / len(shares))
        left = min(lesson[4] for lesson in lessons)
        print(
            f"{who}: {means[-1]:.1f} %  ({' '.join(f'{share:.1f}' for share in shares)}), {left} bytes free", flush=True
        )
    print(f"mean {sum(means) / len(means):.1f} %")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
