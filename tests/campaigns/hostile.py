"""Commands against whoever is hostile: ports that are no boards, boards that lie, files made to hang or to overflow.

python tests/campaigns/hostile.py
python tests/campaigns/hostile.py --only files --match npz

Each command runs as a user would start it, in a folder of its own. It must end by itself within its time and memory,
with an exit code that is documented, without a traceback, with no byte on the terminal that a terminal obeys, and with
no file outside its folder.
"""

from __future__ import annotations

import argparse
import io
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import base
import numpy as np
from boards import LocalBoard
from liars import HARMLESS, LESSON_LIES, LIES, PUSH_LIES, LyingPort
from networks import model, samples, write_csv

from tpsgd import frames
from tpsgd_host.link.wire import Decoder, Frame
from tpsgd_host.model.modelfile import parse_model
from tpsgd_host.terminal import clean

#: Seconds and bytes that a command may take; a session's patience is 15 s, a stuck one's 60 s.
SECONDS, MEMORY = 100.0, 700 << 20

#: Where a board would like to have something written, if it may name the place.
ABSOLUTE = f"{tempfile.gettempdir()}/tpsgd-attack-{os.getpid()}"

#: Exit codes that say what was refused (docs/CLI.md); wrong use of an option, 2, would be a mistake in here.
REFUSED = range(3, 11)


@dataclass
class Attack:
    """One command and what it meets.

    Attributes
    ----------
    words : tuple of str
        The command, without its program's name.
    files : dict
        What lies in its folder: a name and what makes it.
    codes : collection of int
        Exit codes that are right.
    seconds : float
        The longest that it may take.
    """

    name: str
    words: tuple[str, ...]
    files: dict[str, Callable[[Path], None]] = field(default_factory=dict)
    codes: tuple[int, ...] = tuple(REFUSED)
    seconds: float = SECONDS


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    seconds: float
    memory: int
    said: bytes


def run_command(words: tuple[str, ...], folder: Path, seconds: float) -> Ended:
    """Run the command in ``folder``; kill it after ``seconds``."""
    environment = {**os.environ, "TPSGD_VIRTUAL": str(folder / "virtual"), "HOME": str(folder), "COLUMNS": "100"}
    begun = time.monotonic()
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "tpsgd_host", *words], cwd=folder, env=environment, stdin=subprocess.DEVNULL,
            stdout=said, stderr=subprocess.STDOUT,
        )  # fmt: skip
        memory = 0
        while process.poll() is None:
            memory = max(memory, resident(process.pid))
            if time.monotonic() - begun > seconds or memory > 2 * MEMORY:
                process.kill()
            time.sleep(0.02)
        said.seek(0)
        return Ended(process.returncode, time.monotonic() - begun, memory, said.read())


def resident(process: int) -> int:
    """Return the bytes that a process has in memory."""
    try:
        return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return 0


def complaints(attack: Attack, ended: Ended, outside: list[str]) -> list[str]:
    """Return what is wrong with how a command ended."""
    text = ended.said.decode(errors="surrogateescape")
    found = []
    if ended.code == -signal.SIGKILL:
        found.append(f"killed after {ended.seconds:.0f} s")
    elif ended.code not in attack.codes:
        found.append(f"exit code {ended.code}, right would be one of {list(attack.codes)}")
    if "Traceback (most recent call last)" in text and "the board says" not in text:
        found.append("a traceback")
    if ended.memory > MEMORY:
        found.append(f"{ended.memory >> 20} MB, {MEMORY >> 20} are the most")
    if clean(text.replace("\r", "")) != text.replace("\r", ""):
        found.append("bytes that a terminal obeys")
    if outside:
        found.append(f"files outside its folder: {', '.join(outside)}")
    return found


