"""The folder of a run: config, log, table, picture, model, result (docs/RUNS.md has the format)."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from tpsgd_host.errors import DataError
from tpsgd_host.files import cannot_write, read_file, write_atomic
from tpsgd_host.names import file_name
from tpsgd_host.runs.events import Event, RunEnded, RunStarted, SampleResult, Status, class_names, to_dict
from tpsgd_host.runs.log import LogWriter, read_log, write_json
from tpsgd_host.runs.metrics import Metrics
from tpsgd_host.runs.sinks import Kinds, Sink

__all__ = ["RunFolder", "read_log"]

#: The model at the start of a run, in its folder.
START = "start.tpsgd"

#: The model at its end.
MODEL = "model.tpsgd"

#: Reserves disk space for what the end of a run writes; bytes of it in addition to the model.
RESERVE = ".reserve"
RESULT_ROOM = 16384

#: Maximum bytes of a JSON file in the folder; a confusion matrix of 255 classes takes a hundredth of it.
MAX_JSON = 16 << 20


class RunFolder:
    """The folder of one run: a sink while the run lasts, a reader afterwards.

    As a context manager it ends a run that was cut off: after Ctrl-C as ``interrupted``, after another error as
    ``failed``.

    Attributes
    ----------
    has_results : bool
        Whether the result of any sample was logged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._writer: LogWriter | None = None
        self._under_way = False
        self.has_results = False
        self._began = time.monotonic()

    @classmethod
    def create(cls, root: Path, name: str) -> RunFolder:
        """Create ``root/<name>-<YYYYmmdd-HHMMSS>``, with a number appended if that exists.

        Raises
        ------
        DataError
            When the folder cannot be created.
        """
        stem = f"{file_name(name, 'run')}-{time.strftime('%Y%m%d-%H%M%S')}"
        number = 1
        while True:
            path = root / (stem if number == 1 else f"{stem}-{number}")
            try:
                path.mkdir(parents=True)
            except FileExistsError:
                number += 1
            except OSError as error:
                raise cannot_write(path, error) from error
            else:
                return cls(path)

    @classmethod
    def open(cls, path: Path) -> RunFolder:
        """Return the folder of an existing run.

        Raises
        ------
        DataError
            When there is no run in ``path``.
        """
        if (path / "config.json").is_file() and (path / "log.jsonl").is_file():
            return cls(path)
        if not path.is_dir():
            raise DataError(f"{path} is not a folder", "Name the folder of a run, such as runs/wand-20250131-120000.")
        inside = sorted(path.glob("*/config.json"), key=lambda file: file.stat().st_mtime)
        hint = f"Did you mean {inside[-1].parent}?" if inside else "A run's folder holds config.json and log.jsonl."
        raise DataError(f"{path} is not the folder of a run", hint)

    @property
    def name(self) -> str:
        """The run's name, which is its folder's."""
        return self.path.name or self.path.resolve().name

    @property
    def config(self) -> dict[str, Any]:
        """The run's config."""
        return self._read("config.json")

    @property
    def result(self) -> dict[str, Any] | None:
        """The contents of ``result.json``; None while there is none."""
        return self._read("result.json") if (self.path / "result.json").is_file() else None

    def _read(self, name: str) -> dict[str, Any]:
        path = self.path / name
        try:
            value = json.loads(read_file(path, MAX_JSON))
        except OSError as error:
            raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
        except (ValueError, RecursionError) as error:
            raise DataError(f"{path} is not JSON: {error}") from error
        if not isinstance(value, dict):
            raise DataError(f"{path} is not a JSON object")
        return value

    def events(self) -> Iterator[Event]:
        """Yield the events in the log so far."""
        return read_log(self.path / "log.jsonl")

    @property
    def complete(self) -> bool:
        """Whether the run has ended and its folder is complete."""
        if not all((self.path / name).is_file() for name in ("result.json", MODEL)):
            return False
        return any(isinstance(event, RunEnded) and event.status == "complete" for event in self.events())

    def write_start(self, data: bytes) -> None:
        """Save the model at the start of the run, and reserve space for the one at its end."""
        write_atomic(self.path / START, data)
        self._reserve()

    def write_model(self, data: bytes) -> None:
        """Save the model at the end of the run."""
        self._release()
        write_atomic(self.path / MODEL, data)

    def _reserve(self) -> None:
        """Reserve disk space for the end of the run, so that a full disk does not cost the trained model."""
        size = (self.path / START).stat().st_size + RESULT_ROOM
        write_atomic(self.path / RESERVE, bytes(size))

    def _release(self) -> None:
        (self.path / RESERVE).unlink(missing_ok=True)

    def go_on(self, sinks: Sequence[Sink]) -> None:
        """Open the log of a run to continue, for this process only; pass its events to ``sinks``.

        Raises
        ------
        DataError
            When another process is writing to it.
        """
        there = Kinds()
        self._writer = LogWriter(self.path, [there, *sinks])
        self.has_results = SampleResult in there.kinds
        self._under_way = True
        self._reserve()
        if RunStarted not in there.kinds:  # the host was killed before it had written that
            begin = RunStarted(self.config)
            for sink in (self, *sinks):
                sink.handle(begin)

    def handle(self, event: Event) -> None:
        """Take the next event."""
        if isinstance(event, RunStarted):
            write_json(self.path / "config.json", event.config)
            self._under_way = True
            self._began = time.monotonic()
        if self._writer is None:
            self._writer = LogWriter(self.path)
        if isinstance(event, RunEnded):
            self._under_way = False
            try:
                self._write_result(event)  # first, so that a log that says "ended" always has its result
            finally:
                self._writer.write(event)
                self._writer.sync()
            return
        self._writer.write(event)
        self.has_results |= isinstance(event, SampleResult)

    def close(self) -> None:
        """Close the log."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def __enter__(self) -> RunFolder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is not None and self._under_way:
                self._release()
                self._end("interrupted" if issubclass(kind, KeyboardInterrupt) else "failed", error)
        except DataError:
            pass  # the error being raised says more
        finally:
            self._release()
            self.close()

    def _end(self, status: Status, error: BaseException | None) -> None:
        details = {"error": str(error)} if status == "failed" else {}
        seconds = time.monotonic() - self._began
        self.handle(Metrics.of(self.events()).run_ended(status, None, seconds, details))

    def _write_result(self, event: RunEnded) -> None:
        values = to_dict(event)
        del values["event"]
        crc = event.weights_crc
        values["weights_crc_hex"] = None if crc is None else f"{crc:08x}"
        values["confusion_of"] = "train" if event.test_accuracy is None else "test"
        values["classes"] = class_names(self.config, len(event.confusion or ()))
        write_json(self.path / "result.json", values)
