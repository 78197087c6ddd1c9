"""A board that cannot write checkpoints trains on, says so once, and loses no sample when it is reset (SPEC 3, 4)."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import signal
import threading
import time
from pathlib import Path

import pytest
from boards import OneEpoch
from commands import call, fails, simulated
from processes import board_pids

from tpsgd_host.boards.connect import connect
from tpsgd_host.boards.reconnecting import ReconnectingBoard
from tpsgd_host.errors import MismatchError

#: Start-up program: the device program on a FAT drive of so many blocks that it may, or may not, write.
ON_A_DRIVE = """import vfs
from tpsgd import serve
class Ram:
    def __init__(self):
        self.data = bytearray(512 * {blocks})
    def readblocks(self, block, into):
        into[:] = memoryview(self.data)[512 * block : 512 * block + len(into)]
    def writeblocks(self, block, out):
        self.data[512 * block : 512 * block + len(out)] = out
    def ioctl(self, what, value):
        return len(self.data) // 512 if what == 4 else 512 if what == 5 else 0
ram = Ram()
vfs.VfsFat.mkfs(ram)
vfs.mount(ram, "/ram")
with open("model.tpsgd", "rb") as file, open("/ram/model.tpsgd", "wb") as out:
    out.write(file.read())
{then}
serve.main("/ram/")
"""
READ_ONLY = 'vfs.umount("/ram")\nvfs.mount(ram, "/ram", readonly=True)'
FULL = 'try:\n    with open("/ram/full", "wb") as out:\n        while out.write(bytes(512)): pass\nexcept OSError: pass'

DRIVES = {
    "read-only": (READ_ONLY, errno.EROFS, "storage.remount"),
    "full": (FULL, errno.ENOSPC, "delete files"),
}


@pytest.fixture(params=DRIVES)
def drive(request, flashed):
    """What makes a board fail to write: (errno, a word of the advice)."""
    then, number, word = DRIVES[request.param]
    (flashed / "board" / "main.py").write_text(ON_A_DRIVE.format(blocks=128, then=then))
    return number, word


def notes(report):
    """Return what the host noted in a run."""
    events = [json.loads(line) for line in (Path(report["folder"]) / "log.jsonl").read_text().splitlines()]
    return [event["text"] for event in events if event["event"] == "note"]


def test_a_run_ends_as_if_all_were_written_and_says_once_what_was_not(drive):
    number, word = drive
    report = json.loads(call("stream", "train.csv", "--epochs", "3", "--checkpoint-every", "20", "--json"))
    assert (report["status"], report["weights_crc"]) == ("complete", simulated(3)["weights_crc"])
    assert (report["details"]["checkpoint"], report["details"]["checkpoint_failed"]) == (0, number)
    told = [text for text in notes(report) if "could not write a checkpoint" in text]
    assert len(told) == 1
    assert f"errno {number}" in told[0]
    assert word in told[0]
    text = " ".join(call("stream", "train.csv", "--epochs", "3", "--checkpoint-every", "20").split())
    assert text.count("could not write a checkpoint") == 1
    assert word in text


def test_a_reset_in_the_middle_loses_and_doubles_nothing(drive, flashed):
    killed = []

    def kill():
        while not list(Path().glob("runs/*/log.csv")):
            time.sleep(0.02)
        time.sleep(0.2)
        for pid in board_pids(flashed / "board"):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                killed.append(pid)

    thread = threading.Thread(target=kill)
    thread.start()
    report = json.loads(
        call("stream", "train.csv", "--epochs", "8", "--engine", "plain", "--checkpoint-every", "20", "--json")
    )
    thread.join()
    host = simulated(8)
    assert killed
    assert any("the board is back" in text and "at record 0" in text for text in notes(report))
    assert report["weights_crc"] == host["weights_crc"]
    logs = [(Path(run["folder"]) / "log.csv").read_text() for run in (report, host)]
    assert logs[0] == logs[1]
    assert sum("could not write a checkpoint" in text for text in notes(report)) == 1


def test_a_reset_of_the_model_that_cannot_be_kept_has_failed(drive):
    _, word = drive
    text = fails(7, "reset-model", "--yes")
    assert "could not save that" in text
    assert word in text


def test_going_on_from_weights_that_a_reset_has_lost_is_refused(flashed):
    # They were never written down: after the reset the board has others.
    with ReconnectingBoard(lambda: connect("virtual", folder=flashed / "board"), 20, lambda text: None) as line:
        weights = line.board.weights()
        learned = line.board.model().with_weights(bytes([weights[0] ^ 1]) + weights[1:])
        line.follow(learned)
        with pytest.raises(MismatchError, match="reset before it had saved"):
            line.begin(5, OneEpoch(1), False)