def carry_out(attack: Attack) -> tuple[list[str], Ended]:
    """Run an attack in a folder of its own; return the complaints, and how it ended."""
    with tempfile.TemporaryDirectory(prefix="tpsgd-") as place:
        folder = Path(place) / "a" / "b"
        folder.mkdir(parents=True)
        for name, make in attack.files.items():
            make(folder / name)
        ended = run_command(attack.words, folder, attack.seconds)
        absolute = [str(path) for path in Path(ABSOLUTE).parent.glob(f"{Path(ABSOLUTE).name}*")]
        for path in absolute:
            Path(path).unlink()
        outside = absolute + [
            str(p.relative_to(place)) for p in Path(place).rglob("*") if folder not in (p, *p.parents)
        ]
        return complaints(attack, ended, [name for name in outside if name != "a"]), ended


# -- files


def content(data: bytes) -> Callable[[Path], None]:
    """Return what writes ``data``."""
    return lambda path: path.write_bytes(data) and None


def sparse(size: int) -> Callable[[Path], None]:
    """Return what makes a file of ``size`` bytes that takes no room."""

    def make(path: Path) -> None:
        with path.open("wb") as file:
            file.truncate(size)

    return make


def zeros(path: Path) -> None:
    """Make a name for a device that never ends."""
    path.symlink_to("/dev/zero")


def pipe(path: Path) -> None:
    """Make a named pipe without a writer."""
    os.mkfifo(path)


def table(path: Path) -> None:
    """Make a table that the small model takes."""
    write_csv(path, samples())


def one_line(size: int) -> Callable[[Path], None]:
    """Return what makes a table whose second line has ``size`` bytes."""

    def make(path: Path) -> None:
        piece = b"1," * (1 << 19)
        with path.open("wb") as file:
            file.write(b"c0,c1,c2,c3,label\n")
            for _ in range(size // len(piece)):
                file.write(piece)

    return make


def quoted(size: int) -> Callable[[Path], None]:
    """Return what makes a table with a record of many quoted lines."""

    def make(path: Path) -> None:
        piece = b'"\n",' * (1 << 18)
        with path.open("wb") as file:
            file.write(b"c0,c1,c2,c3,label\n1,")
            for _ in range(size // len(piece)):
                file.write(piece)

    return make


def bomb(shape: str, dtype: str, size: int) -> Callable[[Path], None]:
    """Return what makes an ``.npz`` whose ``x`` says a shape and unpacks to ``size`` zero bytes."""

    def make(path: Path) -> None:
        header = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}".encode()
        header += b" " * (-(len(header) + 11) % 64) + b"\n"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("x.npy", "w") as member:
            member.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header)
            left, block = size, bytes(1 << 20)
            while left > 0:
                member.write(block[:left])
                left -= len(block)

    return make


def many_members(path: Path) -> None:
    """Make an ``.npz`` of 20,000 arrays, each of which is small."""
    array = io.BytesIO()
    np.save(array, np.zeros(1))
    with zipfile.ZipFile(path, "w") as archive:
        for i in range(20_000):
            archive.writestr(f"a{i}.npy", array.getvalue())


def wide(**layout: object) -> bytes:
    """Return a model file whose windows are what ``layout`` says."""
    made = model(recurrent=True)
    changed = replace(made.layout, windows="recording", resampling="mean", columns=("c0", "c1", "c2", "c3"), **layout)
    return replace(made, layout=replace(changed, label="label", group="")).to_bytes()


def table_model() -> bytes:
    """Return a model of four channels in one step."""
    from tpsgd_host.model.build import build_model
    from tpsgd_host.model.parsing import parse_config

    return build_model(parse_config(TOML, "small.toml"), samples()).to_bytes()


TOML = """
[model]
name = "small"
classes = ["rest", "wave", "tap"]
[data]
steps = 1
channels = 4
[training]
shifts = [9]
[[layer]]
kind = "dense"
units = 5
[[layer]]
kind = "output"
"""

TABLE_MODEL = table_model()

