"""``bench practice``: what knowing somebody new costs a board."""

import json

import pytest
from click.testing import CliRunner

from tpsgd_host.adaptation.knowing import practice_seconds
from tpsgd_host.bench import practice
from tpsgd_host.boards.hearing import memory_of_taught
from tpsgd_host.cli import cli


def test_practice_is_measured_on_the_virtual_board(interpreter, monkeypatch):
    monkeypatch.setattr(practice, "NETWORKS", {"TDNN 16-23@5": practice.NETWORKS["TDNN 16-23@5"]})
    monkeypatch.setattr(practice.rp2040, "UF2", "")
    done = CliRunner().invoke(cli, ["bench", "practice", "--samples", "2", "--json"])
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    by = {one["way"]: one for one in said["results"]}
    assert [by[way]["places"] for way in ("network", "prototypes", "both")] == [20 + 30, 0, 20 + 30]
    assert by["prototypes"]["practice"] == 0 < by["network"]["practice"]
    for way, one in by.items():
        each, once = memory_of_taught(practice.known_model("TDNN 16-23@5", way))
        assert 20 * (each - 48) < one["heap"] < 20 * each + once + 2048  # places of a pass, and blocks of 32 bytes
    assert by["network"]["heap"] < by["both"]["heap"]
    assert "TPSGD_RP2040_UF2" in said["missing"][0]


@pytest.mark.parametrize(
    ("network", "count", "seconds"),
    [("RNN 16-32", 1, 4.5), ("RNN 16-32", 5, 17.1), ("TDNN 16-23@5", 1, 4.3), ("TDNN 16-23@5", 5, 16.9)],
)
def test_the_estimate_is_about_what_the_emulated_rp2040_takes(network, count, seconds):
    """The seconds are those of ``bench practice --samples COUNT``, way network."""
    model = practice.known_model(network, "network")
    assert practice_seconds(model, "network", count, practice.PERSONS) == pytest.approx(seconds, rel=0.12)
