"""Mutants of every file that the host reads: each is read or refused, within its time, by a documented error.

Run by ``fuzz.py``: tables, arrays, sounds, TOML, trained networks, run folders, and model files, with front ends and
without, together with the data they describe.
"""

from __future__ import annotations

import io
import json
import tempfile
import time
from array import array
from collections.abc import Callable
from dataclasses import replace
from importlib import resources
from pathlib import Path

import base
import cases
import fuzz_board
import numpy as np
from fuzz_board import Dice, mutate
from networks import model as small
from networks import samples, write_csv
from sounds import speech, write_wav

from tpsgd import frontend, kernels_plain
from tpsgd.frontspec import LOGMEL
from tpsgd.modelfile import Model as DeviceModel
from tpsgd_host.boards.hearing import describe_front
from tpsgd_host.data.layout import Layout
from tpsgd_host.data.load import load_samples
from tpsgd_host.data.summary import summarize
from tpsgd_host.errors import TpsgdError
from tpsgd_host.model.front import motion_front, sound_front
from tpsgd_host.model.modelfile import load_model, memory, parse_model
from tpsgd_host.model.parsing import load_config
from tpsgd_host.quantization.importers.npz import load_npz
from tpsgd_host.quantization.importers.onnx import load_onnx
from tpsgd_host.runs.folder import RunFolder
from tpsgd_host.runs.log import read_log
from tpsgd_host.runs.resume import newest_unfinished, read_recipe

#: Seconds that one mutant may take: more is a hang.
PATIENCE = 10.0

EXPORTED = base.HERE.parent / "host" / "exported"

#: What bytes alone seldom hit upon.
TOKENS = {
    ".toml": (b"[[", b"]]", b"a.", b'"""', b"1e999", b"9" * 60, b"inf", b"nan", b"-", b"2026-01-01", b"\\u0000", b"{",
              b"}", b"[layer]\n", b"\r", b"true", b"[]", b"''", b"= ", b"\n"),
    ".csv": (b'"', b",", b"\n", b"\r", b";", b"\t", b"nan", b"1e999", b"-", b"\xef\xbb\xbf", b"\x00", b"1_0", b",,,"),
    ".npz": (b"\x93NUMPY", b"PK\x03\x04", b"PK\x01\x02", b"'<f8'", b"'|O'", b"(2147483647,", b"True", b"shape"),
    ".onnx": (b"\x08", b"\x12", b"\xff\xff\xff\x7f", b"Gemm", b"RNN", b"../x"),
    ".wav": (b"RIFF", b"WAVE", b"fmt ", b"data", b"LIST", b"\xff\xff\xff\xff", bytes(4), b"\x01\x00", b"\xfe\xff"),
    ".json": (b"{", b"}", b"null", b"-1", b"1e999", b'"', b"[", b"9" * 40, b":", b",", b"\\ud800"),
}  # fmt: skip


def mutant(dice: Dice, data: bytes, suffix: str) -> bytes:
    """Return data with bytes changed, and now and then a token put in."""
    out = mutate(dice, data)
    for _ in range(dice.choice((0, 0, 1, 3))):
        at = dice.randrange(len(out) + 1)
        out = out[:at] + dice.choice(TOKENS[suffix]) * dice.choice((1, 1, 1, 30)) + out[at:]
    return out


