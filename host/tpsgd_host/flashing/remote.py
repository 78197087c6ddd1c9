"""Use a board's REPL and file system through mpremote. Every access is a command that a user could type."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tpsgd_host.errors import BoardError, MismatchError, PortError, TpsgdError
from tpsgd_host.flashing.ownership import Belongings, program
from tpsgd_host.flashing.probe import PROGRAM, BoardFacts, parse_facts
from tpsgd_host.flashing.programs import mpremote, run
from tpsgd_host.link.port import SerialPort
from tpsgd_host.link.session import Session

#: Ctrl-C twice, Ctrl-B for the friendly REPL, Ctrl-D: the board restarts, boot.py and main.py included.
RESTART = b"\r\x03\x03\r\x02\r\x04"

#: Seconds that a file may take to be copied; an emulated ESP32 took ten.
FILE_WITHIN = 20

#: Seconds for a device program to answer when a host has left its session open, so that it waits for frames.
ANSWER = 0.45


class Remote:
    """A board at a serial port.

    Parameters
    ----------
    port : str
        Its name for pyserial.
    """

    def __init__(self, port: str) -> None:
        self.port = port

    def command(self, *words: str) -> list[str]:
        """Return the command for mpremote."""
        return [*mpremote(), "connect", self.port, *words]

    def release(self) -> bool:
        """Make a device program that serves a host release the console; return whether there was one.

        While it serves, the byte that interrupts programs is an ordinary byte, so mpremote alone could not interrupt
        it.
        """
        port = SerialPort(self.port)
        try:
            session = Session(port, patience=ANSWER)
            try:
                session.hello()
            except BoardError:
                return False
            session.bye()
            return True
        finally:
            port.close()

    def facts(self) -> BoardFacts:
        """Restart the board without its program, and ask what it is."""
        return parse_facts(run(self.command("exec", PROGRAM), timeout=40))

    def belongings(self, fresh: bool = False) -> Belongings:
        """Ask which files the board has, and whose they are; ``fresh``: first restart it without its program."""
        return Belongings.parse(run(self.command(*([] if fresh else ["resume"]), "exec", program()), timeout=60))

    def put_command(self, files: Sequence[tuple[Path, str]], program: str = "") -> list[str]:
        """Return the command that runs ``program``, copies files (local path, path on the board), and hashes them."""
        words = ["resume", *(["exec", program, "+"] if program else [])]
        for here, there in files:
            words += ["fs", "cp", str(here), f":{there}", "+"]
        return self.command(*words, "fs", "sha256sum", *(there for _, there in files))

    def put(
        self,
        files: Sequence[tuple[Path, str]],
        program: str = "",
        on_file: Callable[[str], None] = lambda name: None,
    ) -> None:
        """Run ``program``, copy files, and compare their hashes on the board with the expected ones.

        mpremote skips files that are already there.

        Raises
        ------
        MismatchError
            When a hash differs.
        """

        def line(text: str) -> None:
            if text.startswith("cp "):
                on_file(text.rpartition(":")[2])

        text = run(self.put_command(files, program), timeout=max(600, FILE_WITHIN * len(files)), on_line=line)
        digests = [word for word in text.split() if len(word) == 64 and set(word) <= set("0123456789abcdef")]
        if len(digests) != len(files):
            raise BoardError(f"the board gave {len(digests)} hashes for {len(files)} files", "run the command again")
        for (here, there), digest in zip(files, digests, strict=True):
            if digest != hashlib.sha256(here.read_bytes()).hexdigest():
                raise MismatchError(
                    f"{there} on the board is not what was written",
                    "is the cable bad, or the flash worn? Run the command again",
                )

    def restart(self) -> None:
        """Restart the board and its program."""
        port = SerialPort(self.port)
        try:
            port.write(RESTART)
            time.sleep(0.2)  # closing a port at once can discard what it has not sent
        finally:
            port.close()

    def wait(self, seconds: float) -> None:
        """Wait until the port exists.

        Raises
        ------
        PortError
            When it does not appear.
        """
        until = time.monotonic() + seconds
        while True:
            try:
                SerialPort(self.port).close()
                return
            except PortError as error:
                if time.monotonic() > until:
                    raise PortError(
                        f"the port {self.port} has not come back in {seconds:.0f} s",
                        "it may have another name now: tpsgd-host boards; then flash again with --deploy-only",
                    ) from error
            time.sleep(0.2)


def answers(port: str) -> bool:
    """Whether a device program answers at a port."""
    try:
        return Remote(port).release()
    except TpsgdError:
        return False