#: Names of the files that a command reads, and the command; ``data.csv`` and ``m.tpsgd`` are honest where not named.
READERS: dict[str, tuple[str, ...]] = {
    "m.tpsgd": ("inspect", "m.tpsgd"),
    "n.tpsgd": ("simulate", "data.csv", "--model", "n.tpsgd", "--epochs", "1"),
    "o.tpsgd": ("flash", "o.tpsgd", "--yes"),
    "p.tpsgd": ("adapt", "p.tpsgd", "-o", "q.tpsgd"),
    "data.csv": ("simulate", "data.csv", "--model", "m.tpsgd", "--epochs", "1"),
    "new.csv": ("new", "x", "--data", "new.csv"),
    "eval.csv": ("eval", "eval.csv", "--model", "m.tpsgd"),
    "data.npz": ("simulate", "data.npz", "--model", "m.tpsgd", "--epochs", "1"),
    "small.toml": ("quantize", "small.toml", "--data", "data.csv"),
    "net.npz": ("quantize", "net.npz", "--data", "data.csv", "--config", "small.toml"),
    "net.onnx": ("quantize", "net.onnx", "--data", "data.csv", "--config", "small.toml"),
    "fw.bin": ("flash", "m.tpsgd", "--board", "esp32", "--port", "loop://", "--firmware", "fw.bin", "--yes"),
}
HONEST: dict[str, Callable[[Path], None]] = {
    "data.csv": table, "m.tpsgd": content(TABLE_MODEL), "small.toml": content(TOML.encode()),
}  # fmt: skip


def file_attacks() -> Iterator[Attack]:
    """Yield each command with each file that is none, and with well-formed ones whose values are hostile."""
    unending = {"60 GB": sparse(60 << 30), "/dev/zero": zeros, "a pipe": pipe, "a folder": Path.mkdir}
    for name, words in READERS.items():
        for what, make in unending.items():
            yield Attack(f"{words[0]}: {name} is {what}", words, {**HONEST, name: make}, seconds=30)
    toml = TOML.encode()
    values: dict[str, tuple[str, Callable[[Path], None]]] = {
        "a line of 1 GB": ("data.csv", one_line(1 << 30)),
        "a line of 100 MB in new": ("new.csv", one_line(100 << 20)),
        "a record of 1 GB of quoted lines": ("data.csv", quoted(1 << 30)),
        "a quote that is never closed": ("data.csv", content(b'c0,c1,c2,c3,label\n"' + b"1,1,1,1,a\n" * 3_000_000)),
        "2 MB that unpack to 15.6 GB of floats": ("data.npz", bomb("(487500000, 4)", "|u1", 1_950_000_000)),
        "a shape of 2**62": ("data.npz", bomb("(1152921504606846976, 4)", "|u1", 64)),
        "a shape below 0": ("data.npz", bomb("(-5, 4)", "|u1", 64)),
        "strings of 1 GB each": ("data.npz", bomb("(8, 4)", "<U268435456", 64)),
        "a header of nested brackets": ("data.npz", bomb("(" * 200 + ")" * 200, "|u1", 64)),
        "a network of 20,000 arrays": ("net.npz", many_members),
        "a network that unpacks to 2 GB": ("net.npz", bomb("(500000, 4096)", "|u1", 2_048_000_000)),
        "a key of 50,000 parts": ("small.toml", content(b"a." * 50_000 + b"a = 1\n" + toml)),
        "a table of 50,000 parts": ("small.toml", content(b"[" + b"a." * 50_000 + b"a]\n" + toml)),
        "keys of 39 parts": ("small.toml", content((b"a." * 38 + b"a%d = 1\n") * 1000 % tuple(range(1000)) + toml)),
        "quoted keys of 50,000 parts": ("small.toml", content(b'"a".' * 25_000 + b"a = 1\n" + toml)),
        "brackets 100,000 deep": ("small.toml", content(b"x = " + b"[" * 100_000 + toml)),
        "a number of 100,000 digits": ("small.toml", content(b"seed = " + b"9" * 100_000 + b"\n" + toml)),
        "a number of 4,000 digits": (
            "small.toml", content(toml.replace(b"steps = 1", b"steps = 1\nrate = " + b"9" * 4000)),
        ),
        "a date that is none": ("small.toml", content(b"x = 2026-99-99\n" + toml)),
        "a window of 2**32 - 1 in a TOML": (
            "small.toml",
            content(toml.replace(b"steps = 1", b'steps = 1\nwindows = "recording"\nwindow = 4294967295')),
        ),
        "a window of 2**32 - 1": ("n.tpsgd", content(wide(window=0xFFFFFFFF))),
        "a hop of 1": ("n.tpsgd", content(wide(window=1, hop=1))),
        "names that a terminal obeys": ("m.tpsgd", content(replace(model(), name="\x1b]0;x\x07\x1b[2J").to_bytes())),
    }  # fmt: skip
    for what, (name, make) in values.items():
        codes = (0, *REFUSED) if what in ("a hop of 1", "keys of 39 parts") else tuple(REFUSED)
        yield Attack(f"{READERS[name][0]}: {what}", READERS[name], {**HONEST, name: make}, codes)


