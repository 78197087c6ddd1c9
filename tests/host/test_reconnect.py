"""A board that comes back under another port name is found by its USB number."""

from __future__ import annotations

import json
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from commands import call, fails, simulated

from tpsgd_host.boards.virtual import VirtualBoard
from tpsgd_host.errors import PortError
from tpsgd_host.link import usb

SERIAL = "E6614C311B5A4A2F"
RUN = ["train.csv", "--epochs", "8", "--engine", "plain", "--checkpoint-every", "20", "--json"]


def listed(device, serial=SERIAL, location="1-1.4:1.0"):
    """Return a port as pyserial describes it."""
    return SimpleNamespace(
        device=device, vid=0x2E8A, pid=5, serial_number=serial, location=location, interface=None, product="Board",
        description="Board",
    )  # fmt: skip


@pytest.fixture
def ports(monkeypatch):
    """The serial ports of this machine, as a list to fill."""
    found: list = []
    monkeypatch.setattr(usb.list_ports, "comports", lambda: list(found))
    return found


# -- names and numbers


def test_a_port_is_known_by_its_device_and_its_place_on_it(ports):
    ports += [listed("A"), listed("B", "OTHER"), listed("D", SERIAL, "1-1.4:1.2")]
    known = {port.device: usb.identity(port.device) for port in ports}
    assert len(set(known.values())) == 3
    ports[:] = [listed("X", SERIAL, "1-1.1:1.2"), listed("A", "OTHER"), listed("Z", SERIAL, "1-1.1:1.0")]
    assert [usb.locate(name, known[name]) for name in ("A", "B", "D")] == ["Z", "A", "X"]


def test_a_board_without_a_number_is_known_by_its_socket(ports):
    ports += [listed("A", None, "1-1.4"), listed("B", None, "1-1.5")]
    known = usb.identity("B")
    ports[:] = [listed("B", None, "1-1.4"), listed("C", None, "1-1.5")]
    assert usb.locate("B", known) == "C"


def test_what_is_no_usb_device_keeps_its_name(ports):
    ports += [SimpleNamespace(device="/dev/ttyS0", vid=None, pid=None, serial_number=None), listed("A")]
    assert usb.identity("/dev/ttyS0") == usb.identity("socket://host:1") == ""
    assert usb.locate("/dev/ttyS0", "") == "/dev/ttyS0"


def test_a_link_to_a_port_means_the_port(ports, tmp_path):
    (tmp_path / "ttyACM0").touch()
    (tmp_path / "by-id").symlink_to(tmp_path / "ttyACM0")
    ports.append(listed(str(tmp_path / "ttyACM0")))
    assert usb.identity(str(tmp_path / "by-id")) == usb.identity(str(tmp_path / "ttyACM0")) != ""


def test_another_board_under_the_old_name_is_not_taken_for_it(ports):
    ports += [listed("A")]
    known = usb.identity("A")
    ports[:] = [listed("A", "OTHER")]
    with pytest.raises(PortError, match="A is another device now") as caught:
        usb.locate("A", known)
    assert "--port" in caught.value.hint
    ports.clear()
    assert usb.locate("A", known) == "A"  # opening it says that it is not there


# -- runs


@contextmanager
def moving(folder: Path, ports: list):
    """Yield the port of a board that is reset and gets another one once a run is on."""
    first, second = VirtualBoard(folder), VirtualBoard(folder)
    first.start()
    ports[:] = [listed(first.path)]

    def move():
        while not list(Path().glob("runs/*/log.csv")):
            time.sleep(0.02)
        time.sleep(0.2)
        second.start()  # before the first one's name is free again
        first.stop()
        ports[:] = [listed(second.path)]

    thread = threading.Thread(target=move)
    thread.start()
    try:
        yield first.path
    finally:
        thread.join()
        first.stop()
        second.stop()


def check(report):
    """Compare a run with its simulation; return what the host noted."""
    host = simulated(8)
    assert (report["status"], report["weights_crc"]) == ("complete", host["weights_crc"])
    logs = [(Path(run["folder"]) / "log.csv").read_text() for run in (report, host)]
    assert logs[0] == logs[1]
    events = [json.loads(line) for line in (Path(report["folder"]) / "log.jsonl").read_text().splitlines()]
    return [event["text"] for event in events if event["event"] == "note"]


def test_a_run_goes_on_at_the_port_that_the_board_has_then(flashed, ports):
    with moving(flashed / "board", ports) as port:
        report = json.loads(call("stream", *RUN, "--port", port))
        assert any(f"it was at {port}" in text for text in check(report))


def test_resume_finds_the_board_without_being_told_its_port(flashed, ports):
    with moving(flashed / "board", ports) as port:
        fails(6, "stream", *RUN[:-1], "--port", port, "--reconnect", "0")
        while ports[0].device == port:
            time.sleep(0.02)
        report = json.loads(call("stream", "--resume", "--json"))
        assert any(f"it was at {port}" in text for text in check(report))
