"""The process of an emulator whose board's console is its standard input and output."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from types import TracebackType
from typing import TypeVar

E = TypeVar("E", bound="EmulatorProcess")


class EmulatorProcess:
    """A running emulator; a context manager that reaches the board's REPL, and ends the process.

    Parameters
    ----------
    command : sequence of str
    """

    def __init__(self, command: Sequence[str]) -> None:
        self._process = subprocess.Popen(
            list(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0
        )
        assert self._process.stdin and self._process.stdout
        self._input, self._output = self._process.stdin, self._process.stdout

    def __enter__(self: E) -> E:
        try:
            self._open()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop the emulator."""
        self._process.kill()
        self._process.wait()
        self._input.close()
        self._output.close()

    def _open(self) -> None:
        """Reach the REPL."""
        raise NotImplementedError

    def _send(self, data: bytes) -> None:
        self._input.write(data)
