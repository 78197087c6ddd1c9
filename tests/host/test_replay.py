"""Taught samples on real interpreters: equal bits, a small heap, nothing allocated; front ends and frozen bodies."""

from __future__ import annotations

import os
import subprocess
import sys
from array import array

import numpy as np
import pytest
import teaching
from boards import DEVICE
from bodies import FRONT, KINDS, write_model
from sounds import speech

from tpsgd.capture import PIPE
from tpsgd.learner import Learner
from tpsgd_host.boards.player import Player
from tpsgd_host.data.playing import Piece


def rows(count: int, seed: int = 3) -> list[list[int]]:
    """Return samples of 40 activations."""
    return np.random.default_rng(seed).integers(-127, 128, (count, 40)).tolist()


def test_a_small_board_learns_from_a_few_samples_what_cpython_learns(interpreter):
    dice = np.random.default_rng(1)
    centres = dice.integers(60, 196, (4, teaching.SAMPLE))
    said = {
        str(i): np.clip(centre + dice.normal(0, 25, (9, teaching.SAMPLE)), 1, 255).astype(np.uint8)
        for i, centre in enumerate(centres)
    }
    heap = 68 * 1024  # tests/campaigns/teaching.py has 64 KB, which leaves little to what a collection passes over
    lesson = (said, tuple(said), 5, 4, 1, heap)
    board = teaching.teach(*lesson)
    here = teaching.teach(*lesson, python=sys.executable)
    assert board[:4] == here[:4]
    right, count, kept, _, left = board
    assert (count, kept) == (16, 20)
    assert right == 16
    assert 0 < left < heap


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
    with pytest.raises(ValueError, match="take"):
        learner.feed([0] * 128)
    pcm = speech(8000, 3)
    heard = 0
    step = len(learner.front.buffer)
    for _ in range(2):
        for at in range(0, len(pcm) - step, step):
            learner.front.buffer[:] = array("h", pcm[at : at + step].tolist())
            if learner.front.push(step):
                learner.take()
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


def test_the_guide_s_loop_is_taught_words_that_are_played_to_a_board(tmp_path, interpreter):
    """The program of docs/ON_DEVICE.md, on its own, with what the player gives as its microphone; no word is torn."""
    write_model(tmp_path / "model.tpsgd", data=FRONT)
    text = (DEVICE.parents[1] / "docs" / "ON_DEVICE.md").read_text().split("### A microphone")[1]
    loop = text.split("```python\n")[1].split("```")[0]
    answer = "        print(learner.predict(), learner.probability)\n"
    assert answer in loop
    lesson = (
        "        if learner.replay.kept < 3:\n"
        "            learner.teach(learner.replay.kept)\n"
        "            learner.practise(60)\n"
        "        else:\n"
        "            print(learner.predict(), learner.classes[done])\n"
        "            done += 1\n"
        "            if done == 3:\n"
        "                break\n"
    )
    program = f"import sys\nsys.path.insert(0, {str(DEVICE.parent)!r})\ndone = 0\n" + loop.replace(answer, lesson)
    (tmp_path / "main.py").write_text(program + "print(learner.replay.kept, ear.torn, sensor.overruns)\n")
    (tmp_path / "sensor.py").write_text("from tpsgd import capture\n\ndef open():\n    return capture.Stream(8000)\n")
    os.mkfifo(tmp_path / PIPE)
    pcm = np.concatenate([speech(8000, 3), speech(8000, 3, seed=2), np.zeros(8000, np.int16)])
    board = subprocess.Popen(
        [interpreter, "main.py"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        with Player([Piece(pcm[:, None])], tmp_path, 8000, real_time=False):
            said, wrong = board.communicate(timeout=60)
    finally:
        board.kill()
        board.wait()
    assert said.splitlines() == ["one one", "two two", "three three", "3 0 0"], said + wrong
