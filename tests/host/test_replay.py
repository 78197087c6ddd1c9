"""Taught samples on real interpreters: equal bits, a small heap, nothing allocated; front ends and frozen bodies."""

from __future__ import annotations

import subprocess
import sys
from array import array
from pathlib import Path

import numpy as np
import pytest
import teaching
from boards import DEVICE
from sounds import speech

from tpsgd.learner import Learner
from tpsgd_host.data.samples import Samples
from tpsgd_host.model.build import build_model
from tpsgd_host.model.parsing import parse_config

BODY = """
[model]
seed = 4
classes = ["one", "two", "three"]
[data]
steps = 8
{data}
[training]
shifts = [5]
{more}
[[layer]]
kind = "{kind}"
units = 6
frozen = {frozen}
[[layer]]
kind = "output"
"""
ROWS = 'channels = 5\nscale = "fixed"\noffset = 0\ngain = 1'
FRONT = '[frontend]\nkind = "logmel"\n'
KINDS = {"temporal": ("temporal", ""), "recurrent": ("recurrent", "readout_steps = 2"), "dense": ("dense", "")}


def write_model(path: Path, kind: str = "temporal", frozen: bool = False, data: str = ROWS) -> None:
    """Write an untrained model."""
    name, more = KINDS[kind]
    config = parse_config(BODY.format(kind=name, more=more, frozen=str(frozen).lower(), data=data), "body.toml")
    shape = (3, config.layout.steps, config.layout.channels)
    model = build_model(config, Samples(np.zeros(shape), np.arange(3, dtype=np.uint8), config.classes, ("",) * 3,
                                        np.arange(3)))  # fmt: skip
    path.write_bytes(model.to_bytes())


def rows(count: int, seed: int = 3) -> list[list[int]]:
    """Return samples of 40 activations."""
    return np.random.default_rng(seed).integers(-127, 128, (count, 40)).tolist()


def test_a_board_with_64_kb_learns_from_a_few_samples_what_cpython_learns(interpreter):
    dice = np.random.default_rng(1)
    centres = dice.integers(60, 196, (4, teaching.SAMPLE))
    said = {
        str(i): np.clip(centre + dice.normal(0, 25, (9, teaching.SAMPLE)), 1, 255).astype(np.uint8)
        for i, centre in enumerate(centres)
    }
    lesson = (said, tuple(said), 5, 4, 1, 64 * 1024)
    board = teaching.teach(*lesson)
    here = teaching.teach(*lesson, python=sys.executable)
    assert board[:4] == here[:4]
    right, count, kept, _, left = board
    assert (count, kept) == (16, 20)
    assert right == 16
    assert 0 < left < 64 * 1024


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("engine", [1, 2])
def test_a_frozen_body_practises_as_if_the_sample_came_again(tmp_path, kind, engine):
    write_model(tmp_path / "model.tpsgd", kind, frozen=True)
    taught = Learner(f"{tmp_path}/model.tpsgd", engine=engine, replay=2000)
    learned = Learner(f"{tmp_path}/model.tpsgd", engine=engine)
    assert taught.replay.frozen
    assert taught.replay.size == {"temporal": 24, "recurrent": 12, "dense": 6}[kind]
    first, other = rows(2)
    taught.feed(first)
    taught.teach("two")
    taught.feed(other)
    taught.predict()
    assert taught.practise(3) == 3
    for _ in range(4):
        learned.feed(first)
        learned.learn("two")
    assert taught.network.crc() == learned.network.crc()
    assert taught.seen == learned.seen == 4


@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_boards_practise_what_cpython_practises_and_allocate_nothing(tmp_path, interpreter, kind, frozen):
    write_model(tmp_path / "model.tpsgd", kind, frozen)
    program = (
        f"import sys, gc\nsys.path.insert(0, {str(DEVICE.parent)!r})\nfrom tpsgd import Learner\n"
        "learner = Learner('model.tpsgd', replay=700)\n"
        f"for i, row in enumerate({rows(11)}):\n    learner.feed(row)\n    learner.teach(i % 3)\n"
        "learner.undo()\n"
        "if sys.implementation.name == 'micropython':\n    import micropython\n    gc.collect()\n"
        "    micropython.heap_lock()\n    learner.replay.practise(25)\n    micropython.heap_unlock()\n"
        "else:\n    learner.practise(25)\n"
        "print(learner.network.crc(), learner.replay.kept, learner.replay.slots)\n"
    )
    (tmp_path / "program.py").write_text(program)
    said = [
        subprocess.run([python, "program.py"], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
        for python in (sys.executable, interpreter)
    ]
    assert said[0].stdout == said[1].stdout != "", [done.stderr for done in said]
    kept, slots = map(int, said[0].stdout.split()[1:])
    assert kept == min(11, slots) - 1


def test_a_learner_hears_words_and_is_taught_them(tmp_path):
    write_model(tmp_path / "model.tpsgd", data=FRONT)
    learner = Learner(f"{tmp_path}/model.tpsgd", replay=8000)
    assert not learner.ready
    with pytest.raises(ValueError, match="push"):
        learner.feed([0] * 128)
    pcm = speech(8000, 3)
    heard = 0
    step = len(learner.front.buffer)
    for _ in range(2):
        for at in range(0, len(pcm) - step, step):
            learner.front.buffer[:] = array("h", pcm[at : at + step].tolist())
            if learner.push(step):
                assert learner.ready
                before = bytes(learner.network.sample)
                if heard < 3:
                    learner.teach(heard)
                    learner.practise(40)
                else:
                    assert learner.predict() == learner.classes[heard - 3]
                assert bytes(learner.network.sample) == before
                heard += 1
    assert heard == 6
    assert learner.replay.kept == 3
    with pytest.raises(ValueError, match="samples a second"):
        Learner(f"{tmp_path}/model.tpsgd", rate=11025)
