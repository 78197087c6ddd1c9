"""All 2,000 spoken digits: frames and samples are those of the reference, on the host and on MicroPython."""

import struct
import subprocess
from itertools import pairwise
from pathlib import Path
from zlib import crc32

import numpy as np
import pytest

from tpsgd_host.data.frontend import LogMel, mel_edges
from tpsgd_host.data.sound import frames, word

#: Of the executable form that the front end was designed with: frames, CRC-32 of them, CRC-32 of the samples.
REFERENCE = (55793, "7bfe0fbc", "aa78b184")
EIGHT = LogMel(8000, 256, 128, mel_edges(16, 100, 4000))
SIXTEEN = LogMel(16000, 512, 320, mel_edges(20, 100, 8000))
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def recordings(data_dir):
    with np.load(data_dir / "fsdd-4speakers.npz") as arrays:
        audio, offsets = arrays["audio"], arrays["offsets"]
    return [audio[start:stop] for start, stop in pairwise(offsets.tolist())]


def on_host(recordings, front):
    count = all_frames = all_samples = 0
    for pcm in recordings:
        found = frames(pcm, front)
        count += len(found)
        all_frames = crc32(found.tobytes(), all_frames)
        all_samples = crc32(word(found, 20, front.reach).tobytes(), all_samples)
    return count, f"{all_frames:08x}", f"{all_samples:08x}"


def on_board(interpreter, recordings, front, folder):
    (folder / "pcm").write_bytes(b"".join(struct.pack("<I", len(pcm)) + pcm.tobytes() for pcm in recordings))
    script = Path(__file__).with_name("recordings_board.py")
    numbers = [front.rate, front.window, front.hop, 20, *front.edges]
    command = [interpreter, "-X", "heapsize=4m", str(script), str(ROOT / "device"), str(folder / "pcm")]
    done = subprocess.run([*command, *map(str, numbers)], capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == 0, done.stderr
    engine, count, all_frames, all_samples = done.stdout.split()
    return engine, (int(count), all_frames, all_samples)


def test_the_host_computes_the_reference(recordings):
    assert on_host(recordings, EIGHT) == REFERENCE


def test_the_board_computes_the_reference(interpreter, recordings, tmp_path):
    engine, got = on_board(interpreter, recordings, EIGHT, tmp_path)
    assert engine in ("native", "viper")  # as the interpreter takes native modules or not
    assert got == REFERENCE


def test_host_and_board_agree_at_16_khz(interpreter, recordings, tmp_path):
    fast = recordings[::4]  # played twice too fast: what counts is the bits
    assert on_board(interpreter, fast, SIXTEEN, tmp_path)[1] == on_host(fast, SIXTEEN)
