"""The sensors that are known: the data are in ``sensors.toml``, beside this file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from importlib import resources
from pathlib import Path

from tpsgd_host.boards.known import find
from tpsgd_host.data.frontend import FrontEnd, LogMel
from tpsgd_host.errors import ConfigError
from tpsgd_host.model.settings import Document, Table

FILE = "sensors.toml"
KEYS = ("title", "aliases", "kind", "pins", "install", "code", "notes", "system")

STREAM = "stream"

#: Samples a second that microphones on I2S want at least; the board halves them for a model of 8 kHz.
MIN_I2S_RATE = 16000

#: A pin that every sensor may have besides its own: it labels what is recorded (SPEC 5).
BUTTON = "button"

_BUTTON = """

def button():
    from machine import Pin

    return not Pin({pin}, Pin.IN, Pin.PULL_UP).value()  # pressed: connected to ground
"""
_HEAD = '"""The sensor of this board: {title}. Change it as you like; only flash --sensor writes it again."""\n\n'


@dataclass(frozen=True)
class SensorProfile:
    """A sensor, or the name of what stands for one.

    Attributes
    ----------
    name, title : str
    kind : {"sound", "motion", "any"}
    code : str
        Of ``sensor.py``, with fields for pins and numbers.
    pins : tuple of str
        Which must be named.
    install : str
        Its driver, as ``mpremote mip install`` takes it; empty where none is needed.
    notes : str
        What a user should know.
    system : {"micropython", "circuitpython"}
        What must run on the board.
    """

    name: str
    title: str
    kind: str
    code: str
    pins: tuple[str, ...] = ()
    install: str = ""
    notes: str = ""
    aliases: tuple[str, ...] = ()
    system: str = "micropython"

    def as_dict(self) -> dict[str, object]:
        """Return it for JSON."""
        return asdict(self)


def load_sensors() -> dict[str, SensorProfile]:
    """Return the sensors that are known, by name, in the order of the file."""
    return dict(_sensors())


def load_sensor(name: str) -> SensorProfile:
    """Return one sensor, by its name or an alias.

    Raises
    ------
    ConfigError
        If it is not known.
    """
    return find(name, _sensors(), "sensor")


def parse_pins(text: str) -> dict[str, int]:
    """Return the pins in ``sck=18,ws=19,sd=20``."""
    pins = {}
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        name, _, number = (piece.strip() for piece in part.partition("="))
        if not name.isidentifier() or not number.isdecimal() or name in pins:
            raise ConfigError(f"the pins {text!r} cannot be read at {part!r}", "each once, as in sck=18,ws=19,sd=20")
        pins[name] = int(number)
    return pins


def sensor_program(sensor: SensorProfile, pins: Mapping[str, int], front: FrontEnd | None) -> bytes:
    """Return the ``sensor.py`` of a board with this sensor, for a model's front end.

    Raises
    ------
    ConfigError
        When the pins are not the sensor's, or the model takes nothing that it gives.
    """
    if front is None:
        raise ConfigError("the model has no front end: it takes no sensor", "give its TOML a [frontend]")
    hears = isinstance(front, LogMel)
    if sensor.kind not in ("any", "sound" if hears else "motion"):
        wanted = "a microphone" if hears else "a motion sensor"
        raise ConfigError(f"the model needs {wanted}, not the {sensor.name}", "tpsgd-host sensors lists them")
    if {*pins} - {BUTTON} != {*sensor.pins}:
        said = ",".join(f"{pin}=.." for pin in sensor.pins) or "none"
        raise ConfigError(f"the {sensor.name} has the pins {said}", f"given: {','.join(pins) or 'none'} (--pins)")
    channels = 1 if hears else front.channels
    if sensor.kind == "motion" and channels not in (3, 6):
        raise ConfigError(
            f"the model takes {channels} channels, the {sensor.name} gives 3 (acceleration) or 6 (and rotation)",
            "change columns in its TOML, or sensor.py on the board",
        )
    rate = max(front.rate, MIN_I2S_RATE) if sensor.kind == "sound" else front.rate
    values = {**pins, "rate": rate, "channels": channels, "gyro": channels == 6}
    button = _BUTTON.format(pin=pins[BUTTON]) if BUTTON in pins else ""
    return (_HEAD.format(title=sensor.title) + sensor.code.format(**values) + button).encode()


def is_written(path: Path) -> bool:
    """Whether a board's ``sensor.py`` is missing, or one that was written here for the virtual board, unchanged."""
    if not path.exists():
        return True
    text = path.read_text(encoding="utf-8", errors="replace")
    pattern = re.escape(_HEAD.format(title=load_sensor(STREAM).title) + load_sensor(STREAM).code)
    return re.fullmatch(pattern.replace(r"\{rate\}", r"\d+").replace(r"\{channels\}", r"\d+"), text) is not None


def _sensor(name: str, table: Table) -> SensorProfile:
    return SensorProfile(
        name,
        table.text("title", name),
        table.choice("kind", None, ("sound", "motion", "any")),
        str(table.values["code"]),
        tuple(table.values.get("pins", ())),
        table.text("install", ""),
        table.text("notes", ""),
        table.texts("aliases", 1, 20),
        table.choice("system", "micropython", ("micropython", "circuitpython")),
    )


@cache
def _sensors() -> Mapping[str, SensorProfile]:
    document = Document((resources.files("tpsgd_host.boards") / FILE).read_text(encoding="utf-8"), FILE)
    return {name: _sensor(name, document.table(name, KEYS)) for name in document.values}
