"""Read the payloads of the link (SPEC 4)."""

from __future__ import annotations

import errno
import os
import struct
from dataclasses import dataclass, replace
from typing import NoReturn

from tpsgd_host.errors import BoardError, BoardGoneError, FitError, ModelError, TpsgdError
from tpsgd_host.terminal import clean, one_line

ERROR_CLASSES: dict[int, type[TpsgdError]] = {1: ModelError, 2: ModelError, 3: FitError, 9: BoardGoneError}

#: Start of an ERROR's payload where the board has no session.
NO_SESSION = b"\x09"

#: Start of an ERROR's payload where the board has no sensor, or it failed.
SENSOR = 10
SENSOR_FAILED = bytes([SENSOR])

HINTS = {
    1: "put a model on it with: tpsgd-host flash MODEL",
    2: "create the model again with tpsgd-host quantize, then tpsgd-host flash",
    3: "make the network smaller, freeze a layer, or give the virtual board more with --heap",
    4: "leave out --engine: the board takes its best engine",
    5: "board and host may have different versions: flash the board again",
    6: "the data do not fit the board's model: tpsgd-host inspect shows what it needs",
    7: "the board's file system is full or damaged",
    8: "this is a bug in the device program: please report it with the text above",
    9: "the board was reset: continue with tpsgd-host stream --resume",
    10: "tpsgd-host sensors lists the sensors; put one on the board: tpsgd-host flash MODEL --sensor NAME --pins ...",
    11: "give the model's TOML a [frontend], then tpsgd-host quantize and tpsgd-host flash",
    12: "was the board reset, or does another program use it? Begin again",
    13: "its old weights stay; was it flashed meanwhile? Put the whole model on it: tpsgd-host flash MODEL",
}


@dataclass(frozen=True)
class Info:
    """A board's description of itself; sizes in bytes.

    Attributes
    ----------
    kept : int
        Results of the run that the host does not have yet.
    lessons : bool
        Whether its program has lessons, and takes raw records.
    takes_weights : bool
        Whether the host can put weights on it.
    """

    protocol: int
    engine_number: int
    receive_buffer: int
    results: int
    kept: int
    model_crc: int
    weights_crc: int
    run_id: int
    applied: int
    seen: int
    total: int
    planned: int
    measured: int
    heap_used: int
    heap_free: int
    engine: str
    version: str
    machine: str
    lessons: bool = False
    takes_weights: bool = False

    @classmethod
    def parse(cls, payload: bytes) -> Info:
        """Return the INFO in a payload."""
        try:
            numbers = struct.unpack_from("<BBHBBIIIIIIIIII", payload)
            texts, at = [], 46
            for _ in range(3):
                end = at + 1 + payload[at]
                texts.append(one_line(payload[at + 1 : end].decode(errors="replace")))
                at = end
        except (struct.error, IndexError) as error:
            raise BoardError("the board's INFO is cut short", "flash the board again") from error
        flags = payload[at] if payload[at : at + 1] else 0
        info = replace(cls(*numbers, *texts), lessons=bool(flags & 1), takes_weights=bool(flags & 2))
        if not info.results or info.kept > min(info.results, info.applied):
            raise BoardError(
                f"the board's INFO is not possible: it has room for {info.results} results, keeps {info.kept} "
                f"and has applied {info.applied} records",
                "flash the board again; is this tpsgd's device program?",
            )
        return info


@dataclass(frozen=True)
class Done:
    """A board's answer to a SYNC; ``failed``: the errno of its last checkpoint, 0 if it was written."""

    applied: int
    seen: int
    weights_crc: int
    generation: int
    heap_used: int
    heap_free: int
    measured: int
    failed: int

    @classmethod
    def parse(cls, payload: bytes) -> Done:
        """Return the DONE in a payload."""
        try:
            return cls(*struct.unpack_from("<IIIIIIIH", payload))
        except struct.error as error:
            raise BoardError("the board's DONE is cut short", "flash the board again") from error


#: In place of a class: none.
NO_CLASS = 255

#: More classes than this: HEARD has pairs of class and p.
_MANY = 100

#: Bytes of HEARD before the probabilities.
_HEARD = 9


@dataclass(frozen=True)
class Level:
    """What a listening board tells ten times a second.

    Attributes
    ----------
    event : int
        Number of the newest event, modulo 65536.
    active : bool
        Whether a word, or gesture, is under way.
    pressed : bool
        Whether the board's button is pressed.
    practising : bool
        Whether the board practises while it is quiet.
    level : float
        The largest since the last one, 0 to 1.
    overruns, torn : int
        Times that values of the sensor were lost, and words that were dropped for it; modulo 65536.
    seen : int
        Training samples so far, practised ones included.
    frame : bytes, length C
        The newest frame: bands of sound (0..255, 8 are 3 dB) or a reading as stored activations.
    """

    event: int
    active: bool
    pressed: bool
    practising: bool
    level: float
    overruns: int
    torn: int
    seen: int
    frame: bytes

    @classmethod
    def parse(cls, payload: bytes, channels: int) -> Level:
        """Return the LEVEL in a payload, for frames of C bytes."""
        if len(payload) != 12 + channels:
            _impossible("LEVEL", f"{len(payload)} bytes for {channels} channels")
        event, flags, level, overruns, torn, seen = struct.unpack_from("<HBBHHI", payload)
        return cls(
            event, bool(flags & 1), bool(flags & 2), bool(flags & 4), level / 255, overruns, torn, seen, payload[12:]
        )


