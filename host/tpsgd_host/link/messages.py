"""Read the payloads of the link (SPEC 4)."""

from __future__ import annotations

import errno
import os
import struct
from dataclasses import dataclass

from tpsgd_host.errors import BoardError, BoardGoneError, FitError, ModelError, TpsgdError
from tpsgd_host.terminal import clean, one_line

ERROR_CLASSES: dict[int, type[TpsgdError]] = {1: ModelError, 2: ModelError, 3: FitError, 9: BoardGoneError}

#: Start of an ERROR's payload where the board has no session.
NO_SESSION = b"\x09"

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
}


@dataclass(frozen=True)
class Info:
    """A board's description of itself; sizes in bytes. ``kept``: results of the run that the host does not have yet."""

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
        info = cls(*numbers, *texts)
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