# -- ports


class Line:
    """A TCP server that talks in some way, for ``socket://``; a context manager."""

    def __init__(self, serve: Callable[[socket.socket], None]) -> None:
        self._serve = serve
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"socket://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Line:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def _accept(self) -> None:
        while True:
            try:
                one, _ = self._listener.accept()
            except OSError:
                return
            with one:
                try:
                    self._serve(one)
                except OSError:
                    pass  # the command has gone

    def __exit__(self, *error: object) -> None:
        self._listener.close()


def echo(one: socket.socket) -> None:
    """Send back what comes."""
    while data := one.recv(4096):
        one.sendall(data)


def repl(one: socket.socket) -> None:
    """Answer as MicroPython's REPL does: echo, and its greeting whenever raw mode is asked for."""
    while data := one.recv(4096):
        one.sendall(data + b"\r\nraw REPL; CTRL-B to exit\r\n>" * (data.count(b"\x01") + 1))


def flood(data: bytes) -> Callable[[socket.socket], None]:
    """Return a talker that never stops."""

    def serve(one: socket.socket) -> None:
        while True:
            one.sendall(data)

    return serve


def silence(one: socket.socket) -> None:
    """Hear, and say nothing."""
    while one.recv(4096):
        pass


def liar(kind: int, lie: Callable[[Frame, int], bytes | None], data: bytes) -> Callable[[socket.socket], None]:
    """Return the device program with a model, at a port that lies."""

    def serve(one: socket.socket) -> None:
        with tempfile.TemporaryDirectory() as place, LocalBoard(Path(place), data) as board:
            port = LyingPort(board.port, kind, lie)
            one.settimeout(0.02)
            while True:
                try:
                    asked = one.recv(4096)
                    if not asked:
                        return
                    port.write(asked)
                except TimeoutError:
                    pass
                while answer := port.read(0.001):
                    one.sendall(answer)

    return serve


def renamed(**names: object) -> bytes:
    """Return the table's model with other names; the file's own checks are passed by."""
    return replace(parse_model(TABLE_MODEL, "small"), **names).to_bytes()


#: Text that a terminal obeys.
EVIL = "\x1b]0;pwned\x07\x1b[2J\x1b[H\x9b2J\u202e"


def machine(frame: Frame, number: int) -> bytes:
    """Put text that a terminal obeys into INFO's strings."""
    text = EVIL.encode()
    return frame.payload[:46] + (bytes([len(text)]) + text) * 3


def fault(frame: Frame, number: int) -> bytes | None:
    """Answer nothing: :func:`evil_error` says it."""
    return None


