"""Save in a run's folder what it needs to be resumed, and restore the plan from there.

Shapes: H results in the log.
"""

from __future__ import annotations

import reprlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from tpsgd.runtime import ENGINES
from tpsgd_host.data.layout import Names
from tpsgd_host.data.rejects import BadRows
from tpsgd_host.data.subjects import LeaveOut
from tpsgd_host.errors import ConfigError, DataError
from tpsgd_host.model.modelfile import Model, load_model
from tpsgd_host.model.prototypes import VARIATIONS
from tpsgd_host.runs.checks import Check, boolean, file_path, number, one_of, optional, text, whole
from tpsgd_host.runs.events import Event, SampleResult
from tpsgd_host.runs.folder import START, RunFolder
from tpsgd_host.runs.records import MAX_RECORDS, RunRecords
from tpsgd_host.runs.run import RunPlan

#: Key of a run's config that holds all this.
KEY = "resume"


@dataclass(frozen=True)
class Connection:
    """How to reach a board.

    Attributes
    ----------
    port, folder, heap, baud, engine, every
        See :func:`tpsgd_host.boards.connect.connect`.
    reconnect : float
        Seconds to wait for a board that vanishes; 0 for no wait.
    usb : str
        The board's identity, which does not depend on its port's name (:func:`tpsgd_host.link.usb.identity`); may be
        empty.
    raw : bool
        Whether the board gets recordings as a sensor gives them, and makes its samples itself.
    """

    port: str = "virtual"
    folder: Path | None = None
    heap: int | None = None
    baud: int = 115200
    engine: str = "auto"
    every: int = 1000
    reconnect: float = 30.0
    usb: str = ""
    raw: bool = False


def recipe(plan: RunPlan, connection: Connection, names: Names, records: RunRecords) -> dict[str, object]:
    """Return what :func:`read_recipe` needs, ready for JSON; paths do not depend on the current folder."""
    return {
        "data": str(plan.data.resolve()), "test": str(plan.test.resolve()) if plan.test else None,
        "test_every": plan.test_every, "bad_rows": plan.bad_rows, "names": list(names), "records_crc": records.crc(),
        "port": connection.port, "folder": str(connection.folder.resolve()) if connection.folder else None,
        "heap": connection.heap, "baud": connection.baud, "engine": connection.engine, "every": connection.every,
        "reconnect": connection.reconnect,
        "usb": connection.usb, "raw": connection.raw,
    }  # fmt: skip


@dataclass(frozen=True)
class Unfinished:
    """A run that can be resumed.

    Attributes
    ----------
    start : Model
        The model, with the weights at the start of the run.
    """

    folder: RunFolder
    config: dict[str, Any]
    start: Model
    plan: RunPlan
    connection: Connection
    names: Names

    def check(self, records: RunRecords) -> None:
        """Raise if the data have changed since the run began, or the config names another length."""
        if self.config["total"] != records.presentation.results:
            raise DataError(
                f"{self.folder.path / 'config.json'} says {self.config['total']} results, but its epochs and the "
                f"data make {records.presentation.results}",
                "Has it changed since the run began? Restore the old one, or begin a new run.",
            )
        if self.config[KEY]["records_crc"] != records.crc():
            raise DataError(
                f"{self.plan.data} has changed since the run in {self.folder.path} began",
                "Restore the old file, or begin a new run.",
            )


def newest_unfinished(root: Path) -> Path:
    """Return the folder in ``root`` of the newest run that can be resumed.

    Raises
    ------
    DataError
        When there is none; names folders that cannot be read.
    """
    found = [path.parent for path in root.glob("*/config.json") if (path.parent / "log.jsonl").is_file()]
    damaged = []
    for path in sorted(found, key=lambda path: (path / "config.json").stat().st_mtime_ns, reverse=True):
        try:
            folder = RunFolder.open(path)
            if KEY in folder.config and not folder.complete:
                return path
        except DataError as error:
            damaged.append(error.message)
    also = f" Ignored: {'; '.join(damaged[:3])}." if damaged else ""
    raise DataError(
        f"there is no unfinished run in {root}",
        f"Runs there: {len(found)}. Name a run's folder, or another place with --runs.{also}",
    )


def _names(value: object) -> bool:
    return isinstance(value, list) and len(value) == 3 and all(map(optional(text), value))


