"""Work in several processes: results in order, errors and lost processes are told."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest
from processes import alive

from tpsgd_host.comparison.jobs import Workers
from tpsgd_host.comparison.view import ProgressView, duration
from tpsgd_host.errors import DataError, TpsgdError


def work(common, job, report):
    """Do as the job says."""
    if job == "refuse":
        raise DataError("no such thing", "look elsewhere")
    if job == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    for i in range(3):
        time.sleep(0.25)
        report((i + 1) / 3)
    return common + job, os.environ["OPENBLAS_NUM_THREADS"]


def test_results_come_in_order_and_progress_never_falls():
    told = []
    before = os.environ.get("OPENBLAS_NUM_THREADS")
    with Workers(work, 100, 2) as workers:
        for first in (1, 4):  # late reports of the first jobs must not count for the second
            done = workers.run([first, first + 1, first + 2], [1.0, 1.0, 2.0], told.append)
            assert done == [(100 + first + i, "1") for i in range(3)]
            assert told == sorted(told) and told[-1] == 4.0 and any(0 < done < 1 for done in told)
            told.clear()
    assert os.environ.get("OPENBLAS_NUM_THREADS") == before


@pytest.mark.parametrize(("job", "text"), [("refuse", "no such thing"), ("die", "stopped from outside")])
def test_errors_come_back(job, text):
    with pytest.raises(TpsgdError, match=text) as caught, Workers(work, 100, 2) as workers:
        workers.run([1, job, 2, 3, 4, 5, 6, 7], [1.0] * 8, lambda done: None)
    assert caught.value.hint


IDLE = """
import time
from tpsgd_host.comparison.jobs import Workers

def work(common, job, report):
    return common + job

if __name__ == "__main__":
    with Workers(work, 100, 2) as workers:
        workers.run([1, 2], [1.0, 1.0], lambda done: None)
        print(*workers._pool._processes, flush=True)
        time.sleep(60)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_idle_processes_end_with_the_one_that_they_work_for(tmp_path, number):
    (tmp_path / "idle.py").write_text(IDLE)
    command = [sys.executable, "idle.py"]
    parent = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    workers = [int(word) for word in parent.stdout.readline().split()]
    assert len(workers) == 2 and all(alive(pid) for pid in workers)
    parent.send_signal(number)
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 10
    while any(alive(pid) for pid in workers) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not [pid for pid in workers if alive(pid)]


class Screen:
    is_terminal = is_dumb_terminal = False

    def __init__(self):
        self.lines = []

    def print(self, text, soft_wrap):
        self.lines.append(text)


def test_plain_progress_tells_the_time_left():
    now, screen = [0.0], Screen()
    with ProgressView("wand", console=screen, clock=lambda: now[0]) as view:
        for second in range(0, 121, 10):
            now[0] = float(second)
            view.report(second, 240, "choosing" if second < 60 else "training")
    assert screen.lines == [
        "wand: choosing, 0%", "wand: choosing, 12%, 4 min left", "wand: training, 25%, 3 min left",
        "wand: training, 38%, 2 min left", "wand: training, 50%, 2 min left",
    ]  # fmt: skip


def test_durations():
    assert [duration(s) for s in (0.04, 9.9, 42, 300, 9000)] == ["0.0 s", "9.9 s", "42 s", "5 min", "2.5 h"]