def evil_error(one: socket.socket) -> None:
    """Answer each request with an ERROR whose text a terminal obeys."""
    decoder = Decoder()
    while data := one.recv(4096):
        for item in decoder.feed(data):
            if isinstance(item, Frame):
                one.sendall(Frame(frames.ERROR, item.number, b"\x08" + EVIL.encode() + b"\nhint:  rm -rf ~").encode())
        one.sendall(EVIL.encode() + b" printed\r\n")


COMMANDS = {
    "stream": ("stream", "data.csv", "--epochs", "2", "--reconnect", "0", "--port"),
    "pull": ("pull", "--port"),
    "push": ("push", "m.tpsgd", "--port"),
    "monitor": ("monitor", "--seconds", "2", "--port"),
    "monitor --data": ("monitor", "--data", "data.csv", "--port"),
    "doctor": ("doctor", "--port"),
    "reset-model": ("reset-model", "--yes", "--port"),
}


@contextmanager
def attacked_port(serve: Callable[[socket.socket], None] | None) -> Iterator[str]:
    """Return the URL of a talker; None for pyserial's own loop."""
    if serve is None:
        yield "loop://"
        return
    with Line(serve) as line:
        yield line.url


def port_attacks() -> Iterator[tuple[Attack, Callable[[socket.socket], None] | None]]:
    """Yield each command with every talker that may be at its port; the URL follows its words."""
    valid = b"".join(Frame(kind, 7, bytes(60)).encode() for kind in (0x81, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8A))
    strangers: dict[str, Callable[[socket.socket], None] | None] = {
        "loop://": None, "an echo": echo, "a REPL": repl, "silence": silence, "a flood of frames": flood(valid),
        "a flood of text": flood(b"spam " * 100), "a flood of lines": flood(b"spam\r\n" * 100),
        "a flood of one sync byte": flood(b"\xf5" * 512), "text a terminal obeys": evil_error,
    }  # fmt: skip
    for who, serve in strangers.items():
        for what, words in COMMANDS.items():
            codes = (0, *REFUSED) if what in ("monitor", "doctor") else tuple(REFUSED)
            yield Attack(f"{what}: {who}", words, HONEST, codes), serve
    for lie, (kind, change) in LIES.items():
        for what, words in COMMANDS.items():
            # Some lies are about what a command does not ask for.
            codes = tuple(REFUSED) if what == "stream" and lie not in HARMLESS else (0, *REFUSED)
            yield Attack(f"{what}: {lie}", words, HONEST, codes), liar(kind, change, TABLE_MODEL)
    for lie, (kind, change) in LESSON_LIES.items():
        for what in ("monitor", "monitor --data"):
            attack = Attack(f"{what}: {lie}", COMMANDS[what], HONEST, (0, *REFUSED))
            yield attack, liar(kind, change, TABLE_MODEL)
    for lie, (kind, change) in PUSH_LIES.items():
        yield Attack(f"push: {lie}", COMMANDS["push"], HONEST), liar(kind, change, TABLE_MODEL)
    for name in ("../../PWN", ABSOLUTE, "x" * 255, "..", "-rf"):
        attack = Attack(f"pull: a model named {name[:12]!r}", ("pull", "--port"), HONEST, (0,))
        yield attack, liar(0, fault, renamed(name=name))
    for name in ("\x1b[2J", "a\x00b", "\x9d0;x\x9c"):
        attack = Attack(f"pull: a model named {name!r}", ("pull", "--port"), HONEST)
        yield attack, liar(0, fault, renamed(name=name))
    for what, words in COMMANDS.items():
        attack = Attack(f"{what}: INFO that a terminal obeys", words, HONEST, (0, *REFUSED))
        yield attack, liar(frames.INFO, machine, TABLE_MODEL)


# -- text


