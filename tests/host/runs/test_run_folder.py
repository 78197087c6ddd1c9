"""The run folder: whole after any end."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

import pytest

from tpsgd_host.errors import BoardError, DataError
from tpsgd_host.files import open_file
from tpsgd_host.runs import log as run_log
from tpsgd_host.runs.events import Event, RunEnded, RunStarted, SampleResult
from tpsgd_host.runs.folder import RunFolder, read_log
from tpsgd_host.runs.metrics import Metrics
from tpsgd_host.runs.resume import History
from tpsgd_host.runs.run import illustrated
from tpsgd_host.runs.sinks import Fanout

MakeRun = Callable[..., list[Event]]


class Collected:
    """Sink that keeps everything."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def handle(self, event: Event) -> None:
        """Take the next event."""
        self.events.append(event)


def test_names_say_when_and_differ(tmp_path: Path) -> None:
    """Folders made in one second have names of their own."""
    names = [RunFolder.create(tmp_path / "runs", "wand").name for _ in range(5)]
    assert len(set(names)) == 5
    assert all(re.fullmatch(r"wand-\d{8}-\d{6}(-\d+)?", name) for name in names)


def test_a_run_that_goes_on_reads_its_log_once(
    tmp_path: Path, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long it is: one pass makes the table anew and tells how far the run is."""
    folder = RunFolder(tmp_path)
    folder.write_start(b"")
    with Fanout([folder]) as sink:
        for event in make_run()[:-1]:
            sink.handle(event)
    written, table = list(folder.events()), (tmp_path / "log.csv").read_bytes()
    (tmp_path / "log.csv").write_bytes(b"lost")
    opened: list[Path] = []

    def open_once(path: Path) -> IO[bytes]:
        opened.append(path)
        return open_file(path)

    monkeypatch.setattr(run_log, "open_file", open_once)
    again, seen = RunFolder(tmp_path), Collected()
    again.go_on([seen])
    again.close()
    assert opened == [tmp_path / "log.jsonl"]
    assert seen.events == written and again.has_results
    assert (tmp_path / "log.csv").read_bytes() == table


def test_a_log_that_a_sink_refuses_is_left_as_it_is(tmp_path: Path, make_run: MakeRun) -> None:
    """And nothing keeps it locked."""
    folder = RunFolder(tmp_path)
    folder.write_start(b"")
    with Fanout([folder]) as sink:
        for event in make_run()[:-1]:
            sink.handle(event)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(DataError, match="more results"):
        RunFolder(tmp_path).go_on([History(tmp_path / "log.jsonl", 2)])
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    RunFolder(tmp_path).go_on([])


@pytest.mark.parametrize(("name", "stem"), [("../../etc", "etc"), ("", "run"), ("a b/ö", "a-b"), ("x" * 300, "x" * 60)])
def test_names_are_fit_for_a_file_system(tmp_path: Path, name: str, stem: str) -> None:
    """A name neither leaves the root nor is refused."""
    folder = RunFolder.create(tmp_path, name)
    assert folder.path.parent == tmp_path
    assert folder.name.rsplit("-", 2)[0] == stem


def test_a_root_that_is_a_file(tmp_path: Path) -> None:
    """The message names the folder."""
    (tmp_path / "runs").write_text("")
    with pytest.raises(DataError, match="cannot be written"):
        RunFolder.create(tmp_path / "runs", "wand")


def test_a_whole_run(tmp_path: Path, make_run: MakeRun) -> None:
    """Every file is there and says what the events said."""
    run = make_run()
    folder = RunFolder.create(tmp_path, "wand")
    with illustrated(folder, folder), folder:
        for event in run:
            folder.handle(event)
        folder.write_model(b"model")
    names = {"config.json", "log.jsonl", "log.csv", "accuracy.png", "model.tpsgd", "result.json"}
    assert {path.name for path in folder.path.iterdir()} == names
    again = RunFolder.open(folder.path)
    assert list(again.events()) == run
    start, end = run[0], run[-1]
    assert isinstance(start, RunStarted)
    assert isinstance(end, RunEnded)
    assert again.config == start.config
    result = again.result
    assert result is not None
    assert (result["status"], result["weights_crc_hex"], result["confusion_of"]) == ("complete", "1a2b3c4d", "test")
    assert result["confusion"] == end.confusion
    assert result["classes"] == ["class 0", "class 1", "class 2"]
    assert (folder.path / "model.tpsgd").read_bytes() == b"model"
    assert (folder.path / "accuracy.png").read_bytes().startswith(b"\x89PNG")
    assert len((folder.path / "log.csv").read_text().splitlines()) == 1 + 3 * 150


@pytest.mark.parametrize(
    ("error", "status"), [(KeyboardInterrupt(), "interrupted"), (BoardError("the board is gone"), "failed")]
)
def test_a_run_left_by_an_exception_is_ended(
    tmp_path: Path, make_run: MakeRun, error: BaseException, status: str
) -> None:
    """The run was not ended, so the folder ends it."""
    folder = RunFolder.create(tmp_path, "wand")
    with pytest.raises(type(error)), Fanout([Metrics(), folder]) as sinks:
        for event in make_run()[:200]:
            sinks.handle(event)
        raise error
    result = RunFolder.open(folder.path).result
    assert result is not None
    assert result["status"] == status
    assert result["weights_crc"] is None
    assert result["details"] == ({"error": str(error)} if status == "failed" else {})
    assert isinstance(list(folder.events())[-1], RunEnded)


def test_a_run_without_samples(tmp_path: Path) -> None:
    """A run may fail before its first sample."""
    folder = RunFolder.create(tmp_path, "wand")
    with pytest.raises(BoardError), folder:
        folder.handle(RunStarted({}))
        raise BoardError("no answer")
    result = folder.result
    assert result is not None
    assert (result["samples"], result["confusion"], result["train_accuracy"]) == (0, None, None)


def test_an_ended_run_stays_as_it_ended(tmp_path: Path, make_run: MakeRun) -> None:
    """An error after the end changes nothing."""
    folder = RunFolder.create(tmp_path, "wand")
    run = make_run(epochs=1)
    with pytest.raises(KeyboardInterrupt), folder:
        for event in run:
            folder.handle(event)
        raise KeyboardInterrupt
    assert list(folder.events()) == run


def test_open_says_what_is_wrong(tmp_path: Path) -> None:
    """A folder of runs is not a run, and the hint names one inside."""
    with pytest.raises(DataError, match="is not a folder"):
        RunFolder.open(tmp_path / "none")
    with pytest.raises(DataError, match="is not the folder of a run"):
        RunFolder.open(tmp_path)
    folder = RunFolder.create(tmp_path, "wand")
    folder.handle(RunStarted({}))
    with pytest.raises(DataError) as caught:
        RunFolder.open(tmp_path)
    assert str(folder.path) in caught.value.hint


@pytest.mark.parametrize("content", ["{", "[]", "[" * 100_000])
def test_a_damaged_config_is_a_data_error(tmp_path: Path, content: str) -> None:
    """The message names the file."""
    folder = RunFolder.create(tmp_path, "wand")
    folder.handle(RunStarted({}))
    (folder.path / "config.json").write_text(content)
    with pytest.raises(DataError, match=r"config\.json"):
        _ = folder.config


WRITE_FOREVER = """
import sys
from itertools import count
from pathlib import Path
from tpsgd_host.runs.events import RunStarted, SampleResult
from tpsgd_host.runs.folder import RunFolder
folder = RunFolder.create(Path(sys.argv[1]), "killed")
folder.handle(RunStarted({"classes": ["a", "b"]}))
for i in count():
    folder.handle(SampleResult(i, 1, "train", i % 2, i % 3 % 2, i % 128, i + 2))
"""


@pytest.mark.parametrize("after", [1, 3_000])
def test_a_killed_run_is_readable(tmp_path: Path, after: int) -> None:
    """SIGKILL in the middle of writing leaves a folder that opens, with every line up to the kill."""
    paths = os.pathsep.join(sys.path)
    process = subprocess.Popen(
        [sys.executable, "-c", WRITE_FOREVER, str(tmp_path)], env={**os.environ, "PYTHONPATH": paths}
    )
    try:
        log = _wait_for_lines(tmp_path, after)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    events = list(read_log(log))
    assert len(events) > after
    results = [event for event in events if isinstance(event, SampleResult)]
    assert [result.index for result in results] == list(range(len(events) - 1))
    folder = RunFolder.open(log.parent)
    assert folder.config == {"classes": ["a", "b"]}
    assert folder.result is None
    rows = (log.parent / "log.csv").read_text().count("\n") - 1
    assert len(results) - 1 <= rows <= len(results)


def _wait_for_lines(root: Path, lines: int) -> Path:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for log in root.glob("*/log.jsonl"):
            if log.read_bytes().count(b"\n") > lines:
                return log
        time.sleep(0.01)
    raise TimeoutError("no run was written")