@dataclass(frozen=True)
class Heard:
    """A board's answer to a word or gesture.

    Attributes
    ----------
    event : int
        Its number, modulo 65536.
    at : int
        Frames that the board had heard when it found the word.
    frames : int
        Its length.
    predicted : int
        The class.
    probabilities : tuple of float, length N
        Of all classes, 0 to 1; of more than 100 classes the small ones are 0.
    """

    event: int
    at: int
    frames: int
    predicted: int
    probabilities: tuple[float, ...]

    @classmethod
    def parse(cls, payload: bytes, classes: int) -> Heard:
        """Return the HEARD in a payload, of a model of N classes."""
        count = len(payload) - _HEARD
        if count < 0 or (count != classes if classes <= _MANY else count % 2 or count > _MANY):
            _impossible("HEARD", f"{len(payload)} bytes for {classes} classes")
        event, at, length, predicted = struct.unpack_from("<HIHB", payload)
        shares = [0] * classes
        if classes <= _MANY:
            shares = list(payload[_HEARD:])
        else:
            for y, p in zip(payload[_HEARD::2], payload[_HEARD + 1 :: 2], strict=True):
                if y >= classes:
                    _impossible("HEARD", f"class {y} of {classes}")
                shares[y] = p
        if predicted >= classes or max(shares) > 127:
            _impossible("HEARD", f"class {predicted} of {classes}, probability {max(shares)}/127")
        return cls(event, at, length, predicted, tuple(p / 127 for p in shares))


@dataclass(frozen=True)
class Lesson:
    """A board's answer to the requests of a lesson.

    Attributes
    ----------
    event : int
        Number of the newest event, modulo 65536.
    listening : bool
        Whether the board listens to its sensor.
    label : int or None
        The class that was taught or dropped; None if nothing was.
    predicted : int
        The class predicted before learning, or of a shown sample.
    probability : float
        Of the class that was taught, before learning; of the predicted class for a shown sample.
    learned : int
        Samples that were practised.
    changes : int
        Samples taught and dropped in this lesson, modulo 65536.
    kept, room : int
        Samples that the board keeps, and for which it has room.
    overruns, torn : int
        As in :class:`Level`.
    seen : int
        Training samples so far.
    """

    event: int
    listening: bool
    label: int | None
    predicted: int
    probability: float
    learned: int
    changes: int
    kept: int
    room: int
    overruns: int
    torn: int
    seen: int

    @classmethod
    def parse(cls, payload: bytes, classes: int) -> Lesson:
        """Return the LESSON in a payload, of a model of N classes."""
        try:
            event, flags, label, predicted, p, *counts = struct.unpack("<HBBBBHHHHHHI", payload)
        except struct.error:
            _impossible("LESSON", f"{len(payload)} bytes")
        if predicted >= classes or p > 127 or (label != NO_CLASS and label >= classes):
            _impossible("LESSON", f"class {label}, predicted {predicted} of {classes} classes, probability {p}/127")
        return cls(event, bool(flags & 1), None if label == NO_CLASS else label, predicted, p / 127, *counts)


def _impossible(what: str, value: str) -> NoReturn:
    raise BoardError(f"the board's {what} is not possible: {value}", "flash the board again: tpsgd-host flash MODEL")


#: Errors of a file system in a user's words, and what to do; CircuitPython has the same numbers.
_UNSAVED = {
    errno.EROFS: (
        "programs cannot write to its file system",
        "on CircuitPython, eject the drive CIRCUITPY on this computer, or add the lines import storage and "
        'storage.remount("/", readonly=False) to its boot.py and reset the board',
    ),
    errno.ENOSPC: ("its flash is full", "delete files on the board"),
}


def unsaved(number: int) -> tuple[str, str]:
    """Return why a board could not write a checkpoint, and what to do about it, for the errno that it sent."""
    why, todo = _UNSAVED.get(number, (os.strerror(number), "its flash may be damaged: flash the board again"))
    return f"{why} (errno {number})", todo


def board_error(payload: bytes) -> TpsgdError:
    """Return the exception for an ERROR frame."""
    code = payload[0] if payload else 0
    text = clean(payload[1:].decode(errors="replace")).strip()
    return ERROR_CLASSES.get(code, BoardError)(f"the board says: {text}", HINTS.get(code, ""))
