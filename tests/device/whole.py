"""The whole product on a board at a port: commands as a user types them, and what the board has to end with."""

import json
import queue
import subprocess
import sys
import threading
import time

from motions import write_motions

#: Seconds that a command may take; firmware takes most of them.
PATIENCE = 900


class Command:
    """A running command whose lines are read while it runs; a context manager that ends it."""

    def __init__(self, folder, *words):
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tpsgd_host", *words], cwd=folder, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        self._lines = queue.Queue()
        self.said = ""
        threading.Thread(target=self._read, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait()

    def _read(self):
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put(None)

    def until(self, *texts):
        """Wait for a line with one of ``texts``, or for the end without any; return what was said so far."""
        end = time.monotonic() + PATIENCE
        while (line := self._lines.get(timeout=max(0.1, end - time.monotonic()))) is not None:
            self.said += line
            if any(text in line for text in texts):
                return self.said
        assert not texts, self.said
        assert self._process.wait(60) == 0, self.said
        return self.said

    def until_log(self, runs, count):
        """Wait until the run's log has more than ``count`` samples."""
        end = time.monotonic() + PATIENCE
        while sum(log.read_text().count("\n") for log in runs.glob("*/log.csv")) <= count:
            assert self._process.poll() is None, self.said
            assert time.monotonic() < end
            time.sleep(0.2)


def result(runs):
    """Return the result of the only run in a folder."""
    (path,) = runs.glob("*/result.json")
    return json.loads(path.read_text())


def command(folder, *words):
    """Run a command to its end; return what it said."""
    with Command(folder, *words) as running:
        return running.until()


def prepare(folder):
    """Make data and a model, ``motion.tpsgd``, in a folder."""
    write_motions(folder / "train.csv", 60, 1)
    write_motions(folder / "test.csv", 9, 2)
    command(folder, "new", "motion", "--data", "train.csv", "--network", "rnn", "--hidden", "12", "--steps", "10")
    command(folder, "quantize", "motion.toml", "--data", "train.csv")


def learn(folder, port, engine, reset=None):
    """Train the board at a port, with a reset in the middle where one is possible; compare with ``simulate``; erase."""
    stream = ("stream", "train.csv", "--port", port, "--epochs", "4", "--checkpoint-every", "60", "--reconnect", "300")
    with Command(folder, *stream) as running:
        if reset is not None:
            running.until_log(folder / "runs", 90)
            reset()
        running.until()
    command(folder, "simulate", "train.csv", "--model", "motion.tpsgd", "--epochs", "4", "--runs", "simulated")
    learned, simulated = result(folder / "runs"), result(folder / "simulated")
    assert learned["weights_crc_hex"] == simulated["weights_crc_hex"]
    command(folder, "pull", "--port", port, "-o", "learned.tpsgd")
    trained = next((folder / "simulated").glob("*/model.tpsgd"))
    assert (folder / "learned.tpsgd").read_bytes() == trained.read_bytes()
    assert learned["weights_crc_hex"] in command(folder, "monitor", "--port", port, "--data", "test.csv")
    assert engine in command(folder, "doctor", "--port", port)
    assert "files removed from the board at" in command(folder, "erase", "--port", port, "--yes")
