"""Put the device package and a model on a board, and check that they arrived and run.

Every file is written under another name, read back, compared by hash, and then renamed. After an interruption, just run
the flash again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from tpsgd_host.boards.connect import VIRTUAL
from tpsgd_host.boards.plugged import only_port
from tpsgd_host.boards.profiles import BoardProfile, load_profile
from tpsgd_host.boards.sensors import STREAM, is_written, load_sensor, parse_pins, sensor_program
from tpsgd_host.boards.virtual import SENSOR, default_folder
from tpsgd_host.errors import ConfigError
from tpsgd_host.flashing import real
from tpsgd_host.flashing.deploy import Flashed
from tpsgd_host.flashing.probe import CIRCUITPYTHON
from tpsgd_host.flashing.virtual import flash_virtual, virtual_steps
from tpsgd_host.model.modelfile import Model, load_model

#: Called with a question before anything is overwritten; raises if the answer is no.
Ask = Callable[[str], None]


def refuse(question: str) -> None:
    """Answer every question with no; the default for programs that do not pass a way to ask."""
    raise ConfigError(f"this needs your consent: {question}", "add --yes (in Python: ask=lambda question: None)")


@dataclass(frozen=True)
class FlashReport:
    """The result of a flash; sizes in bytes.

    Attributes
    ----------
    compiled : bool
        Whether the device package was written as .mpy; if not, ``why_sources`` says why.
    firmware : str
        Name of the firmware file that was written; empty if none was.
    started : bool
        Whether the board was started and reported the model. Without a port it cannot be asked, and the next fields are
        0.
    todo : str
        What the user must do before the board can run, such as pressing RESET; may be empty.
    why_not_native : str
        Why the board does not train with the trainer in C; empty if it does, or could not be asked.
    """

    board: str
    place: str
    files: int
    written: int
    model: str
    network: str
    model_crc: int
    engine: str
    machine: str
    heap_used: int
    heap_free: int
    state_planned: int
    state_measured: int
    compiled: bool = False
    why_sources: str = ""
    firmware: str = ""
    started: bool = True
    todo: str = ""
    why_not_native: str = ""

    def as_dict(self) -> dict[str, object]:
        """Return the report for JSON."""
        return asdict(self)


def flash(
    model_path: Path,
    board: str = VIRTUAL,
    *,
    folder: Path | None = None,
    heap: int | None = None,
    port: str = "",
    firmware: str = "",
    erase: bool = False,
    deploy_only: bool = False,
    drive: Path | None = None,
    sensor: str = "",
    pins: str = "",
    ask: Ask = refuse,
    tell: Callable[[str], None] = lambda text: None,
    progress: Callable[[str, int, int], None] = lambda step, done, total: None,
) -> FlashReport:
    """Put the device package and a model on a board, verify both, and start it once.

    Parameters
    ----------
    board : str
        Name of a board in ``boards/boards.toml``.
    folder : Path, optional
        Flash of the virtual board.
    heap : int, optional
        Heap of the virtual board in bytes, from now on.
    port : str
        Port of a real board; by default that of the only plugged-in board of its kind.
    firmware : str
        Firmware to write first: a file, or a release of MicroPython to fetch. If empty, the firmware stays as it is,
        unless no MicroPython answers and ``ask`` agrees to fetch it.
    erase : bool
        Whether to erase the whole flash before writing firmware (ESP32).
    deploy_only : bool
        Whether to leave the firmware alone in any case.
    drive : Path, optional
        CircuitPython's drive; by default it is searched for.
    sensor, pins : str
        A sensor of ``boards/sensors.toml`` and its pins, such as ``sck=18,ws=19,sd=20``: writes the board's sensor.py.
        By default a board keeps the one it has; the virtual board hears what is played to it.
    ask : callable
        Called with a question before anything is fetched or overwritten; raises if the answer is no.
    tell : callable
        Called with notes for the user.
    progress : callable
        Called with the step's name, the number of its parts that are done, and their total.

    Raises
    ------
    ModelError, ConfigError, FitError, PortError, BoardError, MismatchError, DependencyError
    """
    model = load_model(model_path)
    profile = load_profile(board)
    if profile.name != VIRTUAL:
        text = _sensor_text(model, profile, sensor, pins)
        target = real.Target(profile, port or only_port(profile), firmware, erase, drive, board, deploy_only, text)
        flashed = real.flash_real(model, target, ask=ask, tell=tell, progress=progress)
        return _report(model, profile.name, flashed)
    if port not in ("", VIRTUAL) or firmware or erase or drive:
        raise ConfigError("the virtual board has no port, drive or firmware", "name another --board")
    place = folder or default_folder()
    text = _virtual_sensor(model, place, sensor, pins)
    return _report(model, VIRTUAL, flash_virtual(model, place, heap, ask, progress, text))


def dry_run(
    model_path: Path,
    board: str,
    *,
    port: str = "",
    firmware: str = "",
    erase: bool = False,
    deploy_only: bool = False,
    drive: Path | None = None,
    folder: Path | None = None,
    heap: int | None = None,
    sensor: str = "",
    pins: str = "",
) -> list[str]:
    """Return every step that :func:`flash` would take, without taking any."""
    model = load_model(model_path)
    profile = load_profile(board)
    if profile.name != VIRTUAL:
        text = _sensor_text(model, profile, sensor, pins)
        return real.steps(model, real.Target(profile, port, firmware, erase, drive, board, deploy_only, text))
    place = folder or default_folder()
    return virtual_steps(model, place, heap, _virtual_sensor(model, place, sensor, pins))


def _sensor_text(model: Model, board: BoardProfile, name: str, pins: str) -> bytes:
    """Return the ``sensor.py`` for a real board; empty where the board keeps the one it has."""
    if not name:
        if pins:
            raise ConfigError("--pins says where a sensor is, and none is named", "name it: --sensor NAME")
        return b""
    profile = load_sensor(name)
    if profile.name == STREAM:
        raise ConfigError("only the virtual board hears what the host plays", "name another --sensor")
    if profile.system != board.firmware:
        names = {CIRCUITPYTHON: "CircuitPython"}
        needs, has = (names.get(one, "MicroPython") for one in (profile.system, board.firmware))
        raise ConfigError(
            f"the sensor {profile.name} needs {needs}, the {board.name} has {has}",
            "tpsgd-host sensors lists others; a sensor.py by hand works, too (docs/SENSORS.md)",
        )
    return sensor_program(profile, parse_pins(pins), model.layout.front)


def _virtual_sensor(model: Model, place: Path, name: str, pins: str) -> bytes:
    """Return the ``sensor.py`` for the virtual board; empty where it has one that the user changed, or needs none."""
    if pins or name not in ("", STREAM):
        raise ConfigError("the virtual board has no pins: it hears what the host plays", f"--sensor {STREAM}, or none")
    if not name and (model.layout.front is None or not is_written(place / SENSOR)):
        return b""
    return sensor_program(load_sensor(STREAM), {}, model.layout.front)


def _report(model: Model, board: str, flashed: Flashed) -> FlashReport:
    info = flashed.info
    said = (info.engine, info.machine, info.heap_used, info.heap_free, info.planned, info.measured) if info else None
    return FlashReport(
        board, flashed.place, len(flashed.files), sum(map(len, flashed.files.values())), model.name, model.shape,
        model.crc, *(said or ("", "", 0, 0, 0, 0)), any(name.endswith("serve.mpy") for name in flashed.files),
        flashed.why_sources, flashed.firmware, info is not None, flashed.todo, _why_not_native(flashed),
    )  # fmt: skip


def _why_not_native(flashed: Flashed) -> str:
    """Return why a board that was asked does not train with the trainer in C; empty if it does."""
    if flashed.info is None or flashed.info.engine == "native":
        return ""
    return flashed.why_no_module or "its heap has no room for it beside the model, or the board refused it"