def judge(count: int, seed: int, suffix: str, seeds: list[bytes], read: Callable[[Path], object]) -> str:
    """Give mutants of ``seeds`` to a reader; return how many it took."""
    dice = Dice(seed)
    taken, slowest = 0, 0.0
    progress = base.Progress(f"{suffix} files", count)
    with tempfile.TemporaryDirectory(prefix="tpsgd-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as place:
        path = Path(place) / f"it{suffix}"
        for number in range(count):
            path.write_bytes(mutant(dice, dice.choice(seeds), suffix))
            begun = time.monotonic()
            try:
                with np.errstate(all="ignore"):  # a mutant's numbers may be none
                    read(path)
                taken += 1
            except TpsgdError:
                pass
            except Exception as error:
                raise AssertionError(f"seed {seed}, mutant {number}: {error!r}: {path.read_bytes()!r}") from error
            slowest = max(slowest, time.monotonic() - begun)
            assert slowest < PATIENCE, f"seed {seed}, mutant {number}: {slowest:.0f} s: {path.read_bytes()!r}"
            progress.step()
    return f"{count} {suffix} files: {taken} taken, the others refused; the slowest took {slowest:.2f} s"


def tables(count: int, seed: int) -> str:
    """Tables as rows and as recordings, and what ``new`` says of them."""
    with tempfile.TemporaryDirectory() as place:
        write_csv(Path(place) / "a.csv", samples(12))
        rows = (Path(place) / "a.csv").read_bytes()
    recordings = b"who,label,x,y\n" + b"".join(
        b"%d,%s,%d.5,-1e-3\n" % (i // 5, b"ab"[i // 5 % 2 :][:1], i) for i in range(40)
    )
    layouts = (
        Layout(1, 4), Layout(4, 2, "recording", "mean", group="who"),
        Layout(3, 2, "recording", "linear", 3, 1, group="who"),
    )  # fmt: skip

    def read(path: Path) -> None:
        failed = []
        for layout in layouts:
            for policy in ("stop", "skip"):
                try:
                    load_samples(path, layout, None, policy)
                except TpsgdError as error:
                    failed.append(error)
        summarize(path)
        if len(failed) == 2 * len(layouts):
            raise failed[0]

    return judge(count, seed, ".csv", [rows, recordings, rows.replace(b",", b";"), b"\xef\xbb\xbf" + recordings], read)


def arrays(count: int, seed: int) -> str:
    """Samples and trained networks as arrays."""
    seeds = []
    for save in (np.savez, np.savez_compressed):
        for made in (
            {
                "x": np.zeros((4, 4)),
                "y": np.array([0, 1, 0, 1]),
                "groups": np.arange(4),
                "classes": np.array(["a", "b"]),
            },
            {"W0": np.ones((3, 4)), "b0": np.zeros(3), "W1": np.ones((2, 3)), "b1": np.zeros(2)},
        ):
            file = io.BytesIO()
            save(file, **made)
            seeds.append(file.getvalue())

    def read(path: Path) -> None:
        try:
            load_samples(path, Layout(1, 4))
        except TpsgdError:
            load_npz(path)

    return judge(count, seed, ".npz", seeds, read)


def tomls(count: int, seed: int) -> str:
    """Descriptions of models."""
    seeds = [item.read_bytes() for item in resources.files("tpsgd_host.tasks").iterdir() if item.name.endswith(".toml")]
    return judge(count, seed, ".toml", seeds, load_config)


def networks(count: int, seed: int) -> str:
    """Networks that torch exported."""
    return judge(count, seed, ".onnx", [path.read_bytes() for path in sorted(EXPORTED.glob("*.onnx"))], load_onnx)


def run_folders(count: int, seed: int) -> str:
    """The config and the log of a run."""
    config = {"epochs": 2, "total": 3, "run_id": 7, "fresh": True, "test_split": None, "split_seed": 1,
              "shuffle_seed": 1, "model_crc": 1, "classes": ["a", "b"],
              "resume": {"data": "d.csv", "test": None, "test_every": 1, "bad_rows": "stop", "names": [None] * 3,
                         "data_crc": 1, "port": "virtual", "folder": None, "heap": None, "baud": 115200,
                         "engine": "auto", "every": 10, "reconnect": 1.0, "usb": ""}}  # fmt: skip
    log = b"".join(
        json.dumps(event).encode() + b"\n"
        for event in (
            {"event": "started", "config": {"classes": ["a", "b"]}},
            {
                "event": "sample",
                "index": 0,
                "epoch": 1,
                "kind": "train",
                "label": 0,
                "predicted": 1,
                "p_true": 3,
                "line": 2,
            },
            {"event": "note", "text": "hello"},
            {"event": "board", "text": "hello"},
        )
    )

    def read(path: Path) -> None:
        folder = path.parent / "runs" / "one"
        folder.mkdir(parents=True, exist_ok=True)
        data = path.read_bytes()
        which = data[:1] == b"{" and b'"resume"' in data
        (folder / "config.json").write_bytes(data if which else json.dumps(config).encode())
        (folder / "log.jsonl").write_bytes(log if which else data)
        for look in (
            lambda: RunFolder.open(folder).config, lambda: list(read_log(folder / "log.jsonl")),
            lambda: newest_unfinished(folder.parent), lambda: read_recipe(folder),
        ):  # fmt: skip
            try:
                look()
            except TpsgdError as error:
                failed = error
        raise failed  # no model: a run's folder here is never whole

    return judge(count, seed, ".json", [json.dumps(config).encode(), log], read)


def sounds(count: int, seed: int) -> str:
    """Recordings, as what they are samples of, and what ``new`` says of them."""
    front = sound_front(8000)
    layout = Layout(8, front.channels, front=front)
    seeds = []
    with tempfile.TemporaryDirectory() as place:
        for width, channels, rate in ((2, 1, 8000), (1, 2, 8000), (3, 1, 16000), (4, 1, 8000)):
            path = Path(place) / "a.wav"
            write_wav(path, speech(rate, 1)[: rate // 20], rate, width, channels)
            seeds.append(path.read_bytes())

    def read(path: Path) -> None:
        folder = path.parent / "words"
        folder.mkdir(exist_ok=True)
        (folder / "one_ann_1.wav").write_bytes(path.read_bytes())
        load_samples(folder, layout, None, "skip")

    return judge(count, seed, ".wav", seeds, read)


def fronts(count: int, seed: int) -> str:
    """Model files with front ends that have the right CRC: the device builds what the host takes, and hears."""
    dice = Dice(seed)
    hears, moves = sound_front(8000), motion_front([4.0] * 4, False, 100.0)
    layouts = (
        Layout(2, 4, front=replace(hears, edges=hears.edges[:6])),
        Layout(2, 4, "recording", group="who", rate=100.0, front=moves),
    )
    whole = [replace(small(), layout=layout).to_bytes() for layout in layouts]
    taken = heard = 0
    slowest = 0.0
    progress = base.Progress("fronts", count)
    for number in range(count):
        data = fuzz_board.right_crc(mutate(dice, dice.choice(whole)))
        begun = time.monotonic()
        device = fuzz_board.reads(data)
        try:
            made = parse_model(data, "it")
            assert device, f"seed {seed}, file {number}: the host takes what the device refuses: {data.hex()}"
            assert parse_model(made.to_bytes(), "it").crc == made.crc
            memory(made)
            describe_front(made)
            taken += 1
            if 20 * heard <= number:  # in plain Python this takes a while
                heard += 1
                _hear(data, dice)
        except TpsgdError:
            pass
        except Exception as error:
            raise AssertionError(f"seed {seed}, file {number}: {error!r}: {data.hex()}") from error
        slowest = max(slowest, time.monotonic() - begun)
        assert slowest < PATIENCE, f"seed {seed}, file {number}: {slowest:.0f} s: {data.hex()}"
        progress.step()
    return (
        f"{count} model files with front ends: {taken} taken, {heard} of them heard; the slowest took {slowest:.2f} s"
    )


def _hear(data: bytes, dice: Dice) -> None:
    """Have the device's front end of a model hear noise, or feel it."""
    model = DeviceModel(io.BytesIO(data))
    end = frontend.build(model, kernels_plain, bytearray(model.steps * model.channels + 1))
    for _ in range(2 * model.front.window // len(end.buffer) + 4 if model.front.kind == LOGMEL else 40):
        noise = np.frombuffer(dice.randbytes(2 * len(end.buffer)), "<i2")
        end.buffer[:] = array("h", noise.tolist())
        end.push(len(noise))


def described(count: int, seed: int) -> str:
    """Model files that are whole, and the data as they describe them."""
    dice = Dice(seed)
    whole = [cases.model_bytes(case) for case in range(12)]
    taken = 0
    slowest = 0.0
    progress = base.Progress("described", count)
    with tempfile.TemporaryDirectory(prefix="tpsgd-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as place:
        folder = Path(place)
        write_csv(folder / "a.csv", samples(30))
        for number in range(count):
            data = fuzz_board.right_crc(mutate(dice, dice.choice(whole)))
            (folder / "m.tpsgd").write_bytes(data)
            begun = time.monotonic()
            try:
                made = load_model(folder / "m.tpsgd")
                taken += 1
                assert parse_model(made.to_bytes(), "it").crc == made.crc
                memory(made)
                load_samples(folder / "a.csv", made.layout, made.classes, "skip")
            except TpsgdError:
                pass
            except Exception as error:
                raise AssertionError(f"seed {seed}, mutant {number}: {error!r}: {data.hex()}") from error
            slowest = max(slowest, time.monotonic() - begun)
            assert slowest < PATIENCE, f"seed {seed}, mutant {number}: {slowest:.0f} s: {data.hex()}"
            progress.step()
    return f"{count} model files with data: {taken} taken; the slowest took {slowest:.2f} s"


CAMPAIGNS = {
    "tables": tables, "arrays": arrays, "tomls": tomls, "networks": networks, "run-folders": run_folders,
    "described": described, "sounds": sounds, "fronts": fronts,
}  # fmt: skip
