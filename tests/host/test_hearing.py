"""``bench frontend``: what hearing costs, and the time to an answer."""

import json

import pytest
from click.testing import CliRunner

from tpsgd import kernels_plain, network
from tpsgd.replay import Replay
from tpsgd_host.bench import hearing
from tpsgd_host.boards.hearing import describe_front, memory_of_taught
from tpsgd_host.cli import cli
from tpsgd_host.model.modelfile import memory, parsed
from tpsgd_host.model.surgery import with_learning


def test_the_engines_of_the_virtual_board_are_measured(interpreter, monkeypatch):
    monkeypatch.setattr(hearing, "NETWORKS", {"TDNN 16-23@5": hearing.NETWORKS["TDNN 16-23@5"]})
    monkeypatch.setattr(hearing.rp2040, "UF2", "")
    monkeypatch.setattr(hearing.esp32, "QEMU", "")
    done = CliRunner().invoke(cli, ["bench", "frontend", "--json"])
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    plain, viper = said["results"]
    assert (plain["engine"], viper["engine"]) == ("plain", "viper")
    assert viper["frame"] < plain["frame"]
    assert viper["computed"] == (viper["last"] + viper["forward"]) / 1e9
    assert viper["answer"] == viper["computed"] + 14 * 128 / 8000  # the quiet that ends a word
    front = dict(memory(hearing.hearing_model("TDNN 16-23@5")).buffers)
    assert viper["heap"] > front["frames"] + front["window"] + front["spectrum"] + front["rotations"]
    assert "TPSGD_RP2040_UF2" in said["missing"][0]
    assert "TPSGD_ESP32_QEMU" in said["missing"][1]


def test_an_answer_is_the_hold_and_what_is_computed():
    h = hearing.Hearing("RP2040", "thumb", "RNN", "cycles", 250_000, 500_000, 750_000, 4000, 0.224, 0.016, 125_000_000)
    assert h.share == 0.125
    assert h.computed == 0.01
    assert round(h.answer, 9) == 0.234


def test_instructions_alone_say_nothing_of_seconds():
    h = hearing.Hearing("ESP32", "viper", "RNN", "instructions", 1, 2, 3, 4000, 0.224, 0.016, 0)
    assert h.share is h.computed is h.answer is None


@pytest.mark.parametrize("frozen", [False, True])
def test_a_taught_sample_takes_what_is_said(frozen):
    model = hearing.hearing_model("TDNN 16-23@5")
    model = with_learning(model, 1) if frozen else model
    each, once = memory_of_taught(model)
    net = network.Network(parsed(model), kernels_plain)
    assert Replay(net, once + 3 * each).slots == 3
    assert Replay(net, once + 4 * each - 1).slots == 3
    assert f"takes {each:,} more" in describe_front(model)[2]
