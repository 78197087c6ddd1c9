"""Write ``CLI.md``, the page of the commands, from the commands themselves. A test fails when the page is stale.

python docs/make/cli.py
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path

import click
from click.testing import CliRunner

from tpsgd_host import errors
from tpsgd_host.cli import COMMANDS, cli

PAGE = Path(__file__).resolve().parents[1] / "CLI.md"
WIDTH = 80  # columns

HEAD = """\
<!-- Made by docs/make/cli.py from the commands and errors.py. Change those, then run: python docs/make/cli.py -->

# Commands

Every command has `--help`. Those with `--json` print their result as one JSON object on standard output and everything
else on standard error. Press Ctrl-C whenever you like: files are written whole or not at all, and
`tpsgd-host stream --resume` goes on with a run that was stopped.

## Environment variables

| variable | meaning |
|---|---|
| `TPSGD_VIRTUAL` | folder that is the flash of the virtual board, as `--board-dir` |
| `TPSGD_MICROPYTHON` | MicroPython's unix port, where you built it yourself |
| `TPSGD_RP2040_UF2` | MicroPython for the Pico (.uf2), for `bench frontend` and `practice` on an emulated RP2040 |
| `TPSGD_RP2040JS` | folder where `npm install rp2040js` was run, which emulates it |
| `TPSGD_ESP32_QEMU` | QEMU with the machine `esp32`, for `bench frontend` on an emulated ESP32 |
| `TPSGD_ESP32_FIRMWARE` | MicroPython for ESP32_GENERIC (.bin), which it runs |
| `TPSGD_FIRMWARE_URL` | a mirror to fetch firmware from |
| `TPSGD_FIRMWARE_CACHE` | folder that keeps fetched firmware |

## Exit codes

| code | meaning |
|---|---|
"""

#: What the classes in errors.py do not say: success, Click's own and the shell's.
CODES = {
    0: "Done.",
    1: "Anything not named here.",
    2: "Wrong use of a command or an option.",
    130: "Interrupted (Ctrl-C).",
}


def exit_codes() -> dict[int, str]:
    """Return the meaning of each exit code, in their order."""
    codes = dict(CODES)
    for _, kind in inspect.getmembers(errors, inspect.isclass):
        if issubclass(kind, errors.TpsgdError) and "exit_code" in vars(kind) and kind is not errors.TpsgdError:
            codes[kind.exit_code] = inspect.getdoc(kind).splitlines()[0]
    return dict(sorted(codes.items()))


def help_of(*command: str) -> str:
    """Return what ``tpsgd-host COMMAND --help`` prints on a terminal of that width."""
    result = CliRunner().invoke(
        cli, [*command, "--help"], prog_name="tpsgd-host", terminal_width=WIDTH, max_content_width=WIDTH
    )
    if result.exit_code:
        raise RuntimeError(f"{command}: {result.output}{result.exception!r}")
    return result.output.rstrip()


def commands() -> Iterator[tuple[str, ...]]:
    """Yield the words of every command, those of groups after their group."""
    yield ()
    context = click.Context(cli)
    for name in COMMANDS:
        yield (name,)
        command = cli.get_command(context, name)
        if isinstance(command, click.Group):
            yield from ((name, word) for word in command.list_commands(context))


def page() -> str:
    """Return the whole page."""
    rows = "".join(f"| {code} | {meaning} |\n" for code, meaning in exit_codes().items())
    parts = [HEAD + rows]
    for words in commands():
        title = "#" * max(2, len(words) + 1) + " " + (" ".join(words) or "tpsgd-host")
        parts.append(f"{title}\n\n```text\n{help_of(*words)}\n```\n")
    return "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(f"{PAGE}: {sum(1 for _ in commands()) - 1} commands, {len(exit_codes())} exit codes")
