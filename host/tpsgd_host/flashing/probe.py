"""Ask a board about itself: a small program that runs in its REPL, and its answer.

The program tests for features, never for names, and prints one ``key=value`` per line. It does not need the device
package, so it runs on boards without it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from tpsgd_host.boards.virtual import MAIN
from tpsgd_host.errors import BoardError
from tpsgd_host.flashing.mpy import MpyFormat

#: The start-up program of a real board: after a host has said BYE it waits for the next one. Ctrl-C leads to the REPL.
START_PROGRAM = "from tpsgd import serve\n\nwhile True:\n    serve.main()\n"

#: The hashes of both start-up programs.
STARTS = {hashlib.sha256(text.encode()).hexdigest() for text in (START_PROGRAM, MAIN)}

#: Reports MicroPython's number of the .mpy format, but only takes files from its own mpy-cross.
CIRCUITPYTHON = "circuitpython"

#: Runs on MicroPython from 1.9 on and on CircuitPython; each question may fail on its own.
PROGRAM = """
import sys, gc
def say(key, ask):
    try:
        print("tpsgd:%s=%s" % (key, ask()))
    except Exception as error:
        print("tpsgd:%s!%s" % (key, type(error).__name__))
def native():
    exec("@micropython.native\\ndef f(): return 1")
    return 1
def thumb():
    exec("@micropython.asm_thumb\\ndef f(): nop()")
    return 1
def module(name):
    __import__(name)
    return 1
def flash():
    import os
    s = os.statvfs("/")
    return s[0] * s[3]
def has(name):
    import os
    os.stat(name)
    return 1
def hashed(name):
    import hashlib, binascii
    h = hashlib.sha256() if hasattr(hashlib, "sha256") else hashlib.new("sha256")
    f = open(name, "rb")
    h.update(f.read(1024))
    f.close()
    return binascii.hexlify(h.digest()).decode()
def machine():
    return getattr(sys.implementation, "_machine", None) or sys.platform
def writable():
    f = open("tpsgd.tmp", "wb")
    f.close()
    import os
    os.remove("tpsgd.tmp")
    return 1
gc.collect()
say("free", gc.mem_free)
say("used", gc.mem_alloc)
say("name", lambda: sys.implementation[0])
say("version", lambda: ".".join([str(x) for x in sys.implementation[1][:3]]))
say("platform", lambda: sys.platform)
say("machine", machine)
say("mpy", lambda: getattr(sys.implementation, "_mpy", 0) or getattr(sys.implementation, "mpy", 0))
say("native", native)
say("thumb", thumb)
say("ulab", lambda: module("ulab"))
say("flash", flash)
say("writable", writable)
say("package", lambda: has("tpsgd"))
say("model", lambda: has("model.tpsgd"))
say("main", lambda: hashed("code.py" if sys.implementation[0] == "circuitpython" else "main.py"))
"""


@dataclass(frozen=True)
class BoardFacts:
    """A board's answers.

    Attributes
    ----------
    name, version, machine, platform : str
        Name and version of the interpreter, and the hardware.
    heap_free, heap_used : int
        Bytes of heap with nothing loaded.
    mpy : MpyFormat or None
        The format of compiled files that it takes; None if unknown or CircuitPython's.
    native, thumb, ulab : bool
        Whether it has the native emitter, the inline assembler, and ulab.
    flash_free : int
        Free bytes of flash; -1 if unknown.
    writable : bool
        Whether programs may write to its file system.
    package, model : bool
        Whether the board has the device package and a model.
    main : str
        Its start-up program: ``none``, ``ours`` or ``other``.
    """

    name: str
    version: str
    machine: str
    platform: str
    heap_free: int
    heap_used: int
    mpy: MpyFormat | None
    native: bool
    thumb: bool
    ulab: bool
    flash_free: int
    writable: bool
    package: bool
    model: bool
    main: str

    @property
    def title(self) -> str:
        """Interpreter, version and machine in a few words."""
        return f"{self.name} {self.version}, {self.machine}"


def parse_facts(text: str) -> BoardFacts:
    """Return the facts in the program's output.

    Raises
    ------
    BoardError
        When it did not run.
    """
    answers, failed = {}, set()
    for line in text.splitlines():
        if line.startswith("tpsgd:"):
            key, mark, value = line[6:].partition("=")
            if mark:
                answers[key] = value.strip()
            else:
                failed.add(line[6:].partition("!")[0])
    if "name" not in answers:
        last = (text.strip().splitlines() or ["nothing"])[-1]
        raise BoardError(
            f"the board does not answer like MicroPython: {last[:200]!r}",
            "does it run MicroPython? Reset the board and try again; tpsgd-host doctor --port PORT tells more",
        )
    mpy = None if answers["name"] == CIRCUITPYTHON else MpyFormat.of(_number(answers.get("mpy", "0")))
    return BoardFacts(
        answers["name"], answers.get("version", "?"), answers.get("machine", "?"), answers.get("platform", "?"),
        _number(answers.get("free", "0")), _number(answers.get("used", "0")),
        mpy, "native" in answers, "thumb" in answers, "ulab" in answers,
        _number(answers.get("flash", "-1")), "writable" in answers, "package" in answers, "model" in answers,
        _main(answers, failed),
    )  # fmt: skip


def _number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        return 0


def _main(answers: dict[str, str], failed: set[str]) -> str:
    if "main" in answers:
        return "ours" if answers["main"] in STARTS else "other"
    return "none" if "main" in failed else "other"
