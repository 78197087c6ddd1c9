"""Errors for users: one class per cause, one exit code per class.

The API raises them; only :mod:`tpsgd_host.cli` turns them into messages and exit codes. A message gives the fact, the
value and, in ``hint``, the likely cause and the next command.
"""

from __future__ import annotations

from typing import IO, Any

import click

from tpsgd_host.terminal import echo


class TpsgdError(click.ClickException):
    """Base of all errors of this tool.

    Parameters
    ----------
    message : str
        The fact and the value, one sentence.
    hint : str, optional
        Likely cause and what to do next, preferably a command.
    """

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the message, then the hint on a new line, to standard error; indent continuation lines."""
        message = self.message.replace("\n", "\n       ")  # so that a board's traceback cannot pass for a hint
        echo(f"error: {message}", fg="red", file=file, err=file is None)
        if self.hint:
            echo(f"hint:  {self.hint}", file=file, err=file is None)


class ConfigError(TpsgdError):
    """The model's TOML, or an option, asks for something impossible."""

    exit_code = 3


class DataError(TpsgdError):
    """A data file is missing, or the model cannot use it."""

    exit_code = 4


class ModelError(TpsgdError):
    """A model file, checkpoint or network to import is damaged or not supported."""

    exit_code = 5


class PortError(TpsgdError):
    """The port does not exist, is busy, or may not be opened."""

    exit_code = 6


class BoardError(TpsgdError):
    """The board does not answer, or answers with an error."""

    exit_code = 7


class BoardGoneError(BoardError):
    """The board is gone: silent, reset, or its program has ended. It may come back."""


class FitError(TpsgdError):
    """The model does not fit on the board."""

    exit_code = 8


class MismatchError(TpsgdError):
    """Board and simulation, or board and file, differ where they must be equal."""

    exit_code = 9


class DependencyError(TpsgdError):
    """An optional package is needed but not installed."""

    exit_code = 10