def _left_out(value: object) -> bool:
    return isinstance(value, list) and len(value) >= 2 and all(map(text, value))


#: What the keys of a run's config, and of its recipe, may hold for a run to be resumed.
_COUNT = whole(MAX_RECORDS + 1)
_CONFIG: dict[str, Check] = {
    "epochs": whole(MAX_RECORDS + 1, 1), "total": _COUNT, "test_split": optional(number(1)),
    "leave_out": optional(_left_out),
    "split_seed": whole(1 << 63, -(1 << 63)), "shuffle_seed": whole(1 << 63), "run_id": whole(1 << 32, 1),
    "fresh": boolean, "model_crc": whole(1 << 32), "variation": one_of(*VARIATIONS),
}  # fmt: skip
_RECIPE: dict[str, Check] = {
    "data": file_path, "test": optional(file_path), "test_every": whole(1 << 63, 1),
    "bad_rows": one_of(*get_args(BadRows)), "names": _names, "records_crc": whole(1 << 32), "port": text,
    "folder": optional(file_path), "heap": optional(whole(1 << 53, 1)), "baud": whole(1 << 32, 1),
    "engine": one_of("auto", *ENGINES.values()), "every": _COUNT, "reconnect": number(1e9), "usb": text, "raw": boolean,
}  # fmt: skip


def _check(values: dict[str, Any], checks: dict[str, Check], source: str) -> None:
    """Raise if a config was changed to something impossible."""
    for key, check in checks.items():
        if key not in values:
            raise DataError(f"{source} does not say how to resume: it has no {key}", "Begin a new run.")
        if not check(values[key]):
            raise DataError(
                f"{source}: {key} is {reprlib.repr(values[key])}, which is not possible",
                "Has the file changed since the run began? Restore the old one, or begin a new run.",
            )


def read_recipe(path: Path) -> Unfinished:
    """Return the run in a folder.

    Raises
    ------
    DataError, ConfigError, ModelError
        When there is no run, it is complete, or its folder lacks what it needs to be resumed.
    """
    folder = RunFolder.open(path)
    config = folder.config
    source = f"{path / 'config.json'}"
    if folder.complete:
        raise ConfigError(f"the run in {path} is complete", "Begin another with: tpsgd-host stream DATA")
    how = config.get(KEY)
    if not isinstance(how, dict):
        raise ConfigError(
            f"the run in {path} is not from stream", "A simulation cannot be resumed; run it again: tpsgd-host simulate"
        )
    config = {"variation": "none", **config}  # older runs do not say
    _check(config, _CONFIG, source)
    how = {"raw": False, **how}
    _check(how, _RECIPE, f"{source}, {KEY}")
    plan = RunPlan(
        Path(how["data"]), epochs=config["epochs"], test=Path(how["test"]) if how["test"] else None,
        test_split=config["test_split"], split_seed=config["split_seed"], test_every=how["test_every"],
        shuffle_seed=config["shuffle_seed"], bad_rows=how["bad_rows"],
        leave_out=LeaveOut(config["leave_out"][0], tuple(config["leave_out"][1:])) if config["leave_out"] else None,
        variation=config["variation"],
    )  # fmt: skip
    connection = Connection(
        how["port"], Path(how["folder"]) if how["folder"] else None, how["heap"], how["baud"], how["engine"],
        how["every"], how["reconnect"], how["usb"], how["raw"],
    )  # fmt: skip
    names: Names = (how["names"][0], how["names"][1], how["names"][2])
    return Unfinished(folder, config, load_model(path / START), plan, connection, names)


class History:
    """Sink that collects the results of a log, two bytes each: class, p_y; shape (H, 2).

    Parameters
    ----------
    path : Path
        The log, for error messages.
    limit : int
        Number of results in the whole run.
    """

    def __init__(self, path: Path, limit: int) -> None:
        self._path = path
        self._limit = limit
        self.results = bytearray()

    def handle(self, event: Event) -> None:
        """Take the next event.

        Raises
        ------
        DataError
            When a result before it is missing, or there are too many.
        """
        if isinstance(event, SampleResult):
            due = len(self.results) // 2
            if event.index != due:
                raise DataError(f"{self._path}: result {event.index} comes where number {due} is expected")
            if due == self._limit:
                raise DataError(f"{self._path} has more results than the {self._limit} of the run")
            self.results += bytes([event.predicted, event.p_true])
