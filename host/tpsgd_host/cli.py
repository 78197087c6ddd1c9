"""``tpsgd-host``: the group of commands, and the one place where errors become messages and exit codes.

Commands are imported when they are used, so ``--help`` does not wait for plots and tables.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from importlib import import_module

import click

from tpsgd_host import __version__
from tpsgd_host.errors import TpsgdError
from tpsgd_host.terminal import echo

COMMANDS = {
    "record": "record",
    "new": "new",
    "quantize": "quantize",
    "inspect": "inspect",
    "boards": "boards",
    "sensors": "sensors",
    "doctor": "doctor",
    "flash": "flash",
    "stream": "stream",
    "simulate": "simulate",
    "compare": "compare",
    "eval": "evaluate",
    "teach": "teach",
    "monitor": "monitor",
    "pull": "pull",
    "push": "push",
    "adapt": "adapt",
    "fleet": "fleet",
    "reset-model": "reset_model",
    "erase": "erase",
    "plot": "plot",
    "demo": "demo",
    "bench": "bench",
}

EPILOG = """\b
Exit codes:
   0  done                       6  port: not there, busy, vanished
   1  anything not named here    7  board: silent, or answers with an error
   2  wrong use of an option     8  the model does not fit on the board
   3  configuration (TOML)       9  board and file or simulation differ
   4  data file                 10  an optional package is missing
   5  model file               130  interrupted (Ctrl-C)
"""


class Commands(click.Group):
    """A group that imports a command when it is needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the commands in the order of their use."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:  # noqa: ARG002
        """Return a command by its name."""
        if name not in COMMANDS:
            return None
        command: click.Command = import_module(f"tpsgd_host.commands.{COMMANDS[name]}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; suggest similar ones for an unknown name."""
        name = args[0]
        if name not in COMMANDS and not name.startswith("-"):
            from tpsgd_host.names import suggestion

            ctx.fail(f"no command {name!r}. {suggestion(name, tuple(COMMANDS))}".strip())
        return super().resolve_command(ctx, args)


@click.group(cls=Commands, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="tpsgd-host")
def cli() -> None:
    """Networks that learn on a microcontroller.

    Quantize a small network, put it on a board together with its trainer, stream data to it and watch it learn. The
    board "virtual" needs no hardware: it is the real MicroPython interpreter on this computer.

    \b
    Try it:
      tpsgd-host demo gesture
    Or with your own data:
      tpsgd-host new gestures --data data.csv
      tpsgd-host quantize gestures.toml --data data.csv
      tpsgd-host flash gestures.tpsgd --board virtual
      tpsgd-host stream data.csv --epochs 20 --test-split 0.2
    """


def main() -> None:
    """Run the command line and exit."""
    try:
        code = cli.main(standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        _show(error)
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        echo("\ninterrupted", err=True)
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()  # the reader has gone, and Python would complain about stdout
        sys.exit(141)
    except OSError as error:  # files have their own errors, so this is the output itself
        _show(TpsgdError(f"{error.filename or 'the output'} cannot be written: {error.strerror or error}"))
        _drop_output()
        sys.exit(TpsgdError.exit_code)
    sys.exit(code if isinstance(code, int) else 0)


def _show(error: click.ClickException) -> None:
    """Print an error, if there is still anything to print to."""
    with suppress(OSError):
        error.show()


def _drop_output() -> None:
    """Discard pending output, about which Python would complain at exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for number in (1, 2):
        os.dup2(nowhere, number)
