"""The campaigns of tests/campaigns, each cut short: what they find in an hour is found here in a minute, with luck."""

from __future__ import annotations

import os

import disk_full
import faults
import fuzz
import hostile
import kills
import powercut
import pytest
import throughput


@pytest.fixture(autouse=True)
def unchanged(monkeypatch):
    """What the campaigns set for themselves is put back."""
    from tpsgd import runtime
    from tpsgd_host.link import session

    monkeypatch.setattr(session, "RETRY", session.RETRY)
    monkeypatch.setattr(runtime, "heap", runtime.heap)
    monkeypatch.setenv("TPSGD_VIRTUAL", os.environ.get("TPSGD_VIRTUAL", ""))
    monkeypatch.chdir(".")


def test_a_wire_that_does_harm(tmp_path, interpreter):
    tally, failed = faults.campaign(2, 1000, tmp_path)
    assert not failed, f"seeds {failed}"
    assert tally.faults > 50


def test_kills_of_board_and_host(tmp_path, interpreter):
    place = kills.Place(tmp_path)
    assert kills.repeat("board", lambda seed: kills.board_run(place, seed), 2, 500)
    assert kills.repeat("host", lambda seed: kills.host_run(place, seed, []), 1, 500)


@pytest.mark.parametrize("command", ["simulate", "stream"])
def test_a_full_disk(tmp_path, interpreter, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    try:
        with disk_full.disk(tmp_path / "disk", 16):
            pass
    except OSError as error:
        pytest.skip(f"no disk can be mounted here ({error}): run as root, or python tests/campaigns/disk_full.py there")
    assert not disk_full.campaign((command,), range(8, disk_full.ENOUGH, 120))


@pytest.mark.parametrize("what", powercut.BOARDS)
@pytest.mark.parametrize(("kind", "how"), powercut.WAYS)
def test_power_cuts_at_every_write(tmp_path, interpreter, kind, how, what):
    assert powercut.cuts(kind, how, 2, 1, tmp_path, what) > 5


@pytest.mark.parametrize("name", list(fuzz.CAMPAIGNS))
def test_fuzz(name):
    print(fuzz.CAMPAIGNS[name](1500, 7))


@pytest.mark.parametrize("name", list(fuzz.IN_VM))
def test_fuzz_in_micropython(interpreter, name):
    print(fuzz.IN_VM[name](1500, 7))


def test_a_small_window_keeps_the_line_busy(interpreter):
    # A busy machine may halve it; tests/campaigns/throughput.py has the figure.
    assert max(throughput.measure(1.0, 240)[0] for _ in range(2)) > 0.5


@pytest.mark.parametrize(
    ("kind", "match"),
    [
        ("files", "is a pipe"), ("files", "2 MB that unpack"), ("files", "50,000 parts"), ("files", "2**32"),
        ("text", "a class"), ("text", "new: "), ("text", "an option"),
        ("ports", "a model named"), ("ports", "monitor --data: an echo"), ("ports", "stream: CHUNK of the weights"),
        ("ports", "stream: DONE"), ("ports", "stream: text"), ("ports", "pull: CHUNK of a file"),
        ("ports", "monitor --data: LESSON with"), ("ports", "push: PLACED with another"),
    ],
)  # fmt: skip
def test_hostile_files_ports_and_texts(kind, match):
    count, failed = hostile.campaign((kind,), match)
    assert count and not failed
