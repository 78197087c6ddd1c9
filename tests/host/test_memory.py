"""What training takes on the board, counted there."""

from __future__ import annotations

import numpy as np
import pytest
from networks import conv_model, recurrent_model, stacked_model

from tpsgd_host.boards.connect import connect
from tpsgd_host.flashing.flash import flash
from tpsgd_host.model.modelfile import memory
from tpsgd_host.training.executor import Records
from tpsgd_host.training.simulator import Simulator


@pytest.mark.parametrize("amplitude", [100, 0], ids=["label", "feedback"])
def test_a_spoken_digits_network_trains_in_eight_kilobytes(tmp_path, interpreter, amplitude):
    model = recurrent_model(16, 32, 10, 20, 4, amplitude)
    model.save(tmp_path / "m.tpsgd")
    report = flash(tmp_path / "m.tpsgd", folder=tmp_path / "board")
    assert report.state_planned == memory(model).total
    # The count includes every object of network and link, at 64 bits; the buffers alone are a kilobyte less.
    assert report.state_planned < report.state_measured <= 8192


@pytest.mark.parametrize(
    "made", [conv_model(), conv_model(feedback=True), stacked_model()],
    ids=["CNN", "CNN of feedback", "two recurrent layers"],
)  # fmt: skip
def test_the_plan_of_conv_and_stacked_layers_is_kept_on_the_board(made, tmp_path, interpreter):
    made.save(tmp_path / "m.tpsgd")
    report = flash(tmp_path / "m.tpsgd", folder=tmp_path / "board")
    assert report.state_planned == memory(made).total
    # objects and blocks of 32 bytes come on top
    assert report.state_planned < report.state_measured < 2 * report.state_planned + 2048
    data = np.random.default_rng(1).integers(1, 256, (60, made.layout.steps * made.layout.channels)).astype(np.uint8)
    records = Records(np.zeros(60, np.uint8), (np.arange(60) % 3).astype(np.uint8), data)
    crcs = []
    with connect("virtual", folder=tmp_path / "board") as board:
        for executor in (board, Simulator(made)):
            executor.start(1, 60, fresh=True)
            list(executor.stream(records))
            crcs.append(executor.finish().weights_crc)
    assert crcs[0] == crcs[1] != made.weights_crc


@pytest.mark.parametrize("steps", [20, 200])
def test_memory_does_not_grow_with_the_sequence_but_for_the_sample_itself(steps):
    short, long = memory(recurrent_model(6, 32, 4, 20, 4)), memory(recurrent_model(6, 32, 4, steps, 4))
    assert long.total - short.total == 6 * (steps - 20)


def test_the_state_does_not_grow_while_it_trains(tmp_path, interpreter):
    model = recurrent_model(16, 32, 10, 20, 4)
    model.save(tmp_path / "m.tpsgd")
    flash(tmp_path / "m.tpsgd", folder=tmp_path / "board")
    dice = np.random.default_rng(1)
    with connect("virtual", folder=tmp_path / "board") as board:
        board.start(1, 400, fresh=True)
        used = []
        for _ in range(2):
            data = dice.integers(1, 256, (200, 320)).astype(np.uint8)
            labels = dice.integers(0, 10, 200).astype(np.uint8)
            list(board.stream(Records(np.zeros(200, np.uint8), labels, data)))
            used.append(board.finish(save=False).details["heap_used"])
    assert abs(used[1] - used[0]) < 256