def text_attacks() -> Iterator[Attack]:
    """Yield commands whose own files hold what a terminal obeys."""
    evil = EVIL.replace("\x1b[H", "")
    label = f"c0,c1,c2,c3,label\n1,2,3,4,{evil}rest\n"
    header = f"c0,c1,c2,{evil}c3,label\n1,2,3,4,rest\n"
    escaped = evil.encode("unicode_escape").decode().replace("\\x", "\\u00")
    tomls = {
        "a class": TOML.replace('"tap"', f'"{escaped}"'),
        "the name": TOML.replace('"small"', f'"{escaped}"'),
        "a key": TOML.replace("[model]", f'[model]\n"{escaped}" = 1'),
        "a value": TOML.replace("steps = 1", f'steps = "{escaped}"'),
        "raw bytes": TOML.replace("[model]", f"[model] # {evil}\n{evil}"),
    }
    csvs = {"a label": label, "a column": header, "a number": label.replace("3,4", f"3,{evil}")}
    any_code = (0, *REFUSED)
    for what, text in csvs.items():
        for words in (READERS["data.csv"], READERS["new.csv"], READERS["eval.csv"], READERS["small.toml"]):
            files = {**HONEST, **dict.fromkeys(("data.csv", "new.csv", "eval.csv"), content(text.encode()))}
            yield Attack(f"{words[0]}: {what} that a terminal obeys", words, files, any_code)
    for what, text in tomls.items():
        files = {**HONEST, "small.toml": content(text.encode())}
        yield Attack(f"quantize: {what} that a terminal obeys", READERS["small.toml"], files, any_code)
    evil_file = f"{evil.replace('/', '')}.csv"
    yield Attack("simulate: a file's name that a terminal obeys",
                 ("simulate", evil_file, "--model", "m.tpsgd"), HONEST)  # fmt: skip
    yield Attack("a command that a terminal obeys", (f"{evil}simulate",), HONEST, (2,))
    yield Attack("an option that a terminal obeys", ("simulate", f"--{evil}"), HONEST, (2,))


def campaign(
    kinds: tuple[str, ...] = ("files", "ports", "text"), match: str = "", show: bool = False
) -> tuple[int, list[str]]:
    """Carry out all attacks of some kinds whose names hold ``match``; return how many, and what went wrong.

    ``show`` prints how each ended.
    """
    planned: list[tuple[Attack, Callable[[socket.socket], None] | None, bool]] = []
    if "files" in kinds:
        planned += [(attack, None, False) for attack in file_attacks()]
    if "ports" in kinds:
        planned += [(attack, serve, True) for attack, serve in port_attacks()]
    if "text" in kinds:
        planned += [(attack, None, False) for attack in text_attacks()]
    planned = [one for one in planned if match in one[0].name]
    progress = base.Progress("attacks", len(planned))
    failed = []
    for attack, serve, at_port in planned:
        if at_port:
            with attacked_port(serve) as url:
                found, ended = carry_out(replace(attack, words=(*attack.words, url)))
        else:
            found, ended = carry_out(attack)
        last = ended.said.decode(errors="replace").strip().splitlines()[-3:]
        if show:
            print(f"{attack.name}: {ended.code}, {ended.seconds:.1f} s, {ended.memory >> 20} MB: {last!r}", flush=True)
        if found:
            failed.append(f"{attack.name}: {'; '.join(found)}")
            print(f"FAILED {failed[-1]}: {ended.seconds:.1f} s, {ended.memory >> 20} MB: {last!r}", flush=True)
        progress.step(f"({attack.name})")
    return len(planned), failed


def main() -> int:
    """Run the campaign; 1 where an attack got through."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=["files", "ports", "text"])
    parser.add_argument("--match", default="", help="part of an attack's name")
    parser.add_argument("--show", action="store_true", help="print how each command ended")
    options = parser.parse_args()
    begun = time.monotonic()
    kinds = (options.only,) if options.only else ("files", "ports", "text")
    count, failed = campaign(kinds, options.match, options.show)
    print(f"{count} attacks, {len(failed)} got through, {time.monotonic() - begun:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
